/*
 * http_extra: GET /machines/ID/NAME, a file that the configuration gives this
 * machine (`files`). What a stranger fetches uses up nothing.
 */
#ifndef DAEMON_HTTP_HTTP_EXTRA_H
#define DAEMON_HTTP_HTTP_EXTRA_H

#include "daemon/http/http_conn.h"

/* Is it such a path? */
bool http_extra_is(const char *path);
/*
 * Answer it, or begin to read the file: then there is no answer yet, and the
 * same request shall come again once conn->job is done.
 */
void http_extra_reply(struct http_conn *conn,
	const struct http_request *request, const char *path);
/* The file that was read for a request is not needed any more. */
void http_extra_drop(struct http_conn *conn);

#endif
