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
at 6007600us ack 8
expect wait
expect srtt 250us 350us

# The path is shared, and no distance stays what it was. What is under way is
# waited for as long as this took; and more answers to what went twice do not
# send it a third time.
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
expect deadline 3ms 6ms
at 17700us ack 8
expect wait
at 17800us ack 8
expect wait
expect deadline 3ms 6ms
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
