#include "daemon/base/clock.h"
#include "daemon/base/netif.h"
#include "daemon/boots/history.h"
#include "daemon/control/control.h"
#include "daemon/control/control_json.h"
#include "daemon/dhcp/dhcp_service.h"
#include "daemon/http/http_service.h"
#include "daemon/images/image_json.h"
#include "daemon/reload.h"
#include "daemon/tftp/tftp_service.h"

static json_t *interfaces_json(const struct netuki *netuki)
{
	json_t *list = json_array();

	for (size_t i = 0; i < netifs_count(netuki->netifs); i++) {
		const struct netif *netif = netifs_at(netuki->netifs, i);

		if (!netif->served)
			continue;
		json_array_append_new(
			list, json_pack("{s:s, s:o, s:i, s:o}", "name",
				      netif->name, "address",
				      json_of_ip(netif_server_addr(netif, 0)),
				      "mtu", (int)netif->mtu, "mac",
				      json_of_mac(&netif->mac)));
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

/* What was set at run time, in short. */
static json_t *overrides_json(const struct state *state)
{
	json_int_t modes = 0, once = 0;

	for (size_t i = 0; i < state_count(state); i++) {
		const struct state_machine *m = state_at(state, i);

		modes += m->mode != CONFIG_MODE_UNSET;
		once += m->once;
	}
	return json_pack("{s:o, s:b, s:I, s:I}", "mode-for-all",
		json_of_mode(state_mode_for_all(state)), "include-local",
		state_all_includes_local(state), "modes", modes, "boot-once",
		once);
}

static void add_listener(
	json_t *list, const char *protocol, uint32_t address, uint16_t port)
{
	json_t *o =
		json_pack("{s:s, s:o, s:i}", "protocol", protocol, "address",
			address ? json_of_ip(address) : json_string("0.0.0.0"),
			"port", (int)port);

	json_array_append_new(list, o);
}

/* What is open; a changed configuration does not move it. */
static json_t *listeners_json(const struct netuki *netuki)
{
	const struct config *config = netuki->config;
	json_t *list = json_array();

	if (netuki->dhcp) {
		add_listener(
			list, "dhcp", config->dhcp.listen, config->dhcp.port);
		add_listener(list, "dhcp", config->dhcp.listen,
			config->dhcp.pxe_port);
	}
	add_listener(list, "tftp", config->tftp.listen, config->tftp.port);
	add_listener(list, "http", config->http.listen, config->http.port);
	return list;
}

static json_t *last_reload_json(const struct netuki *netuki)
{
	uint64_t ago_us = clock_us() - netuki->reloaded_us;

	if (!netuki->reloaded_us)
		return json_null();
	return json_pack("{s:b, s:I}", "ok", !netuki->reload_error[0],
		"seconds-ago", (json_int_t)(ago_us / 1000000));
}

static json_t *history_json(const struct history *history)
{
	struct history_counts counts = history_counts(history);

	return json_pack("{s:o, s:I, s:I, s:I}", "problem",
		json_of_text(history_problem(history)), "written",
		(json_int_t)counts.written, "waiting",
		(json_int_t)counts.waiting, "dropped",
		(json_int_t)counts.dropped);
}

json_t *control_status(struct netuki *netuki, const json_t *request)
{
	const struct config *config = netuki->config;
	const char *error = netuki->reload_error;
	uint64_t up_us = clock_us() - netuki->started_us;
	size_t ready = 0;
	json_t *o;

	(void)request;
	for (size_t i = 0; i < netuki->images->n; i++)
		if (netuki->images->image[i]->state == IMAGE_STATE_READY)
			ready++;
	o = json_pack("{s:s, s:s, s:o, s:o, s:I}", "version", NETUKI_VERSION,
		"config", netuki->config_path, "config-error",
		json_of_text(error[0] ? error : NULL), "state-problem",
		json_of_text(state_problem(netuki->state)), "uptime",
		(json_int_t)(up_us / 1000000));
	json_object_set_new(o, "last-reload", last_reload_json(netuki));
	json_object_set_new(o, "listeners", listeners_json(netuki));
	json_object_set_new(
		o, "control", json_string(control_path(netuki->control)));
	json_object_set_new(o, "history", history_json(netuki->history));
	json_object_set_new(o, "interfaces", interfaces_json(netuki));
	json_object_set_new(
		o, "machines", json_integer((json_int_t)config->n_machines));
	json_object_set_new(o, "images", json_integer((json_int_t)ready));
	json_object_set_new(o, "images-refused",
		json_integer((json_int_t)(netuki->images->n - ready)));
	json_object_set_new(o, "unknown-machines",
		json_string(config->unknown == CONFIG_UNKNOWN_IGNORE
				    ? "ignore"
				    : "default"));
	json_object_set_new(o, "overrides", overrides_json(netuki->state));
	json_object_set_new(o, "counts", counts_json(netuki));
	return o;
}

json_t *control_images(struct netuki *netuki, const json_t *request)
{
	json_t *list = json_array();

	(void)request;
	for (size_t i = 0; i < netuki->images->n; i++)
		json_array_append_new(
			list, image_json(netuki->images->image[i]));
	return json_pack("{s:o}", "images", list);
}

static json_t *messages_json(const struct config_report *report)
{
	json_t *list = json_array();

	for (size_t i = 0; i < report->n; i++)
		json_array_append_new(
			list, json_pack("{s:b, s:s}", "warning",
				      report->messages[i].warning, "text",
				      report->messages[i].text));
	return list;
}

json_t *control_reloaded(const struct reload_result *result)
{
	size_t n = result->report->n_errors;
	json_t *o;

	if (result->taken)
		o = json_pack("{s:b, s:b}", "reloaded", true, "needs-restart",
			result->needs_restart);
	else
		o = control_error("not reloaded, the configuration of before "
				  "stays in force: %zu error%s",
			n, n == 1 ? "" : "s");
	json_object_set_new(o, "messages", messages_json(result->report));
	return o;
}
