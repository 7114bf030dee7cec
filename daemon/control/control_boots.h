/*
 * control_boots: the commands `boots`, `boot` and `report`: what the history
 * holds. They are answered from a helper thread, later.
 */
#ifndef DAEMON_CONTROL_CONTROL_BOOTS_H
#define DAEMON_CONTROL_CONTROL_BOOTS_H

#include <jansson.h>

#include "daemon/netuki.h"

#define CONTROL_BOOTS_AT_ONCE 2 /* threads are for booting machines */

struct control_query;

/* Is the request one of them? */
bool control_boots_is(const json_t *request);
/*
 * `done` is called with one line of JSON, without its end, unless it is
 * cancelled before. NULL: it cannot be asked, *ret_error is a new reference.
 */
struct control_query *control_boots_ask(struct netuki *netuki,
	const json_t *request, void (*done)(void *arg, const char *answer),
	void *arg, json_t **ret_error);
void control_boots_cancel(struct control_query *query);

#endif
