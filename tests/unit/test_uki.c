/* What uki_parse takes, and the other readers of a UKI's content. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/uki.h"
#include "tests/unit/pe.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

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

static void test_fields(void **state)
{
	static const struct {
		const char *name;
		uint32_t offset, len, vaddr, raw_size;
	} want[] = {
		{".text", 0x400, 1, 0x1000, 0x200},
		{".osrel", 0x600, 8, 0x2000, 0x200},
		{".cmdline", 0x800, 5, 0x3000, 0x200},
		{".initrd", 0xa00, 6, 0x4000, 0x200},
		{".linux", 0xc00, 0x600, 0x5000, 0x600},
	};
	struct uki uki;
	struct pe pe;

	(void)state;
	pe_init_uki(&pe);
	uki = parse("sample", &pe);
	assert_int_equal(uki.kind, UKI_KIND_UKI);
	assert_int_equal(uki.arch, ARCH_X64);
	assert_int_equal(uki.n_sections, COUNT(want));
	assert_int_equal(uki.n_profiles, 0);
	assert_int_equal(uki.cert_offset, 0);
	assert_int_equal(uki.cert_size, 0);
	assert_int_equal(uki.file_alignment, 0x200);
	assert_int_equal(uki.section_alignment, 0x1000);
	assert_int_equal(uki.size_of_image, 0x6000);
	assert_int_equal(uki.size_of_headers, 0x400);
	assert_int_equal(uki.pe_at, 0x80);
	assert_int_equal(uki.header_room, 0x400 - PE_SECTION(5, 0));
	for (size_t i = 0; i < COUNT(want); i++) {
		const struct uki_section *s = uki_find(&uki, want[i].name);

		if (s != &uki.section[i] || s->offset != want[i].offset ||
			s->len != want[i].len || s->vsize != want[i].len ||
			s->vaddr != want[i].vaddr || s->profile != 0 ||
			s->raw_size != want[i].raw_size ||
			s->header_at != PE_SECTION(i, 0))
			fail_msg("%s is wrong", want[i].name);
	}
	assert_null(uki_find(&uki, ".uname"));
	assert_null(uki_find(&uki, ".linu"));
	pe_done(&pe);
}

static const struct kind_row {
	const char *name;
	const char *sections[10]; /* "-name": without content */
	enum uki_kind kind;
} kind_rows[] = {
	{"UKI", {".text", ".linux"}, UKI_KIND_UKI},
	{"UKI of the kernel first", {".linux", ".text"}, UKI_KIND_UKI},
	{"UKI with everything",
		{".text", ".sbat", ".osrel", ".uname", ".cmdline", ".ucode",
			".initrd", ".linux", ".splash", ".pcrsig"},
		UKI_KIND_UKI},
	{"UKI with several device trees and firmwares",
		{".dtbauto", ".dtbauto", ".dtb", ".efifw", ".efifw", ".linux"},
		UKI_KIND_UKI},
	{"UKI with profiles that override",
		{".linux", ".cmdline", ".initrd", ".profile", ".cmdline",
			".profile", ".cmdline", ".initrd"},
		UKI_KIND_UKI},
	{"UKI with an empty command line", {".linux", "-.cmdline"},
		UKI_KIND_UKI},
	{"addon by .cmdline", {".text", ".sbat", ".sdmagic", ".cmdline"},
		UKI_KIND_ADDON},
	{"addon by .dtb", {".dtb"}, UKI_KIND_ADDON},
	{"addon by .dtbauto", {".dtbauto"}, UKI_KIND_ADDON},
	{"addon by .ucode", {".ucode"}, UKI_KIND_ADDON},
	{"addon by .initrd", {".initrd"}, UKI_KIND_ADDON},
	{"systemd-boot",
		{".text", ".reloc", ".data", "-.bss", ".dynamic", ".rela",
			".dynsym", ".sdmagic", ".sbat", ".osrel"},
		UKI_KIND_APP},
	{"a stub without a kernel",
		{".text", ".reloc", ".data", ".sdmagic", ".sbat"},
		UKI_KIND_APP},
	{"a kernel", {".setup", ".compat", ".text", ".data"}, UKI_KIND_APP},
	{"names that a UKI's only begin", {".linuxx", ".linu", ".cmdlin"},
		UKI_KIND_APP},
};

