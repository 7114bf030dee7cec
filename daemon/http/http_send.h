/*
 * http_send: sends the answer of a connection, a chunk in a turn, and tells
 * the journal of it.
 */
#ifndef DAEMON_HTTP_HTTP_SEND_H
#define DAEMON_HTTP_HTTP_SEND_H

#include <stdint.h>

#include "daemon/boots/journal.h"

struct http_conn;
struct http_service;

#define HTTP_CHUNK (512u << 10) /* of a large answer in a turn */

enum http_sent {
	HTTP_SENT_ALL,
	HTTP_SENT_TURN, /* there is more, but others have their turn first */
	HTTP_SENT_FULL, /* go on when the socket can be written to again */
	HTTP_SENT_WAIT, /* go on when http_conn_resume is called */
	HTTP_SENT_GONE	/* the connection is no more */
};
enum http_sent http_send(struct http_conn *conn);
/* At most len bytes of the body, out of turn: keeps a client that waits. */
void http_send_drop(struct http_conn *conn, uint64_t len);
/* Break the answer off so that the client sees it is broken; frees. */
void http_send_break(struct http_conn *conn, const char *why);
/* Write an event of this connection into the journal. */
void http_note(struct http_conn *conn, enum journal_kind kind, const char *path,
	const char *detail);

/*
 * The end of a large answer is held back until the client has all before it:
 * see http_send.c. Looks at those that wait; and takes one out of the list.
 */
void http_held_tick(struct http_service *s);
void http_held_drop(struct http_conn *conn);

#endif
