#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/images/images.h"
#include "proto/signer.h"
#include "proto/text.h"

/* Signatures of several certificates are some kilobytes. */
#define CERT_READ_MAX (256u << 10)

static void refuse(struct image *image, const char *why)
{
	image->state = IMAGE_STATE_REFUSED;
	snprintf(image->why, sizeof(image->why), "%s", why);
}

/* It is not the file's fault, perhaps: to be looked at again. */
static void fail(struct image *image, const char *why)
{
	refuse(image, why);
	image->unsure = true;
}

/* A text section's content as a C string; "" if there is none. */
static char *read_section(
	const struct image *image, const struct uki_section *s)
{
	char *text;

	if (!s || s->len > UKI_MAX_TEXT)
		return strdup("");
	text = calloc(1, (size_t)s->len + 1);
	if (text && file_read(image->file, text, s->len, s->offset)) {
		free(text);
		return NULL;
	}
	return text;
}

static char *read_text(const struct image *image, const char *name)
{
	return read_section(image, uki_find(&image->uki, name));
}

static char *read_cmdline(const struct image *image)
{
	char *raw = read_text(image, ".cmdline");
	size_t len = raw ? strlen(raw) : 0;
	char *clean = raw ? malloc(len + 1) : NULL;

	if (clean)
		uki_clean_cmdline((const uint8_t *)raw, len, clean, len + 1);
	free(raw);
	return clean;
}

/*
 * The value of KEY=VALUE or KEY="VALUE" in a text like os-release, fit to be
 * shown; "" if it is not there. NULL: out of memory.
 */
static char *find_value(const char *text, const char *key)
{
	size_t key_len = strlen(key);

	for (const char *line = text; *line;) {
		size_t len = strcspn(line, "\r\n");

		if (len > key_len && line[key_len] == '=' &&
			strncmp(line, key, key_len) == 0) {
			const char *value = line + key_len + 1;
			char *clean;

			len -= key_len + 1;
			if (len >= 2 && *value == '"' &&
				value[len - 1] == '"') {
				value++;
				len -= 2;
			}
			clean = malloc(len + 1);
			if (clean)
				text_clean((const uint8_t *)value, len, clean,
					len + 1);
			return clean;
		}
		line += len + (line[len] != '\0');
	}
	return strdup("");
}

static char *read_os(const struct image *image)
{
	char *text = read_text(image, ".osrel");
	char *name = text ? find_value(text, "PRETTY_NAME") : NULL;

	if (name && !*name) {
		free(name);
		name = find_value(text, "NAME");
	}
	free(text);
	return name;
}

static char *read_version(const struct image *image)
{
	char *text = read_text(image, ".uname");
	size_t len = text ? strcspn(text, "\r\n") : 0;
	char *clean = text ? malloc(len + 1) : NULL;

	if (clean)
		text_clean((const uint8_t *)text, len, clean, len + 1);
	free(text);
	return clean;
}

static char *read_profile(
	const struct image *image, const struct uki_section *section)
{
	char *text = read_section(image, section);
	char *title = text ? find_value(text, "TITLE") : NULL;

	if (title && !*title) {
		free(title);
		title = find_value(text, "ID");
	}
	free(text);
	return title;
}

static bool read_profiles(struct image *image)
{
	const struct uki *uki = &image->uki;
	size_t n = 0;

	image->profile = calloc(uki->n_profiles + 1u, sizeof(char *));
	if (!image->profile)
		return false;
	for (size_t i = 0; i < uki->n_sections; i++) {
		const struct uki_section *s = &uki->section[i];

		if (strcmp(s->name, ".profile") != 0)
			continue;
		image->profile[n] = read_profile(image, s);
		if (!image->profile[n++])
			return false;
	}
	return true;
}

static void read_texts(struct image *image)
{
	image->cmdline = read_cmdline(image);
	image->os = read_os(image);
	image->version = read_version(image);
	if (!image->cmdline || !image->os || !image->version ||
		!image->signer || !read_profiles(image))
		fail(image, "its texts could not be read");
}

static void read_kernel(struct image *image)
{
	const struct uki_section *s = uki_find(&image->uki, ".linux");
	uint8_t head[UKI_KERNEL_HEAD];
	size_t len;

	if (!s)
		return;
	len = s->len < sizeof(head) ? s->len : sizeof(head);
	if (file_read(image->file, head, len, s->offset)) {
		fail(image, "its kernel could not be read");
		return;
	}
	uki_inspect_kernel(head, len, &image->kernel);
	if (image->kernel.arch == ARCH_INVALID)
		refuse(image, "the .linux section holds no EFI kernel");
	else if (image->kernel.arch != image->uki.arch)
		refuse(image, "its kernel is of another architecture");
}

