#include "tests/unit/pe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint32_t or_default(uint32_t v, uint32_t fallback)
{
	return v ? v : fallback;
}

static uint32_t align_up(uint32_t v, uint32_t alignment)
{
	return (v + alignment - 1) / alignment * alignment;
}

void pe_resize(struct pe *pe, uint32_t len)
{
	if (len > pe->cap) {
		uint8_t *data = realloc(pe->data, len);

		if (!data) {
			perror("pe");
			abort();
		}
		pe->data = data;
		pe->cap = len;
	}
	if (len > pe->len)
		memset(pe->data + pe->len, 0, len - pe->len);
	pe->len = len;
}

void pe_put16(struct pe *pe, uint32_t at, uint16_t v)
{
	pe->data[at] = (uint8_t)v;
	pe->data[at + 1] = (uint8_t)(v >> 8);
}

void pe_put32(struct pe *pe, uint32_t at, uint32_t v)
{
	pe_put16(pe, at, (uint16_t)v);
	pe_put16(pe, at + 2, (uint16_t)(v >> 16));
}

uint32_t pe_get32(const struct pe *pe, uint32_t at)
{
	const uint8_t *p = pe->data + at;

	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
	       (uint32_t)p[3] << 24;
}

void pe_rename(struct pe *pe, unsigned section, const char *name)
{
	uint8_t *field = pe->data + pe->table_at + 40 * section;

	memset(field, 0, 8);
	memcpy(field, name, strnlen(name, 8));
}

void pe_init(struct pe *pe, const struct pe_shape *shape)
{
	static const struct pe_shape plain;
	const struct pe_shape *s = shape ? shape : &plain;
	uint32_t headers = or_default(s->size_of_headers, 0x400);

	memset(pe, 0, sizeof(*pe));
	pe->pe_at = or_default(s->pe_at, 0x80);
	pe->opt_at = pe->pe_at + 24;
	pe->directory_at = pe->opt_at + (s->pe32 ? 96 : 112);
	pe->table_at = pe->directory_at + 16 * 8;
	pe->file_alignment = or_default(s->file_alignment, 0x200);
	pe->section_alignment = or_default(s->section_alignment, 0x1000);
	pe->next_va = align_up(headers, pe->section_alignment);
	pe_resize(pe, headers);
	memcpy(pe->data, "MZ", 2);
	pe_put32(pe, 0x3c, pe->pe_at);
	memcpy(pe->data + pe->pe_at, "PE", 2);
	pe_put16(pe, pe->pe_at + 4,
		(uint16_t)or_default(s->machine, s->pe32 ? 0x14c : 0x8664));
	pe_put16(pe, pe->pe_at + 20, (uint16_t)(pe->table_at - pe->opt_at));
	pe_put16(pe, pe->pe_at + 22, 0x206);
	pe_put16(pe, pe->opt_at, s->pe32 ? 0x10b : 0x20b);
	pe_put32(pe, pe->opt_at + 16, pe->next_va);
	pe_put32(pe, pe->opt_at + 32, pe->section_alignment);
	pe_put32(pe, pe->opt_at + 36, pe->file_alignment);
	pe_put32(pe, pe->opt_at + 60, headers);
	pe_put32(pe, pe->opt_at + 64, 0x12345678); /* CheckSum */
	pe_put16(pe, pe->opt_at + 68, 10);
	pe_put32(pe, pe->directory_at - 4, 16);
}

void pe_done(struct pe *pe)
{
	free(pe->data);
	pe->data = NULL;
}

static unsigned add_header(
	struct pe *pe, const char *name, uint32_t vsize, uint32_t raw_size)
{
	uint32_t at = pe->table_at + 40u * pe->n_sections;

	pe_rename(pe, pe->n_sections, name);
	pe_put32(pe, at + 8, vsize);
	pe_put32(pe, at + 12, pe->next_va);
	pe_put32(pe, at + 16, raw_size);
	pe_put32(pe, at + 20, raw_size ? pe->len : 0);
	pe_put32(pe, at + 36, 0x40000040);
	pe->next_va = align_up(pe->next_va + vsize, pe->section_alignment);
	pe->n_sections++;
	pe_put16(pe, pe->pe_at + 6, pe->n_sections);
	pe_put32(pe, pe->opt_at + 56, pe->next_va);
	return pe->n_sections - 1u;
}

unsigned pe_add(struct pe *pe, const char *name, const void *data, uint32_t len)
{
	uint32_t raw_at = align_up(pe->len, pe->file_alignment);
	uint32_t raw_size = align_up(len, pe->file_alignment);
	unsigned index;

	pe_resize(pe, raw_at);
	index = add_header(pe, name, len, raw_size);
	pe_resize(pe, raw_at + raw_size);
	memcpy(pe->data + raw_at, data, len);
	return index;
}

unsigned pe_add_bss(struct pe *pe, const char *name, uint32_t vsize)
{
	return add_header(pe, name, vsize, 0);
}

void pe_sign(struct pe *pe, uint32_t len)
{
	uint32_t at = align_up(pe->len, 8);

	pe_resize(pe, at + align_up(len, 8));
	pe_put32(pe, at, len);
	pe_put16(pe, at + 4, 0x0200);
	pe_put16(pe, at + 6, 0x0002);
	pe_put32(pe, pe->directory_at + 32, at);
	pe_put32(pe, pe->directory_at + 36, pe->len - at);
}

void pe_init_uki(struct pe *pe)
{
	uint8_t kernel[0x600];

	memset(kernel, 0xcc, sizeof(kernel));
	memcpy(kernel, "MZ", 2);
	memcpy(kernel + 0x1fe, "\x55\xaa", 2);
	memcpy(kernel + 0x202, "HdrS\x0f\x02", 6);
	memcpy(kernel + 0x238, "\xff\x07\0\0", 4);
	memcpy(kernel + 0x3c, "\x40\0\0\0PE\0\0\x64\x86", 10);
	pe_init(pe, NULL);
	pe_add(pe, ".text", "\xc3", 1);
	pe_add(pe, ".osrel", "ID=test\n", 8);
	pe_add(pe, ".cmdline", "quiet", 5);
	pe_add(pe, ".initrd", "070701", 6);
	pe_add(pe, ".linux", kernel, sizeof(kernel));
}
