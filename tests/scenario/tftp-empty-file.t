# One empty block; also without options.
start size=0 blksize=1468 windowsize=4
expect oack
+1ms ack 0
expect block 1
+1ms ack 1
expect done

start size=0 oack=0
expect block 1
+1ms ack 1
expect done
