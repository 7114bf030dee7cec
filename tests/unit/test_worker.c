#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <event2/event.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <unistd.h>

#include "daemon/base/clock.h"
#include "daemon/base/worker.h"

#define JOBS	50
#define DONE_US 1000

struct count {
	atomic_uint worked;
	unsigned done, dropped;
};

static void work(void *arg)
{
	((struct count *)arg)->worked++;
}

/* Much to do in the loop. */
static void done(void *arg)
{
	uint64_t until = clock_us() + DONE_US;

	while (clock_us() < until) {
	}
	((struct count *)arg)->done++;
}

static void drop(void *arg)
{
	((struct count *)arg)->dropped++;
}

/* Others have their turns between the ends of many jobs. */
static void test_turns(void **state)
{
	struct event_base *base = event_base_new();
	struct worker *worker = worker_new(base);
	struct count count = {0};
	struct worker_task task = {work, done, drop, &count};
	unsigned rounds = 0;

	(void)state;
	assert_non_null(worker);
	assert_int_equal(worker_run(worker), 0);
	for (int i = 0; i < JOBS; i++)
		assert_non_null(worker_start(worker, &task));
	while (count.worked < JOBS)
		usleep(1000);
	while (count.done < JOBS) {
		unsigned before = count.done;

		event_base_loop(base, EVLOOP_ONCE);
		assert_in_range(count.done - before, 0, 2);
		rounds++;
	}
	assert_in_range(rounds, JOBS / 2, 2 * JOBS);
	assert_int_equal(count.dropped, JOBS);
	worker_free(worker);
	event_base_free(base);
}

/* Of what was cancelled only `drop` is called. */
static void test_cancel(void **state)
{
	struct event_base *base = event_base_new();
	struct worker *worker = worker_new(base);
	struct count count = {0};
	struct worker_task task = {work, done, drop, &count};

	(void)state;
	worker_cancel(worker_start(worker, &task));
	worker_cancel(NULL);
	assert_int_equal(worker_run(worker), 0);
	while (!count.dropped)
		event_base_loop(base, EVLOOP_ONCE);
	assert_int_equal(count.done, 0);
	worker_free(worker);
	event_base_free(base);
}

static atomic_bool is_open;

static void hang(void *arg)
{
	while (!is_open)
		usleep(1000);
	work(arg);
}

/* However many hang, all else is done; and they in the end. */
static void test_hanging(void **state)
{
	struct event_base *base = event_base_new();
	struct worker *worker = worker_new(base);
	struct count hung = {0}, count = {0};
	struct worker_task hanging = {hang, NULL, drop, &hung};
	struct worker_task task = {work, NULL, drop, &count};

	(void)state;
	assert_int_equal(worker_run(worker), 0);
	for (int i = 0; i < 2 * WORKER_THREADS; i++)
		assert_non_null(worker_start_slow(worker, &hanging));
	usleep(10000);
	for (int i = 0; i < 3; i++)
		assert_non_null(worker_start(worker, &task));
	while (count.dropped < 3)
		event_base_loop(base, EVLOOP_ONCE);
	assert_int_equal(hung.worked, 0);
	is_open = true;
	while (hung.dropped < 2 * WORKER_THREADS)
		event_base_loop(base, EVLOOP_ONCE);
	worker_free(worker);
	event_base_free(base);
}

/* The end does not wait for them, but for all else. */
static void test_end(void **state)
{
	struct event_base *base = event_base_new();
	struct worker *worker = worker_new(base);
	static struct count hung;
	struct count count = {0};
	struct worker_task hanging = {hang, NULL, drop, &hung};
	struct worker_task task = {work, NULL, drop, &count};

	(void)state;
	is_open = false;
	assert_int_equal(worker_run(worker), 0);
	for (int i = 0; i < 2 * WORKER_THREADS; i++)
		assert_non_null(worker_start_slow(worker, &hanging));
	assert_non_null(worker_start_reload(worker, &hanging));
	assert_non_null(worker_start(worker, &task));
	usleep(10000);
	worker_free(worker);
	assert_int_equal(count.dropped, 1);
	assert_in_range(hung.dropped, 1, 2 * WORKER_THREADS - 1);
	event_base_free(base);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_turns),
		cmocka_unit_test(test_cancel),
		cmocka_unit_test(test_hanging),
		cmocka_unit_test(test_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
