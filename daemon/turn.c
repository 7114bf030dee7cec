#include "daemon/turn.h"

#include <errno.h>

#include "daemon/netuki.h"

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
	if (!turn->breather ||
		event_priority_set(turn->breather, NETUKI_PRIORITY_NORMAL))
		return -ENOMEM;
	return 0;
}

void turn_done(struct turn *turn)
{
	if (turn->breather)
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
