# The same request again, after the ACK of the OACK: the OACK once more, and
# the ACK that it makes is no sign of a loss.
start size=60000 blksize=1468 windowsize=4
expect oack
at 300us ack 0
expect blocks 1-4
+10us again
expect oack
+300us ack 0
expect wait
+10us ack 4
expect blocks 5-8
# A straggler.
+10us again
expect wait
+500us ack 8
expect blocks 9-12
expect resent 0
# The machine was reset and uses the port again.
at 3s again
expect oack
+300us ack 0
expect blocks 1-4
