# Without a window: a block that is lost, then an ACK. 20 ms are the floor.
start size=5000 blksize=1432
expect oack
at 200us ack 0
expect block 1
expect deadline 20ms 20ms
tick
expect block 1
expect deadline 40ms 40ms
tick
expect block 1
expect deadline 80ms 80ms
+200us ack 1
expect block 2
expect deadline 20ms 30ms
+200us ack 2
expect block 3
expect resent 2
