/*
 * http_conn: one connection of the HTTP server, and the server that its
 * connections share. Between http_service.c (accepting, deadlines, caps),
 * http_conn.c (reading and sending) and http_reply.c (what to answer).
 */
#ifndef DAEMON_HTTP_CONN_H
#define DAEMON_HTTP_CONN_H

#include <event2/event.h>
#include <event2/event_struct.h>
#include <netinet/in.h>
#include <sys/queue.h>

#include "daemon/http_service.h"
#include "daemon/log.h"
#include "daemon/view.h"
#include "proto/http.h"

struct worker_job;

struct http_conn {
	struct http_service *service;
	TAILQ_ENTRY(http_conn) link;
	struct event event; /* for reading, or for writing */
	int fd;
	bool writing;	  /* what the event waits for */
	bool close_after; /* this answer is the last one */
	bool refused;	  /* what came is no request: hang up */
	bool draining;	  /* hung up; reading what still comes */
	bool noted;	  /* the transfer is in the journal */
	bool has_mac;
	struct mac mac;
	struct sockaddr_in peer, local;
	uint64_t deadline_us;
	/* Requests: `in` is NULL while there is nothing of one. */
	char *in;
	uint32_t in_len, in_scanned;
	/* The answer: first `out`, then the view's range. */
	uint32_t out_len, out_at;
	char *out;
	struct view *view;
	uint64_t view_at, view_end;
	uint64_t begin_us, begin_at;
	char *path; /* of the running answer, for the journal */
	struct worker_job *job;
};

TAILQ_HEAD(http_conns, http_conn);

struct http_service {
	struct netuki *netuki;
	int fd;
	struct event *acceptable, *tick;
	bool paused; /* out of descriptors: not accepting */
	struct http_conns conns;
	struct http_counts counts;
	struct log_limit limit;
	uint16_t per_addr[4096]; /* connections, by a hash of the address */
};

/* Begin to read requests. */
void http_conn_start(struct http_conn *conn);
void http_conn_free(struct http_conn *conn);
/* The deadline has passed. */
void http_conn_expire(struct http_conn *conn);

/* Set up the answer to a request: out, view, close_after. */
void http_reply(struct http_conn *conn, const struct http_request *request);
/* The same for a head that is none. */
void http_reply_error(struct http_conn *conn, unsigned status);

/* Write an event of this connection into the journal. */
void http_note(struct http_conn *conn, enum journal_kind kind, const char *path,
	const char *detail);

#endif
