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
