/* What uki_parse refuses, why, and about which offset it says so. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "proto/uki.h"
#include "tests/unit/pe.h"

#define SEC	 PE_SECTION
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* Offsets of fields in the default shape. */
#define OPT(field)  (PE_DEFAULT_OPT + (field))
#define N_SECTIONS  0x86
#define OPT_SIZE    0x94
#define ENTRY	    OPT(16)
#define IMAGE_SIZE  OPT(56)
#define HEADER_SIZE OPT(60)
#define N_DIRS	    OPT(108)
#define CERT_DIR    (PE_DEFAULT_DIR + 32)

#define EMPTY UINT32_MAX

static void init_late(struct pe *pe)
{
	const struct pe_shape shape = {
		.pe_at = 0xfe80, .size_of_headers = 0x10200};

	pe_init(pe, &shape);
	for (unsigned i = 0; i < 4; i++)
		pe_add(pe, ".text", "x", 1);
}

/* Sections: 0 .linux, 1 .profile, 2 .cmdline, 3 .profile, 4 .cmdline. */
static void init_profiles(struct pe *pe)
{
	pe_init(pe, NULL);
	pe_add(pe, ".linux", "kernel", 6);
	pe_add(pe, ".profile", "ID=a", 4);
	pe_add(pe, ".cmdline", "a", 1);
	pe_add(pe, ".profile", "ID=b", 4);
	pe_add(pe, ".cmdline", "b", 1);
}

static void init_big_text(struct pe *pe)
{
	static const uint8_t text[UKI_MAX_TEXT + 1];

	pe_init(pe, NULL);
	pe_add(pe, ".linux", "kernel", 6);
	pe_add(pe, ".cmdline", text, sizeof(text));
}

/* The certificate table is at 0x1200, of 0x20 bytes. */
static void init_signed(struct pe *pe)
{
	pe_init_uki(pe);
	pe_sign(pe, 0x20);
}

struct row {
	const char *name;
	void (*init)(struct pe *pe); /* NULL: pe_init_uki */
	uint32_t len;		     /* 0: as built */
	uint64_t file_size;	     /* 0: len; more: the rest is unseen */
	struct {
		uint32_t at;
		unsigned width; /* 0: no more; 2 or 4 */
		uint32_t value;
	} edit[4];
	const char *rename[2]; /* sections 0 and 1 */
	const char *what;
	uint64_t at;
	const char *section;
};

