/*
 * images_watch: what inotify tells of the images directory and of the OCI
 * layouts in it, gathered into calls that say "read it again".
 */
#ifndef DAEMON_IMAGES_IMAGES_WATCH_H
#define DAEMON_IMAGES_IMAGES_WATCH_H

#include <stdbool.h>
#include <stddef.h>

struct event_base;
struct images_watch;

#define IMAGES_WATCH_MAX_LAYOUTS 256 /* those above are not watched */

/* A layout is watched in three places: itself, blobs, blobs/sha256. */
#define IMAGES_WATCH_MAX (3 * IMAGES_WATCH_MAX_LAYOUTS)

/*
 * What one reading of the directory watches: itself, where its name may come
 * to mean another, and of the layouts that it has found index.json and blobs.
 * A helper thread does so: a file server may let it wait.
 */
struct images_layouts {
	int inotify;	       /* its own descriptor */
	int directory, parent; /* -1: it is not there (yet) */
	bool remote;	       /* a file server's */
	size_t n;
	int wd[IMAGES_WATCH_MAX];
};

/* False: descriptors are short. */
bool images_layouts_init(
	struct images_layouts *layouts, const struct images_watch *watch);
void images_layouts_done(struct images_layouts *layouts);
/* First: what changes while it is read is told, too. */
void images_layouts_begin(
	struct images_layouts *layouts, const char *directory);
void images_layouts_watch(struct images_layouts *layouts, const char *folder);

/*
 * refresh(arg) shall have the directory read; it is called soon after each
 * change, while the directory is not there, and every ten seconds if a file
 * server has it, whose changes inotify does not tell. NULL: memory is short.
 */
struct images_watch *images_watch_new(
	struct event_base *base, void (*refresh)(void *arg), void *arg);
void images_watch_free(struct images_watch *watch); /* NULL is fine */

/* It is this directory from now on; it is to be read after this. */
void images_watch_directory(struct images_watch *watch, const char *directory);
/* Call refresh in a second. */
void images_watch_again(struct images_watch *watch);
/*
 * The directory was read: this is watched and nothing else. Call refresh in a
 * second, if that is to be, or if it is not there.
 */
void images_watch_took(struct images_watch *watch,
	const struct images_layouts *layouts, bool again);
/* What was found is not taken: watch no more for its sake. */
void images_watch_left(
	struct images_watch *watch, const struct images_layouts *layouts);

/*
 * Is this file of the directory open and being written, as far as inotify has
 * told? A writer that has not written for a minute does not count.
 */
bool images_watch_is_written(
	const struct images_watch *watch, const char *name);

#endif
