# A window as wide as the block numbers, but for one.
start size=1000000 blksize=8 windowsize=65535
expect oack
+100us ack 0
expect blocks 1-65535
+500us ack 65535
expect blocks 65536-125001
+500us ack 59465
expect done

start size=1000000 blksize=8 windowsize=65535
expect oack
+100us ack 0
expect blocks 1-65535
+500us ack 40000
expect blocks 40001-105535
