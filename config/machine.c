#include <string.h>

#include "config/loader.h"
#include "config/settings.h"

/* What load_mac and load_prefix fill. */
struct identities {
	struct mac *macs;
	struct config_prefix *prefixes;
	uint8_t n; /* the keys' max is 64 */
};

static void load_mac(struct loader *l, const struct schema_key *key,
	const struct node *node, void *context)
{
	struct identities *to = context;
	struct config_prefix prefix;
	struct uuid uuid;
	char text[QUOTE_LEN];
	const char *hint = "";
	struct mac mac;

	if (!value_is_scalar(l, key, node))
		return;
	quote(node->text, node->len, text);
	if (!mac_parse(node->text, node->len, &mac)) {
		if (prefix_parse(node->text, node->len, &prefix))
			hint = "; for the first bytes alone there is"
			       " 'mac-prefix'";
		else if (uuid_parse(node->text, node->len, &uuid))
			hint = "; it is a UUID, for which there is 'uuid'";
		loader_error(l, node,
			"%s is not a MAC address: six pairs of hexadecimal"
			" digits, such as 52:54:00:12:34:56%s",
			text, hint);
		return;
	}
	if (!mac_is_unicast(&mac)) {
		loader_error(l, node,
			"%s is a group's address or zero: no machine has that",
			text);
		return;
	}
	to->macs[to->n++] = mac;
}

static void load_prefix(struct loader *l, const struct schema_key *key,
	const struct node *node, void *context)
{
	struct identities *to = context;
	struct config_prefix prefix;
	char text[QUOTE_LEN];
	struct mac mac;

	if (!value_is_scalar(l, key, node))
		return;
	quote(node->text, node->len, text);
	if (!prefix_parse(node->text, node->len, &prefix)) {
		loader_error(l, node,
			"%s is not the beginning of a MAC address: one to five"
			" pairs of hexadecimal digits, such as 52:54:00%s",
			text,
			mac_parse(node->text, node->len, &mac)
				? "; for a whole one there is 'mac'"
				: "");
		return;
	}
	if (prefix.b[0] & 1) {
		loader_error(l, node,
			"%s begins the addresses of groups: no machine has"
			" such",
			text);
		return;
	}
	to->prefixes[to->n++] = prefix;
}

/* How many identities a node may hold; at least 1. */
static size_t count_items(const struct schema_key *key, const struct node *node)
{
	if (node->type != NODE_LIST || node->len == 0 || node->len > key->max)
		return 1;
	return node->len;
}

static void tell_if_empty(struct loader *l, const struct node *node)
{
	if (node_is_null(node) || (node->type == NODE_LIST && node->len == 0))
		loader_error(l, node,
			"no value; leave the key out if there is none");
}

void load_macs(struct loader *l, const struct schema_key *key,
	const struct node *node, void *base)
{
	struct config_machine *machine = base;
	struct identities to = {0};

	tell_if_empty(l, node);
	to.macs = arena_alloc(l->arena,
		count_items(key, node) * sizeof(struct mac),
		_Alignof(struct mac));
	if (!to.macs)
		return;
	load_items(l, key, node, load_mac, &to);
	machine->macs = to.macs;
	machine->n_macs = to.n;
}

void load_prefixes(struct loader *l, const struct schema_key *key,
	const struct node *node, void *base)
{
	struct config_machine *machine = base;
	struct identities to = {0};

	tell_if_empty(l, node);
	to.prefixes = arena_alloc(l->arena,
		count_items(key, node) * sizeof(struct config_prefix),
		_Alignof(struct config_prefix));
	if (!to.prefixes)
		return;
	load_items(l, key, node, load_prefix, &to);
	machine->prefixes = to.prefixes;
	machine->n_prefixes = to.n;
}

