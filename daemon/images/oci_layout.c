#include "daemon/images/oci_layout.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/images/digester.h"

/* One layout while it is read. */
struct reading {
	int dir;
	const char *name; /* of the directory, and so of its images */
	struct oci_layout *layout;
};

void oci_blob_path(const struct digest *digest, char ret[OCI_BLOB_PATH_LEN])
{
	char text[DIGEST_TEXT_LEN];

	digest_format(digest, text);
	snprintf(ret, OCI_BLOB_PATH_LEN, "blobs/sha256/%s", text);
}

/* A small regular file, for free(). NULL: *ret_why is static text. */
static char *read_small(struct reading *r, const char *path, size_t *ret_len,
	const char **ret_why)
{
	int fd = openat(r->dir, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	char *text = NULL;
	struct stat st;
	size_t len = 0;

	*ret_why = "it could not be read";
	if (fd < 0) {
		r->layout->unsure |= file_is_shortage(-errno);
		*ret_why = errno == ENOENT ? "it is not there" : *ret_why;
		return NULL;
	}
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
		if (st.st_size > OCI_MAX_JSON)
			*ret_why = "it is longer than 512 KiB";
		else if (!(text = malloc((size_t)st.st_size + 1)))
			r->layout->unsure = true;
	}
	while (text && len < (size_t)st.st_size) {
		ssize_t n = read(fd, text + len, (size_t)st.st_size - len);

		if (n <= 0) {
			free(text);
			text = NULL;
		} else {
			len += (size_t)n;
		}
	}
	close(fd);
	*ret_len = len;
	return text;
}

/* An index or a manifest among the blobs: of the right size and digest. */
static char *read_blob(struct reading *r,
	const struct oci_descriptor *descriptor, size_t *ret_len,
	const char **ret_why)
{
	char path[OCI_BLOB_PATH_LEN];
	struct digest digest;
	char *text;

	oci_blob_path(&descriptor->digest, path);
	text = read_small(r, path, ret_len, ret_why);
	if (!text)
		return NULL;
	digester_hash_bytes(text, *ret_len, &digest);
	if (*ret_len == descriptor->size &&
		digest_equal(&digest, &descriptor->digest))
		return text;
	*ret_why = "it does not match its digest";
	free(text);
	return NULL;
}

/* The next image of the layout; NULL if there is room for none. */
static struct oci_image *add(struct reading *r)
{
	struct oci_layout *layout = r->layout;
	struct oci_image *image;

	if (layout->n == OCI_MAX_ENTRIES)
		return NULL;
	image = &layout->image[layout->n++];
	*image = (struct oci_image){.arch = ARCH_INVALID};
	return image;
}

/* arch ARCH_INVALID: the tag's only image. NULL: too many, or named badly. */
static struct oci_image *add_named(
	struct reading *r, const char *tag, enum arch arch)
{
	struct oci_image *image = add(r);
	int n;

	if (!image)
		return NULL;
	if (oci_tag_is_plain(tag)) {
		n = snprintf(image->name, sizeof(image->name), "%s:%s%s%s",
			r->name, tag, arch == ARCH_INVALID ? "" : "@",
			arch == ARCH_INVALID ? "" : arch_name(arch));
		if (n <= IMAGE_NAME_MAX)
			return image;
		snprintf(image->why, sizeof(image->why),
			"DIR:TAG is longer than %d bytes", IMAGE_NAME_MAX);
	} else if (!*tag) {
		snprintf(image->why, sizeof(image->why),
			"an entry of index.json has no tag (annotation "
			"org.opencontainers.image.ref.name)");
	} else {
		snprintf(image->why, sizeof(image->why),
			"a tag in index.json has characters other than "
			"A-Z a-z 0-9 . _ -");
	}
	snprintf(image->name, sizeof(image->name), "%.*s", IMAGE_NAME_MAX,
		r->name);
	return NULL;
}

static void read_manifest(struct reading *r, const char *tag, enum arch named,
	const struct oci_descriptor *descriptor)
{
	struct oci_image *image = add_named(r, tag, named);
	struct oci_descriptor layer;
	char digest[DIGEST_TEXT_LEN];
	const char *why = NULL;
	size_t len;
	char *text;

	if (!image)
		return;
	text = read_blob(r, descriptor, &len, &why);
	if (text && oci_parse_manifest(text, len, &layer, &why)) {
		image->digest = layer.digest;
		image->size = layer.size;
		image->arch = descriptor->arch;
	} else {
		digest_format(&descriptor->digest, digest);
		snprintf(image->why, sizeof(image->why),
			"its manifest, blob sha256:%s: %s", digest, why);
	}
	free(text);
}

