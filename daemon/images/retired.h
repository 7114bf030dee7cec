/*
 * retired: images that were replaced or removed a moment ago. A BIOS machine
 * fetches its kernel and its initrd one after the other, by names that say
 * which version of the image its script was made for; so a boot that began
 * with one version ends with it. Until then the old file's space on the disk
 * is not free.
 */
#ifndef DAEMON_IMAGES_RETIRED_H
#define DAEMON_IMAGES_RETIRED_H

#include "daemon/images/images.h"

#define RETIRED_MAX 16	/* more push out the oldest */
#define RETIRED_S   600 /* how long they can still be had */

struct event_base;
struct retired;

/* NULL: memory is short. */
struct retired *retired_new(struct event_base *base);
void retired_free(struct retired *retired); /* NULL is fine */
/* Takes the image over. */
void retired_add(struct retired *retired, struct image *image);
/* NULL: there is none of this name and version. */
const struct image *retired_find(
	const struct retired *retired, const char *name, const char *version);

#endif