static const struct row header_rows[] = {
	{.name = "empty file",
		.len = EMPTY,
		.what = "too short for an EFI program"},
	{.name = "no MZ",
		.edit = {{0, 2, 0x4d5a}},
		.what = "not an EFI program: no MZ signature"},
	{.name = "PE pointer 0x3f",
		.edit = {{0x3c, 4, 0x3f}},
		.what = "the PE header lies in the DOS header",
		.at = 0x3c},
	{.name = "PE pointer 263 bytes before the end",
		.edit = {{0x3c, 4, 0x1200 - 263}},
		.what = "the PE header lies beyond the file's end",
		.at = 0x3c},
	{.name = "PE pointer near 2^32",
		.edit = {{0x3c, 4, 0xfffffff8}},
		.what = "the PE header lies beyond the file's end",
		.at = 0x3c},
	{.name = "PE pointer behind UKI_HEAD",
		.len = 0x12000,
		.edit = {{0x3c, 4, 0x10000}},
		.what = "the PE header lies beyond the first 64 KiB",
		.at = 0x3c},
	{.name = "PE header across UKI_HEAD",
		.len = 0x12000,
		.edit = {{0x3c, 4, 0xfef9}},
		.what = "the PE header lies beyond the first 64 KiB",
		.at = 0x3c},
	{.name = "no PE",
		.edit = {{0x80, 2, 0x454e}},
		.what = "no PE signature",
		.at = 0x80},
	{.name = "PE without its NULs",
		.edit = {{0x82, 2, 0x0100}},
		.what = "no PE signature",
		.at = 0x80},
	{.name = "machine EBC",
		.edit = {{0x84, 2, 0x0ebc}},
		.what = "unknown machine type",
		.at = 0x84},
	{.name = "no sections",
		.edit = {{N_SECTIONS, 2, 0}},
		.what = "no sections",
		.at = N_SECTIONS},
	{.name = "97 sections",
		.edit = {{N_SECTIONS, 2, 97}},
		.what = "more than 96 sections",
		.at = N_SECTIONS},
	{.name = "magic 0x107",
		.edit = {{OPT(0), 2, 0x107}},
		.what = "unknown kind of optional header",
		.at = OPT(0)},
	{.name = "PE32 for x64",
		.edit = {{OPT(0), 2, 0x10b}},
		.what = "the optional header is not this machine's",
		.at = OPT(0)},
	{.name = "PE32+ for ARM",
		.edit = {{0x84, 2, 0x01c2}},
		.what = "the optional header is not this machine's",
		.at = OPT(0)},
	{.name = "optional header of 111 bytes",
		.edit = {{OPT_SIZE, 2, 111}},
		.what = "the optional header is too short",
		.at = OPT_SIZE},
	{.name = "17 data directories",
		.edit = {{N_DIRS, 4, 17}},
		.what = "more than 16 data directories",
		.at = N_DIRS},
	{.name = "2^32 - 1 data directories",
		.edit = {{N_DIRS, 4, UINT32_MAX}},
		.what = "more than 16 data directories",
		.at = N_DIRS},
	/* 8 * 0x20000000 is 0 in 32 bits, which would suit a bare header. */
	{.name = "2^29 data directories",
		.edit = {{N_DIRS, 4, 0x20000000}, {OPT_SIZE, 2, 112}},
		.what = "more than 16 data directories",
		.at = N_DIRS},
	{.name = "fewer directories than the size has room for",
		.edit = {{N_DIRS, 4, 15}},
		.what = "the optional header's size does not match its data "
			"directories",
		.at = OPT_SIZE},
	{.name = "optional header larger than its directories",
		.edit = {{OPT_SIZE, 2, 248}},
		.what = "the optional header's size does not match its data "
			"directories",
		.at = OPT_SIZE},
	{.name = "a Windows program",
		.edit = {{OPT(68), 2, 3}},
		.what = "not an EFI application: subsystem is not 10",
		.at = OPT(68)},
	{.name = "SectionAlignment 0",
		.edit = {{OPT(32), 4, 0}},
		.what = "SectionAlignment is not a power of two",
		.at = OPT(32)},
	{.name = "SectionAlignment 0x1800",
		.edit = {{OPT(32), 4, 0x1800}},
		.what = "SectionAlignment is not a power of two",
		.at = OPT(32)},
	{.name = "file ends in the section table",
		.len = 0x24f,
		.what = "the section table lies beyond the file's end",
		.at = PE_DEFAULT_TABLE},
	{.name = "section table across UKI_HEAD",
		.init = init_late,
		.what = "the section table lies beyond the first 64 KiB",
		.at = 0xff88},
	{.name = "SizeOfHeaders 0",
		.edit = {{HEADER_SIZE, 4, 0}},
		.what = "SizeOfHeaders ends before the section table",
		.at = HEADER_SIZE},
	{.name = "SizeOfHeaders one short",
		.edit = {{HEADER_SIZE, 4, SEC(5, 0) - 1}},
		.what = "SizeOfHeaders ends before the section table",
		.at = HEADER_SIZE},
	{.name = "SizeOfHeaders too large for its table",
		.edit = {{N_SECTIONS, 2, 96}},
		.what = "SizeOfHeaders ends before the section table",
		.at = HEADER_SIZE},
	{.name = "SizeOfHeaders beyond the file",
		.edit = {{HEADER_SIZE, 4, 0x1201}},
		.what = "SizeOfHeaders ends beyond the file's end",
		.at = HEADER_SIZE},
	{.name = "SizeOfHeaders 2^32 - 1",
		.edit = {{HEADER_SIZE, 4, UINT32_MAX}},
		.what = "SizeOfHeaders ends beyond the file's end",
		.at = HEADER_SIZE},
	{.name = "SizeOfImage 0",
		.edit = {{IMAGE_SIZE, 4, 0}},
		.what = "SizeOfImage ends within the headers",
		.at = IMAGE_SIZE},
	{.name = "SizeOfImage equal to SizeOfHeaders",
		.edit = {{IMAGE_SIZE, 4, 0x400}},
		.what = "SizeOfImage ends within the headers",
		.at = IMAGE_SIZE},
	{.name = "SizeOfImage within EDK2's bound of the table",
		.edit = {{HEADER_SIZE, 4, SEC(5, 0)},
			{IMAGE_SIZE, 4, SEC(6, 0) - 1}},
		.what = "SizeOfImage ends within the headers",
		.at = IMAGE_SIZE},
	{.name = "entry point 0",
		.edit = {{ENTRY, 4, 0}},
		.what = "the entry point lies outside the image",
		.at = ENTRY},
	{.name = "entry point in the headers",
		.edit = {{ENTRY, 4, 0x3ff}},
		.what = "the entry point lies outside the image",
		.at = ENTRY},
	{.name = "entry point behind the image",
		.edit = {{ENTRY, 4, 0x6000}},
		.what = "the entry point lies outside the image",
		.at = ENTRY},
};

