#include "daemon/reader.h"

#include <errno.h>
#include <event2/event.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/queue.h>
#include <unistd.h>

#define PIECE 65536

struct reader_job {
	TAILQ_ENTRY(reader_job) link;
	struct view *view;
	uint64_t offset, len;
	int err;
	void (*done)(void *arg, int err); /* NULL: cancelled */
	void *arg;
};

TAILQ_HEAD(job_list, reader_job);

struct reader {
	pthread_mutex_t lock;
	pthread_cond_t work;
	struct job_list waiting, finished; /* under the lock */
	bool stop;			   /* under the lock */
	unsigned n_threads;
	pthread_t thread[READER_THREADS];
	int wake;
	struct event *event;
};

static int read_through(const struct reader_job *job)
{
	static __thread uint8_t buf[PIECE];
	uint64_t offset = job->offset, left = job->len;

	if (offset >= view_size(job->view))
		return 0;
	if (left > view_size(job->view) - offset)
		left = view_size(job->view) - offset;
	while (left) {
		struct iovec iov = {buf, left < PIECE ? left : PIECE};
		int err = view_readv(job->view, &iov, 1, offset, false);

		if (err)
			return err;
		offset += iov.iov_len;
		left -= iov.iov_len;
	}
	return 0;
}

static void *work(void *arg)
{
	struct reader *r = arg;

	pthread_mutex_lock(&r->lock);
	for (;;) {
		struct reader_job *job;
		uint64_t one = 1;

		while (!r->stop && TAILQ_EMPTY(&r->waiting))
			pthread_cond_wait(&r->work, &r->lock);
		if (r->stop)
			break;
		job = TAILQ_FIRST(&r->waiting);
		TAILQ_REMOVE(&r->waiting, job, link);
		pthread_mutex_unlock(&r->lock);
		job->err = read_through(job);
		pthread_mutex_lock(&r->lock);
		TAILQ_INSERT_TAIL(&r->finished, job, link);
		if (write(r->wake, &one, sizeof(one)) < 0) {
			/* The counter is full: the loop wakes up anyway. */
		}
	}
	pthread_mutex_unlock(&r->lock);
	return NULL;
}

static void free_job(struct reader_job *job)
{
	view_unref(job->view);
	free(job);
}

static void on_finished(evutil_socket_t fd, short what, void *arg)
{
	struct reader *r = arg;
	struct job_list finished = TAILQ_HEAD_INITIALIZER(finished);
	struct reader_job *job;
	uint64_t count;

	(void)what;
	if (read(fd, &count, sizeof(count)) < 0)
		return;
	pthread_mutex_lock(&r->lock);
	TAILQ_CONCAT(&finished, &r->finished, link);
	pthread_mutex_unlock(&r->lock);
	while ((job = TAILQ_FIRST(&finished))) {
		void (*done)(void *, int) = job->done;
		void *done_arg = job->arg;
		int err = job->err;

		TAILQ_REMOVE(&finished, job, link);
		free_job(job);
		if (done)
			done(done_arg, err);
	}
}

struct reader *reader_new(struct event_base *base)
{
	struct reader *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	pthread_mutex_init(&r->lock, NULL);
	pthread_cond_init(&r->work, NULL);
	TAILQ_INIT(&r->waiting);
	TAILQ_INIT(&r->finished);
	r->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (r->wake >= 0)
		r->event = event_new(
			base, r->wake, EV_READ | EV_PERSIST, on_finished, r);
	if (!r->event) {
		reader_free(r);
		return NULL;
	}
	event_add(r->event, NULL);
	while (r->n_threads < READER_THREADS &&
		pthread_create(&r->thread[r->n_threads], NULL, work, r) == 0)
		r->n_threads++;
	if (!r->n_threads) {
		reader_free(r);
		return NULL;
	}
	return r;
}

void reader_free(struct reader *r)
{
	struct reader_job *job;

	if (!r)
		return;
	pthread_mutex_lock(&r->lock);
	r->stop = true;
	pthread_cond_broadcast(&r->work);
	pthread_mutex_unlock(&r->lock);
	for (unsigned i = 0; i < r->n_threads; i++)
		pthread_join(r->thread[i], NULL);
	TAILQ_CONCAT(&r->finished, &r->waiting, link);
	while ((job = TAILQ_FIRST(&r->finished))) {
		TAILQ_REMOVE(&r->finished, job, link);
		free_job(job);
	}
	if (r->event)
		event_free(r->event);
	if (r->wake >= 0)
		close(r->wake);
	pthread_cond_destroy(&r->work);
	pthread_mutex_destroy(&r->lock);
	free(r);
}

struct reader_job *reader_start(struct reader *reader, struct view *view,
	uint64_t offset, uint64_t len, void (*done)(void *arg, int err),
	void *arg)
{
	struct reader_job *job = calloc(1, sizeof(*job));

	if (!job)
		return NULL;
	job->view = view_ref(view);
	job->offset = offset;
	job->len = len;
	job->done = done;
	job->arg = arg;
	pthread_mutex_lock(&reader->lock);
	TAILQ_INSERT_TAIL(&reader->waiting, job, link);
	pthread_cond_signal(&reader->work);
	pthread_mutex_unlock(&reader->lock);
	return job;
}

void reader_cancel(struct reader_job *job)
{
	/* `done` is read and written by the loop's thread alone. */
	if (job)
		job->done = NULL;
}
