/*
 * timeline: the reader of the journal that has boots put together (boots.h),
 * tells them of the configuration and the images, keeps them (history.h), and
 * says one line in the log for each that ended.
 */
#ifndef DAEMON_TIMELINE_H
#define DAEMON_TIMELINE_H

#include "daemon/netuki.h"

struct timeline;

/* NULL: out of memory. */
struct timeline *timeline_new(struct netuki *netuki);
void timeline_free(struct timeline *timeline); /* NULL is fine */

struct boot_metrics;
const struct boot_metrics *timeline_metrics(const struct timeline *timeline);

#endif