static const struct row section_rows[] = {
	{.name = "data one byte beyond the end",
		.len = 0x11ff,
		.what = "the section's data ends beyond the file's end",
		.at = SEC(4, 16),
		.section = ".linux"},
	{.name = "data size 2^32 - 1",
		.edit = {{SEC(4, 16), 4, UINT32_MAX}},
		.what = "the section's data ends beyond the file's end",
		.at = SEC(4, 16),
		.section = ".linux"},
	{.name = "data offset near 2^32",
		.edit = {{SEC(4, 20), 4, 0xfffffc00}},
		.what = "the section's data ends beyond the file's end",
		.at = SEC(4, 16),
		.section = ".linux"},
	{.name = "data offset and size sum up to 2^32",
		.edit = {{SEC(4, 20), 4, 0xfffffa00}},
		.what = "the section's data ends beyond the file's end",
		.at = SEC(4, 16),
		.section = ".linux"},
	{.name = "data up to 2^32 in a file of more",
		.file_size = 1ull << 40,
		.edit = {{SEC(4, 20), 4, 0xfffffa00}},
		.what = "the section's data ends beyond 4 GiB",
		.at = SEC(4, 16),
		.section = ".linux"},
	{.name = "data offset 0",
		.edit = {{SEC(2, 20), 4, 0}},
		.what = "the section's data lies in the headers",
		.at = SEC(2, 20),
		.section = ".cmdline"},
	{.name = "data offset one below SizeOfHeaders",
		.edit = {{SEC(0, 20), 4, 0x3ff}},
		.what = "the section's data lies in the headers",
		.at = SEC(0, 20),
		.section = ".text"},
	{.name = "address one below SizeOfHeaders",
		.edit = {{SEC(0, 12), 4, 0x3ff}},
		.what = "the section's address is the headers'",
		.at = SEC(0, 12),
		.section = ".text"},
	{.name = "zeros over the headers",
		.edit = {{SEC(0, 12), 4, 0}, {SEC(0, 16), 4, 0}},
		.what = "the section's address is the headers'",
		.at = SEC(0, 12),
		.section = ".text"},
	{.name = "VirtualSize beyond SizeOfImage",
		.edit = {{SEC(4, 8), 4, 0x1001}},
		.what = "the section ends beyond SizeOfImage",
		.at = SEC(4, 12),
		.section = ".linux"},
	{.name = "VirtualSize 2^32 - 1",
		.edit = {{SEC(4, 8), 4, UINT32_MAX}},
		.what = "the section ends beyond SizeOfImage",
		.at = SEC(4, 12),
		.section = ".linux"},
	{.name = "address plus VirtualSize is 2^32",
		.edit = {{SEC(4, 12), 4, 0xfffffa00}},
		.what = "the section ends beyond SizeOfImage",
		.at = SEC(4, 12),
		.section = ".linux"},
	{.name = "raw data beyond SizeOfImage without a VirtualSize",
		.edit = {{SEC(4, 8), 4, 0}, {SEC(4, 12), 4, 0x5a01}},
		.what = "the section ends beyond SizeOfImage",
		.at = SEC(4, 12),
		.section = ".linux"},
	{.name = "zeros beyond SizeOfImage",
		.edit = {{SEC(4, 8), 4, 0x2000}, {SEC(4, 16), 4, 0}},
		.what = "the section ends beyond SizeOfImage",
		.at = SEC(4, 12),
		.section = ".linux"},
	{.name = "the same address",
		.edit = {{SEC(4, 12), 4, 0x4000}},
		.what = "the section overlaps another in memory",
		.at = SEC(4, 12),
		.section = ".linux"},
	{.name = "last byte of one is first of the next",
		.edit = {{SEC(3, 8), 4, 0x1001}},
		.what = "the section overlaps another in memory",
		.at = SEC(4, 12),
		.section = ".linux"},
	{.name = "one around all others",
		.edit = {{SEC(4, 12), 4, 0x800}, {SEC(4, 8), 4, 0x5000}},
		.what = "the section overlaps another in memory",
		.at = SEC(4, 12),
		.section = ".linux"},
	{.name = "overlap by raw size, VirtualSize being 0",
		.edit = {{SEC(0, 8), 4, 0}, {SEC(1, 12), 4, 0x11ff}},
		.what = "the section overlaps another in memory",
		.at = SEC(1, 12),
		.section = ".osrel"},
	{.name = "the same data",
		.edit = {{SEC(2, 20), 4, 0x600}},
		.what = "the section overlaps another in the file",
		.at = SEC(2, 20),
		.section = ".cmdline"},
	{.name = "data that overlap by one byte",
		.edit = {{SEC(4, 20), 4, 0xbff}},
		.what = "the section overlaps another in the file",
		.at = SEC(4, 20),
		.section = ".linux"},
	{.name = "control character in a name",
		.rename = {"\x01text"},
		.what = "a section's name is not text",
		.at = SEC(0, 0)},
	{.name = "non-ASCII name",
		.rename = {".t\xc3\xa9xt"},
		.what = "a section's name is not text",
		.at = SEC(0, 0)},
	{.name = "name with more behind its NUL",
		.edit = {{SEC(0, 6), 2, 0x6161}},
		.what = "a section's name is not text",
		.at = SEC(0, 0)},
	{.name = "two .linux",
		.rename = {NULL, ".linux"},
		.what = "a second section of this name",
		.at = SEC(4, 0),
		.section = ".linux"},
	{.name = "two .cmdline, a name without a NUL",
		.rename = {".cmdline"},
		.what = "a second section of this name",
		.at = SEC(2, 0),
		.section = ".cmdline"},
	{.name = "two .initrd",
		.rename = {NULL, ".initrd"},
		.what = "a second section of this name",
		.at = SEC(3, 0),
		.section = ".initrd"},
	{.name = "two .osrel",
		.rename = {".osrel"},
		.what = "a second section of this name",
		.at = SEC(1, 0),
		.section = ".osrel"},
	{.name = "two .uname",
		.rename = {".uname", ".uname"},
		.what = "a second section of this name",
		.at = SEC(1, 0),
		.section = ".uname"},
	{.name = "two .ucode",
		.rename = {".ucode", ".ucode"},
		.what = "a second section of this name",
		.at = SEC(1, 0),
		.section = ".ucode"},
	{.name = "two .cmdline in one profile",
		.init = init_profiles,
		.edit = {{SEC(3, 0), 4, 0x646d632e},
			{SEC(3, 4), 4, 0x656e696c}},
		.what = "a second section of this name",
		.at = SEC(3, 0),
		.section = ".cmdline"},
	{.name = "a kernel in a profile only",
		.init = init_profiles,
		.rename = {".profile", ".linux"},
		.what = "only a profile has a kernel, not the base",
		.at = SEC(1, 0),
		.section = ".linux"},
	{.name = "an empty kernel",
		.edit = {{SEC(4, 8), 4, 0}, {SEC(4, 16), 4, 0}},
		.what = "the kernel is empty",
		.at = SEC(4, 8),
		.section = ".linux"},
	{.name = "a kernel without VirtualSize",
		.edit = {{SEC(4, 8), 4, 0}},
		.what = "the section has data, but no VirtualSize",
		.at = SEC(4, 8),
		.section = ".linux"},
	{.name = "a command line without VirtualSize",
		.edit = {{SEC(2, 8), 4, 0}},
		.what = "the section has data, but no VirtualSize",
		.at = SEC(2, 8),
		.section = ".cmdline"},
	{.name = "a command line of 64 KiB + 1",
		.init = init_big_text,
		.what = "the section's text is longer than 64 KiB",
		.at = SEC(1, 8),
		.section = ".cmdline"},
};

