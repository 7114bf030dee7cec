/* Another .cmdline for a UKI, as patches. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "proto/uki.h"
#include "tests/unit/pe.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* Where things are in an image of the default shape. */
#define FILE_ALIGNMENT_AT (PE_DEFAULT_OPT + 36)
#define IMAGE_SIZE_AT	  (PE_DEFAULT_OPT + 56)
#define HEADER_SIZE_AT	  (PE_DEFAULT_OPT + 60)
#define CHECKSUM_AT	  (PE_DEFAULT_OPT + 64)

static struct uki parse(const char *name, const struct pe *pe)
{
	struct uki_error err;
	struct uki uki = {0};

	if (!uki_parse(pe->data, pe->len < UKI_HEAD ? pe->len : UKI_HEAD,
		    pe->len, &uki, &err))
		fail_msg("%s: refused: %s at %#jx [%s]", name, err.what,
			(uintmax_t)err.at, err.section);
	return uki;
}

/* 96 sections would not fit the default headers. */
static void init_96(struct pe *pe)
{
	const struct pe_shape shape = {.size_of_headers = 0x2000};

	pe_init(pe, &shape);
	pe_add(pe, ".linux", "k", 1);
	for (int i = 1; i < UKI_MAX_SECTIONS; i++)
		pe_add(pe, ".text", "x", 1);
}

static void init_without(struct pe *pe)
{
	pe_init_uki(pe);
	pe_rename(pe, 2, ".other");
}

static void init_last(struct pe *pe)
{
	pe_init(pe, NULL);
	pe_add(pe, ".linux", "kernel", 6);
	pe_add(pe, ".cmdline", "quiet", 5);
}

static void init_empty(struct pe *pe)
{
	pe_init_uki(pe);
	pe_put32(pe, PE_SECTION(2, 8), 0);
	pe_put32(pe, PE_SECTION(2, 12), 0);
	pe_put32(pe, PE_SECTION(2, 16), 0);
}

/* Two sections share a page, and the raw size is more than the gap. */
static void init_tight(struct pe *pe)
{
	pe_init_uki(pe);
	pe_put32(pe, PE_SECTION(3, 12), 0x3040);
}

static void init_unpadded(struct pe *pe)
{
	pe_init_uki(pe);
	pe_resize(pe, pe->len + 0x61);
	memset(pe->data + 0x1200, 0xee, 0x61);
}

static void init_profile_own(struct pe *pe)
{
	pe_init(pe, NULL);
	pe_add(pe, ".linux", "kernel", 6);
	pe_add(pe, ".cmdline", "base", 4);
	pe_add(pe, ".profile", "ID=a", 4);
	pe_add(pe, ".cmdline", "a", 1);
}

static void init_profile_base(struct pe *pe)
{
	pe_init_uki(pe);
	pe_add(pe, ".profile", "ID=a", 4);
}

static void init_profiles(struct pe *pe)
{
	init_profile_own(pe);
	pe_add(pe, ".profile", "ID=b", 4);
}

static void init_app(struct pe *pe)
{
	pe_init(pe, NULL);
	pe_add(pe, ".text", "x", 1);
}

static void init_addon(struct pe *pe)
{
	init_app(pe);
	pe_add(pe, ".cmdline", "x", 1);
}

static void init_signed(struct pe *pe)
{
	pe_init_uki(pe);
	pe_sign(pe, 0x20);
}

static void init_pcrsig(struct pe *pe)
{
	pe_init_uki(pe);
	pe_add(pe, ".pcrsig", "{}", 2);
}

static void init_pcrsig_in_profile(struct pe *pe)
{
	init_profile_own(pe);
	pe_add(pe, ".pcrsig", "{}", 2);
}

/* 39 bytes of zeros behind the section table. */
static void init_no_room(struct pe *pe)
{
	init_without(pe);
	pe->data[PE_SECTION(5, 39)] = 1;
}

static void init_room(struct pe *pe)
{
	init_without(pe);
	pe_put32(pe, HEADER_SIZE_AT, PE_SECTION(6, 0));
	pe->data[PE_SECTION(6, 0)] = 1;
}

