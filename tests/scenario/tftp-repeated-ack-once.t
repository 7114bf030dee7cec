# Three ACKs of the base: exactly one resend, within tens of milliseconds,
# however many more of them come.
start size=60000 blksize=1468 windowsize=4
expect oack
at 300us ack 0
expect blocks 1-4
+300us ack 0
expect wait
+10us ack 0
expect wait
+10us ack 0
expect wait
at 20ms tick
expect blocks 1-4
+10us ack 0
expect wait
+10us ack 0
expect wait
+10us ack 0
expect wait
+10us ack 0
expect wait
+10us ack 0
expect wait
+500us ack 4
expect blocks 5-8
expect resent 4
expect rollbacks 1

# The resend is lost as well. Its ACK value has had its resend, so that the
# timer is next, with one block; the answer to that is believed at once.
start size=60000 blksize=1468 windowsize=4
expect oack
at 300us ack 0
expect blocks 1-4
+300us ack 0
expect wait
tick
expect blocks 1-4
+10us ack 0
expect wait
tick
expect block 4
+300us ack 0
expect blocks 1-4
expect rollbacks 2
expect timeouts 1

# After a time-out nothing of the resend is under way: an ACK in mid-window
# is a gap again.
start size=60000 blksize=1468 windowsize=4
expect oack
at 300us ack 0
expect blocks 1-4
+300us ack 0
expect wait
tick
expect blocks 1-4
tick
expect block 4
+300us ack 2
expect blocks 3-6

# It comes late itself: still there is a moment for the window to arrive.
start size=60000 blksize=1468 windowsize=4
expect oack
at 300us ack 0
expect blocks 1-4
+4ms ack 0
expect wait
expect deadline 1us 1ms
+10us ack 4
expect blocks 5-8
expect resent 0
