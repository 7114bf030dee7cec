/*
 * drain: the end of the daemon. On SIGTERM no new boot is offered any more
 * (DHCP is silent, nothing listens), but the transfers under way may finish
 * within `drain-seconds`; then, or at a second SIGTERM, or at SIGINT, the loop
 * ends. What comes after that changes nothing: no signal ends what is still
 * written.
 */
#ifndef DAEMON_DRAIN_H
#define DAEMON_DRAIN_H

#include "daemon/netuki.h"

struct drain;

/* Takes SIGTERM and SIGINT; NULL if memory is short. */
struct drain *drain_new(struct netuki *netuki);
/* When nothing is left to be written: both signals wait from now on. */
void drain_free(struct drain *drain);

#endif
