# The ACK of a window is lost. The block that the time-out sends is known to
# the client, which says so.
start size=60000 blksize=1468 windowsize=4
expect oack
at 300us ack 0
expect blocks 1-4
tick
expect block 4
+500us ack 4
expect blocks 5-8
expect resent 1
