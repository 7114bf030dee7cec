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
