# The last window is short, and nothing behind it can be sent.
start size=6000 blksize=1468 windowsize=4
expect oack
at 300us ack 0
expect blocks 1-4
+600us ack 2
expect blocks 3-5
+600us ack 5
expect done

# An ACK that only slides the window has nothing to send there.
start size=3000 blksize=1468 windowsize=4
expect oack
at 300us ack 0
expect blocks 1-3
tick
expect block 3
tick
expect block 3
tick
expect blocks 1-3
+300us ack 1
expect wait
expect deadline 5ms 5ms
+300us ack 3
expect done
