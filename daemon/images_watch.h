/*
 * images_watch: what inotify tells of the images directory and of the OCI
 * layouts in it, gathered into calls that say "read it again".
 */
#ifndef DAEMON_IMAGES_WATCH_H
#define DAEMON_IMAGES_WATCH_H

#include <stdbool.h>

struct event_base;
struct images_watch;
struct worker;

#define IMAGES_WATCH_MAX_LAYOUTS 256 /* those above are not watched */

/*
 * refresh(arg) shall read the directory; it returns whether something there
 * is to be looked at again in a second. It is called in images_watch_directory,
 * soon after each change, and while the directory is not there. A file
 * server's directory is looked at every ten seconds, too. NULL: memory is
 * short.
 */
struct images_watch *images_watch_new(struct event_base *base,
	struct worker *worker, bool (*refresh)(void *arg), void *arg);
void images_watch_free(struct images_watch *watch); /* NULL is fine */

/* Watch this directory from now on, and call refresh. */
void images_watch_directory(struct images_watch *watch, const char *directory);
/* Call refresh in a second. */
void images_watch_again(struct images_watch *watch);
/*
 * To be called in refresh for each directory in it: its index.json and its
 * blobs are watched, too. Those not named again at the next refresh are not
 * watched any more.
 */
void images_watch_layout(struct images_watch *watch, const char *folder);

/*
 * Is this file of the directory open and being written, as far as inotify has
 * told? A writer that has not written for a minute does not count.
 */
bool images_watch_is_written(
	const struct images_watch *watch, const char *name);

#endif
