#include "daemon/http_service.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/clients.h"
#include "daemon/clock.h"
#include "daemon/http_conn.h"
#include "daemon/netif.h"
#include "daemon/socket.h"
#include "daemon/worker.h"

#define ACCEPTS_AT_ONCE 64

static uint16_t *count_of(struct http_service *s, const struct http_conn *conn)
{
	uint32_t h = conn->peer.sin_addr.s_addr * 2654435761u;

	return &s->per_addr[(h ^ h >> 16) % 4096];
}

/* The interface that has this address of ours; NULL: none. */
static const struct netif *netif_of(const struct netifs *netifs, uint32_t addr)
{
	for (size_t i = 0; i < netifs_count(netifs); i++) {
		const struct netif *netif = netifs_at(netifs, i);

		for (size_t j = 0; j < netif->n_addrs; j++)
			if (netif->addr[j].addr == addr)
				return netif;
	}
	return NULL;
}

/* Whose connection is it? Asks the kernel if nobody has told us before. */
static void identify(struct http_conn *conn, const struct netif *netif)
{
	struct netuki *netuki = conn->service->netuki;
	uint32_t ip = ntohl(conn->peer.sin_addr.s_addr);
	const struct client_record *r = clients_find_ip(netuki->clients, ip);

	if (r) {
		conn->mac = r->mac;
		conn->has_mac = true;
	} else if (netif) {
		conn->has_mac = netifs_neighbour(
			netuki->netifs, netif->index, ip, &conn->mac);
	}
}

/* May this connection be served here? Loopback always: for the site's own
 * monitoring. */
static bool is_welcome(const struct http_conn *conn, const struct netif *netif)
{
	return (netif && netif->served) ||
	       (ntohl(conn->local.sin_addr.s_addr) >> 24) == 127;
}

void http_conn_free(struct http_conn *conn)
{
	struct http_service *s = conn->service;

	TAILQ_REMOVE(&s->conns, conn, link);
	s->counts.open--;
	--*count_of(s, conn);
	event_del(&conn->event);
	worker_cancel(conn->job);
	close(conn->fd);
	view_unref(conn->view);
	free(conn->in);
	free(conn->out);
	free(conn->path);
	free(conn);
}

static void take(struct http_service *s, int fd, const struct sockaddr_in *peer)
{
	struct http_conn *conn = calloc(1, sizeof(*conn));
	socklen_t len = sizeof(conn->local);
	const struct netif *netif;
	int one = 1;

	if (!conn) {
		close(fd);
		return;
	}
	conn->service = s;
	conn->fd = fd;
	conn->peer = *peer;
	getsockname(fd, (struct sockaddr *)&conn->local, &len);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	TAILQ_INSERT_TAIL(&s->conns, conn, link);
	s->counts.open++;
	s->counts.connections++;
	++*count_of(s, conn);
	netif = netif_of(s->netuki->netifs, ntohl(conn->local.sin_addr.s_addr));
	http_conn_start(conn);
	if (!is_welcome(conn, netif) || s->counts.open > HTTP_MAX_CONNECTIONS ||
		*count_of(s, conn) > HTTP_MAX_CONNECTIONS_PER_ADDR) {
		s->counts.over_cap++;
		http_conn_free(conn);
		return;
	}
	identify(conn, netif);
}

/* Out of descriptors: leave callers in the backlog until some are free. */
static void pause_accepting(struct http_service *s, int err)
{
	if (!s->paused)
		log_warn("HTTP: no new connections for now: %s", strerror(err));
	s->paused = true;
	event_del(s->acceptable);
}

static void on_acceptable(evutil_socket_t fd, short what, void *arg)
{
	struct http_service *s = arg;

	(void)what;
	for (int i = 0; i < ACCEPTS_AT_ONCE; i++) {
		struct sockaddr_in peer;
		socklen_t len = sizeof(peer);
		int conn = accept4(fd, (struct sockaddr *)&peer, &len,
			SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (conn >= 0) {
			take(s, conn, &peer);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE || errno == ENOMEM ||
			errno == ENOBUFS)
			pause_accepting(s, errno);
		if (errno != ECONNABORTED && errno != EINTR)
			return;
	}
}

/* One sweep a second serves every deadline. */
static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct http_service *s = arg;
	uint64_t now = clock_us();
	struct http_conn *conn, *next;

	(void)fd, (void)what;
	for (conn = TAILQ_FIRST(&s->conns); conn; conn = next) {
		next = TAILQ_NEXT(conn, link);
		if (conn->deadline_us <= now)
			http_conn_expire(conn);
	}
	if (s->paused) {
		s->paused = false;
		event_add(s->acceptable, NULL);
	}
}

int http_service_new(struct netuki *netuki, struct http_service **ret)
{
	static const struct timeval second = {1, 0};
	const struct config *config = netuki->config;
	struct http_service *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->netuki = netuki;
	s->limit.burst = 10;
	TAILQ_INIT(&s->conns);
	s->fd = socket_tcp(config->http.listen, config->http.port);
	if (s->fd < 0) {
		int err = s->fd;

		socket_log_failure("HTTP", true, config->http.listen,
			config->http.port, err);
		free(s);
		return err;
	}
	s->acceptable = event_new(
		netuki->base, s->fd, EV_READ | EV_PERSIST, on_acceptable, s);
	s->tick = event_new(netuki->base, -1, EV_PERSIST, on_tick, s);
	if (!s->acceptable || !s->tick) {
		http_service_free(s);
		return -ENOMEM;
	}
	event_add(s->acceptable, NULL);
	event_add(s->tick, &second);
	*ret = s;
	return 0;
}

void http_service_free(struct http_service *s)
{
	if (!s)
		return;
	while (!TAILQ_EMPTY(&s->conns))
		http_conn_free(TAILQ_FIRST(&s->conns));
	if (s->acceptable)
		event_free(s->acceptable);
	if (s->tick)
		event_free(s->tick);
	if (s->fd >= 0)
		close(s->fd);
	free(s);
}

struct http_counts http_service_counts(const struct http_service *service)
{
	return service->counts;
}
