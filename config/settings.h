/*
 * settings: what a machine, a group or the defaults may say, and the text
 * forms of what names a machine.
 */
#ifndef CONFIG_SETTINGS_H
#define CONFIG_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>

#include "config/config.h"

/* The loaders of whoever says none: ARCH_MAX times NULL. */
extern const char *const settings_no_loader[ARCH_MAX];
/* The settings of whoever says nothing. */
extern const struct config_settings settings_none;
/* Whether these settings say nothing. */
bool settings_is_empty(const struct config_settings *settings);

#define PREFIX_TEXT_LEN 15 /* "52:54:00:12:34" and NUL */
/*
 * One to five bytes as pairs of hexadecimal digits of either case, with ':' or
 * '-' between all of them or between none.
 */
bool prefix_parse(const char *text, size_t len, struct config_prefix *ret);
/* Lower case, with ':'. */
void prefix_format(
	const struct config_prefix *prefix, char ret[PREFIX_TEXT_LEN]);

#define MACHINE_NAME_LEN 129 /* a serial number and NUL */
/*
 * The name of a machine that was not given one: its first MAC address, else
 * its UUID, its serial number or its first MAC prefix; "" if it has none.
 */
void machine_default_name(
	const struct config_machine *machine, char ret[MACHINE_NAME_LEN]);

#endif