static void init_small_alignment(struct pe *pe)
{
	const struct pe_shape shape = {.file_alignment = 0x20,
		.section_alignment = 0x20,
		.size_of_headers = 0x200};

	pe_init(pe, &shape);
	pe_add(pe, ".linux", "kernel", 6);
	pe_add(pe, ".cmdline", "quiet", 5);
	pe_add(pe, ".text", "x", 1);
}

/* An empty section's address says nothing, wherever it is. */
static void init_empty_neighbour(struct pe *pe)
{
	pe_init_uki(pe);
	for (uint32_t i = 0; i < 4; i += 3) {
		pe_put32(pe, PE_SECTION(i, 8), 0);
		pe_put32(pe, PE_SECTION(i, 12), i ? 0x3002 : 0x80000000);
		pe_put32(pe, PE_SECTION(i, 16), 0);
	}
}

static void init_exact_image(struct pe *pe)
{
	init_last(pe);
	pe_put32(pe, IMAGE_SIZE_AT, 0x2009);
}

static void init_large_alignment(struct pe *pe)
{
	pe_init_uki(pe);
	pe_put32(pe, FILE_ALIGNMENT_AT, 0x10000);
}

/* Room for one header more, but not by EDK2's reading of SizeOfImage. */
static void init_small_image(struct pe *pe)
{
	pe_init_uki(pe);
	pe_resize(pe, PE_SECTION(2, 0) + 0x10);
	pe_put16(pe, 0x86, 1);
	memset(pe->data + PE_DEFAULT_TABLE, 0, 80);
	pe_rename(pe, 0, ".linux");
	pe_put32(pe, PE_SECTION(0, 8), 0x10);
	pe_put32(pe, PE_SECTION(0, 12), PE_SECTION(2, 0));
	pe_put32(pe, PE_SECTION(0, 16), 0x10);
	pe_put32(pe, PE_SECTION(0, 20), PE_SECTION(2, 0));
	pe_put32(pe, HEADER_SIZE_AT, PE_SECTION(2, 0));
	pe_put32(pe, IMAGE_SIZE_AT, PE_SECTION(2, 0) + 0x10);
	pe_put32(pe, PE_DEFAULT_OPT + 16, PE_SECTION(2, 0));
	pe_put32(pe, PE_DEFAULT_OPT + 32, 1);
	pe_put32(pe, FILE_ALIGNMENT_AT, 1);
}

struct row {
	const char *name;
	void (*init)(struct pe *pe); /* NULL: pe_init_uki */
	uint32_t len;
	/* Of the section that is to carry the new text. */
	size_t index;
	uint32_t vaddr, offset, raw_size;
	uint32_t size_of_image, new_size;
};

