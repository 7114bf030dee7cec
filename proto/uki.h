/*
 * uki: what is inside an EFI file: a Unified Kernel Image (UAPI group's
 * specification), an addon to one, or a plain EFI application. PE/COFF per
 * Microsoft's specification and UEFI 2.10 2.1.1; the checks are those
 * that EDK2's loader and systemd-stub make or rely on.
 *
 * Pure: the caller reads the file. The headers and the section table must lie
 * within the first UKI_HEAD bytes; a larger table is refused.
 */
#ifndef PROTO_UKI_H
#define PROTO_UKI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/arch.h"

#define UKI_HEAD	 65536 /* bytes of the file's start that parsing needs */
#define UKI_MAX_SECTIONS 96
#define UKI_MAX_TEXT	 65536 /* .cmdline, .osrel, .uname: largest content */
#define UKI_KERNEL_HEAD	 4096  /* bytes of .linux that uki_check_kernel needs */

enum uki_kind {
	UKI_KIND_UKI,	/* has .linux */
	UKI_KIND_ADDON, /* no .linux, but sections that a UKI's stub would take
			 */
	UKI_KIND_APP	/* any other EFI application */
};

struct uki_section {
	char name[9];
	uint32_t offset; /* content: offset in the file; 0 if none */
	/*
	 * Content: min(VirtualSize, SizeOfRawData), and all of the raw data if
	 * VirtualSize is 0, as EDK2 loads it.
	 */
	uint32_t len;
	uint32_t vaddr, vsize, raw_size;
	uint32_t header_at; /* file offset of its 40-byte header */
	uint32_t profile;   /* 0: base; n: behind the n-th .profile section */
};

struct uki {
	enum uki_kind kind;
	enum arch arch;
	size_t n_sections;
	struct uki_section section[UKI_MAX_SECTIONS];
	uint32_t n_profiles; /* .profile sections */
	/* The certificate table; size 0: not signed. */
	uint32_t cert_offset, cert_size;
	/* For splicing. */
	uint32_t file_alignment, section_alignment;
	uint32_t size_of_image, size_of_headers;
	uint32_t pe_at; /* file offset of "PE\0\0" */
	/* Zero bytes of the headers behind the section table. */
	uint32_t header_room;
};

struct uki_error {
	const char *what; /* static text */
	uint64_t at;	  /* file offset that it is about */
	char section[9];  /* "" or the section concerned */
};

/*
 * head: the first head_len bytes of a file of file_size bytes; head_len is
 * UKI_HEAD or the whole file if that is shorter. False: *ret_err says why.
 * What is refused is what firmware refuses or loads wrongly (EDK2's
 * BasePeCoff.c) and what a UKI's stub would misread.
 */
bool uki_parse(const uint8_t *head, size_t head_len, uint64_t file_size,
	struct uki *ret, struct uki_error *ret_err);

/*
 * The entries of the certificate table, which mostly lies behind UKI_HEAD:
 * `table` is its first table_len bytes, at most cert_size; entries behind
 * those are not looked at. Firmware with Secure Boot rejects a file whose
 * entries do not fill the table. uki_parse has done this already for a table
 * within UKI_HEAD.
 */
bool uki_check_certificates(const struct uki *uki, const uint8_t *table,
	size_t table_len, struct uki_error *ret_err);

/* A section of the base profile by name; NULL if there is none. */
const struct uki_section *uki_find(const struct uki *uki, const char *name);
/* The same for profile n (1..): its own, else the base's. */
const struct uki_section *uki_find_in_profile(
	const struct uki *uki, uint32_t profile, const char *name);

/* What the kernel in .linux is, from its first bytes. */
struct uki_kernel {
	bool bzimage;	      /* an x86 kernel that BIOS loaders can start */
	enum arch arch;	      /* ARCH_INVALID: not a PE file */
	uint32_t cmdline_max; /* x86: longest command line; 0: not said */
};

void uki_inspect_kernel(
	const uint8_t *head, size_t head_len, struct uki_kernel *ret);

/*
 * A command line as an EFI stub or a boot script wants it: up to the first
 * NUL, trailing white space gone, inner line breaks and tabs made spaces.
 * Returns its length; ret holds at most cap - 1 characters and a NUL; SIZE_MAX
 * if it does not fit.
 */
size_t uki_clean_cmdline(
	const uint8_t *text, size_t len, char *ret, size_t cap);

/*
 * Splicing: the same file with another .cmdline, described as a list of
 * patches, so that nothing else is copied.
 */
#define UKI_MAX_PATCHES 8

struct uki_patch {
	uint64_t at; /* file offset; from file_size on: appended */
	uint32_t len;
	uint8_t bytes[8];    /* for patches of the headers */
	const uint8_t *text; /* instead of bytes: the new content */
};

struct uki_splice {
	uint64_t new_size; /* of the whole file: zeros fill any gap */
	size_t n_patches;  /* ascending, not overlapping */
	struct uki_patch patch[UKI_MAX_PATCHES];
};

/*
 * Give `uki` the command line `text` (len bytes, kept by the caller as long
 * as the splice). False if it cannot be done: signed (.pcrsig counts: it
 * covers .cmdline), several profiles, not a UKI, no room in the headers;
 * *ret_why says which (static text). With one profile its .cmdline is meant,
 * or else the base's: what boots without a selection.
 * The section is enlarged where its address range allows it; else it moves
 * behind the last section and SizeOfImage grows. If the file has no .cmdline
 * a section header is added, where the headers have room for one. CheckSum
 * becomes 0 (not computed): UEFI does not look at it.
 */
bool uki_splice_cmdline(const struct uki *uki, uint64_t file_size,
	const uint8_t *text, uint32_t len, struct uki_splice *ret,
	const char **ret_why);

#endif
