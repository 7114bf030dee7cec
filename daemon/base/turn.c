#include "daemon/base/turn.h"

#include <errno.h>
#include <poll.h>

#define DUE_MAX 16

static LIST_HEAD(, turn) turns = LIST_HEAD_INITIALIZER(turns);

static void on_breather(evutil_socket_t fd, short what, void *arg)
{
	struct turn *turn = arg;

	(void)fd, (void)what;
	turn->taken = 0;
	event_add(turn->hot, NULL);
}

int turn_init(struct turn *turn, struct event_base *base, struct event *hot)
{
	turn->hot = hot;
	turn->taken = 0;
	turn->breather = event_new(base, -1, 0, on_breather, turn);
	if (!turn->breather)
		return -ENOMEM;
	event_priority_set(turn->breather, TURN_PRIORITY_NORMAL);
	LIST_INSERT_HEAD(&turns, turn, link);
	return 0;
}

void turn_done(struct turn *turn)
{
	if (!turn->breather)
		return;
	LIST_REMOVE(turn, link);
	event_free(turn->breather);
	turn->breather = NULL;
}

void turn_take(struct turn *turn)
{
	if (++turn->taken < TURN_MAX)
		return;
	event_del(turn->hot);
	event_active(turn->breather, EV_TIMEOUT, 0);
}

bool turn_dhcp_waits(void)
{
	struct pollfd due[DUE_MAX];
	const struct turn *turn;
	unsigned n = 0;

	LIST_FOREACH (turn, &turns, link)
		if (n < DUE_MAX &&
			event_get_priority(turn->hot) == TURN_PRIORITY_DHCP &&
			event_pending(turn->hot, EV_READ, NULL))
			due[n++] = (struct pollfd){
				.fd = event_get_fd(turn->hot),
				.events = POLLIN,
			};
	return n && poll(due, n, 0) > 0;
}
