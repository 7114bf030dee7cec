#include "proto/uki.h"

#include <string.h>

#include "proto/wire.h"

/* PE/COFF: sizes and offsets that more than one function needs. */
#define DOS_HEADER_LEN	   64
#define DOS_PE_POINTER	   0x3c
#define PE_HEADER_LEN	   24 /* signature and COFF header */
#define PE_OPTIONAL_SIZE   20 /* SizeOfOptionalHeader, from pe_at */
#define SECTION_HEADER_LEN 40
#define DATA_DIRECTORY_LEN 8
#define MAX_DIRECTORIES	   16
#define CERT_DIRECTORY	   4 /* the only one that holds a file offset */
#define CERT_HEADER_LEN	   8
#define CERT_ALIGN	   8

/*
 * EDK2 reads the PE header as one block of this size, whatever its optional
 * header's size is, and refuses a file that ends before (BasePeCoff.c).
 */
#define PE_READ_LEN 264

#define WIN_CERT_REVISION_2_0	  0x0200
#define WIN_CERT_TYPE_PKCS_SIGNED 0x0002
#define WIN_CERT_TYPE_EFI_GUID	  0x0ef1
#define SUBSYSTEM_EFI_APPLICATION 10
#define OPTIONAL_MAGIC_PE32	  0x10b
#define OPTIONAL_MAGIC_PE32_PLUS  0x20b
#define OPTIONAL_LEN_PE32	  96
#define OPTIONAL_LEN_PE32_PLUS	  112

struct parser {
	struct wire_reader r;
	uint64_t file_size;
	struct uki *uki;
	struct uki_error *err;
	uint32_t opt_at, n_directories, directory_at, entry;
	uint32_t table_at;
	size_t n_sections; /* as the COFF header says */
};

static void set_error(struct uki_error *err, const char *what, uint64_t at,
	const char *section)
{
	memset(err, 0, sizeof(*err));
	err->what = what;
	err->at = at;
	if (section)
		memcpy(err->section, section, strnlen(section, 8));
}

static bool refuse(struct parser *p, const char *what, uint64_t at)
{
	set_error(p->err, what, at, NULL);
	return false;
}

static bool refuse_section(struct parser *p, const char *what,
	const struct uki_section *s, uint32_t field)
{
	set_error(p->err, what, (uint64_t)s->header_at + field, s->name);
	return false;
}

/* The offsets were checked against the input before: no error can arise. */
static uint16_t le16_at(struct parser *p, size_t at)
{
	wire_seek(&p->r, at);
	return wire_get_le16(&p->r);
}

static uint32_t le32_at(struct parser *p, size_t at)
{
	wire_seek(&p->r, at);
	return wire_get_le32(&p->r);
}

static bool is_power_of_two(uint32_t v)
{
	return v != 0 && (v & (v - 1)) == 0;
}

static bool has_64_bit_header(enum arch arch)
{
	switch (arch) {
	case ARCH_X64:
	case ARCH_ARM64:
	case ARCH_RISCV64:
	case ARCH_LOONGARCH64:
		return true;
	case ARCH_BIOS:
	case ARCH_IA32:
	case ARCH_ARM32:
	case ARCH_RISCV32:
	case ARCH_LOONGARCH32:
	case ARCH_MAX:
	case ARCH_INVALID:
		break;
	}
	return false;
}

