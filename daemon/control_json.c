#include "daemon/control_json.h"

#include <arpa/inet.h>
#include <string.h>

#include "daemon/clients.h"
#include "daemon/clock.h"
#include "daemon/content.h"
#include "daemon/dhcp_service.h"
#include "daemon/http_service.h"
#include "daemon/netif.h"
#include "daemon/reload.h"
#include "daemon/tftp_service.h"

static json_t *text_or_null(const char *text)
{
	return text ? json_string(text) : json_null();
}

static json_t *mac_json(const struct mac *mac)
{
	char text[MAC_TEXT_LEN];

	mac_format(mac, ':', text);
	return json_string(text);
}

static json_t *uuid_json(const struct uuid *uuid)
{
	char text[UUID_TEXT_LEN];

	uuid_format(uuid, text);
	return json_string(text);
}

static json_t *ip_json(uint32_t ip)
{
	struct in_addr addr = {htonl(ip)};
	char text[INET_ADDRSTRLEN];

	if (!ip)
		return json_null();
	inet_ntop(AF_INET, &addr, text, sizeof(text));
	return json_string(text);
}

static json_t *firmware_json(enum pxe_firmware firmware)
{
	return firmware < PXE_FIRMWARE_MAX
		       ? json_string(pxe_firmware_name(firmware))
		       : json_null();
}

static json_t *arch_json(enum arch arch)
{
	return arch != ARCH_INVALID ? json_string(arch_name(arch))
				    : json_null();
}

json_t *control_event(const struct journal_event *e)
{
	json_t *o = json_pack("{s:f, s:s}", "t", (double)e->t_us / 1e6, "event",
		journal_kind_name(e->kind));

	if (e->has_mac)
		json_object_set_new(o, "mac", mac_json(&e->mac));
	if (e->ip)
		json_object_set_new(o, "ip", ip_json(e->ip));
	if (e->firmware < PXE_FIRMWARE_MAX)
		json_object_set_new(o, "firmware", firmware_json(e->firmware));
	if (e->arch != ARCH_INVALID)
		json_object_set_new(o, "arch", arch_json(e->arch));
	if (e->file)
		json_object_set_new(o, "file", json_string(e->file));
	if (e->us) {
		json_object_set_new(
			o, "bytes", json_integer((json_int_t)e->bytes));
		json_object_set_new(
			o, "seconds", json_real((double)e->us / 1e6));
	}
	if (e->detail)
		json_object_set_new(o, "detail", json_string(e->detail));
	return o;
}

static json_t *interfaces_json(const struct netuki *netuki)
{
	json_t *list = json_array();

	for (size_t i = 0; i < netifs_count(netuki->netifs); i++) {
		const struct netif *netif = netifs_at(netuki->netifs, i);

		if (!netif->served)
			continue;
		json_array_append_new(list,
			json_pack("{s:s, s:o, s:i, s:o}", "name", netif->name,
				"address", ip_json(netif_server_addr(netif, 0)),
				"mtu", (int)netif->mtu, "mac",
				mac_json(&netif->mac)));
	}
	return list;
}

static json_t *counts_json(const struct netuki *netuki)
{
	struct tftp_counts t = tftp_service_counts(netuki->tftp);
	struct http_counts h = http_service_counts(netuki->http);
	json_t *o = json_object();

	if (netuki->dhcp) {
		struct dhcp_counts d = dhcp_service_counts(netuki->dhcp);

		json_object_set_new(o, "dhcp",
			json_pack("{s:I, s:I, s:I, s:I, s:I}", "received",
				(json_int_t)d.received, "malformed",
				(json_int_t)d.malformed, "ignored",
				(json_int_t)d.ignored, "offers",
				(json_int_t)d.offers, "acks",
				(json_int_t)d.acks));
	}
	json_object_set_new(o, "tftp",
		json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "requests",
			(json_int_t)t.requests, "completed",
			(json_int_t)t.completed, "refused",
			(json_int_t)t.refused, "failed",
			(json_int_t)(t.failed + t.gave_up), "over-cap",
			(json_int_t)t.over_cap, "running",
			(json_int_t)t.running));
	json_object_set_new(o, "http",
		json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "requests",
			(json_int_t)h.requests, "completed",
			(json_int_t)h.completed, "refused",
			(json_int_t)h.refused, "broken", (json_int_t)h.broken,
			"over-cap", (json_int_t)h.over_cap, "connections",
			(json_int_t)h.open));
	return o;
}

