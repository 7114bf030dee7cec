# The last block of a window is lost: EDK2 says nothing for 4 s. The time-out
# sends just this block, which is all that it lacks.
start size=60000 blksize=1468 windowsize=4
expect oack
at 300us ack 0
expect blocks 1-4
expect deadline 5ms 20ms
tick
expect block 4
+500us ack 4
expect blocks 5-8
+500us ack 8
expect blocks 9-12
expect resent 1
expect timeouts 1
expect rollbacks 0

# The last two: it says that it lacks the third.
start size=60000 blksize=1468 windowsize=4
expect oack
at 300us ack 0
expect blocks 1-4
tick
expect block 4
+500us ack 2
expect blocks 3-6
+500us ack 6
expect blocks 7-10
expect resent 3
