#include "daemon/http/http_bulk.h"

#include <sys/socket.h>

#include "daemon/http/http_conn.h"
#include "daemon/http/http_send.h"

/*
 * While a client waits for its turn it gets a drop of its file now and then:
 * EDK2 gives up after 5 s without a byte (PcdHttpIoTimeout).
 */
#define DROP 1024
/* A client that takes nothing for so long does not keep others waiting. */
#define STALL_S 3
/* Slower than this no boot succeeds, and the progress deadline would strike. */
#define RATE_MIN 65536

static void run(struct http_conn *conn)
{
	conn->bulk = HTTP_BULK_RUNNING;
	conn->service->bulk_count++;
}

static bool has_room(const struct http_service *s)
{
	uint32_t max = s->netuki->config->http.max_bulk;

	return !max || s->bulk_count < max;
}

static void admit(struct http_service *s)
{
	struct http_conn *conn;

	while ((conn = TAILQ_FIRST(&s->bulk_waiting)) && has_room(s)) {
		TAILQ_REMOVE(&s->bulk_waiting, conn, bulk_link);
		s->counts.waiting--;
		run(conn);
		http_conn_set_deadline(conn, HTTP_PROGRESS_DEADLINE_S);
		/* It goes on when its socket and its data are ready. */
		if (!conn->job)
			http_conn_wait(conn, true);
	}
}

static void pace(struct http_conn *conn)
{
	unsigned long rate = conn->service->netuki->config->http.max_rate;

	if (!rate && !conn->paced)
		return;
	conn->paced = rate > 0;
	if (!rate)
		rate = ~0ul;
	else if (rate < RATE_MIN)
		rate = RATE_MIN;
	setsockopt(
		conn->fd, SOL_SOCKET, SO_MAX_PACING_RATE, &rate, sizeof(rate));
}

void http_bulk_begin(struct http_conn *conn)
{
	struct http_service *s = conn->service;

	if (conn->view_end - conn->view_at <= HTTP_BULK_MIN)
		return;
	pace(conn);
	if (has_room(s) && TAILQ_EMPTY(&s->bulk_waiting)) {
		run(conn);
		return;
	}
	conn->bulk = HTTP_BULK_WAITING;
	TAILQ_INSERT_TAIL(&s->bulk_waiting, conn, bulk_link);
	s->counts.waiting++;
}

void http_bulk_end(struct http_conn *conn)
{
	struct http_service *s = conn->service;

	switch (conn->bulk) {
	case HTTP_BULK_NONE:
		return;
	case HTTP_BULK_WAITING:
		TAILQ_REMOVE(&s->bulk_waiting, conn, bulk_link);
		s->counts.waiting--;
		break;
	case HTTP_BULK_RUNNING:
		s->bulk_count--;
		break;
	case HTTP_BULK_STALLED:
		break;
	}
	conn->bulk = HTTP_BULK_NONE;
	admit(s);
}

bool http_bulk_stalls(const struct http_conn *conn, uint64_t now_us)
{
	const unsigned left_s = HTTP_PROGRESS_DEADLINE_S - STALL_S;

	return conn->out && conn->deadline_us < now_us + left_s * 1000000ull;
}

void http_bulk_tick(struct http_service *s, uint64_t now_us)
{
	struct http_conn *conn, *next;

	/* A reload may have made room. Afterwards a drop makes none. */
	admit(s);
	for (conn = TAILQ_FIRST(&s->bulk_waiting); conn; conn = next) {
		next = TAILQ_NEXT(conn, bulk_link);
		http_send_drop(conn, DROP);
	}
	if (TAILQ_EMPTY(&s->bulk_waiting))
		return;
	/* The turn of one who stalls is over; it may still go on, uncounted. */
	TAILQ_FOREACH (conn, &s->conns, link)
		if (conn->bulk == HTTP_BULK_RUNNING &&
			http_bulk_stalls(conn, now_us)) {
			http_bulk_end(conn);
			conn->bulk = HTTP_BULK_STALLED;
		}
}
