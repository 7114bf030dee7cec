# The window went out again though the client had it: its four answers are
# expected, and do not send the next window twice.
start size=60000 blksize=1468 windowsize=4
expect oack
at 300us ack 0
expect blocks 1-4
+300us ack 0
expect wait
tick
expect blocks 1-4
+10us ack 4
expect blocks 5-8
+100us ack 4
expect wait
+10us ack 4
expect wait
+10us ack 4
expect wait
+10us ack 4
expect wait
+500us ack 8
expect blocks 9-12
+500us ack 12
expect blocks 13-16
expect resent 4
expect rollbacks 1
