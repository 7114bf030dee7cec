# A client that can take eight blocks in a row of its window of 32: after a
# while the window goes out in bursts. It never becomes smaller, as EDK2
# waits for a whole one.
start size=6000000 blksize=1468 windowsize=32
expect oack
at 300us ack 0
expect blocks 1-32
+1ms ack 8
expect blocks 9-40
+1ms ack 16
expect blocks 41-48
+1ms ack 24
expect blocks 25-56
+1ms ack 32
expect blocks 57-64
+1ms ack 40
expect blocks 41-72
+1ms ack 48
expect blocks 73-80
+1ms ack 56
expect blocks 57-72
# Slides while there is more to come: that comes in its time, less what the
# client has.
+100us ack 76
expect wait
tick
expect blocks 77-92
tick
expect blocks 93-108
expect timeouts 0
+1ms ack 108
expect blocks 109-124
tick
expect blocks 125-140
+1ms ack 140
expect blocks 141-156
tick
expect blocks 157-172
+1ms ack 172
expect blocks 173-188
tick
expect blocks 189-204
+1ms ack 204
expect blocks 205-220
tick
expect blocks 221-236
+1ms ack 236
expect blocks 237-252
tick
expect blocks 253-268
+1ms ack 268
expect blocks 269-284
tick
expect blocks 285-300
+1ms ack 300
expect blocks 301-316
tick
expect blocks 317-332
+1ms ack 332
# All went well for long enough: in one piece again.
expect blocks 333-364
