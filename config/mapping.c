#include <stdio.h>
#include <string.h>

#include "config/loader.h"

/* Add a word to a list with commas; what does not fit is left out. */
static void list_add(char *list, size_t cap, const char *word)
{
	size_t n = strlen(list);

	if (n + strlen(word) + 3 <= cap)
		snprintf(list + n, cap - n, "%s%s", n ? ", " : "", word);
}

static bool in_targets(const struct schema_key *key,
	const struct target *targets, size_t n_targets)
{
	for (size_t i = 0; i < n_targets; i++) {
		if (key->section == targets[i].section)
			return true;
	}
	return false;
}

/*
 * An unknown key is a key of another place, or a slip, or else all that there
 * are may help.
 */
static void tell_unknown(struct loader *l, const struct node *node,
	const struct target *targets, size_t n_targets)
{
	char text[QUOTE_LEN], homes[128] = "", all[256] = "";
	struct suggest suggest;

	if (loader_error_is_late(l))
		return;
	quote(node->text, node->len, text);
	suggest_init(&suggest, node->text);
	for (size_t i = 0; i < schema_n_keys; i++) {
		const struct schema_key *key = &schema_keys[i];
		const char *home = schema_section_name(key->section);

		if (in_targets(key, targets, n_targets)) {
			suggest_try(&suggest, key->name);
			list_add(all, sizeof(all), key->name);
		} else if (strcmp(key->name, node->text) == 0) {
			list_add(homes, sizeof(homes),
				*home ? home : "the main file's top level");
		}
	}
	if (*homes)
		loader_error(l, node, "unknown key %s here: it belongs to %s",
			text, homes);
	else if (suggest_best(&suggest))
		loader_error(l, node, "unknown key %s: did you mean '%s'?",
			text, suggest_best(&suggest));
	else
		loader_error(l, node, "unknown key %s: known here are %s", text,
			all);
}

/* The values that are not scalars. */
static void load_other(struct loader *l, const struct schema_key *key,
	const struct node *node, void *base)
{
	static void (*const loads[VALUE_MAX])(struct loader * l,
		const struct schema_key *key, const struct node *node,
		void *base) = {[VALUE_UUID] = load_uuid,
		[VALUE_MACS] = load_macs,
		[VALUE_PREFIXES] = load_prefixes,
		[VALUE_INTERFACES] = load_interfaces,
		[VALUE_NETWORKS] = load_networks,
		[VALUE_LOADERS] = load_loaders,
		[VALUE_SETTINGS_LOADERS] = load_settings_loaders,
		[VALUE_FILES] = load_files,
		[VALUE_DHCP] = load_dhcp,
		[VALUE_TFTP] = load_tftp,
		[VALUE_HTTP] = load_http,
		[VALUE_HISTORY] = load_history,
		[VALUE_DEFAULTS] = load_defaults,
		[VALUE_GROUPS] = load_groups,
		[VALUE_MACHINES] = load_machines,
		[VALUE_INCLUDE] = load_include};

	loads[key->type](l, key, node, base);
}

static void load_key(struct loader *l, const struct schema_key *key,
	const struct node *node, void *base)
{
	char *bytes = base;
	void *field = bytes + key->offset;

	if (key->type >= VALUE_SCALARS)
		load_other(l, key, node, base);
	else if (!value_load(l, key, node, field))
		return;
	if (key->at_offset != SIZE_MAX) {
		struct config_at at = node_at(node, l->file);

		memcpy(bytes + key->at_offset, &at, sizeof(at));
	}
}

void load_mapping(struct loader *l, const struct node *mapping,
	const struct target *targets, size_t n_targets)
{
	if (mapping->type != NODE_MAPPING) {
		loader_error(l, mapping,
			"this is %s, wanted is a mapping, that is 'key: value'"
			" lines",
			node_type_text(mapping));
		return;
	}
	for (const struct node *k = mapping->first; k; k = k->next) {
		const struct schema_key *key = NULL;
		size_t i = 0;

		for (; i < n_targets && !key; i++)
			key = schema_find(targets[i].section, k->text);
		if (!key) {
			tell_unknown(l, k, targets, n_targets);
			continue;
		}
		l->key = key->name;
		load_key(l, key, k->value, targets[i - 1].base);
		l->key = NULL;
	}
}

void load_items(struct loader *l, const struct schema_key *key,
	const struct node *node,
	void (*load)(struct loader *l, const struct schema_key *key,
		const struct node *item, void *context),
	void *context)
{
	if (node_is_null(node))
		return;
	if (node->type != NODE_LIST) {
		load(l, key, node, context);
		return;
	}
	if (node->len > key->max) {
		loader_error(l, node, "%u of them: at most %u are taken",
			node->len, key->max);
		return;
	}
	for (const struct node *item = node->first; item; item = item->next)
		load(l, key, item, context);
}
