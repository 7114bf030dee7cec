# A file of whole blocks ends with an empty one (RFC 1350 6).
start size=1024 blksize=512
expect oack
+1ms ack 0
expect block 1
+1ms ack 1
expect block 2
+1ms ack 2
expect block 3
+1ms ack 3
expect done

# It may be alone in its window.
start size=2048 blksize=512 windowsize=4
expect oack
+1ms ack 0
expect blocks 1-4
+1ms ack 4
expect block 5
+1ms ack 5
expect done
