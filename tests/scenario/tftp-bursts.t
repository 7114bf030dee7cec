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
# Slides while there is more to come: that comes in its time.
+100us ack 60
expect wait
tick
expect blocks 73-88
tick
expect blocks 89-92
expect timeouts 0
+1ms ack 92
expect blocks 93-108
tick
expect blocks 109-124
+1ms ack 124
expect blocks 125-140
tick
expect blocks 141-156
+1ms ack 156
expect blocks 157-172
tick
expect blocks 173-188
+1ms ack 188
expect blocks 189-204
tick
expect blocks 205-220
+1ms ack 220
expect blocks 221-236
tick
expect blocks 237-252
+1ms ack 252
expect blocks 253-268
tick
expect blocks 269-284
+1ms ack 284
expect blocks 285-300
tick
expect blocks 301-316
+1ms ack 316
# All went well for long enough: in one piece again.
expect blocks 317-348
