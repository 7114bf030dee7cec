#include "daemon/images/image_json.h"

#include <stdlib.h>
#include <string.h>

#include "proto/ipxe_script.h"
#include "proto/text.h"

const char *image_path_name(enum image_path path)
{
	switch (path) {
	case IMAGE_PATH_IPXE:
		return "ipxe";
	case IMAGE_PATH_TFTP_UKI:
		return "tftp-uki";
	case IMAGE_PATH_HTTP_BOOT:
		return "http-boot";
	case IMAGE_PATH_BIOS:
		return "bios";
	case IMAGE_PATH_MAX:
		break;
	}
	return "?";
}

const char *image_path_why_not(const struct image *image, enum image_path path)
{
	const char *why;

	if (path != IMAGE_PATH_BIOS)
		return image_why_not_efi(image, ARCH_INVALID);
	why = image_why_not_bios(image);
	if (!why && !ipxe_cmdline_is_safe(image->cmdline, &why))
		return why;
	if (!why && image->kernel.cmdline_max &&
		strlen(image->cmdline) > image->kernel.cmdline_max)
		why = "its command line is too long for its kernel";
	return why;
}

const char *image_path_why_not_added(
	const struct image *image, enum image_path path)
{
	size_t len = strlen(image->cmdline);
	char *longer;
	const char *why;

	if (image->uki.kind != UKI_KIND_UKI)
		return "an EFI application has no kernel command line";
	if (path == IMAGE_PATH_BIOS ||
		(path == IMAGE_PATH_IPXE &&
			ipxe_cmdline_is_safe(image->cmdline, &why)))
		return NULL;
	/* One word more is the least that would be added. */
	longer = malloc(len + 3);
	if (!longer)
		return NULL;
	memcpy(longer, image->cmdline, len);
	memcpy(longer + len, " x", 3);
	why = image_why_not_splice(image, longer);
	free(longer);
	return why;
}

/* Any bytes as JSON, which has UTF-8 only. */
static json_t *json_of_bytes(const char *text)
{
	size_t len = strlen(text);
	char *clean = malloc(len + 1);
	json_t *json;

	if (!clean)
		return json_null();
	text_clean((const uint8_t *)text, len, clean, len + 1);
	json = json_string(clean);
	free(clean);
	return json;
}

static json_t *sections_json(const struct uki *uki)
{
	json_t *list = json_array();

	for (size_t i = 0; i < uki->n_sections; i++) {
		const struct uki_section *s = &uki->section[i];
		json_t *o = json_pack("{s:s, s:I, s:I}", "name", s->name,
			"offset", (json_int_t)s->offset, "size",
			(json_int_t)s->len);

		if (s->profile)
			json_object_set_new(o, "profile",
				json_integer((json_int_t)s->profile - 1));
		json_array_append_new(list, o);
	}
	return list;
}

static json_t *profiles_json(const struct image *image)
{
	json_t *list = json_array();

	for (size_t i = 0; i < image->uki.n_profiles; i++)
		json_array_append_new(list, json_string(image->profile[i]));
	return list;
}

static json_t *paths_json(const struct image *image)
{
	json_t *paths = json_object();

	for (int p = 0; p < IMAGE_PATH_MAX; p++) {
		enum image_path path = (enum image_path)p;
		const char *why = image_path_why_not(image, path);
		const char *not_added =
			why ? NULL : image_path_why_not_added(image, path);
		json_t *o = json_pack("{s:b}", "works", !why);

		if (why)
			json_object_set_new(o, "why", json_string(why));
		if (!why)
			json_object_set_new(
				o, "cmdline-added", json_boolean(!not_added));
		if (not_added)
			json_object_set_new(
				o, "why-not-added", json_string(not_added));
		json_object_set_new(paths, image_path_name(path), o);
	}
	return paths;
}

/* What the headers tell, of an addon too. */
static void add_parsed(json_t *o, const struct image *image)
{
	static const char *const kinds[] = {"uki", "addon", "efi"};
	const struct uki *uki = &image->uki;

	json_object_set_new(o, "kind", json_string(kinds[uki->kind]));
	json_object_set_new(o, "arch", json_string(arch_name(uki->arch)));
	json_object_set_new(o, "signed", json_boolean(uki->cert_size != 0));
	if (image->signer && *image->signer)
		json_object_set_new(o, "signed-by", json_string(image->signer));
	json_object_set_new(o, "sections", sections_json(uki));
}

static void add_texts(json_t *o, const struct image *image)
{
	json_object_set_new(o, "os", json_string(image->os));
	json_object_set_new(o, "kernel", json_string(image->version));
	json_object_set_new(o, "cmdline", json_of_bytes(image->cmdline));
	json_object_set_new(o, "profiles", profiles_json(image));
	json_object_set_new(o, "paths", paths_json(image));
}

json_t *image_json(const struct image *image)
{
	static const char *const states[] = {"ready", "pending", "refused"};
	json_t *o = json_pack("{s:s, s:s, s:I}", "name", image->name, "state",
		states[image->state], "size", (json_int_t)image->size);
	char digest[DIGEST_TEXT_LEN];
	const char *bios;

	if (image->state != IMAGE_STATE_READY)
		json_object_set_new(o, "why", json_of_bytes(image->why));
	if (image->has_digest) {
		digest_format(&image->digest, digest);
		json_object_set_new(o, "sha256", json_string(digest));
	}
	if (image->parsed)
		add_parsed(o, image);
	if (image->state != IMAGE_STATE_READY)
		return o;
	add_texts(o, image);
	bios = image_path_why_not(image, IMAGE_PATH_BIOS);
	json_object_set_new(o, "bios", bios ? json_string(bios) : json_true());
	return o;
}
