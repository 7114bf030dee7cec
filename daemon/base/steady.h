/*
 * steady: may the wall clock be believed? What is deleted because it is old is
 * gone, should it turn out that it was the clock that was wrong: one that has
 * jumped, or was just looked at for the first time, may be about to be set
 * right. It is believed again after an hour in which it went as the monotonic
 * clock did.
 */
#ifndef DAEMON_BASE_STEADY_H
#define DAEMON_BASE_STEADY_H

#include <stdbool.h>
#include <stdint.h>

#define STEADY_JUMP_S 60
#define STEADY_US     3600000000ull

struct steady {
	double wall;	 /* at the latest look: Unix time, */
	uint64_t now_us; /* and the monotonic clock; 0: none yet */
	uint64_t since_us;
};

/* Both clocks as they are now. */
bool steady_look(struct steady *steady, double wall, uint64_t now_us);

#endif
