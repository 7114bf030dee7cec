/*
 * images: the catalogue of what can be booted: every NAME.efi in the images
 * directory, opened, parsed and checked. inotify tells when a file appears,
 * is replaced or goes; a file that is still being written is looked at again
 * until it holds still.
 *
 * An image is a value that decide() may look at; its bytes go out only as
 * views. Images are named by their file's name, never by a path.
 */
#ifndef DAEMON_IMAGES_H
#define DAEMON_IMAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/config.h"
#include "daemon/view.h"
#include "proto/uki.h"

struct event_base;

#define IMAGES_MAX     4096
#define IMAGE_NAME_MAX 128

enum image_state {
	IMAGE_STATE_READY,
	IMAGE_STATE_PENDING, /* still being written: not offered yet */
	IMAGE_STATE_REFUSED  /* `why` says why */
};

struct image {
	char name[IMAGE_NAME_MAX + 1];
	enum image_state state;
	char why[160]; /* unless READY */
	uint64_t size;
	struct uki uki;		  /* valid if READY, as all below */
	struct uki_kernel kernel; /* UKIs */
	char *cmdline;		  /* embedded, cleaned; "" if none */
	char *os;		  /* PRETTY_NAME of .osrel; "" if none */
	char *version;		  /* .uname; "" if none */
	struct file *file;
};

struct images {
	size_t n;
	struct image **image; /* sorted by name */
	struct images_private *private;
};

/*
 * Read the directory. base may be NULL: once, without watching. A directory
 * that is not there is an empty catalogue. 0 or -errno.
 */
int images_new(
	struct event_base *base, const char *directory, struct images **ret);
void images_free(struct images *images);
/* Another directory, after a reload. */
void images_set_directory(struct images *images, const char *directory);

const struct image *images_find(const struct images *images, const char *name);

/* One file by itself: always an image, perhaps a REFUSED one. */
struct image *image_open(const char *path, const char *name);
void image_free(struct image *image);

/*
 * Can the firmware `arch` (not BIOS) load this image? NULL, or why not.
 */
const char *image_why_not_efi(const struct image *image, enum arch arch);
/* Can a BIOS machine's iPXE start its kernel? NULL, or why not. */
const char *image_why_not_bios(const struct image *image);
/*
 * Can its .cmdline be exchanged for `cmdline` in what is sent? NULL, or why
 * not (signed, ...).
 */
const char *image_why_not_splice(
	const struct image *image, const char *cmdline);

/* What to serve. NULL if the image has no such part, or memory is short. */
struct view *image_view(const struct image *image);
struct view *image_view_kernel(const struct image *image);
/* .ucode and .initrd, in this order, each padded to four bytes. */
struct view *image_view_initrd(const struct image *image);
struct view *image_view_spliced(const struct image *image, const char *cmdline);

#endif
