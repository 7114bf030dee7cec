/*
 * http_booted: the guest's own word that it is up: GET /machines/ID/booted.
 * It ends the boot's timeline, and means nothing else to anybody.
 */
#ifndef DAEMON_HTTP_HTTP_BOOTED_H
#define DAEMON_HTTP_HTTP_BOOTED_H

#include "daemon/http/http_conn.h"

/* Is it that path? */
bool http_booted_is(const char *path);
/*
 * Note it, if `note` (a HEAD says nothing). False: there is no such machine,
 * or its MAC address is not known.
 */
bool http_booted_take(struct http_conn *conn, const char *path, bool note);

#endif
