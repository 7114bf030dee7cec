#include <stdio.h>
#include <string.h>

#include "config/loader.h"
#include "config/settings.h"

/* A place in words: "line 7", or with its file if that is another. */
static const char *place_text(const struct loader *l, struct config_at at,
	uint16_t here, char ret[512])
{
	if (at.file == here)
		snprintf(ret, 512, "line %u", at.line);
	else
		snprintf(ret, 512, "%s:%u:%u", l->names[at.file], at.line,
			at.column);
	return ret;
}

/* Whether this item of a list is the address or prefix that clashes. */
static bool says(const struct node *node, const struct index_clash *clash)
{
	struct config_prefix prefix;
	struct mac mac;

	if (node->type != NODE_SCALAR)
		return false;
	if (clash->kind == INDEX_MAC)
		return mac_parse(node->text, node->len, &mac) &&
		       mac_equal(&mac, clash->key);
	return clash->kind == INDEX_PREFIX &&
	       prefix_parse(node->text, node->len, &prefix) &&
	       memcmp(&prefix, clash->key, sizeof(prefix)) == 0;
}

/*
 * The node of machine i that says the clashing identity, after skip others
 * that say the same; the machine's own if there is none: its name may be one
 * that nobody wrote.
 */
static const struct node *clash_node(struct loader *l,
	const struct index_clash *clash, size_t i, size_t skip)
{
	const struct node *node, *items;

	if (clash->kind == INDEX_GROUP)
		return l->group_nodes[i];
	node = l->machine_nodes[i];
	items = node_get(node, index_kind_key(clash->kind));
	if (!items)
		return node;
	if (items->type != NODE_LIST)
		return items;
	for (items = items->first; items; items = items->next) {
		if (says(items, clash) && skip-- == 0)
			return items;
	}
	return node;
}

/*
 * What an unnamed machine has its name from; INDEX_MAX: it was given one, or
 * it has it from a UUID that is not indexed.
 */
static enum index_kind named_by(const struct loader *l, size_t i)
{
	const struct config_machine *machine = &l->config->machines[i];

	if (node_get(l->machine_nodes[i], "name"))
		return INDEX_MAX;
	if (machine->n_macs > 0)
		return INDEX_MAC;
	if (machine->has_uuid)
		return index_has_uuid(machine) ? INDEX_UUID : INDEX_MAX;
	return machine->serial ? INDEX_SERIAL : INDEX_PREFIX;
}

/* Two names that are one identity: the identity's clash is told already. */
static bool is_told(const struct loader *l, const struct index_clash *clash)
{
	enum index_kind by;

	if (clash->kind != INDEX_NAME)
		return false;
	by = named_by(l, clash->first);
	return by != INDEX_MAX && by == named_by(l, clash->second);
}

static void tell_clash(void *context, const struct index_clash *clash)
{
	struct loader *l = context;
	const struct config *config = l->config;
	bool group = clash->kind == INDEX_GROUP;
	bool same = clash->first == clash->second;
	const struct node *first, *second;
	struct config_at first_at, second_at;
	char text[QUOTE_LEN], place[512];
	struct node named = {.type = NODE_SCALAR};

	if (is_told(l, clash) || loader_error_is_late(l))
		return;
	if (group) {
		first_at = config->groups[clash->first].at;
		second_at = config->groups[clash->second].at;
		named.text = config->groups[clash->second].name;
	} else {
		first_at = config->machines[clash->first].at;
		second_at = config->machines[clash->second].at;
		named.text = config->machines[clash->second].name;
	}
	first = clash_node(l, clash, clash->first, 0);
	second = clash_node(l, clash, clash->second, same);
	l->file = second_at.file;
	l->kind = group ? "group" : "machine";
	l->item = true;
	named.len = (uint32_t)strlen(named.text);
	l->named = &named;
	l->key = index_kind_key(clash->kind);
	place_text(l, node_at(first, first_at.file), l->file, place);
	if (second->type == NODE_SCALAR)
		quote(second->text, second->len, text);
	else
		quote(named.text, named.len, text);
	if (second->type != NODE_SCALAR)
		loader_error(l, second,
			"it has none, and %s, which would be its name, is that"
			" of another (%s): give it one",
			text, place);
	else if (same)
		loader_error(l, second, "%s is given twice (%s)", text, place);
	else if (group || clash->kind == INDEX_NAME)
		loader_error(l, second, "%s is the name of another (%s)", text,
			place);
	else
		loader_error(l, second,
			"%s is that of machine '%s' already (%s)", text,
			config->machines[clash->first].name, place);
	l->kind = l->key = NULL;
	l->item = false;
	l->named = NULL;
}

