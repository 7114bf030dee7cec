#include "daemon/images/images_read.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "daemon/images/oci_layout.h"
#include "daemon/images/pins.h"
#include "proto/text.h"

/* A file written to so recently may not be whole yet. */
#define SETTLE_S 2

#define MAX_FOUND (IMAGES_MAX + IMAGES_MAX_STRAY)

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

/* False: no path can be as long. */
static bool join(char ret[PATH_MAX], const char *folder, const char *name)
{
	int n = snprintf(ret, PATH_MAX, "%s/%s", folder, name);

	return n >= 0 && n < PATH_MAX;
}

void images_read_wait(struct image *image, const char *why)
{
	image->state = IMAGE_STATE_PENDING;
	snprintf(image->why, sizeof(image->why), "%s", why);
}

static const char *name_of(
	const struct images_read *r, const struct images_read_found *found)
{
	return found->image ? found->image->name : r->old[found->old].name;
}

/* One that nobody boots gives way; NULL: there is none. */
static struct images_read_found *make_room(struct images_read *r)
{
	while (r->n_unseen) {
		struct images_read_found *found = &r->found[--r->n_unseen];

		if (pins_want(r->pins, name_of(r, found)))
			continue;
		image_free(found->image);
		found->image = NULL;
		return found;
	}
	return NULL;
}

/* The next that is found, of this name; NULL: there is no room for it. */
static struct images_read_found *add(struct images_read *r, const char *name)
{
	if (r->n < MAX_FOUND) {
		r->n_unseen = r->n + 1;
		return &r->found[r->n++];
	}
	r->too_many = true;
	return pins_want(r->pins, name) ? make_room(r) : NULL;
}

/* NULL: memory is too short to tell of it. */
static void add_image(struct images_read *r, struct image *image)
{
	struct images_read_found *found = image ? add(r, image->name) : NULL;

	if (found)
		found->image = image;
	else
		image_free(image);
	r->again |= !image;
}

static int by_key(const void *name, const void *old)
{
	return strcmp(name, ((const struct images_read_old *)old)->name);
}

/*
 * True: the image of before is found, as the file is the very same. wanted:
 * NULL, or the digest that it shall have.
 */
static bool keep(struct images_read *r, const char *name, const struct stat *st,
	const struct digest *wanted)
{
	struct images_read_old *old =
		r->n_old ? bsearch(name, r->old, r->n_old, sizeof(*old), by_key)
			 : NULL;
	struct images_read_found *found;

	if (!old || old->found || !old->file || !file_is_at(old->file, st) ||
		old->must_match != (wanted != NULL) ||
		(wanted && !digest_equal(&old->wanted, wanted)))
		return false;
	old->found = true;
	found = add(r, name);
	if (found)
		found->old = (size_t)(old - r->old);
	return true;
}

/* Not an image: listed, so that nobody wonders where it is. */
static void add_stray(struct images_read *r, const char *name, const char *why)
{
	char shown[IMAGE_NAME_MAX + 1];
	struct image *image;

	if (r->n_stray++ >= IMAGES_MAX_STRAY)
		return;
	if (text_clean((const uint8_t *)name, strlen(name), shown,
		    sizeof(shown)) == SIZE_MAX)
		snprintf(shown, sizeof(shown), "(a very long name)");
	image = image_new_refused(shown, why);
	if (image)
		image->stray = true;
	add_image(r, image);
}

static void add_file(
	struct images_read *r, const char *name, const struct stat *st)
{
	struct image *image;
	char path[PATH_MAX];

	/* Who is fresh is PENDING, and so not to be kept next time. */
	if (keep(r, name, st, NULL) || !join(path, r->directory, name))
		return;
	image = image_open(path, name);
	if (image && r->watches && is_fresh(&st->st_mtim))
		images_read_wait(image, "changed a moment ago: waiting until "
					"it is whole");
	add_image(r, image);
}

