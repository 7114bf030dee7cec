# DATA is no answer to a sender.
start size=6000 blksize=1468 windowsize=4
expect oack
+1ms data 0
expect wait
+1ms ack 0
expect blocks 1-4
+1ms data 4
expect wait
+1ms ack 4
expect block 5
