/*
 * timeline: the reader of the journal that has boots put together (boots.h),
 * tells them of the configuration and the images, keeps them (history.h), and
 * says one line in the log for each that ended.
 */
#ifndef DAEMON_BOOTS_TIMELINE_H
#define DAEMON_BOOTS_TIMELINE_H

#include "daemon/netuki.h"

struct boot;
struct timeline;

/* NULL: out of memory. */
struct timeline *timeline_new(struct netuki *netuki);
void timeline_free(struct timeline *timeline); /* NULL is fine */

struct boots;
struct boots *timeline_boots(const struct timeline *timeline);

/* Is told of what is worth a line: its image is whole, it is up, it failed. */
struct timeline_watcher {
	void (*news)(struct timeline_watcher *watcher, const struct boot *boot);
};
/* One at most; NULL: nobody any more. */
void timeline_watch(
	struct timeline *timeline, struct timeline_watcher *watcher);

struct boot_metrics;
const struct boot_metrics *timeline_metrics(const struct timeline *timeline);

#endif
