# ERROR 8 after the OACK: EDK2 wanted to know the size. Nothing is sent, then
# or ever after.
start size=6000 blksize=1468 windowsize=4
expect oack
+1ms error 8
expect aborted
+1ms ack 0
expect aborted
tick
expect aborted
again
expect aborted

# In the middle of it.
start size=6000 blksize=1468 windowsize=4
expect oack
+1ms ack 0
expect blocks 1-4
+1ms error 0
expect aborted
