# An ACK in mid-window just after a resend may come from its first blocks,
# with the rest under way: it only slides the window.
start size=60000 blksize=1468 windowsize=4
expect oack
at 300us ack 0
expect blocks 1-4
tick
expect block 4
tick
expect block 4
tick
expect blocks 1-4
+300us ack 2
expect blocks 5-6
# The second answer of that kind, and then the window is there.
+10us ack 2
expect wait
+300us ack 6
expect blocks 7-10
+500us ack 10
expect blocks 11-14
expect rollbacks 0

# Something is missing indeed: a repeated ACK tells, and is believed.
start size=60000 blksize=1468 windowsize=4
expect oack
at 300us ack 0
expect blocks 1-4
+300us ack 0
expect wait
tick
expect blocks 1-4
+300us ack 2
expect blocks 5-6
+10us ack 2
expect wait
+300us ack 2
expect wait
expect deadline 1us 20ms
tick
expect blocks 3-6
+500us ack 6
expect blocks 7-10
expect rollbacks 2
