/*
 * turn: has an event of high priority stand back now and then. libevent looks
 * at lower priorities only when nothing is active in a higher one, so that a
 * flood of DHCP or TFTP requests would stop everything else, SIGTERM included.
 * After TURN_MAX turns in a row the event is switched off until those who wait
 * at normal priority have had theirs.
 */
#ifndef DAEMON_BASE_TURN_H
#define DAEMON_BASE_TURN_H

#include <event2/event.h>
#include <stdbool.h>
#include <sys/queue.h>

#define TURN_MAX 8

/*
 * Of events in the loop. What goes before the rest takes turns with it, so
 * that a flood stops nobody else.
 */
enum turn_priority {
	TURN_PRIORITY_DHCP,   /* and loaders over TFTP */
	TURN_PRIORITY_NORMAL, /* the default: all else, in turn */
	TURN_PRIORITY_MAX
};

struct turn {
	struct event *hot;	/* somebody else's; EV_READ | EV_PERSIST */
	struct event *breather; /* NULL: not in use */
	LIST_ENTRY(turn) link;	/* of all that are in use */
	unsigned taken;
};

/* Before the event is first added. 0 or -ENOMEM. */
int turn_init(struct turn *turn, struct event_base *base, struct event *hot);
/* Before the event is freed; on an all-zero turn as well. */
void turn_done(struct turn *turn);
/* From the event's callback, once for each call of it. */
void turn_take(struct turn *turn);
/*
 * Does one of TURN_PRIORITY_DHCP wait to be read, which does not stand back
 * for now? For who has much to do by small steps, between two of them.
 */
bool turn_dhcp_waits(void);

#endif
