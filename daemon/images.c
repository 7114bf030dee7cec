#include "daemon/images.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "daemon/digester.h"
#include "daemon/images_watch.h"
#include "daemon/log.h"
#include "daemon/oci_layout.h"
#include "daemon/pins.h"
#include "daemon/retired.h"
#include "proto/text.h"

/* A file written to so recently may not be whole yet. */
#define SETTLE_S 2

struct images_private {
	char *directory;
	struct images_watch *watch; /* NULL: read once */
	struct digester *digester;  /* NULL: likewise */
	struct pins *pins;	    /* NULL: none */
	bool pending;		    /* look again soon */
	size_t n_stray;
	bool said_too_many;
};

static bool has_image_ending(const char *name)
{
	size_t len = strlen(name);

	return len > 4 && strcasecmp(name + len - 4, ".efi") == 0;
}

/*
 * NULL, or why no URL and no TFTP client could name it: they know printable
 * ASCII only (proto/path).
 */
static const char *why_no_name(const char *name)
{
	if (strlen(name) > IMAGE_NAME_MAX)
		return "its name is longer than 128 bytes";
	for (const char *c = name; *c; c++)
		if (*c < 0x20 || *c > 0x7e || *c == '\\')
			return "its name has characters other than ASCII's, "
			       "or a backslash";
	return NULL;
}

static bool is_fresh(const struct timespec *mtime)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return mtime->tv_sec <= now.tv_sec &&
	       now.tv_sec - mtime->tv_sec < SETTLE_S;
}

static int by_key(const void *name, const void *image)
{
	return strcmp(name, (*(const struct image *const *)image)->name);
}

/*
 * The image of before, if the file is the very same; it is taken over. wanted:
 * NULL, or the digest that it shall have.
 */
static struct image *keep(struct images *old, const char *name,
	const struct stat *st, const struct digest *wanted)
{
	struct image **place = old->n ? bsearch(name, old->image, old->n,
						sizeof(*place), by_key)
				      : NULL;
	struct image *image = place ? *place : NULL;

	if (image && !image->kept && image->file && !image->unsure &&
		file_is_at(image->file, st) &&
		(image->state != IMAGE_STATE_PENDING ||
			image->is_checked_next) &&
		image->must_match == (wanted != NULL) &&
		(!wanted || digest_equal(&image->wanted, wanted))) {
		image->kept = true;
		return image;
	}
	return NULL;
}

/* False: no path can be as long. */
static bool join(char ret[PATH_MAX], const char *folder, const char *name)
{
	int n = snprintf(ret, PATH_MAX, "%s/%s", folder, name);

	return n >= 0 && n < PATH_MAX;
}

static void be_pending(struct image *image, const char *why)
{
	image->state = IMAGE_STATE_PENDING;
	snprintf(image->why, sizeof(image->why), "%s", why);
}

/* NULL: memory is too short to tell of it. */
static void add(struct images *images, struct image *image)
{
	struct images_private *p = images->private;

	if (!image || image->unsure ||
		(image->state == IMAGE_STATE_PENDING &&
			!image->is_checked_next))
		p->pending = true;
	if (!image)
		return;
	if (images->n < IMAGES_MAX + IMAGES_MAX_STRAY) {
		images->image[images->n++] = image;
		return;
	}
	/* One that was kept is still in the old list, which lets it go. */
	if (image->kept)
		image->kept = false;
	else
		image_free(image);
	if (!p->said_too_many)
		log_warn("%s holds more than %d images: the rest is left out",
			p->directory, IMAGES_MAX);
	p->said_too_many = true;
}

/* Not an image: listed, so that nobody wonders where it is. */
static void add_stray(struct images *images, const char *name, const char *why)
{
	char shown[IMAGE_NAME_MAX + 1];
	struct image *image;

	if (images->private->n_stray++ >= IMAGES_MAX_STRAY)
		return;
	if (text_clean((const uint8_t *)name, strlen(name), shown,
		    sizeof(shown)) == SIZE_MAX)
		snprintf(shown, sizeof(shown), "(a very long name)");
	image = image_new_refused(shown, why);
	if (image)
		image->stray = true;
	add(images, image);
}

