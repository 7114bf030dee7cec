/*
 * arch: the processor architectures netuki knows (proto/arch.def), and their
 * names in the configuration.
 */
#ifndef PROTO_ARCH_H
#define PROTO_ARCH_H

#include <stdint.h>

enum arch {
#define ARCH(NAME, text, pe) ARCH_##NAME,
#include "proto/arch.def"
#undef ARCH
	ARCH_MAX,
	ARCH_INVALID = -1
};

/* "x64"; "?" for ARCH_INVALID. */
const char *arch_name(enum arch arch);
enum arch arch_from_name(const char *name);
/* By COFF machine type; ARCH_INVALID if it is none of ours. */
enum arch arch_from_pe(uint16_t machine);

#endif
