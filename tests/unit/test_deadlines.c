#include <stdarg.h>
#include <stddef.h>

#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <event2/event.h>
#include <stdlib.h>

#include "daemon/base/clock.h"
#include "daemon/base/deadlines.h"

#define MANY 500

struct world {
	struct event_base *base;
	struct deadlines *ds;
	unsigned fired, early;
	uint64_t last_us;
	struct deadline *drop; /* cleared when the next one fires */
};

static void on_deadline(void *arg, struct deadline *d)
{
	struct world *w = arg;

	w->fired++;
	w->early += clock_us() < d->us;
	assert_int_equal(d->slot, 0);
	assert_true(d->us >= w->last_us);
	w->last_us = d->us;
	if (w->drop)
		deadline_clear(w->ds, w->drop);
	w->drop = NULL;
}

static int make(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	w->base = event_base_new();
	w->ds = deadlines_new(w->base, 0, on_deadline, w);
	assert_non_null(w->ds);
	*state = w;
	return 0;
}

static int unmake(void **state)
{
	struct world *w = *state;

	deadlines_free(w->ds);
	event_base_free(w->base);
	free(w);
	return 0;
}

static void wait_for(struct world *w, unsigned fired)
{
	uint64_t until = clock_us() + 5000000;

	while (w->fired < fired && clock_us() < until)
		event_base_loop(w->base, EVLOOP_ONCE);
	assert_int_equal(w->fired, fired);
	assert_int_equal(w->early, 0);
}

/* Set in disorder, some moved and some cleared: fired in order, in time. */
static void test_order(void **state)
{
	struct world *w = *state;
	static struct deadline d[MANY];
	uint64_t now = clock_us();

	for (unsigned i = 0; i < MANY; i++)
		assert_true(deadline_set(
			w->ds, &d[i], now + 1000 + i * 7919 % MANY * 20));
	for (unsigned i = 0; i < MANY; i += 3)
		assert_true(deadline_set(
			w->ds, &d[i], now + 1000 + i * 104729 % MANY * 20));
	for (unsigned i = 0; i < MANY; i += 5)
		deadline_clear(w->ds, &d[i]);
	wait_for(w, MANY - MANY / 5);
	for (unsigned i = 0; i < MANY; i++)
		assert_int_equal(d[i].slot, 0);
}

/* One that fires may clear the next, which is due as well. */
static void test_clear_while_firing(void **state)
{
	struct world *w = *state;
	struct deadline a = {0}, b = {0}, c = {0};
	uint64_t now = clock_us();

	deadline_set(w->ds, &a, now + 100);
	deadline_set(w->ds, &b, now + 101);
	deadline_set(w->ds, &c, now + 102);
	w->drop = &b;
	wait_for(w, 2);
	assert_int_equal(b.slot, 0);
	assert_int_equal(w->last_us, now + 102);
}

/* An earlier one is not held up by what was set first. */
static void test_earlier(void **state)
{
	struct world *w = *state;
	struct deadline late = {0}, soon = {0};
	uint64_t now = clock_us();

	deadline_set(w->ds, &late, now + 60000000);
	deadline_set(w->ds, &soon, now + 2000);
	wait_for(w, 1);
	assert_int_equal(w->last_us, now + 2000);
	deadline_set(w->ds, &late, clock_us());
	wait_for(w, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_order, make, unmake),
		cmocka_unit_test_setup_teardown(
			test_clear_while_firing, make, unmake),
		cmocka_unit_test_setup_teardown(test_earlier, make, unmake),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