/* The way to the COFF header, and the COFF header. */
static bool parse_coff(struct parser *p)
{
	static const uint8_t signature[] = {'P', 'E', 0, 0};
	struct uki *uki = p->uki;
	uint64_t end;
	uint16_t machine;

	if (p->file_size < DOS_HEADER_LEN || p->r.len < DOS_HEADER_LEN)
		return refuse(p, "too short for an EFI program", 0);
	if (memcmp(p->r.base, "MZ", 2) != 0)
		return refuse(p, "not an EFI program: no MZ signature", 0);
	uki->pe_at = le32_at(p, DOS_PE_POINTER);
	if (uki->pe_at < DOS_HEADER_LEN)
		return refuse(p, "the PE header lies in the DOS header",
			DOS_PE_POINTER);
	end = (uint64_t)uki->pe_at + PE_READ_LEN;
	if (end > p->file_size)
		return refuse(p, "the PE header lies beyond the file's end",
			DOS_PE_POINTER);
	if (end > p->r.len)
		return refuse(p, "the PE header lies beyond the first 64 KiB",
			DOS_PE_POINTER);
	if (memcmp(p->r.base + uki->pe_at, signature, sizeof(signature)) != 0)
		return refuse(p, "no PE signature", uki->pe_at);
	machine = le16_at(p, uki->pe_at + 4);
	uki->arch = arch_from_pe(machine);
	if (uki->arch == ARCH_INVALID)
		return refuse(p, "unknown machine type", uki->pe_at + 4);
	p->n_sections = le16_at(p, uki->pe_at + 6);
	if (p->n_sections == 0)
		return refuse(p, "no sections", uki->pe_at + 6);
	if (p->n_sections > UKI_MAX_SECTIONS)
		return refuse(p, "more than 96 sections", uki->pe_at + 6);
	return true;
}

/* Magic, data directories: EDK2 wants the sizes to match exactly. */
static bool parse_optional_shape(struct parser *p)
{
	uint16_t magic = le16_at(p, p->opt_at);
	uint16_t size = le16_at(p, p->uki->pe_at + PE_OPTIONAL_SIZE);
	uint32_t fixed;

	if (magic != OPTIONAL_MAGIC_PE32 && magic != OPTIONAL_MAGIC_PE32_PLUS)
		return refuse(p, "unknown kind of optional header", p->opt_at);
	if ((magic == OPTIONAL_MAGIC_PE32_PLUS) !=
		has_64_bit_header(p->uki->arch))
		return refuse(p, "the optional header is not this machine's",
			p->opt_at);
	fixed = magic == OPTIONAL_MAGIC_PE32 ? OPTIONAL_LEN_PE32
					     : OPTIONAL_LEN_PE32_PLUS;
	if (size < fixed)
		return refuse(p, "the optional header is too short",
			p->uki->pe_at + PE_OPTIONAL_SIZE);
	p->n_directories = le32_at(p, p->opt_at + fixed - 4);
	if (p->n_directories > MAX_DIRECTORIES)
		return refuse(p, "more than 16 data directories",
			p->opt_at + fixed - 4);
	if (size != fixed + p->n_directories * DATA_DIRECTORY_LEN)
		return refuse(p,
			"the optional header's size does not match its "
			"data directories",
			p->uki->pe_at + PE_OPTIONAL_SIZE);
	p->directory_at = p->opt_at + fixed;
	p->table_at = p->opt_at + size;
	return true;
}

static bool parse_optional(struct parser *p)
{
	struct uki *uki = p->uki;
	uint64_t table_end;

	p->opt_at = uki->pe_at + PE_HEADER_LEN;
	if (!parse_optional_shape(p))
		return false;
	p->entry = le32_at(p, p->opt_at + 16);
	uki->section_alignment = le32_at(p, p->opt_at + 32);
	uki->file_alignment = le32_at(p, p->opt_at + 36);
	uki->size_of_image = le32_at(p, p->opt_at + 56);
	uki->size_of_headers = le32_at(p, p->opt_at + 60);
	if (le16_at(p, p->opt_at + 68) != SUBSYSTEM_EFI_APPLICATION)
		return refuse(p, "not an EFI application: subsystem is not 10",
			p->opt_at + 68);
	if (!is_power_of_two(uki->section_alignment))
		return refuse(p, "SectionAlignment is not a power of two",
			p->opt_at + 32);
	table_end = (uint64_t)p->table_at + p->n_sections * SECTION_HEADER_LEN;
	if (table_end > p->file_size)
		return refuse(p, "the section table lies beyond the file's end",
			p->table_at);
	if (table_end > p->r.len)
		return refuse(p,
			"the section table lies beyond the first 64 KiB",
			p->table_at);
	if (uki->size_of_headers < table_end)
		return refuse(p, "SizeOfHeaders ends before the section table",
			p->opt_at + 60);
	if (uki->size_of_headers > p->file_size)
		return refuse(p, "SizeOfHeaders ends beyond the file's end",
			p->opt_at + 60);
	/* The second condition is EDK2's own way to bound the table. */
	if (uki->size_of_image <= uki->size_of_headers ||
		(uki->size_of_image - p->table_at) / SECTION_HEADER_LEN <=
			p->n_sections)
		return refuse(p, "SizeOfImage ends within the headers",
			p->opt_at + 56);
	return true;
}