static void test_kinds(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(kind_rows); i++) {
		const struct kind_row *row = &kind_rows[i];
		struct uki uki;
		struct pe pe;

		pe_init(&pe, NULL);
		for (size_t j = 0; j < 10 && row->sections[j]; j++)
			if (row->sections[j][0] == '-')
				pe_add_bss(&pe, row->sections[j] + 1, 0x10);
			else
				pe_add(&pe, row->sections[j], "x", 1);
		uki = parse(row->name, &pe);
		if (uki.kind != row->kind)
			fail_msg("%s: kind %d", row->name, uki.kind);
		pe_done(&pe);
	}
}

static void test_architectures(void **state)
{
	static const struct {
		uint16_t machine;
		bool pe32;
		enum arch arch;
	} cases[] = {
		{0x014c, true, ARCH_IA32},
		{0x8664, false, ARCH_X64},
		{0x01c2, true, ARCH_ARM32},
		{0xaa64, false, ARCH_ARM64},
		{0x5032, true, ARCH_RISCV32},
		{0x5064, false, ARCH_RISCV64},
		{0x6232, true, ARCH_LOONGARCH32},
		{0x6264, false, ARCH_LOONGARCH64},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct pe_shape shape = {
			.machine = cases[i].machine, .pe32 = cases[i].pe32};
		const char *name = arch_name(cases[i].arch);
		struct uki uki;
		struct pe pe;

		pe_init(&pe, &shape);
		pe_add(&pe, ".linux", "x", 1);
		pe_sign(&pe, 16);
		uki = parse(name, &pe);
		if (uki.arch != cases[i].arch || uki.cert_size != 16)
			fail_msg("%s is wrong", name);
		pe_done(&pe);
	}
}

/* Odd, but firmware loads it; each is like something that tools make. */
static void test_odd_but_good(void **state)
{
	static const struct {
		const char *name;
		struct {
			uint32_t at, value;
		} edit[4];
	} cases[] = {
		{"no data directories",
			{{PE_DEFAULT_DIR - 4, 0}, {0x94, 0x02060070}}},
		{"section addresses that no alignment fits",
			{{PE_SECTION(1, 12), 0x1001},
				{PE_SECTION(4, 12), 0x3005}}},
		{"sections in no order", {{PE_SECTION(0, 12), 0x5700},
						 {PE_SECTION(1, 20), 0xa00},
						 {PE_SECTION(3, 20), 0x600}}},
		{"FileAlignment 0, which nobody reads",
			{{PE_DEFAULT_OPT + 36, 0}}},
		{"SectionAlignment 1", {{PE_DEFAULT_OPT + 32, 1}}},
		{"SizeOfHeaders at the table's very end",
			{{PE_DEFAULT_OPT + 60, PE_SECTION(5, 0)}}},
		{"an empty section with an address that means nothing",
			{{PE_SECTION(0, 8), 0}, {PE_SECTION(0, 12), 0x3002},
				{PE_SECTION(0, 16), 0},
				{PE_SECTION(0, 20), 0xffffffff}}},
		{"more memory than data", {{PE_SECTION(3, 8), 0x1000}}},
		{"a certificate directory of size 0",
			{{PE_DEFAULT_DIR + 32, 0xffffffff}}},
		{"code without VirtualSize", {{PE_SECTION(0, 8), 0}}},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct pe pe;

		pe_init_uki(&pe);
		for (size_t j = 0; j < 4 && cases[i].edit[j].at; j++)
			pe_put32(&pe, cases[i].edit[j].at,
				cases[i].edit[j].value);
		/* Without directories the table moves up. */
		if (i == 0)
			memmove(pe.data + PE_DEFAULT_DIR,
				pe.data + PE_DEFAULT_TABLE, 5 * 40);
		assert_int_equal(parse(cases[i].name, &pe).kind, UKI_KIND_UKI);
		pe_done(&pe);
	}
}

