#include "daemon/images/reader.h"

#include <stdlib.h>

/* The view's reference is taken and dropped by the loop's thread alone. */
struct reading {
	struct view *view;
	uint64_t offset, len;
	int err;
	void (*done)(void *arg, int err);
	void *arg;
};

static void work(void *arg)
{
	struct reading *r = arg;

	r->err = view_read_in(r->view, r->offset, r->len);
}

static void done(void *arg)
{
	struct reading *r = arg;

	r->done(r->arg, r->err);
}

static void drop(void *arg)
{
	struct reading *r = arg;

	view_unref(r->view);
	free(r);
}

struct worker_job *reader_start(struct worker *worker, struct view *view,
	uint64_t offset, uint64_t len, void (*call)(void *arg, int err),
	void *arg)
{
	struct reading *r = calloc(1, sizeof(*r));
	struct worker_task task = {work, done, drop, r};
	struct worker_job *job;

	if (!r)
		return NULL;
	*r = (struct reading){
		.view = view_ref(view),
		.offset = offset,
		.len = len,
		.done = call,
		.arg = arg,
	};
	job = worker_start_slow(worker, &task);
	if (!job)
		drop(r);
	return job;
}
