/*
 * http_reply: what to answer to a request.
 */
#ifndef DAEMON_HTTP_HTTP_REPLY_H
#define DAEMON_HTTP_HTTP_REPLY_H

struct http_conn;
struct http_request;
struct view;

/*
 * Set up the answer to a request: out, view, close_after. Afterwards out is
 * NULL if the same request shall come again when conn->job is done or, without
 * a job, if memory is too short for any answer.
 */
void http_reply(struct http_conn *conn, const struct http_request *request);
/* The same for a head that is none. */
void http_reply_error(struct http_conn *conn, unsigned status);
/* Answer with this status, and one line that says why. */
void http_reply_status(struct http_conn *conn,
	const struct http_request *request, unsigned status, const char *why);
/* Answer with this view; takes it over. NULL: memory is short, try again. */
void http_reply_view(struct http_conn *conn, const struct http_request *request,
	struct view *view);

#endif
