/*
 * control_json: what the daemon knows, as JSON: the answers that control
 * sends. The form is documented in netukictl(1) and stays.
 */
#ifndef DAEMON_CONTROL_JSON_H
#define DAEMON_CONTROL_JSON_H

#include <jansson.h>

#include "daemon/netuki.h"

/*
 * The answer to a request; a new reference. {"error": TEXT} if it cannot be
 * answered.
 */
json_t *control_answer(struct netuki *netuki, const json_t *request);
json_t *control_event(const struct journal_event *e);

#endif