/* Bytes of memory that the loader fills from the section's address on. */
static uint32_t memory_len(const struct uki_section *s)
{
	return s->vsize ? s->vsize : s->raw_size;
}

/*
 * Names of eight characters have no NUL; anything behind a NUL, and anything
 * that is not text, would make the name that we show another one than the one
 * that a stub compares.
 */
static bool name_is_clean(const uint8_t name[8])
{
	size_t len = strnlen((const char *)name, 8);
	size_t i;

	for (i = 0; i < len; i++)
		if (name[i] < 0x20 || name[i] > 0x7e)
			return false;
	for (; i < 8; i++)
		if (name[i] != 0)
			return false;
	return true;
}

static bool parse_section(struct parser *p, uint32_t at, struct uki_section *s)
{
	const struct uki *uki = p->uki;
	const uint8_t *name = p->r.base + at;
	uint32_t raw_at;

	memset(s, 0, sizeof(*s));
	s->header_at = at;
	if (!name_is_clean(name))
		return refuse_section(p, "a section's name is not text", s, 0);
	memcpy(s->name, name, 8);
	s->vsize = le32_at(p, at + 8);
	s->vaddr = le32_at(p, at + 12);
	s->raw_size = le32_at(p, at + 16);
	raw_at = le32_at(p, at + 20);
	if (s->raw_size > 0) {
		uint64_t end = (uint64_t)raw_at + s->raw_size;

		if (raw_at < uki->size_of_headers)
			return refuse_section(p,
				"the section's data lies in the headers", s,
				20);
		if (end > p->file_size)
			return refuse_section(p,
				"the section's data ends beyond the file's end",
				s, 16);
		if (end > UINT32_MAX)
			return refuse_section(p,
				"the section's data ends beyond 4 GiB", s, 16);
		s->offset = raw_at;
		s->len = s->vsize && s->vsize < s->raw_size ? s->vsize
							    : s->raw_size;
	}
	if (memory_len(s) > 0) {
		if (s->vaddr < uki->size_of_headers)
			return refuse_section(p,
				"the section's address is the headers'", s, 12);
		if ((uint64_t)s->vaddr + memory_len(s) > uki->size_of_image)
			return refuse_section(p,
				"the section ends beyond SizeOfImage", s, 12);
	}
	return true;
}

static bool ranges_overlap(
	uint32_t a_at, uint32_t a_len, uint32_t b_at, uint32_t b_len)
{
	return (uint64_t)a_at + a_len > b_at && (uint64_t)b_at + b_len > a_at &&
	       a_len > 0 && b_len > 0;
}

/* objcopy with fixed addresses makes such files when a kernel has grown. */
static bool check_overlap(struct parser *p, const struct uki_section *s)
{
	const struct uki_section *o;

	for (o = p->uki->section; o < s; o++) {
		if (ranges_overlap(
			    o->vaddr, memory_len(o), s->vaddr, memory_len(s)))
			return refuse_section(p,
				"the section overlaps another in memory", s,
				12);
		if (ranges_overlap(
			    o->offset, o->raw_size, s->offset, s->raw_size))
			return refuse_section(p,
				"the section overlaps another in the file", s,
				20);
	}
	return true;
}