static const struct row rows[] = {
	{"shorter", NULL, 2, 2, 0x3000, 0x800, 0x200, 0x6000, 0x1200},
	{"no text", NULL, 0, 2, 0x3000, 0x800, 0x200, 0x6000, 0x1200},
	{"as long as the data", NULL, 0x200, 2, 0x3000, 0x800, 0x200, 0x6000,
		0x1200},
	{"longer than the data", NULL, 0x201, 2, 0x3000, 0x1200, 0x400, 0x6000,
		0x1600},
	{"as long as the gap", NULL, 0x1000, 2, 0x3000, 0x1200, 0x1000, 0x6000,
		0x2200},
	{"longer than the gap", NULL, 0x1001, 2, 0x6000, 0x1200, 0x1200, 0x8000,
		0x2400},
	{"the longest", NULL, UKI_MAX_TEXT, 2, 0x6000, 0x1200, 0x10000, 0x16000,
		0x11200},
	{"added", init_without, 5, 5, 0x6000, 0x1200, 0x200, 0x7000, 0x1400},
	{"added without text", init_without, 0, 5, 0x6000, 0x1200, 0x200,
		0x7000, 0x1400},
	{"added into the last room", init_room, 5, 5, 0x6000, 0x1200, 0x200,
		0x7000, 0x1400},
	{"added to a tiny image", init_small_image, 1, 1, 0x1e8, 0x1e8, 1,
		0x200, 0x1e9},
	{"last, longer than SizeOfImage", init_last, 0x3001, 1, 0x2000, 0x800,
		0x3200, 0x6000, 0x3a00},
	{"last, within SizeOfImage", init_last, 0x1000, 1, 0x2000, 0x800,
		0x1000, 0x3000, 0x1800},
	{"an empty section moves", init_empty, 5, 2, 0x6000, 0x1200, 0x200,
		0x7000, 0x1400},
	{"up to a neighbour in the same page", init_tight, 0x40, 2, 0x3000,
		0x800, 0x200, 0x6000, 0x1200},
	{"moved away from that neighbour", init_tight, 0x41, 2, 0x6000, 0x1200,
		0x200, 0x7000, 0x1400},
	{"behind an odd file size", init_unpadded, 0x201, 2, 0x3000, 0x1400,
		0x400, 0x6000, 0x1800},
	{"in place of an odd file size", init_unpadded, 9, 2, 0x3000, 0x800,
		0x200, 0x6000, 0x1261},
	{"a profile's own", init_profile_own, 7, 3, 0x4000, 0xa00, 0x200,
		0x5000, 0xc00},
	{"the base's for a profile", init_profile_base, 7, 2, 0x3000, 0x800,
		0x200, 0x7000, 0x1400},
	{"past an empty neighbour", init_empty_neighbour, 0x201, 2, 0x3000,
		0x1200, 0x400, 0x6000, 0x1600},
	{"moved, not behind an empty section", init_empty_neighbour, 0x2001, 2,
		0x6000, 0x1200, 0x2200, 0x9000, 0x3400},
	{"up to an odd SizeOfImage", init_exact_image, 9, 1, 0x2000, 0x600,
		0x200, 0x2009, 0x800},
	{"beyond an odd SizeOfImage", init_exact_image, 10, 1, 0x2000, 0x600,
		0x200, 0x3000, 0x800},
	{"large file alignment", init_large_alignment, 0x201, 2, 0x3000,
		0x10000, 0x10000, 0x6000, 0x20000},
	{"small alignments, in place", init_small_alignment, 0x20, 1, 0x220,
		0x220, 0x20, 0x260, 0x260},
	{"small alignments, moved", init_small_alignment, 0x21, 1, 0x260, 0x260,
		0x40, 0x2a0, 0x2a0},
};

static void splice_and_apply(const struct row *row, struct pe *pe,
	const uint8_t *text, struct uki_splice *ret)
{
	struct uki uki = parse(row->name, pe);
	const char *why = "";
	uint64_t end = 0;

	if (!uki_splice_cmdline(&uki, pe->len, text, row->len, ret, &why))
		fail_msg("%s: %s", row->name, why);
	pe_resize(pe, (uint32_t)ret->new_size);
	for (size_t i = 0; i < ret->n_patches; i++) {
		const struct uki_patch *p = &ret->patch[i];

		if (p->at < end || p->len == 0 || p->at + p->len > pe->len ||
			(!p->text && p->len > sizeof(p->bytes)))
			fail_msg("%s: patch %zu", row->name, i);
		memcpy(pe->data + p->at, p->text ? p->text : p->bytes, p->len);
		end = p->at + p->len;
	}
}

/* Nothing but what the patches name is another than before. */
static void check_rest(const struct row *row, const struct pe *before,
	struct pe *after, const struct uki_splice *splice)
{
	for (size_t i = 0; i < splice->n_patches; i++) {
		const struct uki_patch *p = &splice->patch[i];

		for (uint32_t j = 0; j < p->len; j++)
			after->data[p->at + j] =
				p->at + j < before->len
					? before->data[p->at + j]
					: 0;
	}
	if (memcmp(before->data, after->data, before->len) != 0)
		fail_msg("%s: changed outside its patches", row->name);
	for (uint32_t i = before->len; i < after->len; i++)
		if (after->data[i] != 0)
			fail_msg("%s: not zero at %#x", row->name, i);
}

