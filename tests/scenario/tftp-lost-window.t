# A whole window is lost, or all that it was answered with. The block that
# the time-out sends is unexpected, so the client says what it has.
start size=60000 blksize=1468 windowsize=4
expect oack
at 300us ack 0
expect blocks 1-4
tick
expect block 4
+500us ack 0
expect blocks 1-4
+500us ack 4
expect blocks 5-8
expect resent 5
expect rollbacks 1
expect timeouts 1
