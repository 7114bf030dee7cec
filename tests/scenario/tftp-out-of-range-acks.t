# ACKs of what was not sent yet, or long ago.
start size=600000 blksize=1468 windowsize=4
expect oack
at 300us ack 1
expect wait
at 300us ack 65535
expect wait
at 300us ack 0
expect blocks 1-4
+10us ack 5
expect wait
+10us ack 8
expect wait
+10us ack 65535
expect wait
+10us ack 32768
expect wait
+500us ack 4
expect blocks 5-8
+10us ack 3
expect wait
+10us ack 0
expect wait
+10us ack 65535
expect wait
+500us ack 8
expect blocks 9-12
expect resent 0
expect rollbacks 0