static void tell_no_group(struct loader *l, size_t i)
{
	const struct config *config = l->config;
	const struct config_machine *machine = &config->machines[i];
	struct node named = {.text = machine->name, .type = NODE_SCALAR};
	struct suggest suggest;

	if (loader_error_is_late(l))
		return;
	suggest_init(&suggest, machine->group);
	for (size_t j = 0; j < config->n_groups; j++)
		suggest_try(&suggest, config->groups[j].name);
	l->file = machine->at.file;
	l->kind = "machine";
	l->item = true;
	named.len = (uint32_t)strlen(named.text);
	l->named = &named;
	l->key = "group";
	if (suggest_best(&suggest))
		loader_error(l, node_get(l->machine_nodes[i], "group"),
			"there is no group '%s': did you mean '%s'?",
			machine->group, suggest_best(&suggest));
	else
		loader_error(l, node_get(l->machine_nodes[i], "group"),
			"there is no group '%s'%s", machine->group,
			config->n_groups ? "" : ", nor any other");
	l->kind = l->key = NULL;
	l->item = false;
	l->named = NULL;
}

static void finish_machines(struct loader *l)
{
	struct config_private *private = l->config->private;
	char name[MACHINE_NAME_LEN];

	for (size_t i = 0; i < l->n_machines; i++) {
		struct config_machine *machine = &private->machines[i];

		if (machine->name)
			continue;
		machine_default_name(machine, name);
		machine->name = arena_text(l->arena, name, strlen(name));
		if (!machine->name)
			return;
	}
	if (!index_build(l->config, tell_clash, l)) {
		l->arena->failed = true;
		return;
	}
	for (size_t i = 0; i < l->n_machines && !l->incomplete; i++) {
		const char *group = private->machines[i].group;

		if (group && index_find(l->config, INDEX_GROUP, group,
				     strlen(group)) == SIZE_MAX)
			tell_no_group(l, i);
	}
}

/* Three UDP ports that must differ for the daemon to open them all. */
static void check_ports(struct loader *l)
{
	const struct config *config = l->config;
	const struct {
		const char *key;
		uint16_t port;
		struct config_at at;
	} ports[] = {{"dhcp.port", config->dhcp.port, config->dhcp.at},
		{"dhcp.pxe-port", config->dhcp.pxe_port, config->dhcp.at},
		{"tftp.port", config->tftp.port, config->tftp.at}};

	for (size_t i = 1; i < 3 && config->dhcp.enabled; i++) {
		for (size_t j = 0; j < i; j++) {
			if (ports[i].port != ports[j].port)
				continue;
			diag_add(&l->diag,
				ports[i].at.line ? ports[i].at : ports[j].at,
				false, "%s: %u is %s too: they must differ",
				ports[i].key, ports[i].port, ports[j].key);
		}
	}
}

void load_finish(struct loader *l)
{
	struct config *config = l->config;

	config->machines = config->private->machines;
	config->n_machines = l->n_machines;
	config->groups = config->private->groups;
	config->n_groups = l->n_groups;
	if (!l->arena->failed)
		finish_machines(l);
	for (size_t i = 0; i < config->n_machines && !l->diag.n_errors &&
			   !l->arena->failed;
		i++) {
		struct config_resolved set;

		config_resolve(config, &config->machines[i], &set);
		config->n_local += set.mode == CONFIG_MODE_LOCAL;
	}
	check_ports(l);
}
