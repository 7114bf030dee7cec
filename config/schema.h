/*
 * schema: the rows of config/schema.def as a table. The loader, the defaults,
 * the dump and the checks of the documentation all read this one.
 */
#ifndef CONFIG_SCHEMA_H
#define CONFIG_SCHEMA_H

#include <stddef.h>
#include <stdint.h>

#include "proto/arch.h"

enum schema_section {
	SECTION_TOP, /* of struct config, as are the three services */
	SECTION_DHCP,
	SECTION_TFTP,
	SECTION_HTTP,
	SECTION_HISTORY,
	SECTION_MACHINE,  /* of struct config_machine */
	SECTION_GROUP,	  /* of struct config_group */
	SECTION_SETTINGS, /* of struct config_settings */
	SECTION_MAX
};

enum schema_type {
	/* Scalars, read by value_load. */
	VALUE_BOOL,
	VALUE_SWITCH, /* bool: auto or off */
	VALUE_MODE,
	VALUE_OFFER,
	VALUE_UNKNOWN,
	VALUE_PORT,   /* uint16_t */
	VALUE_NUMBER, /* uint32_t */
	VALUE_IPV4,   /* uint32_t */
	VALUE_URL,    /* const char *, as are the following */
	VALUE_PATH,
	VALUE_IMAGE,
	VALUE_IMAGE_URL, /* in the place of VALUE_IMAGE, with a '/' */
	VALUE_CMDLINE,
	VALUE_NAME,
	VALUE_GROUP_NAME,
	VALUE_SERIAL,
	VALUE_SHA256,
	VALUE_SCALARS,
	/* The others each have a function in the loader. */
	VALUE_UUID = VALUE_SCALARS,
	VALUE_MACS,
	VALUE_PREFIXES,
	VALUE_INTERFACES,
	VALUE_NETWORKS,
	VALUE_LOADERS,
	VALUE_SETTINGS_LOADERS,
	VALUE_FILES,
	VALUE_DHCP,
	VALUE_TFTP,
	VALUE_HTTP,
	VALUE_HISTORY,
	VALUE_DEFAULTS,
	VALUE_GROUPS,
	VALUE_MACHINES,
	VALUE_INCLUDE,
	VALUE_MAX
};

struct schema_key {
	const char *name;
	enum schema_section section;
	enum schema_type type;
	size_t offset;	  /* of the value in the section's struct */
	size_t at_offset; /* of its struct config_at; SIZE_MAX: none */
	uint32_t min, max;
	const char *preset; /* the default's text, or NULL */
	const char *doc;
};

/* All rows; those of one section are neighbours. */
extern const struct schema_key schema_keys[];
extern const size_t schema_n_keys;

/* "" for SECTION_TOP, "dhcp", "machines", ... */
const char *schema_section_name(enum schema_section section);
/* NULL if the section has no such key. */
const struct schema_key *schema_find(
	enum schema_section section, const char *name);
/* The default loader of an architecture, or NULL. */
const char *schema_loader(enum arch arch);

#endif
