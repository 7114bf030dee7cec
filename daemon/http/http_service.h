/*
 * http_service: connections of the HTTP server (RFC 9110, 9112): GET and
 * HEAD of views, and of what the daemon writes itself (scripts, metrics). The
 * protocol is proto/http's; this is sockets, deadlines and caps.
 *
 * A connection reads a request, answers it, and only then reads the next:
 * pipelined requests wait in its buffer or in the kernel. What goes out is a
 * head in memory, then a range of a view by sendfile.
 *
 * `listen: 0.0.0.0` means every address of this host, of IPv6 too: one socket
 * serves both. An address in `listen` is that address alone.
 */
#ifndef DAEMON_HTTP_HTTP_SERVICE_H
#define DAEMON_HTTP_HTTP_SERVICE_H

#include "daemon/netuki.h"

#define HTTP_MAX_CONNECTIONS	      8192
#define HTTP_MAX_CONNECTIONS_PER_ADDR 4096
#define HTTP_HEAD_DEADLINE_S	      10 /* for a whole request head */
#define HTTP_IDLE_DEADLINE_S	      15 /* between requests */
#define HTTP_PROGRESS_DEADLINE_S      30 /* for any progress of a body */
#define HTTP_LINGER_DEADLINE_S	      2	 /* for a refused client to hang up */
/* Answers above this are bulk: paced, and limited in number. */
#define HTTP_BULK_MIN (1u << 20)

/* 0, or -errno after having logged why. */
int http_service_new(struct netuki *netuki, struct http_service **ret);
void http_service_free(struct http_service *service);
/* No new connections or requests; the answers under way go on. */
void http_service_end_soon(struct http_service *service);

/* Each download that runs. */
void http_service_each(
	const struct http_service *service, journal_progress *each, void *arg);

struct http_counts {
	uint64_t connections, over_cap, requests, completed, broken, timeouts;
	uint64_t refused, bytes;
	unsigned open, waiting; /* connections; bulk answers in line */
};
struct http_counts http_service_counts(const struct http_service *service);

#endif
