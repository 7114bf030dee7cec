# A client that does not answer blocks out of order, or whose answers are
# lost: the third time-out in a row sends the window from base + 1, within a
# second even if no round trip was ever measured.
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
tick
expect block 4
+300us ack 4
expect blocks 5-8

start size=60000 blksize=1468 windowsize=4
expect oack
tick
expect oack
at 51ms ack 0
expect blocks 1-4
tick
expect block 4
tick
expect block 4
at 800ms tick
expect blocks 1-4
expect timeouts 4
