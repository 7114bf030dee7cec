#include "daemon/ctl/assets.h"

#include <stdint.h>

#define ASSET(NAME, name, file)                                                \
	extern const char asset_##name[];                                      \
	extern const uint64_t asset_##name##_len;                              \
	__asm__(".pushsection .rodata\n"                                       \
		"asset_" #name ":\n"                                           \
		".incbin \"" file "\"\n"                                       \
		"asset_" #name "_end:\n"                                       \
		".balign 8\n"                                                  \
		"asset_" #name "_len:\n"                                       \
		".quad asset_" #name "_end - asset_" #name "\n"                \
		".popsection\n");
#include "daemon/ctl/assets.def"
#undef ASSET

struct asset asset_get(enum asset_name name)
{
	switch (name) {
#define ASSET(NAME, name, file)                                                \
	case ASSET_##NAME:                                                     \
		return (struct asset){asset_##name, asset_##name##_len};
#include "daemon/ctl/assets.def"
#undef ASSET
	case ASSET_MAX:
		break;
	}
	return (struct asset){"", 0};
}
