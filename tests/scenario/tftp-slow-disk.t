# The file had to be read first: the times count from then.
start size=60000 blksize=1468 windowsize=4
expect oack
at 300us ack 0
expect blocks 1-4
at 40s delayed
expect deadline 5ms 5ms
at 40000300us ack 4
expect blocks 5-8
expect srtt 300us 300us
expect timeouts 0

# The block that was sent again went out late: so does its answer.
start size=60000 blksize=1468 windowsize=4
expect oack
at 300us ack 0
expect blocks 1-4
at 600us ack 4
expect blocks 5-8
at 5600us tick
expect block 8
at 10600us delayed
at 12600us ack 8
expect blocks 9-12
at 22600us ack 8
expect wait
expect srtt 1ms 10ms

# What was answered meanwhile had gone out before. It is no progress of the
# future, before which there would be silence without end.
start size=5000 blksize=1468 windowsize=4
expect oack
at 300us ack 0
expect blocks 1-4
tick
expect block 4
tick
expect block 4
tick
expect blocks 1-4
+100ms ack 2
expect wait
+10us delayed
+10us ack 2
expect wait
tick
expect blocks 3-4
+300us ack 4
expect done
