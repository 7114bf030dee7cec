/*
 * patience: does a file system answer? Asked by a process of its own, which
 * can be given up without a trace: a thread that hangs would hold up the
 * change of the user, and whatever it had would have to stay. So only before
 * there are threads.
 */
#ifndef DAEMON_BASE_PATIENCE_H
#define DAEMON_BASE_PATIENCE_H

#include <stdbool.h>
#include <stdint.h>

struct patience {
	uint64_t left_us; /* for all that is looked at */
};

/* As long as somebody who waits for a start should have to. */
#define PATIENCE_INIT                                                          \
	{                                                                      \
		.left_us = 10000000                                            \
	}

/*
 * Does look(arg) come back? Nothing that it changes is seen here. Who has no
 * patience left waits a moment still: most answer at once. True also if that
 * cannot be found out.
 */
bool patience_try(
	struct patience *patience, void (*look)(void *arg), void *arg);

#endif
