/*
 * deadlines: many timers on one timerfd, to the microsecond. libevent's own
 * timers are either as coarse as the kernel's tick, or cost a system call in
 * every turn of the loop; these cost one when the earliest of them changes.
 */
#ifndef DAEMON_BASE_DEADLINES_H
#define DAEMON_BASE_DEADLINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct event_base;
struct deadlines;

/* Embedded in what it is for; all zero: not set. */
struct deadline {
	uint64_t us; /* of clock_us() */
	size_t slot; /* 0: not set */
};

/*
 * fired(arg, d) is called from the loop with each deadline that has passed,
 * the earliest first; it is not set any more then. priority: of libevent.
 * NULL: memory or descriptors are short.
 */
struct deadlines *deadlines_new(struct event_base *base, int priority,
	void (*fired)(void *arg, struct deadline *d), void *arg);
/* Deadlines that are set are forgotten. */
void deadlines_free(struct deadlines *ds); /* NULL is fine */

/* Set or move it. False: memory is short, and it is as it was. */
bool deadline_set(struct deadlines *ds, struct deadline *d, uint64_t us);
void deadline_clear(struct deadlines *ds, struct deadline *d);

#endif
