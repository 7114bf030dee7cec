# A client that never answers: 30 s, whatever the timer has become.
start size=60000 blksize=1468 windowsize=4
expect oack
at 29s tick
expect oack
expect deadline 1us 1s
at 30s tick
expect gave-up

# ACKs that say nothing new do not keep it alive.
start size=60000 blksize=1468 windowsize=4
expect oack
at 1ms ack 0
expect blocks 1-4
at 29s ack 0
expect wait
at 29900ms tick
expect blocks 1-4
at 30001ms tick
expect gave-up
