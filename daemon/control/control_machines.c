#include <stdio.h>
#include <stdlib.h>

#include "daemon/base/clock.h"
#include "daemon/control/control_json.h"
#include "daemon/reload.h"

/* "52:54:00": the bytes of a MAC prefix. */
static json_t *prefix_json(const struct config_prefix *prefix)
{
	struct mac mac = {{0}};
	char text[MAC_TEXT_LEN];

	for (size_t i = 0; i < prefix->len; i++)
		mac.b[i] = prefix->b[i];
	mac_format(&mac, ':', text);
	return json_stringn(text, prefix->len * 3u - 1);
}

static void add_identity(json_t *o, const struct config_machine *machine)
{
	json_t *macs = json_array(), *prefixes;

	json_object_set_new(o, "name", json_string(machine->name));
	for (size_t i = 0; i < machine->n_macs; i++)
		json_array_append_new(macs, json_of_mac(&machine->macs[i]));
	json_object_set_new(o, "macs", macs);
	if (machine->n_prefixes) {
		prefixes = json_array();
		for (size_t i = 0; i < machine->n_prefixes; i++)
			json_array_append_new(
				prefixes, prefix_json(&machine->prefixes[i]));
		json_object_set_new(o, "mac-prefixes", prefixes);
	}
	if (machine->has_uuid)
		json_object_set_new(o, "uuid", json_of_uuid(&machine->uuid));
	if (machine->serial)
		json_object_set_new(o, "serial", json_string(machine->serial));
	if (machine->group)
		json_object_set_new(o, "group", json_string(machine->group));
}

static void add_record(json_t *o, const struct client_record *r)
{
	uint64_t ago_us = clock_us() - r->seen_us;

	json_object_set_new(o, "ip", json_of_ip(r->ip));
	json_object_set_new(o, "firmware", json_of_firmware(r->firmware));
	json_object_set_new(o, "arch", json_of_arch(r->arch));
	json_object_set_new(o, "vendor", json_string(r->vendor));
	if (r->has_uuid)
		json_object_set_new(o, "uuid", json_of_uuid(&r->uuid));
	json_object_set_new(o, "asked", json_integer((json_int_t)r->asked));
	json_object_set_new(
		o, "seconds-ago", json_integer((json_int_t)(ago_us / 1000000)));
	json_object_set_new(o, "loops", json_boolean(r->loops));
	json_object_set_new(o, "answered", json_boolean(r->answered));
	json_object_set_new(o, "reason", json_string(r->reason));
}

/* By whichever of its addresses it was last heard; NULL: by none yet. */
static const struct client_record *record_of(
	const struct netuki *netuki, const struct config_machine *machine)
{
	const struct client_record *r = NULL, *one;

	for (size_t i = 0; i < machine->n_macs; i++) {
		one = clients_find(netuki->clients, &machine->macs[i]);
		if (one && (!r || one->seen_us > r->seen_us))
			r = one;
	}
	return r;
}

/* The machine is one of this configuration, which may be older than netuki's.
 */
static json_t *machine_json(const struct netuki *netuki,
	const struct config *config, const struct config_machine *machine)
{
	struct decide_world world = netuki_world(netuki);
	const struct client_record *r = record_of(netuki, machine);
	struct config_resolved set, configured;
	struct decide_override override;
	json_t *o;

	world.config = config;
	decide_settings(&world, machine, &set, &override);
	config_resolve(config, machine, &configured);
	o = json_of_settings(&set, &override);
	json_object_set_new(
		o, "mode-from", json_string(config_origin_name(set.mode_from)));
	json_object_set_new(o, "image-from",
		json_string(config_origin_name(set.image_from)));
	json_object_set_new(
		o, "configured-mode", json_of_mode(configured.mode));
	json_object_set_new(
		o, "configured-image", json_of_text(configured.image));
	add_identity(o, machine);
	if (r)
		add_record(o, r);
	return o;
}

static bool is_known(const struct config *config, const struct client_record *r)
{
	return clients_machine(config, r) != NULL;
}

/* Those of the configuration, of the one when this was asked. */
struct known {
	struct control_list list;
	struct netuki *netuki;
	struct config *config;
	size_t at;
};

static bool next_known(struct control_list *list, json_t **ret)
{
	struct known *known = (struct known *)(void *)list;

	if (known->at == known->config->n_machines)
		return false;
	*ret = machine_json(known->netuki, known->config,
		&known->config->machines[known->at++]);
	return true;
}

static void free_known(struct control_list *list)
{
	struct known *known = (struct known *)(void *)list;

	reload_drop_config(known->netuki, known->config);
	free(known);
}

static struct control_list *list_known(struct netuki *netuki)
{
	struct known *known = malloc(sizeof(*known));

	if (!known)
		return NULL;
	*known = (struct known){
		.list = {next_known, free_known},
		.netuki = netuki,
		.config = config_ref(netuki->config),
	};
	return &known->list;
}

/* Who asked and is not in the configuration; oldest first. */
struct unknown {
	struct control_list list;
	const struct netuki *netuki;
	size_t n, at;
	struct mac mac[];
};

static bool next_unknown(struct control_list *list, json_t **ret)
{
	struct unknown *unknown = (struct unknown *)(void *)list;
	const struct netuki *netuki = unknown->netuki;
	const struct client_record *r;

	if (unknown->at == unknown->n)
		return false;
	r = clients_find(netuki->clients, &unknown->mac[unknown->at++]);
	*ret = json_null();
	if (!r || is_known(netuki->config, r))
		return true;
	*ret = json_pack("{s:o}", "mac", json_of_mac(&r->mac));
	if (*ret)
		add_record(*ret, r);
	return true;
}

static void free_unknown(struct control_list *list)
{
	free(list);
}

static struct control_list *list_unknown(const struct netuki *netuki)
{
	struct unknown *unknown =
		malloc(sizeof(*unknown) + CLIENTS_MAX * sizeof(*unknown->mac));
	const struct client_record *r;

	if (!unknown)
		return NULL;
	*unknown = (struct unknown){
		.list = {next_unknown, free_unknown}, .netuki = netuki};
	TAILQ_FOREACH (r, clients_list(netuki->clients), lru)
		if (unknown->n < CLIENTS_MAX)
			unknown->mac[unknown->n++] = r->mac;
	return &unknown->list;
}

json_t *control_machines(struct netuki *netuki, const json_t *request,
	struct control_list **ret_list)
{
	*ret_list = json_is_true(json_object_get(request, "unknown"))
			    ? list_unknown(netuki)
			    : list_known(netuki);
	return *ret_list ? json_object() : control_error("memory is short");
}