/* A patch must not reach into another section's data. */
static void check_others(const struct row *row, const struct pe *before,
	const struct pe *after, const struct uki *old)
{
	for (size_t i = 0; i < old->n_sections; i++) {
		const struct uki_section *s = &old->section[i];

		if (i != row->index &&
			memcmp(before->data + s->offset,
				after->data + s->offset, s->raw_size) != 0)
			fail_msg("%s: %s has changed", row->name, s->name);
	}
}

static void check_section(const struct row *row, const struct pe *pe,
	const struct uki *uki, const uint8_t *text)
{
	const struct uki_section *s =
		uki_find_in_profile(uki, uki->n_profiles, ".cmdline");

	if (s != &uki->section[row->index] || s->vaddr != row->vaddr ||
		s->offset != row->offset || s->raw_size != row->raw_size)
		fail_msg("%s: at %#x, in the file at %#x + %#x", row->name,
			s->vaddr, s->offset, s->raw_size);
	if (row->len == 0) {
		assert_int_equal(s->len, 1);
		assert_int_equal(pe->data[s->offset], 0);
	} else if (s->len != row->len || s->vsize != row->len ||
		   memcmp(pe->data + s->offset, text, row->len) != 0) {
		fail_msg("%s: the text is another", row->name);
	}
	/* What reads to a NUL gets the same text. */
	if (row->len < s->raw_size)
		assert_int_equal(pe->data[s->offset + row->len], 0);
}

static void test_splice(void **state)
{
	static uint8_t text[UKI_MAX_TEXT];

	(void)state;
	memset(text, 'x', sizeof(text));
	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct row *row = &rows[i];
		void (*init)(struct pe *) = row->init ? row->init : pe_init_uki;
		struct uki_splice splice;
		struct pe before, after;
		struct uki uki;

		init(&before);
		init(&after);
		splice_and_apply(row, &after, text, &splice);
		uki = parse(row->name, &before);
		check_others(row, &before, &after, &uki);
		uki = parse(row->name, &after);
		check_section(row, &after, &uki, text);
		if (uki.size_of_image != row->size_of_image ||
			after.len != row->new_size)
			fail_msg("%s: SizeOfImage %#x, file %#x", row->name,
				uki.size_of_image, after.len);
		assert_int_equal(pe_get32(&after, CHECKSUM_AT), 0);
		check_rest(row, &before, &after, &splice);
		pe_done(&before);
		pe_done(&after);
	}
}

/* A splice of a splice, in memory and in the file behind the first. */
static void test_twice(void **state)
{
	static uint8_t text[0x3000];
	const struct row first = {.name = "first", .len = 0x1001};
	const struct row second = {.name = "second", .len = 0x2001};
	struct uki_splice splice;
	struct uki uki;
	struct pe pe;

	(void)state;
	memset(text, 'x', sizeof(text));
	pe_init_uki(&pe);
	splice_and_apply(&first, &pe, text, &splice);
	splice_and_apply(&second, &pe, text, &splice);
	uki = parse("twice", &pe);
	assert_int_equal(uki_find(&uki, ".cmdline")->len, 0x2001);
	assert_int_equal(uki_find(&uki, ".cmdline")->vaddr, 0x6000);
	assert_int_equal(uki_find(&uki, ".cmdline")->offset, 0x2400);
	assert_int_equal(uki.size_of_image, 0x9000);
	pe_done(&pe);
}

