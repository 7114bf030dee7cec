/*
 * http_conn: one connection of the HTTP server, from request to request, and
 * the server that its connections share. For http_service (accepting,
 * deadlines, caps), http_room (who makes room), http_peer (who it is),
 * http_reply (what to answer), http_extra (with a file of a machine's own),
 * http_send (sending) and http_bulk (large answers: pace and turn).
 */
#ifndef DAEMON_HTTP_HTTP_CONN_H
#define DAEMON_HTTP_HTTP_CONN_H

#include <event2/event.h>
#include <event2/event_struct.h>
#include <netinet/in.h>
#include <sys/queue.h>

#include "daemon/base/log.h"
#include "daemon/http/http_bulk.h"
#include "daemon/http/http_service.h"
#include "daemon/images/view.h"
#include "proto/http.h"

#define HTTP_PER_ADDR_BUCKETS 4096

struct extra;
struct worker_job;

struct http_conn {
	struct http_service *service;
	TAILQ_ENTRY(http_conn) link, owing_link, bulk_link, ready_link;
	struct event event; /* for reading, or for writing */
	int fd;
	enum http_bulk bulk;
	bool writing;	  /* what the event waits for */
	bool close_after; /* this answer is the last one */
	bool refused;	  /* what came is no request: hang up */
	bool lingering;	  /* hung up; reading what still comes */
	bool noted;	  /* the transfer is in the journal */
	bool partial;	  /* a range that ends before the file does */
	bool elsewhere;	  /* the script sends it to another server */
	bool ours;	  /* it breaks off for a reason at our end */
	bool paced;	  /* the kernel paces it */
	bool held;	  /* in the list of that name: its end waits */
	bool ready;	  /* in the list of that name: it can go on */
	bool has_mac, asked_mac;
	struct mac mac;
	struct in6_addr peer, local; /* IPv4 addresses as ::ffff:A.B.C.D */
	unsigned ifindex;	     /* of the interface it came in by */
	uint64_t deadline_us;
	uint64_t owing_us; /* in the list of that name since; 0: not in it */
	/* Requests: `in` is NULL while there is nothing of one. */
	char *in;
	uint32_t in_len, in_scanned;
	/* The answer: first `out`, then the view's range. */
	uint32_t out_len, out_at;
	char *out; /* NULL: there is no answer to send */
	struct view *view;
	uint64_t view_at, view_end;
	size_t made_len; /* of it, text that was made for this answer */
	int queued;	 /* in the socket when last looked at; 0: not yet */
	uint64_t begin_us, begin_at; /* of the body */
	char *path; /* of the running answer, for the journal */
	struct worker_job *job;
	struct extra *extra; /* read for the request that is in `in` */
};

TAILQ_HEAD(http_conns, http_conn);

struct http_service {
	struct netuki *netuki;
	int fd; /* -1: no longer listening */
	struct event *acceptable, *tick, *held_tick, *ready_turn;
	bool paused;		       /* not accepting for now */
	uint64_t paused_us;	       /* when that was last said; 0: never */
	unsigned open_max, bulk_count; /* connections; running downloads */
	size_t made_bytes;	       /* of made_len, all together */
	struct http_conns conns, bulk_waiting, held, ready, owing;
	struct http_counts counts;
	/* Connections, by a hash of the address: see http_peer_count. */
	uint16_t per_addr[HTTP_PER_ADDR_BUCKETS];
};

/* Begin to read requests. */
void http_conn_start(struct http_conn *conn);
/* Go on with what there is to do, as if the socket could be written to. */
void http_conn_resume(struct http_conn *conn);
/* Once a second: is its time up? It may be no more afterwards. */
void http_conn_tick(struct http_conn *conn, uint64_t now_us);
/* The service ends: no request is read any more. Likewise. */
void http_conn_end_soon(struct http_conn *conn);
void http_conn_set_deadline(struct http_conn *conn, unsigned seconds);
/* Does it owe a request? Who has done so for long makes room for others. */
void http_conn_owes(struct http_conn *conn, bool owes);
/* Have the event wait for reading, or for the moment one can write again. */
void http_conn_wait(struct http_conn *conn, bool writing);
/*
 * Those that could go on but gave up their turn. They share a slice of time
 * in each round of the event loop, so that a script waits for one slice,
 * however many downloads run; DHCP waits for one chunk. And: takes one out of
 * the list.
 */
void http_ready_turn(struct http_service *s);
void http_ready_drop(struct http_conn *conn);
/* The answer's view is needed no more. */
void http_conn_drop_view(struct http_conn *conn);
/* Ends it at once and for good: http_service.c. */
void http_conn_free(struct http_conn *conn);

#endif
