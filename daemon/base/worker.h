/*
 * worker: helper threads for what may have to wait for a disk, so that the
 * event loop never does: cold file data, digests, saving state.
 *
 * A job's `work` runs in a thread and may touch nothing but what its `arg`
 * gives it for that; `done` runs in the loop afterwards.
 *
 * What reads images may hang with the server that has them: one thread is
 * always left to all else, which goes first; and one more to a reload, of which
 * there is one at a time.
 */
#ifndef DAEMON_BASE_WORKER_H
#define DAEMON_BASE_WORKER_H

#include <stdbool.h>

struct event_base;
struct worker;
struct worker_job;

#define WORKER_THREADS 6

/* NULL if memory is short. Jobs wait until worker_run(). */
struct worker *worker_new(struct event_base *base);
/*
 * Start the threads, which have the privileges that their maker has now: once
 * it needs them no more. 0, or -EAGAIN if there cannot be any.
 */
int worker_run(struct worker *worker);
/*
 * Waits for the jobs that run; those that have not begun are dropped. `done`
 * is called for none of them any more, `drop` for all; but those that hang keep
 * what they have, and the process is to end soon.
 */
void worker_free(struct worker *worker);

struct worker_task {
	void (*work)(void *arg); /* in a thread */
	void (*done)(void *arg); /* in the loop, unless cancelled */
	void (*drop)(void *arg); /* in the loop, last of all: frees arg */
	void *arg;
};

/* NULL if memory is short; then nothing of the task is called. */
struct worker_job *worker_start(
	struct worker *worker, const struct worker_task *task);
/* The same for what may hang. */
struct worker_job *worker_start_slow(
	struct worker *worker, const struct worker_task *task);
/* And for the one of these that does not wait for the others. */
struct worker_job *worker_start_reload(
	struct worker *worker, const struct worker_task *task);
/* `done` will not be called; `work` may still run, and `drop` comes later. */
void worker_cancel(struct worker_job *job); /* NULL is fine */

#endif
