/*
 * images_read: one reading of the images directory: what is there, opened,
 * parsed and checked. That waits for the disk, so a helper thread does it once
 * netukid serves; it touches nothing but what is given here.
 */
#ifndef DAEMON_IMAGES_IMAGES_READ_H
#define DAEMON_IMAGES_IMAGES_READ_H

#include "daemon/images/images.h"
#include "daemon/images/images_watch.h"

/* An image of the catalogue as it is. */
struct images_read_old {
	char name[IMAGE_NAME_MAX + 1];
	struct file *file; /* NULL: it is to be opened anew */
	bool must_match;
	struct digest wanted;
	bool found;
};

struct images_read_found {
	struct image *image; /* NULL: the old one, whose file is the same */
	size_t old;	     /* which */
};

struct images_read {
	char *directory;
	bool watches;	   /* and waits until files are whole */
	struct pins *pins; /* whose images are never too many; NULL: none */
	struct images_layouts layouts;
	size_t n_old;
	struct images_read_old *old; /* in the catalogue's order, by name */

	/* What images_read_run() found. */
	int error;  /* -errno: it was not read to its end, and says nothing */
	bool again; /* some of it is to be looked at again in a second */
	bool too_many;
	size_t n_stray;
	size_t n;
	struct images_read_found *found;
	size_t n_unseen; /* of found: may yet make room for one of pins' */
};

/* watch, pins may be NULL. NULL: memory or descriptors are short. */
struct images_read *images_read_new(const struct images *images,
	const char *directory, struct images_watch *watch, struct pins *pins);
/* In whatever thread. */
void images_read_run(struct images_read *read);
/* In the loop's; what was found is freed unless it was taken. NULL is fine. */
void images_read_free(struct images_read *read);

/* PENDING, for this reason. */
void images_read_wait(struct image *image, const char *why);

#endif
