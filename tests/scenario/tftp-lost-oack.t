# The OACK is lost. The timer is first ...
start size=6000 blksize=1468 windowsize=4
expect oack
expect deadline 50ms 200ms
tick
expect oack
tick
expect oack
# ... or the client asks again, from the same port.
+1ms again
expect oack
+1ms ack 0
expect blocks 1-4
# Its other ACK 0s are no news: they answer the other OACKs.
+1us ack 0
expect wait
+1us ack 0
expect wait
+1us ack 0
expect wait
+1ms ack 4
expect block 5
+1ms ack 5
expect done
expect resent 0
expect rollbacks 0
