/*
 * patience: does a file system answer? Asked by a process of its own, which
 * can be given up without a trace: a thread that hangs would hold up the
 * change of the user, and whatever it had would have to stay. So only before
 * there are threads.
 */
#ifndef DAEMON_BASE_PATIENCE_H
#define DAEMON_BASE_PATIENCE_H

#include <stdatomic.h>
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
 * Does look(arg) come back? Nothing that it changes is seen here but memory
 * that is shared. Who has no patience left waits a moment still: most answer at
 * once. True also if that cannot be found out.
 *
 * moves: for what takes its time, a count in shared memory; while it grows,
 * what looks does not hang, and costs no patience. NULL: there is none.
 */
bool patience_try(struct patience *patience, const atomic_uint *moves,
	void (*look)(void *arg), void *arg);

#endif