static json_t *status_json(const struct netuki *netuki)
{
	size_t ready = 0;

	for (size_t i = 0; i < netuki->images->n; i++)
		if (netuki->images->image[i]->state == IMAGE_STATE_READY)
			ready++;
	return json_pack("{s:s, s:s, s:o, s:I, s:o, s:I, s:I, s:I, s:s, s:o}",
		"version", NETUKI_VERSION, "config", netuki->config_path,
		"config-error",
		text_or_null(
			netuki->reload_error[0] ? netuki->reload_error : NULL),
		"uptime",
		(json_int_t)((clock_us() - netuki->started_us) / 1000000),
		"interfaces", interfaces_json(netuki), "machines",
		(json_int_t)netuki->config->n_machines, "images",
		(json_int_t)ready, "images-refused",
		(json_int_t)(netuki->images->n - ready), "unknown-machines",
		netuki->config->unknown == CONFIG_UNKNOWN_IGNORE ? "ignore"
								 : "default",
		"counts", counts_json(netuki));
}

static json_t *settings_json(const struct config_resolved *set)
{
	return json_pack("{s:o, s:s, s:s}", "image", text_or_null(set->image),
		"mode", config_mode_name(set->mode), "cmdline", set->cmdline);
}

static void add_record(json_t *o, const struct client_record *r)
{
	json_object_set_new(o, "ip", ip_json(r->ip));
	json_object_set_new(o, "firmware", firmware_json(r->firmware));
	json_object_set_new(o, "arch", arch_json(r->arch));
	json_object_set_new(o, "vendor", json_string(r->vendor));
	if (r->has_uuid)
		json_object_set_new(o, "uuid", uuid_json(&r->uuid));
	json_object_set_new(o, "asked", json_integer((json_int_t)r->asked));
	json_object_set_new(o, "seconds-ago",
		json_integer(
			(json_int_t)((clock_us() - r->seen_us) / 1000000)));
	json_object_set_new(o, "answered", json_boolean(r->answered));
	json_object_set_new(o, "reason", json_string(r->reason));
}

static json_t *machine_json(
	const struct netuki *netuki, const struct config_machine *machine)
{
	struct config_resolved set;
	json_t *o, *macs = json_array();
	const struct client_record *r = NULL;

	config_resolve(netuki->config, machine, &set);
	for (size_t i = 0; i < machine->n_macs; i++) {
		const struct client_record *one =
			clients_find(netuki->clients, &machine->macs[i]);

		json_array_append_new(macs, mac_json(&machine->macs[i]));
		if (one && (!r || one->seen_us > r->seen_us))
			r = one;
	}
	o = settings_json(&set);
	json_object_set_new(o, "name", json_string(machine->name));
	json_object_set_new(o, "macs", macs);
	if (r)
		add_record(o, r);
	return o;
}

static json_t *machines_json(const struct netuki *netuki, bool unknown)
{
	const struct config *config = netuki->config;
	const struct client_record *r;
	json_t *list = json_array();

	for (size_t i = 0; !unknown && i < config->n_machines; i++)
		json_array_append_new(
			list, machine_json(netuki, &config->machines[i]));
	TAILQ_FOREACH (r, clients_list(netuki->clients), lru) {
		json_t *o;

		if (!unknown)
			break;
		if (config_find(config, &r->mac, r->has_uuid ? &r->uuid : NULL,
			    NULL, NULL))
			continue;
		o = json_pack("{s:o}", "mac", mac_json(&r->mac));
		add_record(o, r);
		json_array_append_new(list, o);
	}
	return json_pack("{s:o}", "machines", list);
}

static json_t *image_json(const struct image *image)
{
	static const char *const states[] = {"ready", "pending", "refused"};
	static const char *const kinds[] = {"uki", "addon", "efi"};
	json_t *o = json_pack("{s:s, s:s, s:I}", "name", image->name, "state",
		states[image->state], "size", (json_int_t)image->size);
	const char *bios;

	if (image->state != IMAGE_STATE_READY) {
		json_object_set_new(o, "why", json_string(image->why));
		return o;
	}
	bios = image_why_not_bios(image);
	json_object_set_new(o, "kind", json_string(kinds[image->uki.kind]));
	json_object_set_new(o, "arch", arch_json(image->uki.arch));
	json_object_set_new(
		o, "signed", json_boolean(image->uki.cert_size != 0));
	json_object_set_new(o, "os", json_string(image->os));
	json_object_set_new(o, "kernel", json_string(image->version));
	json_object_set_new(o, "cmdline", json_string(image->cmdline));
	json_object_set_new(o, "bios", bios ? json_string(bios) : json_true());
	return o;
}

static json_t *images_json(const struct netuki *netuki)
{
	json_t *list = json_array();

	for (size_t i = 0; i < netuki->images->n; i++)
		json_array_append_new(
			list, image_json(netuki->images->image[i]));
	return json_pack("{s:o}", "images", list);
}

/* Whom to explain: a machine's name, a MAC address or a UUID. */
static bool name_client(
	const struct netuki *netuki, const char *who, struct client *client)
{
	const struct config_machine *machine =
		config_find_name(netuki->config, who);

	if (!machine)
		return content_parse_id(who, strlen(who), client);
	if (machine->n_macs) {
		client->has_mac = true;
		client->mac = machine->macs[0];
	}
	client->has_uuid = machine->has_uuid;
	client->uuid = machine->uuid;
	client->serial = machine->serial;
	return true;
}

