# An accepted timeout is the longest that the timer becomes.
start size=60000 blksize=1468 timeout=1
expect oack
at 1s tick
expect oack
at 2s tick
expect oack
at 3s tick
expect oack
at 4s tick
expect oack
at 8s tick
expect oack
expect deadline 1s 1s
tick
expect oack
expect deadline 1s 1s