static void refuse_at(struct image *image, const struct uki_error *err)
{
	image->state = IMAGE_STATE_REFUSED;
	snprintf(image->why, sizeof(image->why), "%s%s%s (offset %llu)",
		err->section, err->section[0] ? ": " : "", err->what,
		(unsigned long long)err->at);
}

int image_read_signer(const struct file *file, const struct uki *uki,
	char ret[IMAGE_SIGNER_MAX], struct uki_error *ret_why)
{
	size_t len =
		uki->cert_size < CERT_READ_MAX ? uki->cert_size : CERT_READ_MAX;
	uint8_t *table = len ? malloc(len) : NULL;
	int err = len && !table ? -ENOMEM : 0;

	ret[0] = '\0';
	*ret_why = (struct uki_error){0};
	if (table)
		err = file_read(file, table, len, uki->cert_offset);
	if (!err && len && !uki_check_certificates(uki, table, len, ret_why))
		err = -EBADMSG;
	else if (!err && len)
		signer_names(table, len, ret, IMAGE_SIGNER_MAX);
	free(table);
	return err;
}

static void read_certificates(struct image *image)
{
	char name[IMAGE_SIGNER_MAX];
	struct uki_error why;
	int err = image_read_signer(image->file, &image->uki, name, &why);

	if (err && why.what)
		refuse_at(image, &why);
	else if (err)
		refuse(image, "its signatures could not be read");
	image->signer = strdup(name);
}

static void inspect(struct image *image)
{
	uint8_t *head;
	size_t len = image->size < UKI_HEAD ? (size_t)image->size : UKI_HEAD;
	struct uki_error err;

	head = malloc(UKI_HEAD);
	if (!head || file_read(image->file, head, len, 0)) {
		fail(image, "it could not be read");
		free(head);
		return;
	}
	image->parsed = uki_parse(head, len, image->size, &image->uki, &err);
	free(head);
	if (!image->parsed) {
		refuse_at(image, &err);
		return;
	}
	read_certificates(image);
	if (image->state == IMAGE_STATE_REFUSED)
		return;
	if (image->uki.kind == UKI_KIND_ADDON)
		refuse(image, "it is an addon, without a kernel of its own");
	else
		read_kernel(image);
}

static struct image *image_new(const char *name)
{
	struct image *image = calloc(1, sizeof(*image));

	if (image)
		snprintf(image->name, sizeof(image->name), "%s", name);
	return image;
}

struct image *image_new_refused(const char *name, const char *why)
{
	struct image *image = image_new(name);

	if (image)
		refuse(image, why);
	return image;
}

/* What tells this file from others of its name is what its ETag is made of. */
static bool set_version(struct image *image)
{
	struct view *view = image_view(image);

	if (!view)
		return false;
	snprintf(image->version_tag, sizeof(image->version_tag), "%.16s",
		view_etag(view) + 1);
	view_unref(view);
	return true;
}

/* False, and refused, if there is no such file. */
static bool open_file(struct image *image, const char *path)
{
	int err = file_open(path, &image->file);

	if (!err) {
		image->size = file_size(image->file);
		if (set_version(image))
			return true;
		err = -ENOMEM;
	}
	refuse(image, err == -EINVAL ? "not a regular file" : strerror(-err));
	image->unsure = file_is_shortage(err);
	return false;
}

struct image *image_open(const char *path, const char *name)
{
	struct image *image = image_new(name);

	if (!image)
		return NULL;
	if (open_file(image, path))
		inspect(image);
	if (image->state == IMAGE_STATE_READY)
		read_texts(image);
	return image;
}

/* Of a tag's many blobs it is this one that cannot be opened. */
static void say_blob(struct image *image)
{
	char digest[DIGEST_TEXT_LEN], why[sizeof(image->why)];

	digest_format(&image->wanted, digest);
	memcpy(why, image->why, sizeof(why));
	snprintf(image->why, sizeof(image->why),
		"its UKI, blob sha256:%s: %.64s", digest, why);
}

struct image *image_open_blob(const char *path, const char *name,
	const struct digest *digest, uint64_t size, enum arch arch)
{
	struct image *image = image_new(name);

	if (!image)
		return NULL;
	image->must_match = true;
	image->wanted = *digest;
	if (!open_file(image, path)) {
		say_blob(image);
		return image;
	}
	if (image->size != size) {
		image->state = IMAGE_STATE_REFUSED;
		snprintf(image->why, sizeof(image->why),
			"its blob has %llu bytes, its manifest says %llu",
			(unsigned long long)image->size,
			(unsigned long long)size);
		return image;
	}
	inspect(image);
	if (image->state == IMAGE_STATE_READY && arch != ARCH_INVALID &&
		arch != image->uki.arch)
		refuse(image, "it is not of the architecture that its index "
			      "says");
	if (image->state == IMAGE_STATE_READY)
		read_texts(image);
	if (image->state == IMAGE_STATE_READY) {
		image->state = IMAGE_STATE_PENDING;
		image->is_checked_next = true;
		snprintf(image->why, sizeof(image->why),
			"its digest is being checked");
	}
	return image;
}

