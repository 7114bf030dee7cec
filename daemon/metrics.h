/*
 * metrics: what was counted, in the text form of Prometheus.
 */
#ifndef DAEMON_METRICS_H
#define DAEMON_METRICS_H

#include "daemon/netuki.h"

/* To be freed by the caller. */
char *metrics_text(const struct netuki *netuki);

#endif