static bool parse_sections(struct parser *p)
{
	struct uki *uki = p->uki;
	size_t end, limit;

	for (size_t i = 0; i < p->n_sections; i++) {
		struct uki_section *s = &uki->section[i];
		uint32_t at = (uint32_t)(p->table_at + i * SECTION_HEADER_LEN);

		if (!parse_section(p, at, s) || !check_overlap(p, s))
			return false;
		if (strcmp(s->name, ".profile") == 0)
			uki->n_profiles++;
		s->profile = uki->n_profiles;
		uki->n_sections++;
	}
	end = p->table_at + p->n_sections * SECTION_HEADER_LEN;
	limit = uki->size_of_headers < p->r.len ? uki->size_of_headers
						: p->r.len;
	for (size_t at = end; at < limit && p->r.base[at] == 0; at++)
		uki->header_room++;
	return true;
}

/* What a stub takes: by name, and once only in the base and each profile. */
static const struct role {
	const char *name;
	bool single;
	bool text;  /* at most UKI_MAX_TEXT */
	bool addon; /* its presence makes an addon of what is not a UKI */
} roles[] = {
	{".linux", true, false, false},
	{".osrel", true, true, false},
	{".cmdline", true, true, true},
	{".initrd", true, false, true},
	{".ucode", true, false, true},
	{".uname", true, true, false},
	{".dtb", false, false, true},
	{".dtbauto", false, false, true},
};

static const struct role *find_role(const struct uki_section *s)
{
	for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++)
		if (strcmp(s->name, roles[i].name) == 0)
			return &roles[i];
	return NULL;
}

static bool check_role(
	struct parser *p, const struct uki_section *s, const struct role *role)
{
	for (const struct uki_section *o = p->uki->section; o < s; o++)
		if (role->single && o->profile == s->profile &&
			strcmp(o->name, s->name) == 0)
			return refuse_section(
				p, "a second section of this name", s, 0);
	if (role->text && s->len > UKI_MAX_TEXT)
		return refuse_section(
			p, "the section's text is longer than 64 KiB", s, 8);
	/* systemd-stub goes by VirtualSize alone, the loader does not. */
	if (s->vsize == 0 && s->raw_size > 0)
		return refuse_section(
			p, "the section has data, but no VirtualSize", s, 8);
	return true;
}

static bool classify(struct parser *p)
{
	struct uki *uki = p->uki;
	const struct uki_section *kernel = NULL;
	const struct role *role;

	uki->kind = UKI_KIND_APP;
	for (size_t i = 0; i < uki->n_sections; i++) {
		const struct uki_section *s = &uki->section[i];

		role = find_role(s);
		if (!role)
			continue;
		if (!check_role(p, s, role))
			return false;
		if (role->addon)
			uki->kind = UKI_KIND_ADDON;
		if (strcmp(s->name, ".linux") == 0 && !kernel)
			kernel = s;
	}
	if (kernel) {
		uki->kind = UKI_KIND_UKI;
		if (kernel->profile != 0)
			return refuse_section(p,
				"only a profile has a kernel, not the base",
				kernel, 0);
		if (kernel->len == 0)
			return refuse_section(
				p, "the kernel is empty", kernel, 8);
	}
	/* Nobody starts an addon: it may be without code. */
	if (uki->kind != UKI_KIND_ADDON &&
		(p->entry < uki->size_of_headers ||
			p->entry >= uki->size_of_image))
		return refuse(p, "the entry point lies outside the image",
			p->opt_at + 16);
	return true;
}

