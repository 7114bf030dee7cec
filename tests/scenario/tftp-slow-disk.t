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
