/*
 * http_conn: one connection of the HTTP server, and the server that its
 * connections share. Between http_service.c (accepting, deadlines, caps),
 * http_peer.c (who it is), http_conn.c (requests), http_send.c (sending),
 * http_bulk.c (large answers: pace and turn), http_reply.c (what to answer)
 * and http_extra.c (with a file of a machine's own).
 */
#ifndef DAEMON_HTTP_HTTP_CONN_H
#define DAEMON_HTTP_HTTP_CONN_H

#include <event2/event.h>
#include <event2/event_struct.h>
#include <netinet/in.h>
#include <sys/queue.h>

#include "daemon/base/log.h"
#include "daemon/http/http_service.h"
#include "daemon/images/view.h"
#include "proto/http.h"

struct extra;
struct client_record;
struct worker_job;

/* Where a large answer stands. */
enum http_bulk {
	HTTP_BULK_NONE,	   /* not large */
	HTTP_BULK_WAITING, /* for its turn; the client gets drops meanwhile */
	HTTP_BULK_RUNNING,
	HTTP_BULK_STALLED /* runs, but keeps nobody waiting */
};

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
	uint16_t per_addr[4096]; /* connections, by a hash of the address */
};

/* http_conn.c: requests. */

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

/* http_send.c: the answer. */

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

/* http_bulk.c: answers above HTTP_BULK_MIN. */

/* An answer begins; its view and range are set. */
void http_bulk_begin(struct http_conn *conn);
/* It is over, one way or the other; lets the next in line begin. */
void http_bulk_end(struct http_conn *conn);
/* Once a second: drops for those who wait, turns of those who stall. */
void http_bulk_tick(struct http_service *s, uint64_t now_us);

/* http_peer.c: both ends of the connection. */

/* From what accept said of the peer; asks the kernel for our own end. */
void http_peer_init(struct http_conn *conn, const struct sockaddr *peer);
/* May it be served by this interface? */
bool http_peer_is_welcome(const struct http_conn *conn);
/* The client's IPv4 address in host order; 0: it came over IPv6. */
uint32_t http_peer_ip(const struct http_conn *conn);
/* The client's address as text. Returns ret. */
const char *http_peer_text(
	const struct http_conn *conn, char ret[INET6_ADDRSTRLEN]);
/* Whose machine is it? Asks the kernel if nobody has told us before. */
void http_peer_identify(struct http_conn *conn);
/*
 * Under which MAC address machines/ID boots, the first len bytes of id, which
 * mean this machine (NULL: an unknown one). False: nobody knows.
 */
bool http_peer_mac_of(struct http_conn *conn, const char *id, size_t len,
	const struct config_machine *machine, struct mac *ret);
/* May it be the client of this MAC address, as far as the kernel knows? */
bool http_peer_may_be(const struct http_conn *conn, const struct mac *mac);
/* It is: its address is that client's from now on. */
void http_peer_is(struct http_conn *conn, struct client_record *record);
/* The number of connections from there, as far as a hash can tell. */
uint16_t *http_peer_count(struct http_conn *conn);
/*
 * Our own address, which the client can reach: into client->server, or as
 * "[2001:db8::1]" into text and client->server6.
 */
void http_peer_server(const struct http_conn *conn, struct client *client,
	char text[INET6_ADDRSTRLEN + 2]);

/* http_reply.c: what to answer. */

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
