/*
 * notify: tells the service manager how we are (the datagram protocol of
 * sd_notify(3)); does nothing where there is none.
 */
#ifndef DAEMON_BASE_NOTIFY_H
#define DAEMON_BASE_NOTIFY_H

struct event;
struct event_base;

void notify_state(const char *state);
/*
 * Say twice in each interval of its watchdog that the loop turns: at normal
 * priority, so that whoever takes every turn for himself ends netukid as well
 * as who never comes back. NULL if it has no watchdog for this process, or
 * memory is short; else the caller frees it.
 */
struct event *notify_watchdog(struct event_base *base);

#endif
