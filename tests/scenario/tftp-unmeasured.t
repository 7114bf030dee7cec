# The OACK went out twice, so its ACK measures nothing: a repeated ACK waits
# 20 ms, and an ACK in mid-window is better than no measurement.
start size=60000 blksize=1468 windowsize=4
expect oack
tick
expect oack
at 51ms ack 0
expect blocks 1-4
# One more ACK for the other OACK; then it means something.
+1ms ack 0
expect wait
+100us ack 0
expect wait
expect deadline 10ms 20ms
tick
expect blocks 1-4
expect srtt 0us 0us

start size=60000 blksize=1468 windowsize=4
expect oack
tick
expect oack
at 51ms ack 0
expect blocks 1-4
+400us ack 2
expect blocks 3-6
expect srtt 400us 400us