static void refuse_tag(struct reading *r, const char *tag, const char *why)
{
	struct oci_image *image = add_named(r, tag, ARCH_INVALID);

	if (image)
		snprintf(image->why, sizeof(image->why), "%s", why);
}

/*
 * The manifests of one tag: one is the image, of several each must say for
 * which architecture it is.
 */
static void read_manifests(struct reading *r, const char *tag,
	const struct oci_descriptor *entry, size_t n)
{
	bool seen[ARCH_MAX] = {false};
	size_t n_manifests = 0;

	for (size_t i = 0; i < n; i++)
		n_manifests += entry[i].type == OCI_TYPE_MANIFEST;
	if (!n_manifests)
		refuse_tag(r, tag, "its index names no manifest");
	for (size_t i = 0; i < n; i++) {
		enum arch arch = entry[i].arch;

		if (entry[i].type != OCI_TYPE_MANIFEST)
			continue;
		if (n_manifests == 1) {
			read_manifest(r, tag, ARCH_INVALID, &entry[i]);
		} else if (arch == ARCH_INVALID) {
			refuse_tag(r, tag,
				"one of its manifests does not say for which "
				"architecture it is");
		} else if (seen[arch]) {
			refuse_tag(r, tag,
				"several of its manifests are for the same "
				"architecture");
		} else {
			seen[arch] = true;
			read_manifest(r, tag, arch, &entry[i]);
		}
	}
}

static void read_nested(
	struct reading *r, const struct oci_descriptor *descriptor)
{
	struct oci_index *index = malloc(sizeof(*index));
	const char *why = "memory is short";
	char problem[160], digest[DIGEST_TEXT_LEN];
	char *text = NULL;
	size_t len;

	r->layout->unsure |= !index;
	if (index)
		text = read_blob(r, descriptor, &len, &why);
	if (text && oci_parse_index(text, len, index, &why)) {
		read_manifests(r, descriptor->tag, index->entry, index->n);
	} else {
		digest_format(&descriptor->digest, digest);
		snprintf(problem, sizeof(problem),
			"its index, blob sha256:%s: %s", digest, why);
		refuse_tag(r, descriptor->tag, problem);
	}
	free(text);
	free(index);
}

/* index.json: each tag once, or once for each architecture. */
static void read_entries(struct reading *r, struct oci_index *index)
{
	for (size_t i = 0; i < index->n; i++) {
		struct oci_descriptor *first = &index->entry[i];
		size_t n = 1;

		if (first->type == OCI_TYPE_OTHER)
			continue;
		if (first->type == OCI_TYPE_INDEX) {
			read_nested(r, first);
			continue;
		}
		/* Those of the same tag are brought together behind it. */
		for (size_t j = i + 1; j < index->n; j++) {
			struct oci_descriptor other = index->entry[j];

			if (other.type != OCI_TYPE_MANIFEST ||
				strcmp(other.tag, first->tag) != 0)
				continue;
			index->entry[j] = index->entry[i + n];
			index->entry[i + n] = other;
			n++;
		}
		if (*first->tag)
			read_manifests(r, first->tag, first, n);
		else
			refuse_tag(r, "", "");
		i += n - 1;
	}
}

/* A layout that cannot be understood, as one image that says why. */
static void refuse_layout(struct reading *r, const char *file, const char *why)
{
	struct oci_image *image = add(r);

	if (!image)
		return;
	snprintf(image->name, sizeof(image->name), "%.*s", IMAGE_NAME_MAX,
		r->name);
	snprintf(image->why, sizeof(image->why), "%s: %s", file, why);
}

static void read_layout(struct reading *r)
{
	struct oci_index *index = malloc(sizeof(*index));
	const char *file = "oci-layout", *why = "memory is short";
	bool ok = false;
	size_t len;
	char *text = index ? read_small(r, file, &len, &why) : NULL;

	r->layout->unsure |= !index;
	if (text && oci_check_layout(text, len, &why)) {
		free(text);
		file = "index.json";
		text = read_small(r, file, &len, &why);
		ok = text && oci_parse_index(text, len, index, &why);
	}
	if (!ok)
		refuse_layout(r, file, why);
	else if (!index->n)
		refuse_layout(r, file, "it names no image");
	else
		read_entries(r, index);
	free(text);
	free(index);
}

struct oci_layout *oci_layout_read(const char *path, const char *name)
{
	struct reading r = {.name = name};
	struct stat st;

	r.dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (r.dir < 0)
		return NULL;
	if (fstatat(r.dir, "oci-layout", &st, 0) == 0)
		r.layout = malloc(sizeof(*r.layout));
	if (r.layout) {
		r.layout->n = 0;
		r.layout->unsure = false;
		read_layout(&r);
	}
	close(r.dir);
	return r.layout;
}