/* Headers that end where the file or the visible head ends. */
static void test_limits(void **state)
{
	static const struct {
		const char *name;
		struct pe_shape shape;
		uint32_t cert_len;
	} cases[] = {
		{"headers alone", {.size_of_headers = PE_SECTION(1, 0)}, 0},
		{"a certificate right behind the headers",
			{.size_of_headers = PE_SECTION(1, 0)}, 0x10},
		{"the PE header right behind the DOS header",
			{.pe_at = 0x40, .size_of_headers = 0x200}, 0},
		{"the section table up to UKI_HEAD",
			{.pe_at = UKI_HEAD - 0x108 - 40,
				.size_of_headers = UKI_HEAD + 0x200},
			0x10},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct uki uki;
		struct pe pe;

		pe_init(&pe, &cases[i].shape);
		pe_add_bss(&pe, ".bss ~!", 0x10);
		if (cases[i].cert_len)
			pe_sign(&pe, cases[i].cert_len);
		uki = parse(cases[i].name, &pe);
		assert_int_equal(uki.cert_size, cases[i].cert_len);
		assert_int_equal(uki.n_sections, 1);
		pe_done(&pe);
	}
}

/* Without a fifth directory, what is in its place is the section table. */
static void test_four_directories(void **state)
{
	struct uki uki;
	struct pe pe;

	(void)state;
	pe_init_uki(&pe);
	pe_put32(&pe, PE_DEFAULT_DIR - 4, 4);
	pe_put16(&pe, 0x94, 112 + 4 * 8);
	memmove(pe.data + PE_DEFAULT_DIR + 4 * 8, pe.data + PE_DEFAULT_TABLE,
		5 * 40);
	uki = parse("four directories", &pe);
	assert_int_equal(uki.cert_size, 0);
	assert_int_equal(uki.kind, UKI_KIND_UKI);
	pe_done(&pe);
}

static void test_content_len(void **state)
{
	static const struct {
		const char *name;
		uint32_t vsize, raw_size, want, want_offset;
	} cases[] = {
		{"padded", 5, 0x200, 5, 0x400},
		{"exact", 0x200, 0x200, 0x200, 0x400},
		{"more memory than data", 0x300, 0x200, 0x200, 0x400},
		{"no VirtualSize", 0, 0x200, 0x200, 0x400},
		{"no data", 0x300, 0, 0, 0},
		{"nothing", 0, 0, 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct uki uki;
		struct pe pe;

		pe_init_uki(&pe);
		pe_put32(&pe, PE_SECTION(0, 8), cases[i].vsize);
		pe_put32(&pe, PE_SECTION(0, 16), cases[i].raw_size);
		uki = parse(cases[i].name, &pe);
		if (uki.section[0].len != cases[i].want ||
			uki.section[0].offset != cases[i].want_offset)
			fail_msg("%s: %u bytes at %#x", cases[i].name,
				uki.section[0].len, uki.section[0].offset);
		pe_done(&pe);
	}
}

static void test_profiles(void **state)
{
	static const struct {
		uint32_t profile;
		const char *section;
		int want; /* index in the table; -1: none */
	} cases[] = {
		{0, ".cmdline", 1},
		{1, ".cmdline", 1}, /* the base's */
		{2, ".cmdline", 4},
		{3, ".cmdline", 1}, /* no such profile: the base's */
		{0, ".uname", -1},
		{1, ".uname", -1},
		{2, ".uname", 5},
		{2, ".linux", 0},
	};
	struct uki uki;
	struct pe pe;

	(void)state;
	pe_init(&pe, NULL);
	pe_add(&pe, ".linux", "k", 1);
	pe_add(&pe, ".cmdline", "base", 4);
	pe_add(&pe, ".profile", "ID=a", 4);
	pe_add(&pe, ".profile", "ID=b", 4);
	pe_add(&pe, ".cmdline", "b", 1);
	pe_add(&pe, ".uname", "6", 1);
	uki = parse("profiles", &pe);
	assert_int_equal(uki.n_profiles, 2);
	assert_ptr_equal(uki_find(&uki, ".cmdline"), &uki.section[1]);
	assert_null(uki_find(&uki, ".uname"));
	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct uki_section *s = uki_find_in_profile(
			&uki, cases[i].profile, cases[i].section);

		if (s != (cases[i].want < 0 ? NULL
					    : &uki.section[cases[i].want]))
			fail_msg("%s in profile %u", cases[i].section,
				cases[i].profile);
	}
	pe_done(&pe);
}

