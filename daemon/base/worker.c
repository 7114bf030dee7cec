#include "daemon/base/worker.h"

#include <errno.h>
#include <event2/event.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/queue.h>
#include <unistd.h>

#include "daemon/base/clock.h"

#define SLICE_US 200 /* for what is finished, in a round: DHCP waits */
/* What is done holds what it read: nothing more is begun beyond so many. */
#define FINISHED_MAX 64
/* A reload reads heads of images as well, and must not wait behind these. */
#define SLOW_MAX (WORKER_THREADS - 2)
#define END_S	 2 /* so long the end waits for what may hang */

struct worker_job {
	TAILQ_ENTRY(worker_job) link;
	struct worker_task task;
	bool is_slow, may_hang;
	bool cancelled; /* the loop's alone */
};

TAILQ_HEAD(job_list, worker_job);

struct worker {
	pthread_mutex_t lock;
	pthread_cond_t work;
	/* All under the lock. */
	struct job_list waiting, slow, finished;
	unsigned n_finished;	     /* jobs */
	unsigned n_slow, n_may_hang; /* of these kinds, running */
	unsigned n_running;	     /* threads that have not ended */
	bool stop;
	unsigned n_threads;
	pthread_t thread[WORKER_THREADS];
	int wake;
	struct event *event;
};

/* Of those that wait, under the lock; NULL: none may begin. */
static struct worker_job *next_job(struct worker *w)
{
	struct job_list *list = &w->waiting;
	struct worker_job *job;

	if (w->n_finished >= FINISHED_MAX)
		return NULL;
	if (TAILQ_EMPTY(list) && w->n_slow < SLOW_MAX)
		list = &w->slow;
	job = TAILQ_FIRST(list);
	if (!job)
		return NULL;
	TAILQ_REMOVE(list, job, link);
	w->n_slow += job->is_slow;
	w->n_may_hang += job->may_hang;
	return job;
}

static void *run(void *arg)
{
	struct worker *w = arg;

	pthread_mutex_lock(&w->lock);
	for (;;) {
		struct worker_job *job = NULL;
		uint64_t one = 1;

		while (!w->stop && !(job = next_job(w)))
			pthread_cond_wait(&w->work, &w->lock);
		if (!job)
			break;
		pthread_mutex_unlock(&w->lock);
		job->task.work(job->task.arg);
		pthread_mutex_lock(&w->lock);
		w->n_slow -= job->is_slow;
		w->n_may_hang -= job->may_hang;
		TAILQ_INSERT_TAIL(&w->finished, job, link);
		w->n_finished++;
		if (write(w->wake, &one, sizeof(one)) < 0) {
			/* The counter is full: the loop wakes up anyway. */
		}
	}
	w->n_running--;
	pthread_cond_broadcast(&w->work);
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

static void end_job(struct worker_job *job, bool tell)
{
	if (tell && !job->cancelled && job->task.done)
		job->task.done(job->task.arg);
	if (job->task.drop)
		job->task.drop(job->task.arg);
	free(job);
}

static struct worker_job *take_finished(struct worker *w)
{
	struct worker_job *job;

	pthread_mutex_lock(&w->lock);
	job = TAILQ_FIRST(&w->finished);
	if (job) {
		TAILQ_REMOVE(&w->finished, job, link);
		w->n_finished--;
		pthread_cond_signal(&w->work);
	}
	pthread_mutex_unlock(&w->lock);
	return job;
}

/* What is more than a slice waits for the next round of the loop. */
static void on_finished(evutil_socket_t fd, short what, void *arg)
{
	struct worker *w = arg;
	struct worker_job *job;
	uint64_t until = clock_us() + SLICE_US, count, one = 1;

	(void)what;
	if (read(fd, &count, sizeof(count)) < 0)
		return;
	while ((job = take_finished(w))) {
		end_job(job, true);
		if (clock_us() < until)
			continue;
		if (write(w->wake, &one, sizeof(one)) < 0) {
			/* The counter is full: the loop wakes up anyway. */
		}
		return;
	}
}

int worker_run(struct worker *w)
{
	while (w->n_threads < WORKER_THREADS &&
		pthread_create(&w->thread[w->n_threads], NULL, run, w) == 0)
		w->n_threads++;
	w->n_running = w->n_threads;
	return w->n_threads ? 0 : -EAGAIN;
}

struct worker *worker_new(struct event_base *base)
{
	struct worker *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->work, NULL);
	TAILQ_INIT(&w->waiting);
	TAILQ_INIT(&w->slow);
	TAILQ_INIT(&w->finished);
	w->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (w->wake >= 0)
		w->event = event_new(
			base, w->wake, EV_READ | EV_PERSIST, on_finished, w);
	if (!w->event || event_add(w->event, NULL)) {
		worker_free(w);
		return NULL;
	}
	return w;
}

/* True: all threads have ended. False: some hang. */
static bool end_threads(struct worker *w)
{
	struct timespec until;
	bool ended;

	pthread_mutex_lock(&w->lock);
	w->stop = true;
	pthread_cond_broadcast(&w->work);
	while (w->n_running > w->n_may_hang)
		pthread_cond_wait(&w->work, &w->lock);
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += END_S;
	while (w->n_running && pthread_cond_clockwait(&w->work, &w->lock,
				       CLOCK_MONOTONIC, &until) == 0) {
	}
	ended = !w->n_running;
	pthread_mutex_unlock(&w->lock);
	for (unsigned i = 0; i < w->n_threads; i++) {
		if (ended)
			pthread_join(w->thread[i], NULL);
		else
			pthread_detach(w->thread[i]);
	}
	return ended;
}

void worker_free(struct worker *w)
{
	struct job_list left = TAILQ_HEAD_INITIALIZER(left);
	struct worker_job *job;
	bool ended;

	if (!w)
		return;
	ended = end_threads(w);
	pthread_mutex_lock(&w->lock);
	TAILQ_CONCAT(&left, &w->finished, link);
	TAILQ_CONCAT(&left, &w->waiting, link);
	TAILQ_CONCAT(&left, &w->slow, link);
	pthread_mutex_unlock(&w->lock);
	while ((job = TAILQ_FIRST(&left))) {
		TAILQ_REMOVE(&left, job, link);
		end_job(job, false);
	}
	if (w->event)
		event_free(w->event);
	if (!ended)
		return;
	if (w->wake >= 0)
		close(w->wake);
	pthread_cond_destroy(&w->work);
	pthread_mutex_destroy(&w->lock);
	free(w);
}

static struct worker_job *start(struct worker *worker,
	const struct worker_task *task, bool is_slow, bool may_hang)
{
	struct worker_job *job = calloc(1, sizeof(*job));

	if (!job)
		return NULL;
	job->task = *task;
	job->is_slow = is_slow;
	job->may_hang = may_hang;
	pthread_mutex_lock(&worker->lock);
	TAILQ_INSERT_TAIL(
		is_slow ? &worker->slow : &worker->waiting, job, link);
	pthread_cond_signal(&worker->work);
	pthread_mutex_unlock(&worker->lock);
	return job;
}

struct worker_job *worker_start(
	struct worker *worker, const struct worker_task *task)
{
	return start(worker, task, false, false);
}

struct worker_job *worker_start_slow(
	struct worker *worker, const struct worker_task *task)
{
	return start(worker, task, true, true);
}

struct worker_job *worker_start_reload(
	struct worker *worker, const struct worker_task *task)
{
	return start(worker, task, false, true);
}

void worker_cancel(struct worker_job *job)
{
	if (job)
		job->cancelled = true;
}
