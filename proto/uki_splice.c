#include "proto/uki.h"

#include <string.h>

#include "proto/wire.h"

#define SECTION_HEADER_LEN 40
#define MAX_FILE_ALIGNMENT 65536 /* PE/COFF's own limit */

/* Initialised data, readable: what objcopy and ukify give these sections. */
#define SECTION_CHARACTERISTICS 0x40000040

/*
 * What the spliced file's .cmdline will be. The kinds of change differ only
 * in which of these fields are new.
 */
struct placement {
	uint32_t header_at;
	uint32_t vaddr, vsize;
	uint32_t raw_at, raw_size;
	bool new_header;
	bool in_place; /* the raw data stays where it is */
};

static uint64_t align_up(uint64_t v, uint32_t alignment)
{
	return (v + alignment - 1) & ~((uint64_t)alignment - 1);
}

static uint32_t memory_len(const struct uki_section *s)
{
	return s->vsize ? s->vsize : s->raw_size;
}

/* Bytes from the section's address to the next section's. */
static uint64_t memory_room(const struct uki *uki, const struct uki_section *s)
{
	uint64_t end = (uint64_t)UINT32_MAX + 1;

	for (size_t i = 0; i < uki->n_sections; i++) {
		const struct uki_section *o = &uki->section[i];

		if (memory_len(o) > 0 && o->vaddr > s->vaddr && o->vaddr < end)
			end = o->vaddr;
	}
	return end - s->vaddr;
}

/* The first free address behind everything that is loaded. */
static uint64_t memory_end(const struct uki *uki)
{
	uint64_t end = uki->size_of_headers;

	for (size_t i = 0; i < uki->n_sections; i++) {
		const struct uki_section *s = &uki->section[i];

		if (memory_len(s) > 0 &&
			(uint64_t)s->vaddr + memory_len(s) > end)
			end = (uint64_t)s->vaddr + memory_len(s);
	}
	return align_up(end, uki->section_alignment);
}

static const char *find_obstacle(
	const struct uki *uki, const uint8_t *text, uint32_t len)
{
	if (uki->kind != UKI_KIND_UKI)
		return "not a UKI";
	if (uki->cert_size > 0)
		return "signed: a change would void the signature";
	if (uki_find_in_profile(uki, uki->n_profiles, ".pcrsig"))
		return "its PCR signature (.pcrsig) covers the command line";
	if (uki->n_profiles > 1)
		return "several profiles, each with a command line";
	if (len > UKI_MAX_TEXT)
		return "the command line is longer than 64 KiB";
	if (len > 0 && memchr(text, 0, len))
		return "the command line holds a NUL";
	if (uki->file_alignment == 0 ||
		(uki->file_alignment & (uki->file_alignment - 1)) != 0 ||
		uki->file_alignment > MAX_FILE_ALIGNMENT)
		return "its FileAlignment is not a power of two up to 64 KiB";
	return NULL;
}

/* Choose the smallest change that holds p->vsize bytes. */
static const char *place(const struct uki *uki, const struct uki_section *old,
	uint64_t file_size, struct placement *p)
{
	const struct uki_section *last = &uki->section[uki->n_sections - 1];
	uint64_t vaddr, raw_at, raw_size;

	if (old) {
		p->header_at = old->header_at;
	} else {
		if (uki->n_sections == UKI_MAX_SECTIONS)
			return "no .cmdline, and 96 sections already";
		if (uki->header_room < SECTION_HEADER_LEN)
			return "no .cmdline, and no room for its header";
		p->header_at = last->header_at + SECTION_HEADER_LEN;
		p->new_header = true;
	}
	/* An empty section's address is nothing that was checked. */
	if (old && memory_len(old) > 0 && p->vsize <= memory_room(uki, old)) {
		vaddr = old->vaddr;
		if (p->vsize <= old->raw_size) {
			p->vaddr = old->vaddr;
			p->raw_at = old->offset;
			p->raw_size = old->raw_size;
			p->in_place = true;
			return NULL;
		}
	} else {
		vaddr = memory_end(uki);
	}
	raw_at = align_up(file_size, uki->file_alignment);
	raw_size = align_up(p->vsize, uki->file_alignment);
	if (raw_at + raw_size > UINT32_MAX)
		return "the file is too large for PE's 32-bit offsets";
	if (vaddr + p->vsize > UINT32_MAX)
		return "the image is too large for PE's 32-bit addresses";
	p->vaddr = (uint32_t)vaddr;
	p->raw_at = (uint32_t)raw_at;
	p->raw_size = (uint32_t)raw_size;
	return NULL;
}

