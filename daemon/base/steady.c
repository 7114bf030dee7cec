#include "daemon/base/steady.h"

bool steady_look(struct steady *steady, double wall, uint64_t now_us)
{
	double went = (double)(now_us - steady->now_us) / 1e6;
	double off = wall - steady->wall - went;

	if (!steady->now_us || off > STEADY_JUMP_S || off < -STEADY_JUMP_S)
		steady->since_us = now_us;
	steady->wall = wall;
	steady->now_us = now_us;
	return now_us - steady->since_us >= STEADY_US;
}
