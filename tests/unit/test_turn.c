#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <event2/event.h>
#include <unistd.h>

#include "daemon/base/turn.h"
#include "daemon/netuki.h"

static struct turn turn;
static unsigned taken;

static void on_hot(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what, (void)arg;
	turn_take(&turn);
	taken++;
	event_base_loopbreak(event_get_base(turn.hot));
}

/* A hot event that is never done: it is due, but for when it stands back. */
static void test_due(void **state)
{
	struct event_base *base = event_base_new();
	struct event *hot;
	int fd[2];

	(void)state;
	event_base_priority_init(base, TURN_PRIORITY_MAX);
	assert_int_equal(pipe(fd), 0);
	hot = event_new(base, fd[0], EV_READ | EV_PERSIST, on_hot, NULL);
	assert_false(turn_dhcp_waits());
	assert_int_equal(turn_init(&turn, base, hot), 0);
	event_priority_set(hot, TURN_PRIORITY_DHCP);
	event_add(hot, NULL);
	assert_false(turn_dhcp_waits());
	assert_int_equal(write(fd[1], "", 1), 1);
	assert_true(turn_dhcp_waits());

	while (taken < TURN_MAX) {
		assert_true(turn_dhcp_waits());
		event_base_loop(base, EVLOOP_NONBLOCK | EVLOOP_ONCE);
	}
	assert_false(turn_dhcp_waits());
	event_base_loop(base, EVLOOP_NONBLOCK | EVLOOP_ONCE);
	assert_true(turn_dhcp_waits());

	event_del(hot);
	event_priority_set(hot, TURN_PRIORITY_NORMAL);
	event_add(hot, NULL);
	assert_false(turn_dhcp_waits());
	turn_done(&turn);
	event_free(hot);
	event_base_free(base);
	close(fd[0]);
	close(fd[1]);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {cmocka_unit_test(test_due)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