void image_set_digest(struct image *image, const struct digest *digest, int err)
{
	image->has_digest = !err;
	image->digest_error = err;
	if (!err)
		image->digest = *digest;
	if (!image->is_checked_next)
		return;
	/* After an error it is the next thing still. */
	image->is_checked_next = err != 0;
	if (err) {
		image->state = IMAGE_STATE_REFUSED;
		snprintf(image->why, sizeof(image->why),
			"its digest could not be checked: %s", strerror(-err));
	} else if (!digest_equal(digest, &image->wanted)) {
		refuse(image, "its content does not match its digest");
	} else {
		image->state = IMAGE_STATE_READY;
		image->why[0] = '\0';
	}
}

void image_free(struct image *image)
{
	if (!image)
		return;
	for (size_t i = 0; image->profile && i < image->uki.n_profiles; i++)
		free(image->profile[i]);
	free(image->profile);
	file_unref(image->file);
	free(image->cmdline);
	free(image->os);
	free(image->version);
	free(image->signer);
	free(image);
}

const char *image_why_not_efi(const struct image *image, enum arch arch)
{
	if (image->state != IMAGE_STATE_READY)
		return image->why;
	if (arch != ARCH_INVALID && image->uki.arch != arch)
		return "the image is of another architecture";
	return NULL;
}

const char *image_why_not_bios(const struct image *image)
{
	if (image->state != IMAGE_STATE_READY)
		return image->why;
	if (image->uki.kind != UKI_KIND_UKI)
		return "an EFI application cannot run under BIOS";
	if (image->uki.arch != ARCH_X64 && image->uki.arch != ARCH_IA32)
		return "the image is of another architecture";
	if (!image->kernel.bzimage)
		return "the kernel is no bzImage: BIOS cannot start it";
	return NULL;
}

const char *image_why_not_splice(const struct image *image, const char *cmdline)
{
	struct uki_splice splice;
	const char *why;

	if (image->state != IMAGE_STATE_READY)
		return image->why;
	if (uki_splice_cmdline(&image->uki, image->size,
		    (const uint8_t *)cmdline, (uint32_t)strlen(cmdline),
		    &splice, &why))
		return NULL;
	return why;
}

static const char efi_type[] = "application/efi";

struct view *image_view(const struct image *image)
{
	struct view *view = view_new(efi_type);

	if (view)
		view_add_file(view, image->file, 0, image->size);
	return view;
}

struct view *image_view_kernel(const struct image *image)
{
	const struct uki_section *s = uki_find(&image->uki, ".linux");
	struct view *view;

	if (!s)
		return NULL;
	view = view_new("application/octet-stream");
	if (view)
		view_add_file(view, image->file, s->offset, s->len);
	return view;
}

struct view *image_view_initrd(const struct image *image)
{
	static const char *const parts[] = {".ucode", ".initrd"};
	struct view *view = view_new("application/octet-stream");

	for (size_t i = 0; view && i < sizeof(parts) / sizeof(*parts); i++) {
		const struct uki_section *s = uki_find(&image->uki, parts[i]);

		if (!s)
			continue;
		/* The kernel looks for each archive on a 4-byte boundary. */
		view_add_memory(view, NULL, -view_size(view) & 3);
		view_add_file(view, image->file, s->offset, s->len);
	}
	if (view && view_size(view))
		return view;
	view_unref(view);
	return NULL;
}

struct view *image_view_spliced(const struct image *image, const char *cmdline)
{
	struct uki_splice splice;
	const char *why;
	uint64_t at = 0;
	struct view *view;

	if (!uki_splice_cmdline(&image->uki, image->size,
		    (const uint8_t *)cmdline, (uint32_t)strlen(cmdline),
		    &splice, &why))
		return NULL;
	view = view_new(efi_type);
	if (!view)
		return NULL;
	for (size_t i = 0; i < splice.n_patches; i++) {
		const struct uki_patch *p = &splice.patch[i];
		uint8_t *copy = malloc(p->len);

		if (!copy) {
			view_unref(view);
			return NULL;
		}
		memcpy(copy, p->text ? p->text : p->bytes, p->len);
		if (p->at > at && at < image->size) {
			uint64_t end =
				p->at < image->size ? p->at : image->size;
			view_add_file(view, image->file, at, end - at);
			at = end;
		}
		if (p->at > at)
			view_add_memory(view, NULL, p->at - at);
		view_add_memory(view, copy, p->len);
		at = p->at + p->len;
	}
	if (at < image->size) {
		view_add_file(view, image->file, at, image->size - at);
		at = image->size;
	}
	if (at < splice.new_size)
		view_add_memory(view, NULL, splice.new_size - at);
	return view;
}
