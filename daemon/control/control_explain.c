#include <stdio.h>
#include <string.h>

#include "daemon/base/netif.h"
#include "daemon/control/control_json.h"
#include "daemon/images/loaders.h"
#include "daemon/policy/clients.h"
#include "daemon/policy/content.h"

/* A MAC address that finds the machine by one of its prefixes. */
static bool mac_of_prefix(const struct config *config,
	const struct config_machine *machine, struct mac *ret)
{
	const struct config_prefix *prefix = &machine->prefixes[0];
	struct mac mac = {{0}};

	memcpy(mac.b, prefix->b, prefix->len);
	for (unsigned i = 1; i < 256; i++) {
		mac.b[5] = (uint8_t)i;
		if (config_find(config, &mac, NULL, NULL, NULL) == machine) {
			*ret = mac;
			return true;
		}
	}
	return false;
}

/* Whom to explain: a machine's name, a MAC address or a UUID. */
static bool name_client(
	const struct config *config, const char *who, struct client *client)
{
	const struct config_machine *machine = config_find_name(config, who);

	if (!machine)
		return content_parse_id(who, strlen(who), client);
	if (machine->n_macs) {
		client->has_mac = true;
		client->mac = machine->macs[0];
	} else if (machine->n_prefixes) {
		client->has_mac = mac_of_prefix(config, machine, &client->mac);
	}
	client->has_uuid = machine->has_uuid;
	client->uuid = machine->uuid;
	client->serial = machine->serial;
	return true;
}

/* False: there is no such firmware. */
static bool parse_firmware(const char *text, struct client *client)
{
	client->firmware = PXE_FIRMWARE_UEFI;
	if (!text || strcmp(text, "pxe") == 0)
		return true;
	for (int f = 0; f < PXE_FIRMWARE_MAX; f++)
		if (strcmp(text, pxe_firmware_name(f)) == 0) {
			client->firmware = (enum pxe_firmware)f;
			return true;
		}
	return false;
}

/* The form that an attempt which begins now would get, and why. */
static const char *choose_form(
	const struct netuki *netuki, struct client *client)
{
	static const struct offer_memory nothing;
	const struct client_record *r =
		client->has_mac ? clients_find(netuki->clients, &client->mac)
				: NULL;
	const struct offer_memory *memory = r ? &r->offer : &nothing;
	const char *why;

	client->auto_form = offer_form_choose(memory, ~memory->xid,
		client->has_mac ? state_form(netuki->state, &client->mac)
				: CONFIG_OFFER_UNSET,
		&why);
	return why;
}

/* What --arch and --firmware say; NULL, or the error. */
static json_t *describe_client(const struct netuki *netuki,
	const json_t *request, struct client *client)
{
	const char *arch = control_text(request, "arch");
	const char *firmware = control_text(request, "firmware");

	if (!parse_firmware(firmware, client))
		return control_error("%.100s is no firmware: pxe, http, bios "
				     "or ipxe",
			firmware);
	client->arch = arch_from_name(arch ? arch : "x64");
	if (client->arch == ARCH_INVALID)
		return control_error("%.100s is no architecture: one of those "
				     "of `loaders`, as x64",
			arch);
	client->ipxe_http = true;
	if (client->firmware == PXE_FIRMWARE_BIOS)
		client->arch = ARCH_BIOS;
	if (client->firmware == PXE_FIRMWARE_UEFI && client->arch == ARCH_BIOS)
		client->firmware = PXE_FIRMWARE_BIOS;
	for (size_t i = 0; i < netifs_count(netuki->netifs); i++)
		if (netifs_at(netuki->netifs, i)->served && !client->server)
			client->server = netif_server_addr(
				netifs_at(netuki->netifs, i), 0);
	return NULL;
}

/* "group, netuki.yaml:4:3"; by is the command that overrides it. */
static json_t *origin_json(const struct config *config, enum config_origin from,
	struct config_at at, const char *by)
{
	char place[512];

	if (from == CONFIG_ORIGIN_OVERRIDE)
		return json_sprintf("%s, set by `netukictl %s`",
			config_origin_name(from), by);
	if (from == CONFIG_ORIGIN_BUILTIN)
		return json_string(config_origin_name(from));
	return json_sprintf("%s, %s", config_origin_name(from),
		config_at_text(config, at, place, sizeof(place)));
}

static json_t *from_json(const struct config *config,
	const struct client *client, const struct plan *plan)
{
	const struct config_resolved *set = &plan->set;
	json_t *from = json_pack("{s:o, s:o, s:o, s:o}", "image",
		origin_json(
			config, set->image_from, set->image_at, "boot-once"),
		"mode",
		origin_json(config, set->mode_from, set->mode_at,
			plan->override.mode),
		"cmdline",
		origin_json(config, set->cmdline_from, set->cmdline_at, ""),
		"offer",
		origin_json(config, set->offer_from, set->offer_at, ""));

	if (set->vlan)
		json_object_set_new(from, "vlan",
			origin_json(config, set->vlan_from, set->vlan_at, ""));
	if (plan->kind == PLAN_LOADER)
		json_object_set_new(from, "loader",
			origin_json(config, set->loader_from[client->arch],
				set->loader_at[client->arch], ""));
	return from;
}

