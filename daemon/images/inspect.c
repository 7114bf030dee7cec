#include "daemon/images/inspect.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/images/digester.h"
#include "daemon/images/image_json.h"
#include "proto/text.h"

static const char *kind_text(enum uki_kind kind)
{
	switch (kind) {
	case UKI_KIND_UKI:
		return "UKI";
	case UKI_KIND_ADDON:
		return "addon to a UKI";
	case UKI_KIND_APP:
		return "EFI application";
	}
	return "?";
}

static void line(const char *label, const char *value)
{
	if (value && *value)
		printf("%-12s %s\n", label, value);
}

static void show_parsed(const struct image *image)
{
	const struct uki *uki = &image->uki;

	line("kind", kind_text(uki->kind));
	line("arch", arch_name(uki->arch));
	if (!uki->cert_size)
		line("signed", "no");
	else
		printf("%-12s yes%s%s\n", "signed",
			image->signer && *image->signer ? ", by " : "",
			image->signer ? image->signer : "");
}

static void show_sections(const struct uki *uki)
{
	for (size_t i = 0; i < uki->n_sections; i++) {
		const struct uki_section *s = &uki->section[i];

		printf("%-12s %-8s %11u bytes at offset %u",
			i ? "" : "sections", s->name, s->len, s->offset);
		if (s->profile)
			printf(", profile @%u", s->profile - 1);
		putchar('\n');
	}
}

static void show_texts(const struct image *image)
{
	size_t len = strlen(image->cmdline);
	char *cmdline = malloc(len + 1);

	line("system", image->os);
	line("kernel", image->version);
	if (cmdline)
		text_clean(
			(const uint8_t *)image->cmdline, len, cmdline, len + 1);
	line("cmdline", cmdline);
	free(cmdline);
	for (size_t i = 0; i < image->uki.n_profiles; i++)
		printf("%-12s @%zu %s\n", i ? "" : "profiles", i,
			image->profile[i]);
}

static void show_paths(const struct image *image)
{
	static const char *const titles[IMAGE_PATH_MAX] = {
		[IMAGE_PATH_IPXE] = "UEFI, by iPXE",
		[IMAGE_PATH_TFTP_UKI] = "UEFI, by TFTP (tftp-uki)",
		[IMAGE_PATH_HTTP_BOOT] = "UEFI HTTP Boot",
		[IMAGE_PATH_BIOS] = "BIOS",
	};

	for (int p = 0; p < IMAGE_PATH_MAX; p++) {
		enum image_path path = (enum image_path)p;
		const char *why = image_path_why_not(image, path);
		const char *not_added = NULL;

		printf("%-12s %-24s %s%s\n", p ? "" : "boots by", titles[p],
			why ? "no: " : "yes", why ? why : "");
		if (!why && image->uki.kind == UKI_KIND_UKI)
			not_added = image_path_why_not_added(image, path);
		if (not_added)
			printf("%-12s %-24s but a machine's `cmdline` is not "
			       "added: %s\n",
				"", "", not_added);
	}
}

static void show(const struct image *image)
{
	char digest[DIGEST_TEXT_LEN];

	line("file", image->name);
	if (image->state == IMAGE_STATE_REFUSED)
		printf("%-12s %s\n", "NOT OFFERED", image->why);
	if (image->file)
		printf("%-12s %llu bytes\n", "size",
			(unsigned long long)image->size);
	if (image->has_digest) {
		digest_format(&image->digest, digest);
		line("sha256", digest);
	}
	if (image->parsed)
		show_parsed(image);
	if (image->state == IMAGE_STATE_READY) {
		show_texts(image);
		show_paths(image);
	}
	if (image->parsed)
		show_sections(&image->uki);
}

int inspect_file(const char *path, bool json)
{
	const char *slash = strrchr(path, '/');
	struct image *image = image_open(path, slash ? slash + 1 : path);
	struct digest digest;
	int err, status;
	json_t *o;

	if (!image) {
		fprintf(stderr, "netukid: out of memory\n");
		return 1;
	}
	if (image->file) {
		err = digester_hash(image->file, NULL, NULL, &digest);
		image_set_digest(image, &digest, err);
	}
	if (json) {
		o = image_json(image);
		json_dumpf(o, stdout, JSON_INDENT(2));
		putchar('\n');
		json_decref(o);
	} else {
		show(image);
	}
	status = image->state == IMAGE_STATE_READY ? 0 : 1;
	image_free(image);
	return status;
}
