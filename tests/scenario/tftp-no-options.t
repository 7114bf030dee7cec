# A request without options begins with block 1 at once (RFC 1350).
start size=1000 oack=0
expect block 1
expect deadline 50ms 50ms
+1ms ack 1
expect block 2
+1ms ack 2
expect done

# The request came again: block 1 was lost.
start size=1000 oack=0
expect block 1
at 40ms again
expect block 1
+1ms ack 1
expect block 2
+1ms ack 2
expect done
expect resent 1
