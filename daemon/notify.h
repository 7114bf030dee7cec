/*
 * notify: tells the service manager how we are (the datagram protocol of
 * sd_notify(3)); does nothing where there is none.
 */
#ifndef DAEMON_NOTIFY_H
#define DAEMON_NOTIFY_H

void notify_state(const char *state);

#endif
