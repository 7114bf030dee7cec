/*
 * config_watch: where the configuration may change. Every name on the way to
 * a file that was read is watched in its directory, each symbolic link's
 * target as well: an editor replaces the file, a deployment the link or a
 * directory. Of an included directory all names count that would be read.
 *
 * Made in a helper thread: it looks at the disk.
 */
#ifndef DAEMON_CONFIG_WATCH_H
#define DAEMON_CONFIG_WATCH_H

#include <stdbool.h>
#include <time.h>

#include "config/config.h"

struct config_watch;

/*
 * Watch all sources of the report by this inotify descriptor; what a changed
 * file would bring is there to be read from now on. NULL: memory is short.
 */
struct config_watch *config_watch_new(
	int inotify, const struct config_report *report);
/* Leaves to these (NULL: none) what they watch too. NULL is fine. */
void config_watch_free(struct config_watch *watch,
	const struct config_watch *keep, const struct config_watch *keep2);

/* Was all of it watched before, by `older` (NULL: nothing)? */
bool config_watch_is_in(
	const struct config_watch *watch, const struct config_watch *older);
/*
 * Has any of it changed since then, on the clock of files? For what was not
 * watched while it was read.
 */
bool config_watch_has_changed(const struct config_watch *watch,
	const struct config_report *report, const struct timespec *since);
/* A file's directory that cannot be watched; NULL: there is none. */
const char *config_watch_blind(const struct config_watch *watch);

/*
 * Read what events there are. True: something may have changed. loose: what
 * nobody here watches counts, too, as another is being made.
 */
bool config_watch_read(const struct config_watch *watch, bool loose);

#endif
