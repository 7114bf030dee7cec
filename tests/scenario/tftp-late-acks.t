# The path has become slower than the timer. The answer to what was sent
# again comes at the distance of the two sendings: this measures the path
# (Karn's rule alone would never measure it again).
start size=60000 blksize=1468 windowsize=4
expect oack
at 300us ack 0
expect blocks 1-4
at 600us ack 4
expect blocks 5-8
at 5600us tick
expect block 8
expect srtt 250us 350us
at 10600us ack 8
expect blocks 9-12
at 15600us ack 8
expect wait
expect srtt 1ms 10ms
at 20600us ack 12
expect blocks 13-16
expect resent 1
expect rollbacks 0

# The second one comes at another distance: it means something else.
start size=60000 blksize=1468 windowsize=4
expect oack
at 300us ack 0
expect blocks 1-4
at 600us ack 4
expect blocks 5-8
at 5600us tick
expect block 8
at 5900us ack 8
expect blocks 9-12
at 6200us ack 8
expect wait
expect srtt 250us 350us
at 6300us ack 8
expect wait
tick
expect blocks 9-12

# It was as late as no path is: so much is not believed.
start size=60000 blksize=1468 windowsize=4
expect oack
at 300us ack 0
expect blocks 1-4
at 600us ack 4
expect blocks 5-8
at 5600us tick
expect block 8
at 6s ack 8
expect blocks 9-12
expect deadline 1s 1s
at 6007600us ack 8
expect wait
expect srtt 100ms 150ms

# The path is shared, and no distance stays what it was. What is under way is
# waited for as long as this took, and half as long again.
start size=60000 blksize=1468 windowsize=4
expect oack
at 300us ack 0
expect blocks 1-4
at 600us ack 4
expect blocks 5-8
at 5600us tick
expect block 8
at 10600us ack 8
expect blocks 9-12
at 17600us ack 8
expect wait
expect srtt 1ms 2ms
expect deadline 8ms 8ms
at 20600us ack 12
expect blocks 13-16
expect resent 1
expect rollbacks 0

# The block was lost: nothing is measured.
start size=60000 blksize=1468 windowsize=4
expect oack
at 300us ack 0
expect blocks 1-4
at 600us ack 4
expect blocks 5-8
at 5600us tick
expect block 8
at 5900us ack 8
expect blocks 9-12
at 6200us ack 12
expect blocks 13-16
expect srtt 250us 350us

# The next time-out ends the waiting for a second one: what answers that is
# news.
start size=60000 blksize=1468 windowsize=4
expect oack
at 300us ack 0
expect blocks 1-4
at 600us ack 4
expect blocks 5-8
at 5600us tick
expect block 8
at 5900us ack 8
expect blocks 9-12
tick
expect block 12
+300us ack 8
expect blocks 9-12

# No usual answer to what was sent last: it was late, and so the next one may
# be. That one then is a measurement, whether or not an echo came.
start size=60000 blksize=1468 windowsize=4
expect oack
at 300us ack 0
expect blocks 1-4
at 600us ack 4
expect blocks 5-8
at 5600us tick
expect block 8
at 15600us tick
expect block 8
at 30600us ack 8
expect blocks 9-12
expect deadline 45ms 45ms
expect srtt 250us 350us
+30ms ack 12
expect blocks 13-16
expect deadline 15ms 40ms
expect srtt 3ms 5ms
expect resent 2

# Behind a long queue the time-outs have sent two blocks and a window, and all
# of them are answered: at whatever distance, this sends nothing.
start size=60000 blksize=1468 windowsize=4
expect oack
at 300us ack 0
expect blocks 1-4
tick
expect block 4
tick
expect block 4
tick
expect blocks 1-4
at 60ms ack 4
expect blocks 5-8
expect deadline 85ms 90ms
+10us ack 4
expect wait
+10us ack 4
expect wait
+70ms ack 4
expect wait
+1ms ack 4
expect wait
+10us ack 4
expect wait
+10us ack 4
expect wait
+1ms ack 8
expect blocks 9-12
expect resent 6
expect rollbacks 0

# One more than was sent again says that something is missing.
start size=60000 blksize=1468 windowsize=4
expect oack
at 300us ack 0
expect blocks 1-4
tick
expect block 4
at 60ms ack 4
expect blocks 5-8
+10us ack 4
expect wait
expect deadline 89ms 90ms
+10us ack 4
expect wait
expect deadline 70ms 80ms
tick
expect blocks 5-8
expect rollbacks 1

# Nothing was ever measured: also after a time-out they are under way.
start size=60000 blksize=1468 windowsize=4
expect oack
tick
expect oack
tick
expect oack
at 160ms ack 0
expect blocks 1-4
expect srtt 0us 0us
tick
expect block 4
+1ms ack 0
expect wait
+1ms ack 0
expect wait
+1ms ack 0
expect blocks 1-4

# An answer to the time-out's block that comes too late to be one.
start size=60000 blksize=1468 windowsize=4
expect oack
at 300us ack 0
expect blocks 1-4
at 600us ack 4
expect blocks 5-8
at 5600us tick
expect block 8
+8ms ack 4
expect wait
tick
expect block 8
+300us ack 4
expect blocks 5-8
