#include "daemon/control/control_json.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "config/names.h"
#include "daemon/policy/content.h"

/* Names that are compared with one that is none: the loop waits for it. */
#define NEAREST_MAX 10000

json_t *control_error(const char *format, ...)
{
	char text[1024];
	va_list args;
	json_t *o;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	/* What is quoted may have been cut within a character. */
	o = json_pack("{s:s}", "error", text);
	return o ? o : json_pack("{s:s}", "error", "no");
}

json_t *json_of_text(const char *text)
{
	return text ? json_string(text) : json_null();
}

json_t *json_of_mac(const struct mac *mac)
{
	char text[MAC_TEXT_LEN];

	mac_format(mac, ':', text);
	return json_string(text);
}

json_t *json_of_uuid(const struct uuid *uuid)
{
	char text[UUID_TEXT_LEN];

	uuid_format(uuid, text);
	return json_string(text);
}

json_t *json_of_ip(uint32_t ip)
{
	struct in_addr addr = {htonl(ip)};
	char text[INET_ADDRSTRLEN];

	if (!ip)
		return json_null();
	inet_ntop(AF_INET, &addr, text, sizeof(text));
	return json_string(text);
}

json_t *json_of_firmware(enum pxe_firmware firmware)
{
	return firmware < PXE_FIRMWARE_MAX
		       ? json_string(pxe_firmware_name(firmware))
		       : json_null();
}

json_t *json_of_arch(enum arch arch)
{
	return arch != ARCH_INVALID ? json_string(arch_name(arch))
				    : json_null();
}

json_t *json_of_mode(enum config_mode mode)
{
	return json_of_text(config_mode_name(mode));
}

json_t *json_of_settings(const struct config_resolved *set,
	const struct decide_override *override)
{
	return json_pack("{s:o, s:o, s:s, s:s, s:o, s:o, s:b, s:b, s:o}",
		"image", json_of_text(set->image), "mode",
		json_of_mode(set->mode), "cmdline", set->cmdline, "offer",
		config_offer_name(set->offer), "vlan",
		set->vlan ? json_integer(set->vlan) : json_null(),
		"mode-set-by", json_of_text(override->mode), "boot-once",
		override->once, "alternate", override->alternate,
		"mode-after-once",
		override->once ? json_of_mode(override->after_once)
			       : json_null());
}

json_t *control_event(const struct journal_event *e)
{
	json_t *o = json_pack("{s:f, s:s}", "t", (double)e->t_us / 1e6, "event",
		journal_kind_name(e->kind));

	if (e->has_mac)
		json_object_set_new(o, "mac", json_of_mac(&e->mac));
	if (e->ip)
		json_object_set_new(o, "ip", json_of_ip(e->ip));
	else if (e->ip6)
		json_object_set_new(o, "ip", json_string(e->ip6));
	if (e->firmware < PXE_FIRMWARE_MAX)
		json_object_set_new(
			o, "firmware", json_of_firmware(e->firmware));
	if (e->arch != ARCH_INVALID)
		json_object_set_new(o, "arch", json_of_arch(e->arch));
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

const char *control_text(const json_t *request, const char *key)
{
	return json_string_value(json_object_get(request, key));
}

const struct config_machine *control_find(
	const struct config *config, const char *who)
{
	const struct config_machine *machine = config_find_name(config, who);
	struct client client = {0};

	if (!machine && content_parse_id(who, strlen(who), &client))
		machine = config_find(config,
			client.has_mac ? &client.mac : NULL,
			client.has_uuid ? &client.uuid : NULL, NULL, NULL);
	return machine;
}

const char *control_nearest(const struct config *config, const char *who)
{
	struct suggest suggest;

	suggest_init(&suggest, who);
	for (size_t i = 0; i < config->n_machines && i < NEAREST_MAX; i++)
		suggest_try(&suggest, config->machines[i].name);
	return suggest_best(&suggest);
}

json_t *control_answer(struct netuki *netuki, json_t *request,
	struct control_list **ret_list, struct control_task **ret_task)
{
	static const struct {
		const char *name;
		json_t *(*answer)(struct netuki *netuki, const json_t *request);
		json_t *(*list)(struct netuki *netuki, const json_t *request,
			struct control_list **ret_list);
		json_t *(*begin)(struct netuki *netuki, json_t *request,
			struct control_task **ret);
	} commands[] = {
		{"status", control_status, NULL, NULL},
		{"machines", NULL, control_machines, NULL},
		{"images", control_images, NULL, NULL},
		{"explain", control_explain, NULL, NULL},
		{"mode", NULL, NULL, control_mode},
		{"boot-once", NULL, NULL, control_boot_once},
	};
	const char *name = control_text(request, "command");

	*ret_list = NULL;
	*ret_task = NULL;
	if (!name)
		return control_error("no command");
	for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++) {
		if (strcmp(commands[i].name, name) != 0)
			continue;
		if (commands[i].begin)
			return commands[i].begin(netuki, request, ret_task);
		return commands[i].list
			       ? commands[i].list(netuki, request, ret_list)
			       : commands[i].answer(netuki, request);
	}
	return control_error("%.100s: no such command", name);
}
