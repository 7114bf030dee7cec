# Nothing is lost: each ACK of a window opens a new one. 6000 bytes are four
# whole blocks and a short one.
start size=6000 blksize=1468 windowsize=4
expect oack
at 300us ack 0
expect blocks 1-4
expect srtt 300us 300us
+1ms ack 4
expect block 5
+1ms ack 5
expect done
expect resent 0
# What comes later is answered in the same way and sends nothing.
+1ms ack 5
expect done
tick
expect done
