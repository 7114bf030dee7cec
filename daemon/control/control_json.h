/*
 * control_json: what the daemon knows, as JSON: the answers that control
 * sends. The form is documented in netukictl(1) and stays.
 *
 * One file a concern: control_status.c, control_machines.c,
 * control_explain.c, control_change.c.
 */
#ifndef DAEMON_CONTROL_CONTROL_JSON_H
#define DAEMON_CONTROL_CONTROL_JSON_H

#include <jansson.h>

#include "daemon/control/control_list.h"
#include "daemon/control/control_task.h"
#include "daemon/netuki.h"
#include "daemon/policy/clients.h"

/*
 * The answer to a request; a new reference. {"error": TEXT} if it cannot be
 * answered. *ret_list: what follows the answer's own keys as "machines"; NULL:
 * nothing does. Or NULL, and *ret_task will give the answer; if there
 * "changed" is true, it is to be sent when that is saved (state_when_saved).
 */
json_t *control_answer(struct netuki *netuki, json_t *request,
	struct control_list **ret_list, struct control_task **ret_task);
json_t *control_event(const struct journal_event *e);
/* The answer to `reload`, which comes later. */
struct reload_result;
json_t *control_reloaded(const struct reload_result *result);

/* The answers to one command each. */
json_t *control_status(struct netuki *netuki, const json_t *request);
json_t *control_images(struct netuki *netuki, const json_t *request);
json_t *control_explain(struct netuki *netuki, const json_t *request);
json_t *control_machines(struct netuki *netuki, const json_t *request,
	struct control_list **ret_list);
/* NULL and a task, or the error. */
json_t *control_mode(
	struct netuki *netuki, json_t *request, struct control_task **ret);
json_t *control_boot_once(
	struct netuki *netuki, json_t *request, struct control_task **ret);

/* Pieces. */
json_t *control_error(const char *format, ...)
	__attribute__((format(printf, 1, 2)));
json_t *json_of_text(const char *text); /* null for NULL */
json_t *json_of_mac(const struct mac *mac);
json_t *json_of_uuid(const struct uuid *uuid);
json_t *json_of_ip(uint32_t ip); /* null for 0 */
json_t *json_of_arch(enum arch arch);
json_t *json_of_firmware(enum pxe_firmware firmware);
json_t *json_of_mode(enum config_mode mode); /* null for UNSET */
/* The settings in force: image, mode, cmdline, ... */
json_t *json_of_settings(const struct config_resolved *set,
	const struct decide_override *override);

/* request[key] as text; NULL if it is not there or no text. */
const char *control_text(const json_t *request, const char *key);
/* By name, MAC address or UUID; NULL: not in the configuration. */
const struct config_machine *control_find(
	const struct config *config, const char *who);
/* The nearest name of a machine, for a message; NULL: none is near. */
const char *control_nearest(const struct config *config, const char *who);

#endif
