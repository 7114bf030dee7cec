/*
 * uki: every section handed out lies inside the file, no two overlap, in the
 * file or in memory; a spliced file parses again, has the wanted .cmdline, and
 * is the old one outside the patches.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proto/ipxe_script.h"
#include "proto/uki.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(condition)                                                        \
	do {                                                                   \
		if (!(condition))                                              \
			abort();                                               \
	} while (0)

static uint64_t memory_len(const struct uki_section *s)
{
	return s->vsize ? s->vsize : s->raw_size;
}

static bool overlap(uint64_t a, uint64_t a_len, uint64_t b, uint64_t b_len)
{
	return a_len > 0 && b_len > 0 && a < b + b_len && b < a + a_len;
}

static void check_sections(const struct uki *uki, uint64_t size)
{
	MUST(uki->n_sections >= 1 && uki->n_sections <= UKI_MAX_SECTIONS);
	MUST(uki->size_of_headers <= size);
	MUST((uint64_t)uki->cert_offset + uki->cert_size <= size);
	for (size_t i = 0; i < uki->n_sections; i++) {
		const struct uki_section *s = &uki->section[i];

		MUST(memchr(s->name, 0, sizeof(s->name)));
		MUST(s->len <= s->raw_size);
		MUST((uint64_t)s->offset + s->raw_size <= size);
		MUST(s->raw_size == 0 || s->offset >= uki->size_of_headers);
		MUST(s->vaddr + memory_len(s) <= uki->size_of_image ||
			memory_len(s) == 0);
		MUST(s->profile <= uki->n_profiles);
		MUST(s->header_at + 40u <= uki->size_of_headers);
		MUST(!overlap(s->offset, s->raw_size, uki->cert_offset,
			uki->cert_size));
		for (size_t j = 0; j < i; j++) {
			const struct uki_section *o = &uki->section[j];

			MUST(!overlap(s->offset, s->raw_size, o->offset,
				o->raw_size));
			MUST(!overlap(s->vaddr, memory_len(s), o->vaddr,
				memory_len(o)));
		}
	}
	MUST((uki->kind == UKI_KIND_UKI) == !!uki_find(uki, ".linux"));
}

static uint8_t *apply(
	const uint8_t *data, size_t size, const struct uki_splice *splice)
{
	uint8_t *out = calloc(1, splice->new_size);
	uint64_t end = 0;

	MUST(out);
	MUST(splice->new_size >= size);
	MUST(splice->n_patches <= UKI_MAX_PATCHES);
	memcpy(out, data, size);
	for (size_t i = 0; i < splice->n_patches; i++) {
		const struct uki_patch *p = &splice->patch[i];

		MUST(p->at >= end && p->at + p->len <= splice->new_size);
		MUST(p->text || p->len <= sizeof(p->bytes));
		/* What is kept between two patches is the old file's. */
		if (p->at <= size)
			MUST(memcmp(out + end, data + end, p->at - end) == 0);
		memcpy(out + p->at, p->text ? p->text : p->bytes, p->len);
		end = p->at + p->len;
	}
	if (end < size)
		MUST(memcmp(out + end, data + end, size - end) == 0);
	return out;
}

/* The other sections are what they were, in place and in content. */
static void check_others(const struct uki *old, const uint8_t *old_data,
	const struct uki *new, const uint8_t *new_data,
	const struct uki_section *cmdline)
{
	for (size_t i = 0; i < old->n_sections; i++) {
		const struct uki_section *a = &old->section[i];
		const struct uki_section *b = &new->section[i];

		if (b == cmdline)
			continue;
		MUST(memcmp(a, b, sizeof(*a)) == 0);
		MUST(memcmp(old_data + a->offset, new_data + a->offset,
			     a->raw_size) == 0);
	}
	MUST(new->n_sections == old->n_sections ||
		(new->n_sections == old->n_sections + 1 &&
			cmdline == &new->section[old->n_sections]));
	MUST(new->size_of_image >= old->size_of_image);
	MUST(new->kind == UKI_KIND_UKI &&new->cert_size == 0);
	MUST(new->n_profiles == old->n_profiles);
}

static void check_splice(const uint8_t *data, size_t size,
	const struct uki *uki, const uint8_t *text, uint32_t len)
{
	struct uki_splice splice;
	const struct uki_section *s;
	struct uki_error err;
	struct uki new;
	const char *why = NULL;
	uint8_t *out;

	if (!uki_splice_cmdline(uki, size, text, len, &splice, &why)) {
		MUST(why);
		return;
	}
	MUST(uki->kind == UKI_KIND_UKI && uki->cert_size == 0);
	out = apply(data, size, &splice);
	MUST(uki_parse(out,
		splice.new_size < UKI_HEAD ? splice.new_size : UKI_HEAD,
		splice.new_size, &new, &err));
	check_sections(&new, splice.new_size);
	s = uki_find_in_profile(&new, new.n_profiles, ".cmdline");
	MUST(s);
	if (len > 0)
		MUST(s->len == len && s->vsize == len &&
			memcmp(out + s->offset, text, len) == 0);
	else
		MUST(s->len == 1 && out[s->offset] == 0);
	check_others(uki, data, &new, out, s);
	free(out);
}

/* A command line that passes as safe comes out of the script as it went in. */
static void check_cmdline(
	const uint8_t *data, const struct uki_section *section)
{
	static char cmdline[UKI_MAX_TEXT + 1], script[2 * UKI_MAX_TEXT];
	struct ipxe_script chain = {.kind = IPXE_SCRIPT_CHAIN,
		.url = "http://192.0.2.1/x",
		.cmdline = cmdline};
	const char *why, *line;
	size_t len, built;

	len = uki_clean_cmdline(
		data + section->offset, section->len, cmdline, sizeof(cmdline));
	MUST(len <= section->len && strlen(cmdline) == len);
	MUST(len == 0 || cmdline[len - 1] != ' ');
	built = ipxe_script_build(&chain, script, sizeof(script));
	MUST((built > 0) == ipxe_cmdline_is_safe(cmdline, &why));
	if (built == 0 || len == 0)
		return;
	line = strstr(script, "http://192.0.2.1/x ");
	MUST(line);
	line = strchr(line, ' ') + 1;
	MUST(memcmp(line, cmdline, len) == 0);
	MUST(strncmp(line + len, " || goto failed\n", 16) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint32_t lens[] = {
		0, 1, 0x1f, 0x201, 0x1001, UKI_MAX_TEXT};
	static uint8_t text[UKI_MAX_TEXT];
	const struct uki_section *cmdline, *kernel;
	struct uki_kernel inner;
	struct uki_error err;
	struct uki uki;

	uki_inspect_kernel(data, size, &inner);
	memset(&err, 0, sizeof(err));
	if (!uki_parse(data, size < UKI_HEAD ? size : UKI_HEAD, size, &uki,
		    &err)) {
		MUST(err.what && err.at <= size);
		MUST(memchr(err.section, 0, sizeof(err.section)));
		return 0;
	}
	check_sections(&uki, size);
	kernel = uki_find(&uki, ".linux");
	if (kernel)
		uki_inspect_kernel(data + kernel->offset, kernel->len, &inner);
	cmdline = uki_find_in_profile(&uki, uki.n_profiles, ".cmdline");
	if (cmdline)
		check_cmdline(data, cmdline);
	memset(text, 'x', sizeof(text));
	for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++)
		check_splice(data, size, &uki, text, lens[i]);
	return 0;
}