static void add_oci(struct images_read *r, const char *folder,
	const struct oci_image *one, bool fresh)
{
	struct image *image;
	char path[PATH_MAX], blob[OCI_BLOB_PATH_LEN];
	struct stat st;

	oci_blob_path(&one->digest, blob);
	if (!one->why[0] && !join(path, folder, blob)) {
		r->again = true;
		return;
	}
	if (one->why[0])
		image = image_new_refused(one->name, one->why);
	else if (stat(path, &st) == 0 && keep(r, one->name, &st, &one->digest))
		return;
	else
		image = image_open_blob(
			path, one->name, &one->digest, one->size, one->arch);
	/* What is wrong may come right while it is being copied. */
	if (image && image->state == IMAGE_STATE_REFUSED && fresh)
		image->state = IMAGE_STATE_PENDING;
	add_image(r, image);
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

static void add_directory(struct images_read *r, const char *name)
{
	struct oci_layout *layout;
	char folder[PATH_MAX], path[PATH_MAX];
	struct stat st;
	bool fresh;

	if (!join(folder, r->directory, name))
		return;
	/* First: what changes while it is read is told, too. */
	if (r->watches)
		images_layouts_watch(&r->layouts, folder);
	layout = oci_layout_read(folder, name);
	if (!layout && join(path, folder, "oci-layout") &&
		stat(path, &st) == 0) {
		r->again = true; /* memory or descriptors are short */
		return;
	}
	if (!layout) {
		add_stray(r, name,
			"a directory without the file oci-layout: no OCI image "
			"layout");
		return;
	}
	r->again |= layout->unsure;
	fresh = r->watches && is_layout_fresh(folder);
	for (size_t i = 0; i < layout->n; i++)
		add_oci(r, folder, &layout->image[i], fresh);
	free(layout);
}

static void look_at(struct images_read *r, const char *name)
{
	char path[PATH_MAX];
	struct stat st;
	const char *why;

	if (!join(path, r->directory, name))
		return;
	if (stat(path, &st) < 0) {
		if (lstat(path, &st) == 0)
			add_stray(r, name,
				"a symbolic link to nothing that could be "
				"read");
		return; /* else gone since readdir */
	}
	why = why_no_name(name);
	if (why)
		add_stray(r, name, why);
	else if (S_ISDIR(st.st_mode))
		add_directory(r, name);
	else if (has_image_ending(name))
		add_file(r, name, &st);
	else
		add_stray(r, name, "its name does not end in .efi");
}

void images_read_run(struct images_read *r)
{
	struct dirent *entry;
	DIR *dir;

	if (r->watches)
		images_layouts_begin(&r->layouts, r->directory);
	dir = opendir(r->directory);
	if (!dir && file_is_shortage(-errno))
		r->error = -errno;
	while (dir) {
		errno = 0;
		entry = readdir(dir);
		if (!entry)
			break;
		if (entry->d_name[0] != '.')
			look_at(r, entry->d_name);
	}
	/* What a broken list leaves out is not gone for that. */
	if (dir && errno && errno != ENOENT)
		r->error = -errno;
	if (dir)
		closedir(dir);
}

/* Is there any sense in comparing it with its file? */
static bool may_stay(const struct image *image)
{
	return image->file && !image->unsure &&
	       (image->state != IMAGE_STATE_PENDING || image->is_checked_next);
}

struct images_read *images_read_new(const struct images *images,
	const char *directory, struct images_watch *watch, struct pins *pins)
{
	struct images_read *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->layouts.inotify = -1;
	r->directory = strdup(directory);
	r->found = calloc(MAX_FOUND, sizeof(*r->found));
	r->old = calloc(images->n + 1, sizeof(*r->old));
	r->watches = watch != NULL;
	r->pins = pins_ref(pins);
	if (!r->directory || !r->found || !r->old ||
		(watch && !images_layouts_init(&r->layouts, watch))) {
		images_read_free(r);
		return NULL;
	}
	for (; r->n_old < images->n; r->n_old++) {
		const struct image *image = images->image[r->n_old];
		struct images_read_old *old = &r->old[r->n_old];

		memcpy(old->name, image->name, sizeof(old->name));
		old->file = may_stay(image) ? file_ref(image->file) : NULL;
		old->must_match = image->must_match;
		old->wanted = image->wanted;
	}
	return r;
}

void images_read_free(struct images_read *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < r->n; i++)
		image_free(r->found[i].image);
	for (size_t i = 0; i < r->n_old; i++)
		file_unref(r->old[i].file);
	images_layouts_done(&r->layouts);
	pins_unref(r->pins);
	free(r->directory);
	free(r->found);
	free(r->old);
	free(r);
}