static void add_file(struct images *images, struct images *old,
	const char *name, const struct stat *st)
{
	struct images_private *p = images->private;
	struct image *image = keep(old, name, st, NULL);
	char path[PATH_MAX];

	if (!image) {
		if (!join(path, p->directory, name))
			return;
		image = image_open(path, name);
	}
	if (image && p->watch) {
		if (images_watch_is_written(p->watch, name))
			be_pending(image, "it is still being written");
		else if (is_fresh(&st->st_mtim))
			be_pending(image, "changed a moment ago: waiting until "
					  "it is whole");
	}
	add(images, image);
}

static struct image *open_oci(
	struct images *old, const char *folder, const struct oci_image *one)
{
	struct image *image = NULL;
	char path[PATH_MAX], blob[OCI_BLOB_PATH_LEN];
	struct stat st;

	if (one->why[0])
		return image_new_refused(one->name, one->why);
	oci_blob_path(&one->digest, blob);
	if (!join(path, folder, blob))
		return NULL;
	if (stat(path, &st) == 0)
		image = keep(old, one->name, &st, &one->digest);
	if (!image)
		image = image_open_blob(
			path, one->name, &one->digest, one->size, one->arch);
	return image;
}

/* Was something in it changed so recently that it may not be whole? */
static bool is_layout_fresh(const char *folder)
{
	static const char *const parts[] = {"index.json", "blobs/sha256"};
	char path[PATH_MAX];
	struct stat st;
	bool fresh = false;

	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
		fresh |= join(path, folder, parts[i]) && stat(path, &st) == 0 &&
			 is_fresh(&st.st_mtim);
	}
	return fresh;
}

static void add_directory(
	struct images *images, struct images *old, const char *name)
{
	struct images_private *p = images->private;
	struct oci_layout *layout;
	char folder[PATH_MAX], path[PATH_MAX];
	struct stat st;
	bool fresh;

	if (!join(folder, p->directory, name))
		return;
	layout = oci_layout_read(folder, name);
	if (p->watch)
		images_watch_layout(p->watch, folder);
	if (!layout && join(path, folder, "oci-layout") &&
		stat(path, &st) == 0) {
		p->pending = true; /* memory or descriptors are short */
		return;
	}
	if (!layout) {
		add_stray(images, name,
			"a directory without the file oci-layout: no OCI image "
			"layout");
		return;
	}
	p->pending |= layout->unsure;
	fresh = p->watch && is_layout_fresh(folder);
	for (size_t i = 0; i < layout->n; i++) {
		struct image *image = open_oci(old, folder, &layout->image[i]);

		/* What is wrong may come right while it is being copied. */
		if (image && image->state == IMAGE_STATE_REFUSED && fresh)
			image->state = IMAGE_STATE_PENDING;
		add(images, image);
	}
	free(layout);
}

static void look_at(struct images *images, struct images *old, const char *name)
{
	char path[PATH_MAX];
	struct stat st;
	const char *why;

	if (!join(path, images->private->directory, name))
		return;
	if (stat(path, &st) < 0) {
		if (lstat(path, &st) == 0)
			add_stray(images, name,
				"a symbolic link to nothing that could be "
				"read");
		return; /* else gone since readdir */
	}
	why = why_no_name(name);
	if (why)
		add_stray(images, name, why);
	else if (S_ISDIR(st.st_mode))
		add_directory(images, old, name);
	else if (has_image_ending(name))
		add_file(images, old, name, &st);
	else
		add_stray(images, name, "its name does not end in .efi");
}

static int by_name(const void *a, const void *b)
{
	const struct image *const *x = a, *const *y = b;

	return strcmp((*x)->name, (*y)->name);
}

