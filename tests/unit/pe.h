/*
 * pe: small PE/COFF images in memory, for tests. What it builds is correct;
 * a test breaks it with pe_put16 and pe_put32.
 */
#ifndef TESTS_UNIT_PE_H
#define TESTS_UNIT_PE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Fields of zero take the default. */
struct pe_shape {
	uint16_t machine;	    /* x64 */
	bool pe32;		    /* the 32-bit optional header */
	uint32_t pe_at;		    /* 0x80 */
	uint32_t file_alignment;    /* 0x200 */
	uint32_t section_alignment; /* 0x1000 */
	uint32_t size_of_headers;   /* 0x400 */
};

struct pe {
	uint8_t *data;
	uint32_t len, cap;
	uint32_t pe_at, opt_at, directory_at, table_at;
	uint32_t file_alignment, section_alignment;
	uint32_t next_va;
	uint16_t n_sections;
};

/* Where things are in an image of the default shape. */
#define PE_DEFAULT_OPT	     0x98
#define PE_DEFAULT_DIR	     0x108
#define PE_DEFAULT_TABLE     0x188
#define PE_SECTION(i, field) ((uint32_t)(PE_DEFAULT_TABLE + 40 * (i) + (field)))

/* Headers without a section; shape NULL: all defaults. Fails the test. */
void pe_init(struct pe *pe, const struct pe_shape *shape);
void pe_done(struct pe *pe);

/*
 * One more section, at the next free addresses; VirtualSize is len exactly,
 * the raw data is padded. Returns its index.
 */
unsigned pe_add(
	struct pe *pe, const char *name, const void *data, uint32_t len);
/* The same without content: VirtualSize only, as .bss. */
unsigned pe_add_bss(struct pe *pe, const char *name, uint32_t vsize);

/* A certificate table of one PKCS#7 entry of len bytes, header included. */
void pe_sign(struct pe *pe, uint32_t len);

/* Zeros up to this length, or cut to it. */
void pe_resize(struct pe *pe, uint32_t len);

void pe_put16(struct pe *pe, uint32_t at, uint16_t v);
void pe_put32(struct pe *pe, uint32_t at, uint32_t v);
uint32_t pe_get32(const struct pe *pe, uint32_t at);
/* name: 8 characters at most, NUL-padded. */
void pe_rename(struct pe *pe, unsigned section, const char *name);

/*
 * A UKI of the default shape: .text, .osrel, .cmdline "quiet", .initrd,
 * .linux (0x600 bytes, with a bzImage's marks), at 0x1000 to 0x5000 in memory
 * and 0x400, 0x600, 0x800, 0xa00, 0xc00 in the file of 0x1200 bytes.
 */
void pe_init_uki(struct pe *pe);

#endif
