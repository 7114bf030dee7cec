#include "daemon/base/deadlines.h"

#include <event2/event.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "daemon/base/clock.h"

#define AT_ONCE 64 /* calls in one turn of the loop */

struct deadlines {
	void (*fired)(void *arg, struct deadline *d);
	void *arg;
	int fd;
	struct event *event;
	uint64_t armed_us; /* what the timerfd is set to; 0: nothing */
	size_t n, cap;
	struct deadline **heap; /* [1] is the earliest */
};

static void put(struct deadlines *ds, size_t slot, struct deadline *d)
{
	ds->heap[slot] = d;
	d->slot = slot;
}

static void sift_up(struct deadlines *ds, struct deadline *d, size_t slot)
{
	for (; slot > 1 && ds->heap[slot / 2]->us > d->us; slot /= 2)
		put(ds, slot, ds->heap[slot / 2]);
	put(ds, slot, d);
}

static void sift_down(struct deadlines *ds, struct deadline *d, size_t slot)
{
	size_t child;

	while ((child = slot * 2) <= ds->n) {
		if (child < ds->n &&
			ds->heap[child + 1]->us < ds->heap[child]->us)
			child++;
		if (ds->heap[child]->us >= d->us)
			break;
		put(ds, slot, ds->heap[child]);
		slot = child;
	}
	put(ds, slot, d);
}

static void place(struct deadlines *ds, struct deadline *d, size_t slot)
{
	if (slot > 1 && ds->heap[slot / 2]->us > d->us)
		sift_up(ds, d, slot);
	else
		sift_down(ds, d, slot);
}

/*
 * Only an earlier time is told to the kernel. When the timer fires for a
 * deadline that was moved or cleared, it is simply set again.
 */
static void arm(struct deadlines *ds)
{
	uint64_t us = ds->n ? ds->heap[1]->us : 0;
	struct itimerspec at = {
		.it_value.tv_sec = (time_t)(us / 1000000),
		.it_value.tv_nsec = (long)(us % 1000000 * 1000),
	};

	if (!us || (ds->armed_us && ds->armed_us <= us))
		return;
	ds->armed_us = us;
	timerfd_settime(ds->fd, TFD_TIMER_ABSTIME, &at, NULL);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct deadlines *ds = arg;
	uint64_t count, now = clock_us();

	(void)what;
	if (read(fd, &count, sizeof(count)) < 0)
		return;
	ds->armed_us = 0;
	for (int i = 0; i < AT_ONCE && ds->n && ds->heap[1]->us <= now; i++) {
		struct deadline *d = ds->heap[1];

		deadline_clear(ds, d);
		ds->fired(ds->arg, d);
	}
	arm(ds);
}

struct deadlines *deadlines_new(struct event_base *base, int priority,
	void (*fired)(void *arg, struct deadline *d), void *arg)
{
	struct deadlines *ds = calloc(1, sizeof(*ds));

	if (!ds)
		return NULL;
	ds->fired = fired;
	ds->arg = arg;
	ds->fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (ds->fd >= 0)
		ds->event = event_new(
			base, ds->fd, EV_READ | EV_PERSIST, on_timer, ds);
	if (!ds->event || event_priority_set(ds->event, priority) ||
		event_add(ds->event, NULL)) {
		deadlines_free(ds);
		return NULL;
	}
	return ds;
}

void deadlines_free(struct deadlines *ds)
{
	if (!ds)
		return;
	if (ds->event)
		event_free(ds->event);
	if (ds->fd >= 0)
		close(ds->fd);
	free(ds->heap);
	free(ds);
}

static bool grow(struct deadlines *ds)
{
	size_t cap = ds->cap ? ds->cap * 2 : 64;
	struct deadline **heap;

	if (ds->n + 1 < ds->cap)
		return true;
	heap = reallocarray(ds->heap, cap, sizeof(*ds->heap));
	if (!heap)
		return false;
	ds->heap = heap;
	ds->cap = cap;
	return true;
}

bool deadline_set(struct deadlines *ds, struct deadline *d, uint64_t us)
{
	if (!d->slot && !grow(ds))
		return false;
	d->us = us;
	if (d->slot)
		place(ds, d, d->slot);
	else
		sift_up(ds, d, ++ds->n);
	arm(ds);
	return true;
}

void deadline_clear(struct deadlines *ds, struct deadline *d)
{
	size_t slot = d->slot;
	struct deadline *last;

	if (!slot)
		return;
	d->slot = 0;
	last = ds->heap[ds->n--];
	if (last != d)
		place(ds, last, slot);
}
