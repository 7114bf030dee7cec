/*
 * watcher: a reader of the journal that notices what single packets cannot
 * tell: that an OFFER led on to a transfer, and that a machine goes round in
 * a circle (the loader again and again, and never the script).
 */
#ifndef DAEMON_BOOTS_WATCHER_H
#define DAEMON_BOOTS_WATCHER_H

#include "daemon/netuki.h"

#define WATCHER_LOOP_LOADS     3 /* loaders in a row, without a script */
#define WATCHER_LOOP_WITHIN_US 600000000 /* ten minutes */

struct client_record;
struct watcher;

struct watcher *watcher_new(struct netuki *netuki);
void watcher_free(struct watcher *watcher);

/*
 * The rule, for tests: one more loader was given at now_us; true: that makes
 * it a loop, and it had not been one before.
 */
bool watcher_count_load(struct client_record *record, uint64_t now_us);

#endif
