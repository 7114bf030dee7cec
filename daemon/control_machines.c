#include <stdio.h>

#include "daemon/clock.h"
#include "daemon/control_json.h"

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

static json_t *machine_json(
	const struct netuki *netuki, const struct config_machine *machine)
{
	struct decide_world world = netuki_world(netuki);
	const struct client_record *r = record_of(netuki, machine);
	struct config_resolved set, configured;
	struct decide_override override;
	json_t *o;

	decide_settings(&world, machine, &set, &override);
	config_resolve(netuki->config, machine, &configured);
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
	return config_find(
		config, &r->mac, r->has_uuid ? &r->uuid : NULL, NULL, NULL);
}

/* Who asked and is not in the configuration; oldest first. */
static json_t *unknown_json(const struct netuki *netuki)
{
	const struct client_record *r;
	json_t *list = json_array(), *o;

	TAILQ_FOREACH (r, clients_list(netuki->clients), lru) {
		if (is_known(netuki->config, r))
			continue;
		o = json_pack("{s:o}", "mac", json_of_mac(&r->mac));
		add_record(o, r);
		json_array_append_new(list, o);
	}
	return list;
}

json_t *control_machines(struct netuki *netuki, const json_t *request)
{
	const struct config *config = netuki->config;
	json_t *list;

	if (json_is_true(json_object_get(request, "unknown")))
		return json_pack("{s:o}", "machines", unknown_json(netuki));
	list = json_array();
	for (size_t i = 0; i < config->n_machines; i++)
		json_array_append_new(
			list, machine_json(netuki, &config->machines[i]));
	return json_pack("{s:o}", "machines", list);
}
