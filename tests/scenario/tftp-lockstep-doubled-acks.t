# Sorcerer's Apprentice (RFC 1123 4.2.3.1): every ACK comes twice, and no
# block goes out twice.
start size=5000 blksize=1432
expect oack
at 200us ack 0
expect block 1
+1us ack 0
expect wait
+200us ack 1
expect block 2
+1us ack 1
expect wait
+200us ack 2
expect block 3
+1us ack 2
expect wait
+200us ack 3
expect block 4
+1us ack 3
expect wait
+10ms ack 3
expect wait
+1us ack 4
expect done
expect resent 0