static const struct row certificate_rows[] = {
	{.name = "in the headers",
		.init = init_signed,
		.edit = {{CERT_DIR, 4, 8}},
		.what = "the certificate table lies in the headers",
		.at = CERT_DIR},
	{.name = "unaligned",
		.init = init_signed,
		.edit = {{CERT_DIR, 4, 0x1204}, {CERT_DIR + 4, 4, 0x18}},
		.what = "the certificate table is not aligned",
		.at = CERT_DIR},
	{.name = "one byte past the end",
		.init = init_signed,
		.len = 0x121f,
		.what = "the certificate table ends beyond the file's end",
		.at = CERT_DIR + 4},
	{.name = "offset near 2^32",
		.init = init_signed,
		.edit = {{CERT_DIR, 4, 0xfffffff8}},
		.what = "the certificate table ends beyond the file's end",
		.at = CERT_DIR + 4},
	{.name = "size 2^32 - 1",
		.init = init_signed,
		.edit = {{CERT_DIR + 4, 4, UINT32_MAX}},
		.what = "the certificate table ends beyond the file's end",
		.at = CERT_DIR + 4},
	{.name = "up to 2^32 in a file of more",
		.init = init_signed,
		.file_size = 1ull << 40,
		.edit = {{CERT_DIR, 4, 0xffffffe0}},
		.what = "the certificate table ends beyond 4 GiB",
		.at = CERT_DIR + 4},
	{.name = "over a section's data",
		.init = init_signed,
		.edit = {{CERT_DIR, 4, 0x11f8}, {CERT_DIR + 4, 4, 0x28}},
		.what = "the certificate table overlaps a section",
		.at = CERT_DIR},
	{.name = "of 7 bytes",
		.init = init_signed,
		.edit = {{CERT_DIR + 4, 4, 7}},
		.what = "the certificate table ends amid an entry",
		.at = 0x1200},
	{.name = "an entry and 7 bytes more",
		.init = init_signed,
		.len = 0x1227,
		.edit = {{CERT_DIR + 4, 4, 0x27}},
		.what = "the certificate table ends amid an entry",
		.at = 0x1220},
	{.name = "entry of length 0",
		.init = init_signed,
		.edit = {{0x1200, 4, 0}},
		.what = "an empty certificate",
		.at = 0x1200},
	{.name = "entry of its header only",
		.init = init_signed,
		.edit = {{0x1200, 4, 8}},
		.what = "an empty certificate",
		.at = 0x1200},
	{.name = "entry beyond the table",
		.init = init_signed,
		.edit = {{0x1200, 4, 0x21}},
		.what = "a certificate ends beyond its table",
		.at = 0x1200},
	{.name = "entry of 2^32 - 1",
		.init = init_signed,
		.edit = {{0x1200, 4, UINT32_MAX}},
		.what = "a certificate ends beyond its table",
		.at = 0x1200},
	{.name = "revision 1.0",
		.init = init_signed,
		.edit = {{0x1204, 2, 0x0100}},
		.what = "a certificate of unknown revision",
		.at = 0x1200},
	{.name = "X.509 type",
		.init = init_signed,
		.edit = {{0x1206, 2, 1}},
		.what = "a certificate of unknown type",
		.at = 0x1200},
	{.name = "second entry empty",
		.init = init_signed,
		.edit = {{0x1200, 4, 0x10}},
		.what = "an empty certificate",
		.at = 0x1210},
};

