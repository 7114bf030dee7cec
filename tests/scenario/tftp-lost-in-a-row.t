# Without a window: seven blocks or ACKs lost in a row. Doubled on and on the
# last of these time-outs alone would be 1,280 ms.
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
tick
expect block 1
expect deadline 160ms 160ms
tick
expect block 1
expect deadline 200ms 200ms
tick
expect block 1
expect deadline 200ms 200ms
tick
expect block 1
expect deadline 200ms 200ms
at 900200us tick
expect block 1
# The longer it is silent, the less it gets.
expect deadline 225ms 225ms
at 8000200us tick
expect block 1
expect deadline 2s 2s
at 17000200us tick
expect block 1
expect deadline 4s 4s
+200us ack 1
expect block 2
expect deadline 20ms 30ms

# Where the round trip is long, two time-outs in a row are not the same.
start size=5000 blksize=1432
expect oack
at 40ms ack 0
expect block 1
expect deadline 120ms 120ms
tick
expect block 1
expect deadline 240ms 240ms
tick
expect block 1
expect deadline 240ms 240ms

# Once all is sent, the client has most likely left.
start size=5000 blksize=1432
expect oack
at 200us ack 0
expect block 1
run 3
expect block 4
at 200ms tick
expect block 4
at 500ms tick
expect block 4
at 1s tick
expect block 4
at 2s tick
expect block 4
expect deadline 300ms 400ms
tick
expect block 4
expect deadline 600ms 800ms