static void test_signed(void **state)
{
	struct uki_error err;
	struct uki uki;
	struct pe pe;

	(void)state;
	pe_init_uki(&pe);
	pe_sign(&pe, 0x1d);
	uki = parse("signed", &pe);
	assert_int_equal(uki.cert_offset, 0x1200);
	assert_int_equal(uki.cert_size, 0x20);
	assert_true(uki_check_certificates(&uki, pe.data + 0x1200, 0x20, &err));
	/* Two entries, as of a file that was signed twice. */
	pe_put32(&pe, 0x1200, 0x10);
	pe_put32(&pe, 0x1210, 0x10);
	pe_put32(&pe, 0x1214, 0x00020200);
	parse("signed twice", &pe);
	/* Firmware steps over certificates of the EFI_GUID type. */
	pe_put32(&pe, 0x1204, 0x0ef10200);
	parse("with a GUID certificate", &pe);
	pe_done(&pe);
}

/* A table behind UKI_HEAD is for the caller to read. */
static void test_signed_far_away(void **state)
{
	struct uki_error err;
	struct uki uki;
	struct pe pe;
	uint32_t at;

	(void)state;
	pe_init_uki(&pe);
	pe_resize(&pe, 0x20000);
	pe_sign(&pe, 0x20);
	at = pe.len - 0x20;
	pe_put32(&pe, at, 4);
	uki = parse("far away", &pe);
	assert_int_equal(uki.cert_offset, at);
	/* Too little to see the entry: nothing to say against it. */
	assert_true(uki_check_certificates(&uki, pe.data + at, 7, &err));
	assert_false(uki_check_certificates(&uki, pe.data + at, 8, &err));
	assert_string_equal(err.what, "an empty certificate");
	assert_int_equal(err.at, at);
	pe_done(&pe);
}

/* Whatever is cut off, nothing behind the end is read: for the sanitizers. */
static void test_every_truncation(void **state)
{
	struct uki_error err;
	struct uki uki;
	struct pe pe;

	(void)state;
	pe_init_uki(&pe);
	pe_sign(&pe, 0x20);
	for (uint32_t len = 0; len < pe.len; len++) {
		uint8_t *cut = malloc(len ? len : 1);

		assert_non_null(cut);
		memcpy(cut, pe.data, len);
		if (uki_parse(cut, len, len, &uki, &err))
			fail_msg("accepted when cut to %u bytes", len);
		free(cut);
	}
	pe_done(&pe);
}

static void test_kernel(void **state)
{
	static const struct {
		const char *name;
		size_t len;
		struct {
			uint32_t at, value;
		} edit[2];
		struct uki_kernel want;
	} cases[] = {
		{"bzImage", 0x600, {{0}}, {true, ARCH_X64, 0x7ff}},
		{"boot protocol 2.05", 0x600, {{0x206, 0x0205}},
			{true, ARCH_X64, 255}},
		{"boot protocol 2.06", 0x600, {{0x206, 0x0206}},
			{true, ARCH_X64, 0x7ff}},
		{"no boot flag", 0x600, {{0x1fe, 0}}, {false, ARCH_X64, 0}},
		{"no HdrS", 0x600, {{0x202, 0x53726449}}, {false, ARCH_X64, 0}},
		{"not PE", 0x600, {{0x40, 0x454e}},
			{true, ARCH_INVALID, 0x7ff}},
		{"arm64", 0x600, {{0x44, 0xaa64}, {0x1fe, 0}},
			{false, ARCH_ARM64, 0}},
		{"unknown machine", 0x600, {{0x44, 0x0ebc}},
			{true, ARCH_INVALID, 0x7ff}},
		{"PE pointer out of sight", 0x600, {{0x3c, 0x5fb}},
			{true, ARCH_INVALID, 0x7ff}},
		{"PE pointer near 2^32", 0x600, {{0x3c, 0xffffffff}},
			{true, ARCH_INVALID, 0x7ff}},
		{"no MZ", 0x600, {{0, 0x5a4e}}, {true, ARCH_INVALID, 0x7ff}},
		{"cut before its maximum", 0x23b, {{0}}, {true, ARCH_X64, 0}},
		{"cut before the version", 0x207, {{0}}, {false, ARCH_X64, 0}},
		{"one byte", 1, {{0}}, {false, ARCH_INVALID, 0}},
		{"nothing", 0, {{0}}, {false, ARCH_INVALID, 0}},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct uki_kernel kernel;
		struct pe pe;

		pe_init_uki(&pe);
		for (size_t j = 0; j < 2; j++)
			if (cases[i].edit[j].value || cases[i].edit[j].at)
				pe_put32(&pe, 0xc00 + cases[i].edit[j].at,
					cases[i].edit[j].value);
		/* To the start, so that the sanitizers see its end. */
		memmove(pe.data, pe.data + 0xc00, 0x600);
		pe.data = realloc(pe.data, cases[i].len ? cases[i].len : 1);
		assert_non_null(pe.data);
		uki_inspect_kernel(pe.data, cases[i].len, &kernel);
		if (kernel.bzimage != cases[i].want.bzimage ||
			kernel.arch != cases[i].want.arch ||
			kernel.cmdline_max != cases[i].want.cmdline_max)
			fail_msg("%s: %d %s %u", cases[i].name, kernel.bzimage,
				arch_name(kernel.arch), kernel.cmdline_max);
		pe_done(&pe);
	}
}

