/*
 * assets: files of the source tree that are part of the program.
 */
#ifndef DAEMON_CTL_ASSETS_H
#define DAEMON_CTL_ASSETS_H

#include <stddef.h>

struct asset {
	const char *data;
	size_t len;
};

enum asset_name {
#define ASSET(NAME, name, file) ASSET_##NAME,
#include "daemon/ctl/assets.def"
#undef ASSET
	ASSET_MAX
};

struct asset asset_get(enum asset_name name);

#endif
