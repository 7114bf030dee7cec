# The same with a window: progress comes before the repeated ACK is believed.
start size=60000 blksize=1468 windowsize=4
expect oack
at 300us ack 0
expect blocks 1-4
+5us ack 0
expect wait
+600us ack 4
expect blocks 5-8
+5us ack 4
expect wait
+600us ack 8
expect blocks 9-12
+5us ack 8
expect wait
+600us ack 12
expect blocks 13-16
expect resent 0

# Once there is progress, it means nothing: the time-out sends one block.
start size=60000 blksize=1468 windowsize=4
expect oack
at 300us ack 0
expect blocks 1-4
+5us ack 0
expect wait
+600us ack 4
expect blocks 5-8
tick
expect block 8
expect rollbacks 0
