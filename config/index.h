/*
 * index: hash tables from what names a machine to the machine.
 *
 * Open addressing, linear probing, at most two thirds full. A slot holds 32
 * bits of the key's hash and a number of a machine (or group); the key itself
 * is compared where it is kept, in the machine.
 */
#ifndef CONFIG_INDEX_H
#define CONFIG_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/arena.h"
#include "config/config.h"

enum index_kind {
	INDEX_MAC,    /* keys: struct mac */
	INDEX_UUID,   /* struct uuid in canonical order, see index_uuid */
	INDEX_SERIAL, /* text, with its length */
	INDEX_PREFIX, /* struct config_prefix, zeroed behind len */
	INDEX_NAME,   /* text, as the following */
	INDEX_GROUP,
	INDEX_MAX
};

/* "mac", "uuid", "serial", "mac-prefix", "name", "name" */
const char *index_kind_key(enum index_kind kind);

struct index {
	uint32_t n_slots;
	struct index_slot {
		uint32_t hash;
		uint32_t number; /* from 1; 0: the slot is free */
	} * slots;
};

struct config_private {
	_Atomic size_t refs; /* the last one may go in a helper thread */
	struct arena arena;
	struct config_machine *machines; /* malloc'ed, as are the groups */
	struct config_group *groups;
	struct index index[INDEX_MAX];
	unsigned prefix_lens;	   /* bit n: there is a prefix of n bytes */
	struct config_at offer_at; /* of dhcp.offer */
};

/*
 * The one of a UUID's two byte orders that stands for both: firmware reports
 * either.
 */
struct uuid index_uuid(const struct uuid *uuid);
/* Whether a machine has one that is indexed: junk must never match. */
bool index_has_uuid(const struct config_machine *machine);

/* Two machines (or groups) with the same key; first < second, or equal. */
struct index_clash {
	enum index_kind kind;
	size_t first, second;
	const void *key;
	size_t key_len;
};

/*
 * Fill all tables from config's machines and groups; every clash is handed to
 * tell, and the first one stays. false: out of memory.
 */
bool index_build(struct config *config,
	void (*tell)(void *context, const struct index_clash *clash),
	void *context);
void index_done(struct config_private *private);
/* The number of the machine or group, from 0; SIZE_MAX: none. */
size_t index_find(const struct config *config, enum index_kind kind,
	const void *key, size_t len);

#endif
