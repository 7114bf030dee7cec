/*
 * images: the catalogue of what can be booted: every NAME.efi in the images
 * directory, and every tag of an OCI image layout there, opened, parsed and
 * checked. inotify tells when a file appears, is replaced or goes; a file that
 * is still being written is looked at again until it holds still. What is
 * none of these is listed too, with the reason why it is not offered.
 *
 * Both are done in helper threads: reading, and computing digests. An image
 * from an OCI layout is not offered before its content has been found to match
 * its digest.
 *
 * An image is a value that decide() may look at; its bytes go out only as
 * views. Images are named by their file's name, or DIR:TAG, never by a path.
 */
#ifndef DAEMON_IMAGES_IMAGES_H
#define DAEMON_IMAGES_IMAGES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/config.h"
#include "daemon/images/view.h"
#include "proto/digest.h"
#include "proto/uki.h"

struct event_base;
struct pins;
struct worker;

#define IMAGES_MAX	  4096
#define IMAGES_MAX_STRAY  64 /* of what is listed only to say why not */
#define IMAGE_NAME_MAX	  128
#define IMAGE_VERSION_LEN 17 /* 16 hexadecimal digits and NUL */

enum image_state {
	IMAGE_STATE_READY,
	IMAGE_STATE_PENDING, /* not offered yet: `why` says what it waits for */
	IMAGE_STATE_REFUSED  /* `why` says why */
};

struct image {
	char name[IMAGE_NAME_MAX + 1];
	enum image_state state;
	char why[160]; /* unless READY */
	bool stray;    /* REFUSED, and was perhaps never meant as an image */
	uint64_t size;
	bool unsure;	/* refused for what may pass: to be read again */
	bool parsed;	/* uki, kernel and signer are valid */
	struct uki uki; /* valid if READY, as all below */
	struct uki_kernel kernel; /* UKIs */
	char *cmdline;		  /* embedded, cleaned; "" if none */
	char *os;		  /* PRETTY_NAME of .osrel; "" if none */
	char *version;		  /* .uname; "" if none */
	char *signer;		  /* "" if not signed, or not known by whom */
	char **profile;		  /* uki.n_profiles: TITLE, else ID, else "" */
	struct file *file;	  /* NULL only if REFUSED */
	/* Another for each file that has this name; "" unless opened. */
	char version_tag[IMAGE_VERSION_LEN];

	/* SHA-256 of the whole file, once it has been computed. */
	bool has_digest;
	struct digest digest;
	int digest_error; /* -errno, if it could not be */
	/* Then: so often, and not again before. */
	unsigned int digest_failures;
	uint64_t digest_again_us;
	/* OCI: what it must be, before the image is READY. */
	bool must_match;
	bool is_checked_next; /* PENDING for nothing but that */
	struct digest wanted;
};

struct images {
	size_t n;
	struct image **image;	 /* sorted by name */
	bool too_many;		 /* there are more */
	struct retired *retired; /* NULL: none are kept */
	struct images_private *private;
};

/*
 * Read the directory. base and worker may be NULL: once, without watching and
 * without computing digests (those that this process knows are used). pins:
 * whose images come first; NULL: nobody's. A directory that is not there is an
 * empty catalogue; one that cannot be read to its end is an error if it is read
 * once, else it is read again soon. 0 or -errno. The catalogue must be freed
 * before the worker.
 */
int images_new(struct event_base *base, struct worker *worker,
	const char *directory, struct pins *pins, struct images **ret);
/* The same for a directory that does not answer: it is read meanwhile. */
int images_new_unread(struct event_base *base, struct worker *worker,
	const char *directory, struct pins *pins, struct images **ret);
void images_free(struct images *images);
/* How far images_hash is, for another process. */
struct images_progress {
	atomic_uint moves;
	char name[IMAGE_NAME_MAX + 1]; /* of the image that is read */
};
/*
 * Compute now, waiting for the disk, the digests of the images of which
 * `wanted` says so, as far as they are not known. progress may be NULL.
 */
void images_hash(struct images *images,
	bool (*wanted)(void *arg, const struct image *image), void *arg,
	struct images_progress *progress);
/* After a reload; takes the pins over, NULL: none. */
void images_set_pins(struct images *images, struct pins *pins);
/* After a reload: read the directory again, be it another. */
void images_set_directory(struct images *images, const char *directory);

const struct image *images_find(const struct images *images, const char *name);
/*
 * The image that this name means for a client: of this name, or else NAME@ARCH,
 * of an OCI index of several architectures. BIOS: that for x64, or for ia32.
 */
const struct image *images_find_for(
	const struct images *images, const char *name, enum arch arch);
/*
 * This version of an image, be it that it was replaced some minutes ago. NULL:
 * it cannot be had any more.
 */
const struct image *images_find_version(
	const struct images *images, const char *name, const char *version);
/* One that this name means for some client; NULL if there is none. */
const struct image *images_find_any(
	const struct images *images, const char *name);
/* Is `image` what this name means for some client? */
bool image_is_named(const struct image *image, const char *name);

/* One file by itself: an image, perhaps a REFUSED one. NULL: out of memory. */
struct image *image_open(const char *path, const char *name);
/*
 * A blob of an OCI layout, which shall have this size, digest and, unless
 * ARCH_INVALID, architecture. PENDING until the digest is known.
 */
struct image *image_open_blob(const char *path, const char *name,
	const struct digest *digest, uint64_t size, enum arch arch);
/* Something that is no image, for this reason. */
struct image *image_new_refused(const char *name, const char *why);
void image_free(struct image *image);
/*
 * The file's digest, or why it could not be computed (-errno): decides whether
 * an image that must match one is READY or REFUSED.
 */
void image_set_digest(
	struct image *image, const struct digest *digest, int err);

#define IMAGE_SIGNER_MAX 256
/*
 * By whom an EFI file is signed, "" if that is not told or it is not signed
 * (uki->cert_size 0). 0 or -errno; with ret_why->what, unless that is NULL: its
 * certificate table is not well-formed.
 */
int image_read_signer(const struct file *file, const struct uki *uki,
	char ret[IMAGE_SIGNER_MAX], struct uki_error *ret_why);
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
