/*
 * files: what a machine fetches besides its image, under machines/ID/NAME.
 */
#ifndef CONFIG_FILES_H
#define CONFIG_FILES_H

#include <stddef.h>

#include "config/report.h"

struct config_file {
	const char *name, *path;
	struct config_at at;
};
struct config_files {
	size_t n;
	const struct config_file *file;
};

/*
 * NULL, or why a machine's file cannot have this name: under machines/ID/ it
 * must be one component of a path, no image and none of our own words.
 */
const char *config_why_no_file_name(const char *name);

#endif