void load_uuid(struct loader *l, const struct schema_key *key,
	const struct node *node, void *base)
{
	struct config_machine *machine = base;
	struct uuid uuid;
	char text[QUOTE_LEN];

	if (!value_is_scalar(l, key, node))
		return;
	quote(node->text, node->len, text);
	if (!uuid_parse(node->text, node->len, &uuid)) {
		loader_error(l, node,
			"%s is not a UUID: 32 hexadecimal digits, such as"
			" 4c4c4544-0042-3010-8034-b7c04f503732",
			text);
		return;
	}
	if (uuid_is_junk(&uuid))
		loader_warn(l, node,
			"%s is a placeholder that many boards share: it will"
			" never match",
			text);
	machine->has_uuid = true;
	machine->uuid = uuid;
}

/* The first scalar there; NULL if there is none. */
static const struct node *first_scalar(const struct node *node)
{
	if (node && node->type == NODE_LIST)
		node = node->first;
	return node && node->type == NODE_SCALAR ? node : NULL;
}

/* From now on messages are about this machine or group. */
static void item_begin(
	struct loader *l, const char *kind, const struct node *named)
{
	l->kind = kind;
	l->item = true;
	l->named = named;
	l->key = NULL;
}

static void item_end(struct loader *l)
{
	l->kind = NULL;
	l->item = false;
	l->named = NULL;
	l->key = NULL;
}

/* Settings that stay: one struct serves all that say nothing. */
static const struct config_settings *settings_keep(
	struct loader *l, const struct config_settings *settings)
{
	struct config_settings *kept;

	if (settings_is_empty(settings))
		return &settings_none;
	kept = arena_alloc(
		l->arena, sizeof(*kept), _Alignof(struct config_settings));
	if (!kept)
		return &settings_none;
	*kept = *settings;
	return kept;
}

static void check_identity(struct loader *l, const struct node *node)
{
	static const char *const keys[] = {
		"mac", "uuid", "serial", "mac-prefix"};

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		if (node_get(node, keys[i]))
			return;
	}
	loader_error(l, node,
		"nothing to know it by: it needs mac, uuid, serial or"
		" mac-prefix");
}

static bool machines_grow(struct loader *l)
{
	struct config_private *private = l->config->private;
	struct config_machine *machines = loader_grow(l, private->machines,
		&l->cap_machines, l->n_machines, sizeof(struct config_machine));
	const struct node **nodes;

	if (!machines)
		return false;
	private->machines = machines;
	nodes = loader_grow(l, l->machine_nodes, &l->cap_machine_nodes,
		l->n_machines, sizeof(const struct node *));
	if (!nodes)
		return false;
	l->machine_nodes = nodes;
	return true;
}

static void load_machine(struct loader *l, const struct schema_key *key,
	const struct node *node, void *context)
{
	struct config_private *private = l->config->private;
	struct config_settings settings = settings_none;
	const struct node *named = first_scalar(node_get(node, "name"));
	struct config_machine machine = {.settings = &settings_none};
	const struct target targets[] = {
		{SECTION_MACHINE, &machine}, {SECTION_SETTINGS, &settings}};

	(void)context;
	if (l->n_machines == key->max) {
		loader_error(l, node, "more than %u machines", key->max);
		return;
	}
	if (!machines_grow(l))
		return;
	if (!named)
		named = first_scalar(node_get(node, "mac"));
	item_begin(l, "machine", named);
	machine.at = node_at(node, l->file);
	load_mapping(l, node, targets, 2);
	if (node->type == NODE_MAPPING) {
		check_identity(l, node);
		machine.settings = settings_keep(l, &settings);
		private->machines[l->n_machines] = machine;
		l->machine_nodes[l->n_machines] = node;
		l->n_machines++;
	}
	item_end(l);
}

/* Whether a list is one; null is an empty one. */
static bool check_list(
	struct loader *l, const struct node *node, const char *wanted)
{
	if (node->type == NODE_LIST || node_is_null(node))
		return true;
	loader_error(l, node, "this is %s, wanted is a list %s",
		node_type_text(node), wanted);
	return false;
}