/* What it may fetch under machines/ID/, the nearest word first. */
static json_t *files_json(
	const struct config *config, const struct config_resolved *set)
{
	json_t *list = json_array();

	for (int i = CONFIG_ORIGIN_MAX - 1; i >= 0; i--) {
		const struct config_files *files = set->files[i];

		for (size_t j = 0; files && j < files->n; j++) {
			const struct config_file *f = &files->file[j];

			if (config_resolved_file(set, f->name) != f)
				continue;
			json_array_append_new(
				list, json_pack("{s:s, s:s, s:o}", "name",
					      f->name, "path", f->path, "from",
					      origin_json(config,
						      (enum config_origin)i,
						      f->at, "")));
		}
	}
	return list;
}

static void explain_machine(
	json_t *o, const struct config *config, const struct plan *plan)
{
	const struct config_machine *machine = plan->machine;
	char place[512];

	if (!machine)
		return;
	json_object_set_new(o, "entry",
		json_string(config_at_text(
			config, machine->at, place, sizeof(place))));
	if (machine->group)
		json_object_set_new(o, "group", json_string(machine->group));
}

/* What iPXE would be given, as which the machine asks next. */
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

/* What reaches the kernel in the end; NULL: it cannot be told. */
static const char *kernel_gets(
	const struct plan *plan, char buf[PLAN_CMDLINE_MAX])
{
	const char *why;

	if (!plan->image || plan->image_problem)
		return NULL;
	if (plan->kind == PLAN_IMAGE &&
		!decide_splice(plan->image, &plan->set, buf, &why))
		return plan->image->cmdline;
	return decide_cmdline(plan->image, &plan->set, buf) ? buf : NULL;
}

/*
 * What a firmware in Secure Boot mode would make of the first file that it
 * loads; NULL where there is none, or another server has it. It does not tell
 * us its mode.
 */
static json_t *secure_boot(const struct netuki *netuki,
	const struct client *client, const struct plan *plan)
{
	const char *what = plan->loader, *signer = NULL;

	if (client->firmware != PXE_FIRMWARE_UEFI &&
		client->firmware != PXE_FIRMWARE_HTTP)
		return NULL;
	if (plan->kind == PLAN_LOADER) {
		signer = loaders_signer(netuki->loaders, plan->loader);
	} else if (plan->kind == PLAN_IMAGE && plan->image) {
		what = plan->image->name;
		if (plan->image->uki.cert_size)
			signer = plan->image->signer;
	} else {
		return NULL;
	}
	if (!signer)
		return json_sprintf(
			"would refuse %s, which is not signed", what);
	if (!*signer)
		return json_sprintf("allowed if the firmware trusts the key "
				    "that %s is signed with",
			what);
	return json_sprintf("allowed if the firmware trusts %s, by whom %s is "
			    "signed",
		signer, what);
}

static json_t *explain(const struct netuki *netuki,
	const struct decide_world *world, const struct client *client,
	const struct plan *plan, const char *form_why)
{
	json_t *secure = secure_boot(netuki, client, plan);
	char buf[PLAN_CMDLINE_MAX];
	const char *cmdline;
	json_t *o = json_pack("{s:o, s:o, s:s, s:s, s:s, s:o, s:o}", "machine",
		json_of_text(plan->machine ? plan->machine->name : NULL),
		"matched-by", json_of_text(plan->matched_by), "plan",
		plan_kind_name(plan->kind), "reason", plan->reason, "file",
		plan->file, "settings",
		json_of_settings(&plan->set, &plan->override), "from",
		from_json(world->config, client, plan));

	json_object_set_new(o, "files", files_json(world->config, &plan->set));
	explain_machine(o, world->config, plan);
	if (plan->kind != PLAN_SILENCE)
		json_object_set_new(
			o, "form", json_string(plan_form_name(plan->form)));
	if (plan->kind != PLAN_SILENCE && plan->kind != PLAN_LOCAL &&
		client->firmware == PXE_FIRMWARE_UEFI &&
		plan->set.offer == CONFIG_OFFER_AUTO)
		json_object_set_new(o, "form-because", json_string(form_why));
	if (plan->loader)
		json_object_set_new(o, "loader", json_string(plan->loader));
	if (plan->image_problem)
		json_object_set_new(
			o, "problem", json_string(plan->image_problem));
	if (plan->warning)
		json_object_set_new(o, "warning", json_string(plan->warning));
	if (secure)
		json_object_set_new(o, "secure-boot", secure);
	cmdline = kernel_gets(plan, buf);
	if (cmdline)
		json_object_set_new(o, "cmdline", json_string(cmdline));
	if (plan->kind == PLAN_LOADER || plan->kind == PLAN_SCRIPT)
		explain_script(o, world, client);
	return o;
}

json_t *control_explain(struct netuki *netuki, const json_t *request)
{
	const char *who = control_text(request, "machine"), *near, *form_why;
	struct decide_world world = netuki_world(netuki);
	struct client client = {0};
	struct plan plan;
	json_t *error;

	if (!who || !name_client(netuki->config, who, &client)) {
		near = who ? control_nearest(netuki->config, who) : NULL;
		return control_error("%.100s: no machine of this name, and "
				     "neither a MAC address nor a UUID%s%s%s",
			who ? who : "", near ? "; did you mean " : "",
			near ? near : "", near ? "?" : "");
	}
	error = describe_client(netuki, request, &client);
	if (error)
		return error;
	form_why = choose_form(netuki, &client);
	decide(&world, &client, &plan);
	return explain(netuki, &world, &client, &plan, form_why);
}
