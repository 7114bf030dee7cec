/*
 * control_task: a command that may take more than one turn of the loop, so
 * that nobody who boots waits for it. Those of all callers are worked off one
 * after the other, each to its end: the changes of two commands do not mix.
 * One whose caller has gone before it was begun is dropped.
 */
#ifndef DAEMON_CONTROL_CONTROL_TASK_H
#define DAEMON_CONTROL_CONTROL_TASK_H

#include <jansson.h>
#include <sys/queue.h>

#include "daemon/control/control_list.h"

struct control_task {
	/*
	 * Do some more. NULL: there is still more; else the answer, and what
	 * is to follow it in *ret_list (untouched: nothing).
	 */
	json_t *(*step)(
		struct control_task *task, struct control_list **ret_list);
	void (*free)(struct control_task *task);
	/* The queue's own. */
	TAILQ_ENTRY(control_task) link;
	void *caller; /* NULL: it has gone; what was begun goes on */
};

#endif
