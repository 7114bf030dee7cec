/*
 * control_progress: the boots that run, for `netukictl boots --follow` on a
 * terminal: not steps as they happen, but a picture a few times a second.
 */
#ifndef DAEMON_CONTROL_CONTROL_PROGRESS_H
#define DAEMON_CONTROL_CONTROL_PROGRESS_H

#include <jansson.h>

#include "daemon/boots/boots.h"
#include "daemon/netuki.h"

#define CONTROL_PROGRESS_MS  250
#define CONTROL_PROGRESS_MAX 200 /* boots in a picture */

/* {"running": [...], "more": N}; NULL: memory is short. */
json_t *control_running(const struct netuki *netuki);
/* {"news": {...}}: of one boot, what is worth a line. */
json_t *control_news(const struct boot *boot);

#endif