static void test_clean_cmdline(void **state)
{
	static const struct {
		const char *text;
		size_t len, cap;
		const char *want; /* NULL: does not fit */
	} cases[] = {
		{"quiet", 5, 6, "quiet"},
		{"quiet", 5, 5, NULL},
		{"quiet", 5, 0, NULL},
		{"", 0, 1, ""},
		{"", 0, 0, NULL},
		{"quiet\0\0\0", 8, 6, "quiet"},
		{"a\0b", 3, 9, "a"},
		{"\0quiet", 6, 9, ""},
		{"quiet\n", 6, 6, "quiet"},
		{"quiet \t\r\n\v\f\0", 12, 6, "quiet"},
		{" \n\t ", 4, 1, ""},
		{"  a", 3, 4, "  a"},
		{"a\nb\r\nc\td", 8, 9, "a b  c d"},
		{"a=\"b  c\" \xc3\xa9\x01", 12, 13, "a=\"b  c\" \xc3\xa9\x01"},
	};
	char out[16];

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		size_t len;

		memset(out, '!', sizeof(out));
		len = uki_clean_cmdline((const uint8_t *)cases[i].text,
			cases[i].len, out, cases[i].cap);
		if (!cases[i].want && (len != SIZE_MAX || out[0] != '!'))
			fail_msg("row %zu: fits", i);
		if (cases[i].want && (len != strlen(cases[i].want) ||
					     strcmp(out, cases[i].want) != 0))
			fail_msg("row %zu: \"%.16s\"", i, out);
	}
}

/* The real thing, where it is installed. */
static void test_real_files(void **state)
{
	static const char *const paths[] = {
		"/usr/lib/ipxe/snponly.efi",
		"/usr/lib/ipxe/ipxe.efi",
		"/usr/lib/systemd/boot/efi/linuxx64.efi.stub",
		"/usr/lib/systemd/boot/efi/systemd-bootx64.efi",
	};
	static uint8_t head[UKI_HEAD];
	size_t seen = 0;

	(void)state;
	for (size_t i = 0; i < COUNT(paths); i++) {
		FILE *f = fopen(paths[i], "rb");
		struct uki_error err;
		struct uki uki;
		size_t len;
		long size;

		if (!f)
			continue;
		seen++;
		len = fread(head, 1, sizeof(head), f);
		assert_int_equal(fseek(f, 0, SEEK_END), 0);
		size = ftell(f);
		fclose(f);
		if (!uki_parse(head, len, (uint64_t)size, &uki, &err))
			fail_msg("%s: %s at %#jx", paths[i], err.what,
				(uintmax_t)err.at);
		if (uki.kind != UKI_KIND_APP || uki.arch != ARCH_X64)
			fail_msg("%s: kind %d", paths[i], uki.kind);
	}
	if (seen == 0)
		skip();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_architectures),
		cmocka_unit_test(test_odd_but_good),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_four_directories),
		cmocka_unit_test(test_content_len),
		cmocka_unit_test(test_profiles),
		cmocka_unit_test(test_signed),
		cmocka_unit_test(test_signed_far_away),
		cmocka_unit_test(test_every_truncation),
		cmocka_unit_test(test_kernel),
		cmocka_unit_test(test_clean_cmdline),
		cmocka_unit_test(test_real_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
