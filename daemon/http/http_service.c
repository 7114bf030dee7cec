#include "daemon/http/http_service.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "daemon/base/clock.h"
#include "daemon/base/socket.h"
#include "daemon/base/worker.h"
#include "daemon/http/http_conn.h"
#include "daemon/http/http_extra.h"
#include "daemon/http/http_peer.h"
#include "daemon/http/http_room.h"
#include "daemon/http/http_send.h"

#define ACCEPTS_AT_ONCE	 64
#define DESCRIPTORS_LEFT 64 /* for everything but connections */
#define DESCRIPTORS_EACH 2  /* its own, and that of a machine's file */
#define SAY_AGAIN_US	 (60 * 1000000ull)

static void accept_again(struct http_service *s)
{
	if (!s->paused || s->fd < 0)
		return;
	s->paused = false;
	event_add(s->acceptable, NULL);
}

/* Whoever knocks now waits in the backlog until there is room for it. */
static void pause_accepting(struct http_service *s, const char *why)
{
	uint64_t now = clock_us();

	if (!s->paused_us || now - s->paused_us > SAY_AGAIN_US) {
		s->paused_us = now;
		log_warn("HTTP: new connections have to wait: %s", why);
	}
	s->paused = true;
	event_del(s->acceptable);
}

void http_conn_free(struct http_conn *conn)
{
	struct http_service *s = conn->service;

	TAILQ_REMOVE(&s->conns, conn, link);
	http_conn_owes(conn, false);
	s->counts.open--;
	--*http_peer_count(conn);
	event_del(&conn->event);
	worker_cancel(conn->job);
	close(conn->fd);
	http_conn_drop_view(conn);
	free(conn->in);
	free(conn->out);
	free(conn->path);
	http_extra_drop(conn);
	http_held_drop(conn);
	http_ready_drop(conn);
	http_bulk_end(conn);
	free(conn);
	accept_again(s);
}

/* NULL: it is not for us, or one too many. */
static struct http_conn *take(
	struct http_service *s, int fd, const struct sockaddr *peer)
{
	struct http_conn *conn = calloc(1, sizeof(*conn));

	if (!conn) {
		close(fd);
		return NULL;
	}
	conn->service = s;
	conn->fd = fd;
	http_peer_init(conn, peer);
	TAILQ_INSERT_TAIL(&s->conns, conn, link);
	s->counts.open++;
	s->counts.connections++;
	++*http_peer_count(conn);
	http_conn_start(conn);
	if (!http_peer_is_welcome(conn) ||
		*http_peer_count(conn) > HTTP_MAX_CONNECTIONS_PER_ADDR) {
		s->counts.over_cap++;
		http_conn_free(conn);
		return NULL;
	}
	return conn;
}

static void on_acceptable(evutil_socket_t fd, short what, void *arg)
{
	struct http_service *s = arg;

	(void)what;
	for (int i = 0; i < ACCEPTS_AT_ONCE; i++) {
		struct sockaddr_in6 peer;
		socklen_t len = sizeof(peer);
		bool full = s->counts.open >= s->open_max;
		struct http_conn *conn;
		int got;

		if (full && !http_room_is_to_be_had(s)) {
			pause_accepting(s, "too many are open");
			return;
		}
		got = accept4(fd, (struct sockaddr *)&peer, &len,
			SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (got >= 0) {
			conn = take(s, got, (struct sockaddr *)&peer);
			if (full && conn && http_room_make(s, conn))
				return;
			continue;
		}
		if (errno == EMFILE || errno == ENFILE || errno == ENOMEM ||
			errno == ENOBUFS)
			pause_accepting(s, strerror(errno));
		if (errno != ECONNABORTED && errno != EINTR)
			return;
	}
}

static void on_held_tick(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	http_held_tick(arg);
}

static void on_ready_turn(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	http_ready_turn(arg);
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
		http_conn_tick(conn, now);
	}
	http_bulk_tick(s, now);
	http_room_tick(s, now);
	accept_again(s);
}

