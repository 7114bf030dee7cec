# The block after 65535 is 0, again and again.
start size=600000000 blksize=1468 windowsize=4
expect oack
+100us ack 0
expect blocks 1-4
run 65532
expect blocks 65533-65536
+500us ack 0
expect blocks 65537-65540
# What is behind the wrap is old, not ahead.
+10us ack 65535
expect wait
+10us ack 65533
expect wait
+500us ack 4
expect blocks 65541-65544
run 131068
expect blocks 131069-131072
+500us ack 0
expect blocks 131073-131076
+500us ack 3
expect blocks 131076-131079

# A gap on either side of it.
start size=600000000 blksize=1468 windowsize=4
expect oack
+100us ack 0
expect blocks 1-4
run 65532
expect blocks 65533-65536
+500us ack 65534
expect blocks 65535-65538
+500us ack 2
expect blocks 65539-65542

start size=600000000 blksize=1468 windowsize=4
expect oack
+100us ack 0
expect blocks 1-4
run 65532
expect blocks 65533-65536
+500us ack 65535
expect blocks 65536-65539
+500us ack 3
expect blocks 65540-65543

# Without a window.
start size=600000000 blksize=1468
expect oack
+100us ack 0
expect block 1
run 65534
expect block 65535
+500us ack 65535
expect block 65536
+500us ack 0
expect block 65537
+500us ack 1
expect block 65538