void load_machines(struct loader *l, const struct schema_key *key,
	const struct node *node, void *base)
{
	(void)base;
	if (check_list(l, node,
		    "of machines, each beginning with '- ' and followed by its"
		    " keys, such as name and mac"))
		load_items(l, key, node, load_machine, NULL);
}

static bool groups_grow(struct loader *l)
{
	struct config_private *private = l->config->private;
	struct config_group *groups = loader_grow(l, private->groups,
		&l->cap_groups, l->n_groups, sizeof(struct config_group));
	const struct node **nodes;

	if (!groups)
		return false;
	private->groups = groups;
	nodes = loader_grow(l, l->group_nodes, &l->cap_group_nodes, l->n_groups,
		sizeof(const struct node *));
	if (!nodes)
		return false;
	l->group_nodes = nodes;
	return true;
}

/*
 * A group as an item of a list, or, with name, as the value of that key; then
 * it may be null.
 */
static void load_group(struct loader *l, const struct schema_key *key,
	const struct node *name, const struct node *node)
{
	struct config_private *private = l->config->private;
	struct config_group group = {.settings = &settings_none};
	struct config_settings settings = settings_none;
	const struct target targets[] = {
		{SECTION_SETTINGS, &settings}, {SECTION_GROUP, &group}};
	const struct node *named = name ? name : node_get(node, "name");

	if (l->n_groups == key->max) {
		loader_error(l, node, "more than %u groups", key->max);
		return;
	}
	if (!groups_grow(l))
		return;
	item_begin(l, "group", first_scalar(named));
	group.at = node_at(named ? named : node, l->file);
	if (name)
		value_load(l, schema_find(SECTION_GROUP, "name"), name,
			&group.name);
	if (!name || !node_is_null(node))
		load_mapping(l, node, targets, name ? 1 : 2);
	if (!named && node->type == NODE_MAPPING)
		loader_error(l, node, "a group needs a name");
	if (group.name) {
		group.settings = settings_keep(l, &settings);
		private->groups[l->n_groups] = group;
		l->group_nodes[l->n_groups] = named;
		l->n_groups++;
	}
	item_end(l);
}

static void load_group_item(struct loader *l, const struct schema_key *key,
	const struct node *node, void *context)
{
	(void)context;
	load_group(l, key, NULL, node);
}

void load_groups(struct loader *l, const struct schema_key *key,
	const struct node *node, void *base)
{
	(void)base;
	if (node->type != NODE_MAPPING) {
		if (check_list(l, node,
			    "of groups with names, or a mapping from names to"
			    " settings"))
			load_items(l, key, node, load_group_item, NULL);
		return;
	}
	for (const struct node *k = node->first; k; k = k->next)
		load_group(l, key, k, k->value);
}

/* The keys of an included mapping that is not a machine. */
static void load_part_mapping(struct loader *l, const struct node *root)
{
	static const char *const names[] = {"groups", "machines"};

	for (const struct node *k = root->first; k; k = k->next) {
		const struct schema_key *key =
			schema_find(SECTION_TOP, k->text);
		char text[QUOTE_LEN];

		if (strcmp(k->text, names[0]) != 0 &&
			strcmp(k->text, names[1]) != 0) {
			loader_error(l, k,
				"unknown key %s in an included file: there,"
				" 'machines' and 'groups' are known%s",
				quote(k->text, k->len, text),
				key ? ", the others belong to the main file"
				    : "");
			continue;
		}
		l->key = key->name;
		if (key->type == VALUE_GROUPS)
			load_groups(l, key, k->value, l->config);
		else
			load_machines(l, key, k->value, l->config);
		l->key = NULL;
	}
}

void load_part(struct loader *l, const struct node *root)
{
	const struct schema_key *key = schema_find(SECTION_TOP, "machines");

	if (!root || node_is_null(root))
		return;
	if (root->type == NODE_LIST)
		load_items(l, key, root, load_machine, NULL);
	else if (node_get(root, "machines") || node_get(root, "groups"))
		load_part_mapping(l, root);
	else
		load_machine(l, key, root, NULL);
}
