/*
 * reload: reading the configuration, at start and while running. The file is
 * read and checked whole before anything changes; then the new configuration
 * takes the old one's place. A bad file changes nothing.
 */
#ifndef DAEMON_RELOAD_H
#define DAEMON_RELOAD_H

#include "daemon/netuki.h"

/*
 * Read the file and check what it refers to. NULL if there is any error; all
 * messages are in the report either way. hash: compute digests that are not
 * known and that something depends on, which may take as long as reading the
 * images takes; without, nothing waits for more than the heads of files.
 */
struct config *reload_read(
	const char *path, bool hash, struct config_report *report);

/*
 * Read the file again and swap. False: nothing changed, the messages are in
 * the log, the first error is in netuki->reload_error. All of them are in the
 * report (from config_report_init) as well. *ret_restart: some of what changed
 * is taken over at the next start only.
 */
bool reload_now(
	struct netuki *netuki, struct config_report *report, bool *ret_restart);

struct reloader;

/* Reload on SIGHUP, and when the file is changed or replaced. 0 or -errno. */
int reloader_new(struct netuki *netuki, struct reloader **ret);
void reloader_free(struct reloader *reloader);

#endif
