/*
 * http_bulk: the pace and the turn of answers above HTTP_BULK_MIN.
 */
#ifndef DAEMON_HTTP_HTTP_BULK_H
#define DAEMON_HTTP_HTTP_BULK_H

#include <stdbool.h>
#include <stdint.h>

struct http_conn;
struct http_service;

/* Where a large answer stands. */
enum http_bulk {
	HTTP_BULK_NONE,	   /* not large */
	HTTP_BULK_WAITING, /* for its turn; the client gets drops meanwhile */
	HTTP_BULK_RUNNING,
	HTTP_BULK_STALLED /* runs, but keeps nobody waiting */
};

/* An answer begins; its view and range are set. */
void http_bulk_begin(struct http_conn *conn);
/* It is over, one way or the other; lets the next in line begin. */
void http_bulk_end(struct http_conn *conn);
/* Is there an answer, of which the client has taken nothing for some time? */
bool http_bulk_stalls(const struct http_conn *conn, uint64_t now_us);
/* Once a second: drops for those who wait, turns of those who stall. */
void http_bulk_tick(struct http_service *s, uint64_t now_us);

#endif
