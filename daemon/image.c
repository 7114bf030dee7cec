#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/images.h"

static void refuse(struct image *image, const char *why)
{
	image->state = IMAGE_STATE_REFUSED;
	snprintf(image->why, sizeof(image->why), "%s", why);
}

/* A text section's content as a C string; "" if there is none. */
static char *read_text(const struct image *image, const char *name)
{
	const struct uki_section *s = uki_find(&image->uki, name);
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

/* PRETTY_NAME="..." of os-release. */
static char *pretty_name(char *osrel)
{
	static const char key[] = "PRETTY_NAME=";
	char *line, *save = NULL, *name = NULL;

	if (!osrel)
		return NULL;
	for (line = strtok_r(osrel, "\n", &save); line && !name;
		line = strtok_r(NULL, "\n", &save)) {
		size_t len;

		if (strncmp(line, key, sizeof(key) - 1) != 0)
			continue;
		line += sizeof(key) - 1;
		len = strcspn(line + (*line == '"'), "\"");
		name = strndup(line + (*line == '"'), len);
	}
	free(osrel);
	return name ? name : strdup("");
}

static void trim(char *text)
{
	if (text)
		text[strcspn(text, "\r\n")] = '\0';
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
		refuse(image, "its kernel could not be read");
		return;
	}
	uki_inspect_kernel(head, len, &image->kernel);
	if (image->kernel.arch == ARCH_INVALID)
		refuse(image, "the .linux section holds no EFI kernel");
	else if (image->kernel.arch != image->uki.arch)
		refuse(image, "its kernel is of another architecture");
}

static void inspect(struct image *image)
{
	uint8_t *head;
	size_t len = image->size < UKI_HEAD ? (size_t)image->size : UKI_HEAD;
	struct uki_error err;

	head = malloc(UKI_HEAD);
	if (!head || file_read(image->file, head, len, 0)) {
		refuse(image, "it could not be read");
		free(head);
		return;
	}
	if (!uki_parse(head, len, image->size, &image->uki, &err)) {
		image->state = IMAGE_STATE_REFUSED;
		snprintf(image->why, sizeof(image->why), "%s%s%s (offset %llu)",
			err.section, err.section[0] ? ": " : "", err.what,
			(unsigned long long)err.at);
		free(head);
		return;
	}
	free(head);
	if (image->uki.kind == UKI_KIND_ADDON)
		refuse(image, "it is an addon, without a kernel of its own");
	else
		read_kernel(image);
}

struct image *image_open(const char *path, const char *name)
{
	struct image *image = calloc(1, sizeof(*image));
	int err;

	if (!image)
		return NULL;
	snprintf(image->name, sizeof(image->name), "%s", name);
	err = file_open(path, &image->file);
	if (err) {
		refuse(image,
			err == -EINVAL ? "not a regular file" : strerror(-err));
	} else {
		image->size = file_size(image->file);
		inspect(image);
	}
	if (image->state == IMAGE_STATE_READY) {
		image->cmdline = read_cmdline(image);
		image->os = pretty_name(read_text(image, ".osrel"));
		image->version = read_text(image, ".uname");
		trim(image->version);
		if (!image->cmdline || !image->os || !image->version)
			refuse(image, "its texts could not be read");
	}
	return image;
}

void image_free(struct image *image)
{
	if (!image)
		return;
	file_unref(image->file);
	free(image->cmdline);
	free(image->os);
	free(image->version);
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
	view_add_file(view, image->file, s->offset, s->len);
	return view;
}

struct view *image_view_initrd(const struct image *image)
{
	static const char *const parts[] = {".ucode", ".initrd"};
	struct view *view = view_new("application/octet-stream");

	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
		const struct uki_section *s = uki_find(&image->uki, parts[i]);

		if (!s)
			continue;
		/* The kernel looks for each archive on a 4-byte boundary. */
		view_add_memory(view, NULL, -view_size(view) & 3);
		view_add_file(view, image->file, s->offset, s->len);
	}
	if (view_size(view))
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
