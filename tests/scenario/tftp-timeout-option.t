# An accepted timeout is the longest that the timer becomes.
start size=60000 blksize=1468 timeout=1
expect oack
tick
expect oack
tick
expect oack
tick
expect oack
tick
expect oack
tick
expect oack
expect deadline 1s 1s
tick
expect oack
expect deadline 1s 1s