static bool describe_client(const struct netuki *netuki, const json_t *request,
	struct client *client)
{
	const char *arch = json_string_value(json_object_get(request, "arch"));
	const char *firmware =
		json_string_value(json_object_get(request, "firmware"));

	client->arch = arch_from_name(arch ? arch : "x64");
	client->firmware = PXE_FIRMWARE_UEFI;
	client->ipxe_http = true;
	if (firmware && strcmp(firmware, "pxe") == 0)
		firmware = NULL;
	for (int f = 0; firmware && f < PXE_FIRMWARE_MAX; f++)
		if (strcmp(firmware, pxe_firmware_name(f)) == 0) {
			client->firmware = (enum pxe_firmware)f;
			firmware = NULL;
		}
	if (client->firmware == PXE_FIRMWARE_BIOS)
		client->arch = ARCH_BIOS;
	for (size_t i = 0; i < netifs_count(netuki->netifs); i++)
		if (netifs_at(netuki->netifs, i)->served && !client->server)
			client->server = netif_server_addr(
				netifs_at(netuki->netifs, i), 0);
	return !firmware && client->arch != ARCH_INVALID;
}

static json_t *origin_json(const struct config *config, enum config_origin from,
	struct config_at at)
{
	char place[512];

	return json_sprintf("%s, %s", config_origin_name(from),
		config_at_text(config, at, place, sizeof(place)));
}

static void explain_script(json_t *o, const struct decide_world *world,
	const struct client *client)
{
	static struct script_plan script; /* large; one loop, one thread */
	struct client ipxe = *client;
	struct plan plan;
	char text[16384];

	ipxe.firmware = PXE_FIRMWARE_IPXE;
	decide(world, &ipxe, &plan);
	decide_script(world, &ipxe, &plan, &script);
	if (ipxe_script_build(&script.script, text, sizeof(text)))
		json_object_set_new(o, "script", json_string(text));
}

static json_t *explain_json(struct netuki *netuki, const json_t *request)
{
	const char *who =
		json_string_value(json_object_get(request, "machine"));
	struct decide_world world = netuki_world(netuki);
	const struct config *config = netuki->config;
	struct client client = {0};
	struct plan plan;
	char cmdline[PLAN_CMDLINE_MAX];
	json_t *o;

	if (!who || !name_client(netuki, who, &client))
		return json_pack("{s:s}", "error",
			"no machine of this name, and neither a MAC address "
			"nor a UUID");
	if (!describe_client(netuki, request, &client))
		return json_pack("{s:s}", "error",
			"firmware is pxe, http, bios or ipxe; arch is one of "
			"those of `loaders:`");
	decide(&world, &client, &plan);
	o = json_pack("{s:o, s:o, s:s, s:s, s:s, s:o}", "machine",
		text_or_null(plan.machine ? plan.machine->name : NULL),
		"matched-by", text_or_null(plan.matched_by), "plan",
		plan_kind_name(plan.kind), "reason", plan.reason, "file",
		plan.file, "settings", settings_json(&plan.set));
	json_object_set_new(o, "from",
		json_pack("{s:o, s:o, s:o}", "image",
			origin_json(
				config, plan.set.image_from, plan.set.image_at),
			"mode",
			origin_json(
				config, plan.set.mode_from, plan.set.mode_at),
			"cmdline",
			origin_json(config, plan.set.cmdline_from,
				plan.set.cmdline_at)));
	if (plan.image_problem)
		json_object_set_new(
			o, "problem", json_string(plan.image_problem));
	if (plan.warning)
		json_object_set_new(o, "warning", json_string(plan.warning));
	if (plan.image && !plan.image_problem &&
		decide_cmdline(plan.image, &plan.set, cmdline))
		json_object_set_new(o, "cmdline", json_string(cmdline));
	if (plan.kind == PLAN_LOADER || plan.kind == PLAN_SCRIPT)
		explain_script(o, &world, &client);
	return o;
}

json_t *control_answer(struct netuki *netuki, const json_t *request)
{
	const char *command =
		json_string_value(json_object_get(request, "command"));

	if (!command)
		return json_pack("{s:s}", "error", "no command");
	if (strcmp(command, "status") == 0)
		return status_json(netuki);
	if (strcmp(command, "machines") == 0)
		return machines_json(netuki,
			json_is_true(json_object_get(request, "unknown")));
	if (strcmp(command, "images") == 0)
		return images_json(netuki);
	if (strcmp(command, "explain") == 0)
		return explain_json(netuki, request);
	if (strcmp(command, "reload") == 0)
		return reload_now(netuki) ? json_pack("{s:b}", "reloaded", true)
					  : json_pack("{s:s}", "error",
						    netuki->reload_error);
	return json_pack("{s:s}", "error", "no such command");
}