/* A file and an OCI tag may come to the same name: then it means neither. */
static void refuse_doubles(struct images *images)
{
	for (size_t i = 1; i < images->n; i++) {
		struct image *a = images->image[i - 1], *b = images->image[i];

		if (strcmp(a->name, b->name) != 0)
			continue;
		a->state = b->state = IMAGE_STATE_REFUSED;
		a->unsure = b->unsure = true;
		snprintf(a->why, sizeof(a->why), "two images have this name");
		snprintf(b->why, sizeof(b->why), "two images have this name");
	}
}

/* What a BIOS machine may have begun to fetch is kept for a while. */
static void retire(struct images *images, struct image *image)
{
	if (images->retired && !image_why_not_bios(image) &&
		file_is_unchanged(image->file, true))
		retired_add(images->retired, image);
	else
		image_free(image);
}

static void read_directory(struct images *images)
{
	struct images_private *p = images->private;
	struct images old = *images;
	struct image **list =
		calloc(IMAGES_MAX + IMAGES_MAX_STRAY, sizeof(*list));
	DIR *dir = list ? opendir(p->directory) : NULL;
	struct dirent *entry;

	p->pending = !list || (!dir && file_is_shortage(-errno));
	if (p->pending) {
		/* The old catalogue is better than none. */
		free(list);
		return;
	}
	images->n = 0;
	images->image = list;
	p->n_stray = 0;
	while (dir && (entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			look_at(images, &old, entry->d_name);
	if (dir)
		closedir(dir);
	qsort(images->image, images->n, sizeof(*images->image), by_name);
	refuse_doubles(images);
	for (size_t i = 0; i < old.n; i++)
		if (!old.image[i]->kept)
			retire(images, old.image[i]);
	free(old.image);
	for (size_t i = 0; i < images->n; i++)
		images->image[i]->kept = false;
}

static void say(const struct image *image)
{
	switch (image->state) {
	case IMAGE_STATE_READY:
		log_info("image %s: %s, %s, %.1f MB%s%s%s", image->name,
			image->uki.kind == UKI_KIND_UKI ? "UKI"
							: "EFI application",
			arch_name(image->uki.arch), (double)image->size / 1e6,
			image->uki.cert_size ? ", signed" : "",
			*image->signer ? " by " : "", image->signer);
		break;
	case IMAGE_STATE_REFUSED:
		if (image->stray)
			log_info("%s: no image: %s", image->name, image->why);
		else
			log_warn("image %s: not offered: %s", image->name,
				image->why);
		break;
	case IMAGE_STATE_PENDING:
		log_debug("image %s: not yet: %s", image->name, image->why);
		break;
	}
}

/* Who cannot be booted without it comes first. */
static int hurry(const struct images *images, const struct image *image)
{
	if (image->is_checked_next)
		return 3;
	if (image->state != IMAGE_STATE_READY)
		return 0;
	return pins_name(images->private->pins, image) ? 2 : 1;
}

/*
 * Take over the digests that are known by now, and have the next computed.
 * hashed: nothing but this file's is new; NULL: look all up. tell: log what
 * came of it.
 */
static void hash_next(
	struct images *images, const struct file *hashed, bool tell)
{
	struct images_private *p = images->private;
	struct image *next = NULL;
	int most = 0;

	for (size_t i = 0; i < images->n; i++) {
		struct image *image = images->image[i];
		enum image_state before = image->state;
		struct digest digest;

		if (!image->file || image->has_digest || image->digest_error)
			continue;
		if ((!hashed || hashed == image->file) &&
			digester_find(image->file, &digest)) {
			image_set_digest(image, &digest, 0);
			if (image->state != before && tell)
				say(image);
			pins_check(p->pins, image);
		} else if (hurry(images, image) > most) {
			most = hurry(images, image);
			next = image;
		}
	}
	if (next && p->digester && !digester_is_busy(p->digester) &&
		!digester_start(p->digester, next->file))
		images_watch_again(p->watch);
}

static void on_digest(void *arg, const struct file *file, int err)
{
	struct images *images = arg;

	for (size_t i = 0; err && i < images->n; i++)
		if (images->image[i]->file == file) {
			image_set_digest(images->image[i], NULL, err);
			log_warn("image %s: its digest could not be computed: "
				 "%s",
				images->image[i]->name, strerror(-err));
		}
	hash_next(images, file, true);
}

void images_hash(struct images *images,
	bool (*wanted)(void *arg, const struct image *image), void *arg)
{
	for (size_t i = 0; i < images->n; i++) {
		struct image *image = images->image[i];
		struct digest digest;
		int err;

		if (!image->file || image->has_digest ||
			image->state == IMAGE_STATE_REFUSED ||
			!wanted(arg, image))
			continue;
		err = digester_hash(image->file, NULL, &digest);
		if (!err)
			digester_remember(image->file, &digest);
		image_set_digest(image, &digest, err);
	}
}

/* What the log has said of an image, to tell what is new. */
struct said {
	char name[IMAGE_NAME_MAX + 1];
	enum image_state state;
	char why[sizeof(((struct image *)NULL)->why)];
	const void *file;
};

static int by_said_name(const void *name, const void *said)
{
	return strcmp(name, ((const struct said *)said)->name);
}

static bool was_said(
	const struct said *said, size_t n, const struct image *image)
{
	said = bsearch(image->name, said, n, sizeof(*said), by_said_name);
	return said && said->state == image->state &&
	       strcmp(said->why, image->why) == 0 &&
	       (said->file == image->file || image->state != IMAGE_STATE_READY);
}

/* Read again, and log what is new. True: look again in a second. */
static bool refresh(void *arg)
{
	struct images *images = arg;
	size_t n = images->n;
	struct said *said = calloc(n + 1, sizeof(*said));

	for (size_t i = 0; said && i < n; i++) {
		const struct image *image = images->image[i];

		said[i] = (struct said){
			.state = image->state,
			.file = image->file,
		};
		memcpy(said[i].name, image->name, sizeof(image->name));
		memcpy(said[i].why, image->why, sizeof(image->why));
	}
	read_directory(images);
	hash_next(images, NULL, false);
	for (size_t i = 0; said && i < images->n; i++)
		if (!was_said(said, n, images->image[i]))
			say(images->image[i]);
	for (size_t i = 0; said && i < n; i++)
		if (!images_find(images, said[i].name))
			log_info("image %s: gone", said[i].name);
	free(said);
	return images->private->pending;
}

int images_new(struct event_base *base, struct worker *worker,
	const char *directory, struct images **ret)
{
	struct images *images = calloc(1, sizeof(*images));
	struct images_private *p = calloc(1, sizeof(*p));

	if (!images || !p || !(p->directory = strdup(directory))) {
		free(images);
		free(p);
		return -ENOMEM;
	}
	images->private = p;
	if (worker)
		p->digester = digester_new(worker, on_digest, images);
	if (base)
		p->watch = images_watch_new(base, worker, refresh, images);
	if (base)
		images->retired = retired_new(base);
	if ((worker && !p->digester) ||
		(base && !(p->watch && images->retired))) {
		images_free(images);
		return -ENOMEM;
	}
	if (base) {
		images_watch_directory(p->watch, directory);
	} else {
		read_directory(images);
		hash_next(images, NULL, false);
	}
	*ret = images;
	return 0;
}

void images_free(struct images *images)
{
	if (!images)
		return;
	for (size_t i = 0; i < images->n; i++)
		image_free(images->image[i]);
	free(images->image);
	if (images->private) {
		digester_free(images->private->digester);
		images_watch_free(images->private->watch);
		pins_free(images->private->pins);
		retired_free(images->retired);
		free(images->private->directory);
		free(images->private);
	}
	free(images);
}

void images_set_pins(struct images *images, struct pins *pins)
{
	pins_free(images->private->pins);
	images->private->pins = pins;
	for (size_t i = 0; i < images->n; i++)
		if (images->image[i]->has_digest)
			pins_check(pins, images->image[i]);
	hash_next(images, NULL, true);
}

void images_set_directory(struct images *images, const char *directory)
{
	struct images_private *p = images->private;
	char *copy = strdup(directory);

	if (!copy)
		return;
	free(p->directory);
	p->directory = copy;
	images_watch_directory(p->watch, directory);
}
