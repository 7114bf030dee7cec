# The last ACK is lost and the client gone: a few packets, then silence.
start size=6000 blksize=1468 windowsize=4
expect oack
at 300us ack 0
expect blocks 1-4
at 1ms ack 4
expect block 5
tick
expect block 5
tick
expect block 5
tick
expect block 5
tick
expect block 5
tick
expect block 5
tick
expect block 5
tick
expect block 5
tick
expect block 5
tick
expect block 5
expect deadline 1s 2500ms
tick
expect gave-up
expect timeouts 9
expect resent 9

# The client is there: it says so.
start size=6000 blksize=1468 windowsize=4
expect oack
at 300us ack 0
expect blocks 1-4
at 1ms ack 4
expect block 5
tick
expect block 5
+500us ack 5
expect done