static void add_patch(
	struct uki_splice *splice, uint64_t at, const void *bytes, uint32_t len)
{
	struct uki_patch *patch = &splice->patch[splice->n_patches++];

	memset(patch, 0, sizeof(*patch));
	patch->at = at;
	patch->len = len;
	memcpy(patch->bytes, bytes, len);
}

static void add_u16(struct uki_splice *splice, uint64_t at, uint16_t v)
{
	struct wire_writer w;
	uint8_t b[2];

	wire_writer_init(&w, b, sizeof(b));
	wire_put_le16(&w, v);
	add_patch(splice, at, b, sizeof(b));
}

static void add_u32(struct uki_splice *splice, uint64_t at, uint32_t v)
{
	struct wire_writer w;
	uint8_t b[4];

	wire_writer_init(&w, b, sizeof(b));
	wire_put_le32(&w, v);
	add_patch(splice, at, b, sizeof(b));
}

static void add_u32_pair(
	struct uki_splice *splice, uint64_t at, uint32_t v1, uint32_t v2)
{
	struct wire_writer w;
	uint8_t b[8];

	wire_writer_init(&w, b, sizeof(b));
	wire_put_le32(&w, v1);
	wire_put_le32(&w, v2);
	add_patch(splice, at, b, sizeof(b));
}

/* SizeOfImage that covers p, and that EDK2's bound of the table allows. */
static uint64_t image_size(const struct uki *uki, const struct placement *p)
{
	const struct uki_section *last = &uki->section[uki->n_sections - 1];
	uint64_t end = (uint64_t)p->vaddr + p->vsize;
	uint64_t least = (uint64_t)last->header_at + 3 * SECTION_HEADER_LEN;

	if (p->new_header && end < least)
		end = least;
	if (end <= uki->size_of_image)
		return uki->size_of_image;
	return align_up(end, uki->section_alignment);
}

/* In the order of their place in the file. */
static void add_header_patches(struct uki_splice *splice, const struct uki *uki,
	const struct placement *p, uint32_t image)
{
	if (p->new_header)
		add_u16(splice, (uint64_t)uki->pe_at + 6,
			(uint16_t)(uki->n_sections + 1));
	if (image != uki->size_of_image)
		add_u32(splice, (uint64_t)uki->pe_at + 80, image);
	add_u32(splice, (uint64_t)uki->pe_at + 88, 0); /* CheckSum */
	if (p->new_header)
		add_patch(splice, p->header_at, ".cmdline", 8);
	if (p->in_place) {
		add_u32(splice, (uint64_t)p->header_at + 8, p->vsize);
		return;
	}
	add_u32_pair(splice, (uint64_t)p->header_at + 8, p->vsize, p->vaddr);
	add_u32_pair(
		splice, (uint64_t)p->header_at + 16, p->raw_size, p->raw_at);
	if (p->new_header)
		add_u32(splice, (uint64_t)p->header_at + 36,
			SECTION_CHARACTERISTICS);
}

bool uki_splice_cmdline(const struct uki *uki, uint64_t file_size,
	const uint8_t *text, uint32_t len, struct uki_splice *ret,
	const char **ret_why)
{
	/* VirtualSize 0 would mean the whole raw data: no text is one NUL. */
	struct placement p = {.vsize = len > 0 ? len : 1};
	struct uki_splice splice = {0};
	const char *why = find_obstacle(uki, text, len);
	uint64_t image = 0;

	if (!why)
		why = place(uki,
			uki_find_in_profile(uki, uki->n_profiles, ".cmdline"),
			file_size, &p);
	if (!why) {
		image = image_size(uki, &p);
		if (image > UINT32_MAX)
			why = "the image is too large for PE's 32-bit "
			      "addresses";
	}
	if (why) {
		*ret_why = why;
		return false;
	}
	add_header_patches(&splice, uki, &p, (uint32_t)image);
	if (len > 0) {
		add_patch(&splice, p.raw_at, "", 0);
		splice.patch[splice.n_patches - 1].len = len;
		splice.patch[splice.n_patches - 1].text = text;
	}
	/* The old text's rest is not content, but a reader might go to a NUL.
	 */
	if (p.in_place && len < p.raw_size)
		add_patch(&splice, (uint64_t)p.raw_at + len, "", 1);
	splice.new_size =
		p.in_place ? file_size : (uint64_t)p.raw_at + p.raw_size;
	*ret = splice;
	return true;
}
