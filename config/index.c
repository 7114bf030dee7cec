#include "config/index.h"

#include <stdlib.h>
#include <string.h>

const char *index_kind_key(enum index_kind kind)
{
	static const char *const keys[INDEX_MAX] = {[INDEX_MAC] = "mac",
		[INDEX_UUID] = "uuid",
		[INDEX_SERIAL] = "serial",
		[INDEX_PREFIX] = "mac-prefix",
		[INDEX_NAME] = "name",
		[INDEX_GROUP] = "name"};

	return keys[kind];
}

struct uuid index_uuid(const struct uuid *uuid)
{
	struct uuid other = uuid_swap(uuid);

	return memcmp(uuid, &other, sizeof(other)) <= 0 ? *uuid : other;
}

static bool text_is(const char *text, const char *key, size_t len)
{
	return text && strncmp(text, key, len) == 0 && text[len] == '\0';
}

static bool prefix_equal(
	const struct config_prefix *a, const struct config_prefix *b)
{
	return a->len == b->len && memcmp(a->b, b->b, a->len) == 0;
}

/* Whether this key is among those of machine (or group) i. */
static bool key_is(const struct config *config, enum index_kind kind, size_t i,
	const void *key, size_t len)
{
	const struct config_machine *machine =
		kind == INDEX_GROUP ? NULL : &config->machines[i];
	struct uuid uuid;

	switch (kind) {
	case INDEX_MAC:
		for (size_t j = 0; j < machine->n_macs; j++) {
			if (mac_equal(&machine->macs[j], key))
				return true;
		}
		return false;
	case INDEX_UUID:
		uuid = index_uuid(&machine->uuid);
		return machine->has_uuid && uuid_equal(&uuid, key);
	case INDEX_SERIAL:
		return text_is(machine->serial, key, len);
	case INDEX_PREFIX:
		for (size_t j = 0; j < machine->n_prefixes; j++) {
			if (prefix_equal(&machine->prefixes[j], key))
				return true;
		}
		return false;
	case INDEX_NAME:
		return text_is(machine->name, key, len);
	case INDEX_GROUP:
		return text_is(config->groups[i].name, key, len);
	case INDEX_MAX:
		break;
	}
	return false;
}

/*
 * The slot where this key is, or the free one where it would be; the table
 * has slots.
 */
static struct index_slot *index_slot(const struct config *config,
	enum index_kind kind, const void *key, size_t len, uint32_t hash)
{
	const struct index *index = &config->private->index[kind];
	uint32_t i = (uint32_t)((uint64_t)hash * index->n_slots >> 32);

	for (;; i = i + 1 < index->n_slots ? i + 1 : 0) {
		struct index_slot *slot = &index->slots[i];

		if (slot->number == 0)
			return slot;
		if (slot->hash == hash &&
			key_is(config, kind, slot->number - 1, key, len))
			return slot;
	}
}

static uint32_t key_hash(const void *key, size_t len)
{
	return (uint32_t)(hash_bytes(key, len) >> 32);
}

size_t index_find(const struct config *config, enum index_kind kind,
	const void *key, size_t len)
{
	if (config->private->index[kind].n_slots == 0)
		return SIZE_MAX;
	/* A free slot's 0 wraps to SIZE_MAX. */
	return (size_t)index_slot(config, kind, key, len, key_hash(key, len))
		       ->number -
	       1;
}

/* What index_build is at. */
struct build {
	struct config *config;
	void (*tell)(void *context, const struct index_clash *clash);
	void *context;
};

static void put(struct build *b, enum index_kind kind, size_t i,
	const void *key, size_t len)
{
	uint32_t hash = key_hash(key, len);
	struct index_slot *slot = index_slot(b->config, kind, key, len, hash);

	if (slot->number == 0) {
		slot->hash = hash;
		slot->number = (uint32_t)i + 1;
		return;
	}
	b->tell(b->context,
		&(struct index_clash){kind, slot->number - 1, i, key, len});
}

static void put_text(
	struct build *b, enum index_kind kind, size_t i, const char *text)
{
	if (text)
		put(b, kind, i, text, strlen(text));
}

bool index_has_uuid(const struct config_machine *machine)
{
	return machine->has_uuid && !uuid_is_junk(&machine->uuid);
}

