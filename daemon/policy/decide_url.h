/*
 * decide_url: the names under which decide() and decide_script() hand out what
 * there is; decide.h lists them.
 */
#ifndef DAEMON_POLICY_DECIDE_URL_H
#define DAEMON_POLICY_DECIDE_URL_H

#include <stdbool.h>

#include "daemon/policy/decide.h"
#include "proto/wire.h"

/* "http://A.B.C.D[:PORT]", or what the configuration says. */
void decide_url_put_base(struct wire_writer *w, const struct config *config,
	const struct client *client);
/* A name as a part of a URL's path. */
void decide_url_put_name(struct wire_writer *w, const char *name);
/*
 * "images/" or "machines/ID/". While boot-once or `alternate` waits for the
 * last byte of this boot's image, its name says whose it is: an address may be
 * a relay's or unknown.
 */
void decide_url_put_folder(struct wire_writer *w, const struct client *client,
	const struct plan *plan, bool spliced);

#endif
