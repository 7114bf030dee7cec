# Each packet of a window lost in turn, as EDK2 answers: at most one resend,
# and the windows after it go out once.

# The first: three ACKs of what came before it.
start size=60000 blksize=1468 windowsize=4
expect oack
at 300us ack 0
expect blocks 1-4
at 1ms ack 4
expect blocks 5-8
+500us ack 4
expect wait
+100us ack 4
expect wait
+100us ack 4
expect wait
expect deadline 1us 2500us
tick
expect blocks 5-8
expect rollbacks 1
+1ms ack 8
expect blocks 9-12
+1ms ack 12
expect blocks 13-16
expect resent 4
expect timeouts 0

# The second.
start size=60000 blksize=1468 windowsize=4
expect oack
at 300us ack 0
expect blocks 1-4
at 1ms ack 4
expect blocks 5-8
+500us ack 5
expect blocks 6-9
+100us ack 5
expect wait
+1ms ack 9
expect blocks 10-13
+1ms ack 13
expect blocks 14-17
expect resent 3
# And now a first one: the roll-back before was of another ACK.
+500us ack 13
expect wait
expect deadline 1us 2500us
tick
expect blocks 14-17
expect rollbacks 2
expect timeouts 0

# The third.
start size=60000 blksize=1468 windowsize=4
expect oack
at 300us ack 0
expect blocks 1-4
at 1ms ack 2
expect blocks 3-6
+1ms ack 6
expect blocks 7-10
expect resent 2
expect timeouts 0
