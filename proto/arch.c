#include "proto/arch.h"

#include <stddef.h>
#include <string.h>

static const struct {
	const char *name;
	uint16_t pe; /* 0: no PE machine */
} archs[ARCH_MAX] = {
#define ARCH(NAME, text, pe) [ARCH_##NAME] = {text, pe},
#include "proto/arch.def"
#undef ARCH
};

const char *arch_name(enum arch arch)
{
	if (arch < 0 || arch >= ARCH_MAX)
		return "?";
	return archs[arch].name;
}

enum arch arch_from_name(const char *name)
{
	int i;

	for (i = 0; i < ARCH_MAX; i++)
		if (strcmp(archs[i].name, name) == 0)
			return (enum arch)i;
	return ARCH_INVALID;
}

enum arch arch_from_pe(uint16_t machine)
{
	int i;

	for (i = 0; i < ARCH_MAX; i++)
		if (archs[i].pe != 0 && archs[i].pe == machine)
			return (enum arch)i;
	return ARCH_INVALID;
}