static bool index_alloc(struct index *index, uint64_t n_keys)
{
	uint64_t n = n_keys + n_keys / 2 + 1;

	if (n_keys == 0)
		return true;
	if (n > UINT32_MAX)
		return false;
	index->slots = calloc(n, sizeof(*index->slots));
	index->n_slots = index->slots ? (uint32_t)n : 0;
	return index->slots != NULL;
}

static bool index_alloc_all(struct config *config)
{
	uint64_t n[INDEX_MAX] = {[INDEX_NAME] = config->n_machines,
		[INDEX_GROUP] = config->n_groups};

	for (size_t i = 0; i < config->n_machines; i++) {
		const struct config_machine *machine = &config->machines[i];

		n[INDEX_MAC] += machine->n_macs;
		n[INDEX_PREFIX] += machine->n_prefixes;
		n[INDEX_UUID] += index_has_uuid(machine);
		n[INDEX_SERIAL] += machine->serial != NULL;
	}
	for (size_t kind = 0; kind < INDEX_MAX; kind++) {
		if (!index_alloc(&config->private->index[kind], n[kind]))
			return false;
	}
	return true;
}

bool index_build(struct config *config,
	void (*tell)(void *context, const struct index_clash *clash),
	void *context)
{
	struct build b = {config, tell, context};

	if (!index_alloc_all(config))
		return false;
	for (size_t i = 0; i < config->n_groups; i++)
		put_text(&b, INDEX_GROUP, i, config->groups[i].name);
	for (size_t i = 0; i < config->n_machines; i++) {
		const struct config_machine *machine = &config->machines[i];

		put_text(&b, INDEX_NAME, i, machine->name);
		put_text(&b, INDEX_SERIAL, i, machine->serial);
		for (size_t j = 0; j < machine->n_macs; j++)
			put(&b, INDEX_MAC, i, &machine->macs[j],
				sizeof(machine->macs[j]));
		for (size_t j = 0; j < machine->n_prefixes; j++) {
			const struct config_prefix *p = &machine->prefixes[j];

			put(&b, INDEX_PREFIX, i, p, sizeof(*p));
			config->private->prefix_lens |= 1u << p->len;
		}
		if (index_has_uuid(machine)) {
			struct uuid uuid = index_uuid(&machine->uuid);

			put(&b, INDEX_UUID, i, &uuid, sizeof(uuid));
		}
	}
	return true;
}

void index_done(struct config_private *private)
{
	for (size_t kind = 0; kind < INDEX_MAX; kind++)
		free(private->index[kind].slots);
}

static const struct config_machine *machine_or_null(
	const struct config *config, size_t i)
{
	return i == SIZE_MAX ? NULL : &config->machines[i];
}

static const struct config_machine *find_prefix(
	const struct config *config, const struct mac *mac)
{
	size_t i = SIZE_MAX;

	for (uint8_t len = 5; len > 0 && i == SIZE_MAX; len--) {
		struct config_prefix prefix = {.len = len};

		if (!(config->private->prefix_lens & 1u << len))
			continue;
		memcpy(prefix.b, mac->b, len);
		i = index_find(config, INDEX_PREFIX, &prefix, sizeof(prefix));
	}
	return machine_or_null(config, i);
}

const struct config_machine *config_find(const struct config *config,
	const struct mac *mac, const struct uuid *uuid, const char *serial,
	const char **ret_by)
{
	const struct config_machine *found = NULL;
	enum index_kind by = INDEX_MAC;

	if (mac)
		found = machine_or_null(
			config, index_find(config, by, mac, sizeof(*mac)));
	if (!found && uuid) {
		struct uuid key = index_uuid(uuid);

		by = INDEX_UUID;
		found = machine_or_null(
			config, index_find(config, by, &key, sizeof(key)));
	}
	if (!found && serial) {
		by = INDEX_SERIAL;
		found = machine_or_null(
			config, index_find(config, by, serial, strlen(serial)));
	}
	if (!found && mac) {
		by = INDEX_PREFIX;
		found = find_prefix(config, mac);
	}
	if (found && ret_by)
		*ret_by = index_kind_key(by);
	return found;
}

const struct config_machine *config_find_name(
	const struct config *config, const char *name)
{
	return machine_or_null(
		config, index_find(config, INDEX_NAME, name, strlen(name)));
}