static int start_listening(struct http_service *s)
{
	static const struct timeval second = {1, 0};
	const struct config *config = s->netuki->config;
	int one = 1;

	s->fd = socket_tcp(config->http.listen, config->http.port);
	if (s->fd < 0) {
		socket_log_failure("HTTP", true, config->http.listen,
			config->http.port, s->fd);
		return s->fd;
	}
	/* Connections inherit both. */
	setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(s->fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &one, sizeof(one));
	s->acceptable = event_new(
		s->netuki->base, s->fd, EV_READ | EV_PERSIST, on_acceptable, s);
	s->tick = event_new(s->netuki->base, -1, EV_PERSIST, on_tick, s);
	s->held_tick = evtimer_new(s->netuki->base, on_held_tick, s);
	s->ready_turn = evtimer_new(s->netuki->base, on_ready_turn, s);
	if (!s->acceptable || !s->tick || !s->held_tick || !s->ready_turn)
		return -ENOMEM;
	event_add(s->acceptable, NULL);
	event_add(s->tick, &second);
	return 0;
}

/* Connections take no more descriptors than leave some for all else. */
static unsigned open_max(void)
{
	struct rlimit limit;
	rlim_t room;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return HTTP_MAX_CONNECTIONS;
	room = limit.rlim_cur > 2 * DESCRIPTORS_LEFT
		       ? limit.rlim_cur - DESCRIPTORS_LEFT
		       : DESCRIPTORS_LEFT;
	room /= DESCRIPTORS_EACH;
	return room < HTTP_MAX_CONNECTIONS ? (unsigned)room
					   : HTTP_MAX_CONNECTIONS;
}

int http_service_new(struct netuki *netuki, struct http_service **ret)
{
	struct http_service *s = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return -ENOMEM;
	s->netuki = netuki;
	s->open_max = open_max();
	TAILQ_INIT(&s->conns);
	TAILQ_INIT(&s->bulk_waiting);
	TAILQ_INIT(&s->held);
	TAILQ_INIT(&s->ready);
	TAILQ_INIT(&s->owing);
	err = start_listening(s);
	if (err) {
		http_service_free(s);
		return err;
	}
	*ret = s;
	return 0;
}

static void stop_listening(struct http_service *s)
{
	if (s->acceptable)
		event_free(s->acceptable);
	s->acceptable = NULL;
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
}

void http_service_end_soon(struct http_service *s)
{
	struct http_conn *conn, *next;

	stop_listening(s);
	for (conn = TAILQ_FIRST(&s->conns); conn; conn = next) {
		next = TAILQ_NEXT(conn, link);
		http_conn_end_soon(conn);
	}
}

void http_service_free(struct http_service *s)
{
	if (!s)
		return;
	stop_listening(s);
	while (!TAILQ_EMPTY(&s->conns))
		http_conn_free(TAILQ_FIRST(&s->conns));
	if (s->tick)
		event_free(s->tick);
	if (s->held_tick)
		event_free(s->held_tick);
	if (s->ready_turn)
		event_free(s->ready_turn);
	free(s);
}

void http_service_each(
	const struct http_service *service, journal_progress *each, void *arg)
{
	const struct http_conn *conn;

	TAILQ_FOREACH (conn, &service->conns, link) {
		struct journal_event e = {
			.kind = JOURNAL_HTTP_START,
			.has_mac = conn->has_mac,
			.mac = conn->mac,
			.ip = http_peer_ip(conn),
			.file = conn->path,
			.bytes = conn->view_at - conn->begin_at,
			.us = clock_us() - conn->begin_us,
		};

		if (conn->noted)
			each(arg, &e, conn->view_end - conn->begin_at);
	}
}

struct http_counts http_service_counts(const struct http_service *service)
{
	return service->counts;
}
