/*
 * loader: one load while it goes on: what load.c and its neighbours share.
 * Nobody else includes this.
 *
 * Every function that reads a part takes the node and the key's row, puts the
 * value where it belongs, and goes on after a message if it cannot: the one
 * question whether all went well is asked at the end.
 */
#ifndef CONFIG_LOADER_H
#define CONFIG_LOADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "config/arena.h"
#include "config/config.h"
#include "config/diag.h"
#include "config/index.h"
#include "config/names.h"
#include "config/schema.h"
#include "config/tree.h"

struct loader {
	struct config *config;
	struct arena *arena; /* the config's: what stays */
	struct intern intern;
	struct arena trees; /* what goes when the load is over */
	struct diag diag;
	struct config_report *report; /* of the caller */
	bool from_text;	 /* there is no directory to include from */
	bool incomplete; /* a file could not be read: do not miss its groups */

	/* The files by their index: names as shown and opened, identities. */
	const char **names;
	struct loader_file {
		dev_t dev;
		ino_t ino;
	} * files;
	size_t n_files, cap_names, cap_files;
	uint16_t file;	 /* the one being read */
	const char *dir; /* its directory, absolute, '/' at the end */

	/* What is being read, for messages: see loader_error. */
	const char *kind;	  /* "dhcp", "machine", ...; NULL: top level */
	bool item;		  /* kind is one of many, with a name */
	const struct node *named; /* that name; NULL: none is known */
	const char *key, *subkey; /* NULL: none */

	/* The node of each machine, and of each group's name. */
	const struct node **machine_nodes, **group_nodes;
	size_t n_machines, cap_machines, cap_machine_nodes;
	size_t n_groups, cap_groups, cap_group_nodes;
};

/* loader.c */

/*
 * Messages, with what is being read before the text: "dhcp.port: ...",
 * "machine 'lab-01': mac: ...". node is where; NULL: the file as a whole.
 */
void loader_error(struct loader *l, const struct node *node, const char *format,
	...) __attribute__((format(printf, 3, 4)));
void loader_warn(struct loader *l, const struct node *node, const char *format,
	...) __attribute__((format(printf, 3, 4)));
/*
 * Whether the messages are so many that an error is only counted; then it is.
 * To ask before a search for what may have been meant.
 */
bool loader_error_is_late(struct loader *l);
/*
 * Room for item n in a malloc'ed array of *cap items: the array, perhaps moved
 * and larger. NULL: out of memory, which is remembered; items is as it was.
 */
void *loader_grow(
	struct loader *l, void *items, size_t *cap, size_t n, size_t item_len);

/* mapping.c */

/* A mapping's keys go to the first of these sections that knows them. */
struct target {
	enum schema_section section;
	void *base; /* the section's struct */
};
void load_mapping(struct loader *l, const struct node *mapping,
	const struct target *targets, size_t n_targets);
/*
 * Call load for each item of a list, or for the node itself if it is none; a
 * null node has no items. More than the key's max are refused.
 */
void load_items(struct loader *l, const struct schema_key *key,
	const struct node *node,
	void (*load)(struct loader *l, const struct schema_key *key,
		const struct node *item, void *context),
	void *context);

/* value.c */

/* A scalar of a type before VALUE_SCALARS; false after a message. */
bool value_load(struct loader *l, const struct schema_key *key,
	const struct node *node, void *ret);
/* Whether the node is a scalar with a value; a message if not. */
bool value_is_scalar(struct loader *l, const struct schema_key *key,
	const struct node *node);

/* The values of the other types; base is the section's struct. */

/* load.c */
void load_interfaces(struct loader *l, const struct schema_key *key,
	const struct node *node, void *base);
void load_networks(struct loader *l, const struct schema_key *key,
	const struct node *node, void *base);
void load_loaders(struct loader *l, const struct schema_key *key,
	const struct node *node, void *base);
void load_settings_loaders(struct loader *l, const struct schema_key *key,
	const struct node *node, void *base);
void load_files(struct loader *l, const struct schema_key *key,
	const struct node *node, void *base);
void load_dhcp(struct loader *l, const struct schema_key *key,
	const struct node *node, void *base);
void load_tftp(struct loader *l, const struct schema_key *key,
	const struct node *node, void *base);
void load_http(struct loader *l, const struct schema_key *key,
	const struct node *node, void *base);
void load_history(struct loader *l, const struct schema_key *key,
	const struct node *node, void *base);
void load_defaults(struct loader *l, const struct schema_key *key,
	const struct node *node, void *base);

/* machine.c */
void load_macs(struct loader *l, const struct schema_key *key,
	const struct node *node, void *base);
void load_prefixes(struct loader *l, const struct schema_key *key,
	const struct node *node, void *base);
void load_uuid(struct loader *l, const struct schema_key *key,
	const struct node *node, void *base);
void load_groups(struct loader *l, const struct schema_key *key,
	const struct node *node, void *base);
void load_machines(struct loader *l, const struct schema_key *key,
	const struct node *node, void *base);
/* An included file: machines, one machine, or a mapping of both kinds. */
void load_part(struct loader *l, const struct node *root);

/* include.c */
void load_include(struct loader *l, const struct schema_key *key,
	const struct node *node, void *base);
/*
 * Read the main file, of whatever kind. false after a message; *ret is NULL if
 * the file is empty.
 */
bool load_file(struct loader *l, const char *name, const struct node **ret);
/* The same from memory. */
bool load_text(struct loader *l, const char *name, const char *text, size_t len,
	const struct node **ret);

/* finish.c: what can be checked only when all files are read. */
void load_finish(struct loader *l);

#endif