static const struct refusal {
	const char *name;
	void (*init)(struct pe *pe); /* NULL: pe_init_uki */
	uint32_t edit_at[2], edit[2];
	uint32_t len;
	uint64_t file_size; /* 0: the image's */
	const char *why;
} refusals[] = {
	{"application", init_app, .len = 1, .why = "not a UKI"},
	{"addon", init_addon, .len = 1, .why = "not a UKI"},
	{"signed", init_signed, .len = 1,
		.why = "signed: a change would void the signature"},
	{"PCR signature", init_pcrsig, .len = 1,
		.why = "its PCR signature (.pcrsig) covers the command line"},
	{"PCR signature in its profile", init_pcrsig_in_profile, .len = 1,
		.why = "its PCR signature (.pcrsig) covers the command line"},
	{"two profiles", init_profiles, .len = 1,
		.why = "several profiles, each with a command line"},
	{"text too long", NULL, .len = UKI_MAX_TEXT + 1,
		.why = "the command line is longer than 64 KiB"},
	{"NUL in the text", NULL, .len = UKI_MAX_TEXT,
		.why = "the command line holds a NUL"},
	{"FileAlignment 0", NULL, {FILE_ALIGNMENT_AT}, {0}, .len = 1,
		.why = "its FileAlignment is not a power of two up to 64 KiB"},
	{"FileAlignment 0x300", NULL, {FILE_ALIGNMENT_AT}, {0x300}, .len = 1,
		.why = "its FileAlignment is not a power of two up to 64 KiB"},
	{"FileAlignment 128 KiB", NULL, {FILE_ALIGNMENT_AT}, {0x20000},
		.len = 1,
		.why = "its FileAlignment is not a power of two up to 64 KiB"},
	{"no room for a header", init_no_room, .len = 1,
		.why = "no .cmdline, and no room for its header"},
	{"headers too short for a header", init_without, {HEADER_SIZE_AT},
		{PE_SECTION(6, 0) - 1}, .len = 1,
		.why = "no .cmdline, and no room for its header"},
	{"96 sections", init_96, .len = 1,
		.why = "no .cmdline, and 96 sections already"},
	{"file near 4 GiB", init_without, .len = 1, .file_size = 0xfffffe01,
		.why = "the file is too large for PE's 32-bit offsets"},
	{"file far beyond 4 GiB", init_without, .len = 1,
		.file_size = 1ull << 40,
		.why = "the file is too large for PE's 32-bit offsets"},
	{"image near 4 GiB", init_without, {IMAGE_SIZE_AT, PE_SECTION(4, 12)},
		{UINT32_MAX, 0xfffff000}, .len = 1,
		.why = "the image is too large for PE's 32-bit addresses"},
	{"last address near 4 GiB", init_last,
		{IMAGE_SIZE_AT, PE_SECTION(1, 12)}, {UINT32_MAX, 0xfffff000},
		.len = 0x1000,
		.why = "the image is too large for PE's 32-bit addresses"},
	{"SizeOfImage would become 2^32", init_without,
		{IMAGE_SIZE_AT, PE_SECTION(4, 12)}, {0xfffff000, 0xffffe000},
		.len = 1,
		.why = "the image is too large for PE's 32-bit addresses"},
};

static void test_refusals(void **state)
{
	static uint8_t text[UKI_MAX_TEXT + 1];

	(void)state;
	memset(text, 'x', sizeof(text));
	text[UKI_MAX_TEXT - 1] = 0;
	for (size_t i = 0; i < COUNT(refusals); i++) {
		const struct refusal *row = &refusals[i];
		struct uki_splice splice, untouched;
		const char *why = "none";
		struct uki uki;
		struct pe pe;

		(row->init ? row->init : pe_init_uki)(&pe);
		for (size_t j = 0; j < 2; j++)
			if (row->edit_at[j])
				pe_put32(&pe, row->edit_at[j], row->edit[j]);
		uki = parse(row->name, &pe);
		memset(&splice, 0x5a, sizeof(splice));
		untouched = splice;
		if (uki_splice_cmdline(&uki,
			    row->file_size ? row->file_size : pe.len, text,
			    row->len, &splice, &why))
			fail_msg("%s: done", row->name);
		if (strcmp(why, row->why) != 0)
			fail_msg("%s: %s", row->name, why);
		if (memcmp(&splice, &untouched, sizeof(splice)) != 0)
			fail_msg("%s: the result was written", row->name);
		pe_done(&pe);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_splice),
		cmocka_unit_test(test_twice),
		cmocka_unit_test(test_refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
