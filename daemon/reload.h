/*
 * reload: another configuration while running. The file is read and checked
 * whole (reading), in a helper thread, before anything changes; then the new
 * configuration takes the old one's place. A bad file changes nothing.
 */
#ifndef DAEMON_RELOAD_H
#define DAEMON_RELOAD_H

#include <sys/queue.h>

#include "daemon/netuki.h"
#include "daemon/reading.h"

struct reloader;

/*
 * Reload on SIGHUP, and when anything is changed or replaced that the reading
 * came from; takes its watch over. 0 or -errno.
 */
int reloader_new(
	struct netuki *netuki, struct reading *reading, struct reloader **ret);
void reloader_free(struct reloader *reloader);

/* How a reload went. */
struct reload_result {
	bool taken;	    /* false: nothing changed */
	bool needs_restart; /* some of it counts from the next start only */
	const struct config_report *report; /* all that is to be said */
};

/* Of the one who waits, who keeps it until `done` is called. */
struct reload_waiter {
	TAILQ_ENTRY(reload_waiter) link;
	void (*done)(void *arg, const struct reload_result *result);
	void *arg;
};

/* Reload, and call `done` with how it went, from the loop. */
void reloader_ask(struct reloader *reloader, struct reload_waiter *waiter,
	void (*done)(void *arg, const struct reload_result *result), void *arg);
/* It waits no more, if it did. */
void reloader_forget(
	struct reloader *reloader, const struct reload_waiter *waiter);

/* Let go of a configuration in a helper thread: it is large. */
void reload_drop_config(struct netuki *netuki, struct config *config);

#endif