static bool parse_certificates(struct parser *p)
{
	struct uki *uki = p->uki;
	uint32_t at = p->directory_at + CERT_DIRECTORY * DATA_DIRECTORY_LEN;
	uint32_t offset, size;
	size_t visible;

	if (p->n_directories <= CERT_DIRECTORY)
		return true;
	offset = le32_at(p, at);
	size = le32_at(p, at + 4);
	if (size == 0)
		return true;
	if (offset < uki->size_of_headers)
		return refuse(
			p, "the certificate table lies in the headers", at);
	if (offset % CERT_ALIGN != 0)
		return refuse(p, "the certificate table is not aligned", at);
	if ((uint64_t)offset + size > p->file_size)
		return refuse(p,
			"the certificate table ends beyond the file's end",
			at + 4);
	if ((uint64_t)offset + size > UINT32_MAX)
		return refuse(
			p, "the certificate table ends beyond 4 GiB", at + 4);
	for (size_t i = 0; i < uki->n_sections; i++)
		if (ranges_overlap(uki->section[i].offset,
			    uki->section[i].raw_size, offset, size))
			return refuse(p,
				"the certificate table overlaps a section", at);
	uki->cert_offset = offset;
	uki->cert_size = size;
	if (offset >= p->r.len)
		return true;
	visible = p->r.len - offset;
	return uki_check_certificates(uki, p->r.base + offset,
		visible < size ? visible : size, p->err);
}

bool uki_check_certificates(const struct uki *uki, const uint8_t *table,
	size_t table_len, struct uki_error *ret_err)
{
	struct wire_reader r;
	uint64_t at = 0, padded;
	uint32_t len;
	uint16_t revision, type;
	const char *what = NULL;

	wire_reader_init(&r, table, table_len);
	while (!what && at < uki->cert_size) {
		if (uki->cert_size - at < CERT_HEADER_LEN) {
			what = "the certificate table ends amid an entry";
			break;
		}
		if (at + CERT_HEADER_LEN > table_len)
			break;
		wire_seek(&r, (size_t)at);
		len = wire_get_le32(&r);
		revision = wire_get_le16(&r);
		type = wire_get_le16(&r);
		padded =
			((uint64_t)len + CERT_ALIGN - 1) & ~(CERT_ALIGN - 1ull);
		if (len <= CERT_HEADER_LEN)
			what = "an empty certificate";
		else if (padded > uki->cert_size - at)
			what = "a certificate ends beyond its table";
		else if (revision != WIN_CERT_REVISION_2_0)
			what = "a certificate of unknown revision";
		else if (type != WIN_CERT_TYPE_PKCS_SIGNED &&
			 type != WIN_CERT_TYPE_EFI_GUID)
			what = "a certificate of unknown type";
		else
			at += padded;
	}
	if (what)
		set_error(ret_err, what, uki->cert_offset + at, NULL);
	return !what;
}

bool uki_parse(const uint8_t *head, size_t head_len, uint64_t file_size,
	struct uki *ret, struct uki_error *ret_err)
{
	struct uki uki = {0};
	struct parser p = {.file_size = file_size, .uki = &uki, .err = ret_err};

	wire_reader_init(&p.r, head,
		head_len < file_size ? head_len : (size_t)file_size);
	if (!parse_coff(&p) || !parse_optional(&p) || !parse_sections(&p) ||
		!classify(&p) || !parse_certificates(&p))
		return false;
	*ret = uki;
	return true;
}

const struct uki_section *uki_find(const struct uki *uki, const char *name)
{
	for (size_t i = 0; i < uki->n_sections; i++)
		if (uki->section[i].profile == 0 &&
			strcmp(uki->section[i].name, name) == 0)
			return &uki->section[i];
	return NULL;
}

const struct uki_section *uki_find_in_profile(
	const struct uki *uki, uint32_t profile, const char *name)
{
	for (size_t i = 0; i < uki->n_sections; i++)
		if (uki->section[i].profile == profile &&
			strcmp(uki->section[i].name, name) == 0)
			return &uki->section[i];
	return uki_find(uki, name);
}