static void apply(struct pe *pe, const struct row *row)
{
	if (row->init)
		row->init(pe);
	else
		pe_init_uki(pe);
	for (size_t i = 0; i < 2; i++)
		if (row->rename[i])
			pe_rename(pe, (unsigned)i, row->rename[i]);
	for (size_t i = 0; i < 4; i++)
		if (row->edit[i].width == 2)
			pe_put16(pe, row->edit[i].at,
				(uint16_t)row->edit[i].value);
		else if (row->edit[i].width == 4)
			pe_put32(pe, row->edit[i].at, row->edit[i].value);
	if (row->len)
		pe_resize(pe, row->len == EMPTY ? 0 : row->len);
}

static void check_row(const struct row *row)
{
	const char *section = row->section ? row->section : "";
	struct uki uki, untouched;
	struct uki_error err = {0};
	struct pe pe;

	apply(&pe, row);
	memset(&uki, 0x5a, sizeof(uki));
	untouched = uki;
	if (uki_parse(pe.data, pe.len < UKI_HEAD ? pe.len : UKI_HEAD,
		    row->file_size ? row->file_size : pe.len, &uki, &err))
		fail_msg("%s: accepted", row->name);
	if (strcmp(err.what, row->what) != 0 || err.at != row->at ||
		strcmp(err.section, section) != 0)
		fail_msg("%s: \"%s\" at %#jx [%s], not \"%s\" at %#jx [%s]",
			row->name, err.what, (uintmax_t)err.at, err.section,
			row->what, (uintmax_t)row->at, section);
	if (memcmp(&uki, &untouched, sizeof(uki)) != 0)
		fail_msg("%s: the result was written", row->name);
	pe_done(&pe);
}

static void check_rows(const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++)
		check_row(&rows[i]);
}

static void test_headers(void **state)
{
	(void)state;
	check_rows(header_rows, COUNT(header_rows));
}

static void test_sections(void **state)
{
	(void)state;
	check_rows(section_rows, COUNT(section_rows));
}

static void test_certificates(void **state)
{
	(void)state;
	check_rows(certificate_rows, COUNT(certificate_rows));
}

/* Each base image is good before a row breaks it. */
static void test_bases_are_good(void **state)
{
	static void (*const inits[])(struct pe *) = {
		pe_init_uki, init_profiles, init_signed};

	(void)state;
	for (size_t i = 0; i < COUNT(inits); i++) {
		struct uki_error err;
		struct uki uki;
		struct pe pe;

		inits[i](&pe);
		if (!uki_parse(pe.data, pe.len, pe.len, &uki, &err))
			fail_msg("base %zu: %s at %#jx", i, err.what,
				(uintmax_t)err.at);
		pe_done(&pe);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bases_are_good),
		cmocka_unit_test(test_headers),
		cmocka_unit_test(test_sections),
		cmocka_unit_test(test_certificates),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
