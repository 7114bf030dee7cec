#include "daemon/http/http_conn.h"

#include <errno.h>
#include <linux/sockios.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "daemon/base/clock.h"
#include "daemon/base/turn.h"
#include "daemon/http/http_reply.h"
#include "daemon/http/http_send.h"

#define IN_SIZE		(HTTP_MAX_HEAD + 1)
#define ANSWERS_AT_ONCE 8    /* of pipelined requests */
#define SLICE_US	1000 /* for those that are ready, in a round */
#define SIPS_S		10   /* before its time is up, a client is looked at */

void http_conn_set_deadline(struct http_conn *conn, unsigned seconds)
{
	conn->deadline_us = clock_us() + seconds * 1000000ull;
}

void http_conn_owes(struct http_conn *conn, bool owes)
{
	struct http_conns *owing = &conn->service->owing;

	if (owes == (conn->owing_us != 0))
		return;
	conn->owing_us = owes ? clock_us() : 0;
	if (owes)
		TAILQ_INSERT_TAIL(owing, conn, owing_link);
	else
		TAILQ_REMOVE(owing, conn, owing_link);
}

static void on_event(evutil_socket_t fd, short what, void *arg);

void http_conn_wait(struct http_conn *conn, bool writing)
{
	if (conn->writing == writing &&
		event_pending(&conn->event, EV_READ | EV_WRITE, NULL))
		return;
	event_del(&conn->event);
	event_assign(&conn->event, conn->service->netuki->base, conn->fd,
		writing ? EV_WRITE | EV_PERSIST | EV_ET : EV_READ | EV_PERSIST,
		on_event, conn);
	event_add(&conn->event, NULL);
	conn->writing = writing;
}

void http_conn_start(struct http_conn *conn)
{
	event_assign(&conn->event, conn->service->netuki->base, conn->fd,
		EV_READ | EV_PERSIST, on_event, conn);
	event_add(&conn->event, NULL);
	http_conn_owes(conn, true);
	http_conn_set_deadline(conn, HTTP_HEAD_DEADLINE_S);
}

/*
 * A socket holds megabytes, and says that there is room when a third of them
 * has left: who takes them slowly makes progress meanwhile.
 */
static void look_for_sips(struct http_conn *conn)
{
	int queued;

	if (!conn->out || ioctl(conn->fd, SIOCOUTQ, &queued) < 0)
		return;
	if (queued < conn->queued)
		http_conn_set_deadline(conn, HTTP_PROGRESS_DEADLINE_S);
	conn->queued = queued;
}

static void expire(struct http_conn *conn)
{
	if (conn->job) {
		/* It is the disk that is slow, not the client. */
		http_conn_set_deadline(conn, HTTP_PROGRESS_DEADLINE_S);
	} else if (conn->out) {
		conn->service->counts.timeouts++;
		http_send_break(conn, "the client stopped reading");
	} else if (conn->in_len) {
		conn->service->counts.timeouts++;
		http_reply_error(conn, 408);
		conn->in_len = 0;
		http_conn_resume(conn);
	} else {
		http_conn_free(conn);
	}
}

void http_conn_tick(struct http_conn *conn, uint64_t now_us)
{
	if (conn->deadline_us <= now_us + SIPS_S * 1000000ull)
		look_for_sips(conn);
	if (conn->deadline_us <= now_us)
		expire(conn);
}

void http_conn_end_soon(struct http_conn *conn)
{
	conn->close_after = true;
	if (!conn->out && !conn->job)
		http_conn_free(conn);
}

/*
 * Closing with unread bytes in the socket sends a reset, which can overtake
 * the answer: say FIN and read for a moment.
 */
static bool must_linger(const struct http_conn *conn)
{
	int unread = 0;

	return conn->refused || conn->in_len ||
	       (ioctl(conn->fd, FIONREAD, &unread) == 0 && unread > 0);
}

void http_conn_drop_view(struct http_conn *conn)
{
	view_unref(conn->view);
	conn->view = NULL;
	conn->service->made_bytes -= conn->made_len;
	conn->made_len = 0;
}

/* The answer is out. False: the connection is no more. */
static bool finish(struct http_conn *conn)
{
	conn->service->counts.completed++;
	if (conn->noted)
		http_note(conn, JOURNAL_HTTP_DONE, conn->path, NULL);
	http_bulk_end(conn);
	conn->noted = false;
	http_conn_drop_view(conn);
	conn->view_at = conn->view_end = 0;
	free(conn->out);
	conn->out = NULL;
	free(conn->path);
	conn->path = NULL;
	if (conn->close_after && must_linger(conn)) {
		shutdown(conn->fd, SHUT_WR);
		conn->in_len = 0;
		conn->lingering = true;
		http_conn_set_deadline(conn, HTTP_LINGER_DEADLINE_S);
		return true;
	}
	if (conn->close_after) {
		http_conn_free(conn);
		return false;
	}
	http_conn_set_deadline(conn,
		conn->in_len ? HTTP_HEAD_DEADLINE_S : HTTP_IDLE_DEADLINE_S);
	return true;
}

/*
 * Take the request at the start of `in`, if it is whole. It stays there while
 * a job has to be done before its answer.
 */
static bool next_request(struct http_conn *conn)
{
	struct http_request request;
	int n = http_parse_request(
		conn->in, conn->in_len, conn->in_scanned, &request);

	if (n == 0) {
		conn->in_scanned = conn->in_len;
		return false;
	}
	conn->in_scanned = 0;
	http_conn_owes(conn, false);
	if (n < 0) {
		http_reply_error(conn, (unsigned)-n);
		conn->in_len = 0;
	} else {
		http_reply(conn, &request);
		http_conn_set_deadline(conn, HTTP_PROGRESS_DEADLINE_S);
		if (!conn->out)
			return true;
		conn->service->counts.requests++;
		conn->in_len -= (uint32_t)n;
		memmove(conn->in, conn->in + n, conn->in_len);
	}
	if (!conn->in_len) {
		free(conn->in);
		conn->in = NULL;
	}
	http_conn_set_deadline(conn, HTTP_PROGRESS_DEADLINE_S);
	return true;
}

static void make_ready(struct http_conn *conn)
{
	static const struct timeval now = {0, 0};
	struct http_service *s = conn->service;

	if (!conn->ready)
		TAILQ_INSERT_TAIL(&s->ready, conn, ready_link);
	conn->ready = true;
	if (!event_pending(s->ready_turn, EV_TIMEOUT, NULL))
		event_add(s->ready_turn, &now);
}

void http_ready_drop(struct http_conn *conn)
{
	if (conn->ready)
		TAILQ_REMOVE(&conn->service->ready, conn, ready_link);
	conn->ready = false;
}

void http_ready_turn(struct http_service *s)
{
	static const struct timeval now = {0, 0};
	uint64_t until = clock_us() + SLICE_US;
	struct http_conn *conn;

	while ((conn = TAILQ_FIRST(&s->ready))) {
		http_conn_resume(conn);
		if (clock_us() >= until || turn_dhcp_waits())
			break;
	}
	if (!TAILQ_EMPTY(&s->ready))
		event_add(s->ready_turn, &now);
}

/* Answer what has been asked until something has to be waited for. */
void http_conn_resume(struct http_conn *conn)
{
	http_ready_drop(conn);
	for (unsigned answers = 0;; answers++) {
		if (conn->job) {
			event_del(&conn->event);
			return;
		}
		if (conn->out) {
			switch (http_send(conn)) {
			case HTTP_SENT_GONE:
				return;
			case HTTP_SENT_WAIT:
				event_del(&conn->event);
				return;
			case HTTP_SENT_TURN:
				http_conn_wait(conn, true);
				make_ready(conn);
				return;
			case HTTP_SENT_FULL:
				http_conn_wait(conn, true);
				return;
			case HTTP_SENT_ALL:
				break;
			}
			if (!finish(conn))
				return;
		}
		if (answers == ANSWERS_AT_ONCE && conn->in_len) {
			http_conn_wait(conn, true);
			make_ready(conn);
			return;
		}
		if (!conn->in_len || !next_request(conn))
			break;
		if (!conn->out && !conn->job) {
			/* Memory is too short to say so. */
			http_conn_free(conn);
			return;
		}
	}
	http_conn_owes(conn, true);
	http_conn_wait(conn, false);
}

/* What comes after a refusal is read and forgotten. */
static void read_in_vain(struct http_conn *conn)
{
	char buf[4096];
	ssize_t n = recv(conn->fd, buf, sizeof(buf), MSG_DONTWAIT);

	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		http_conn_free(conn);
}

static void read_more(struct http_conn *conn)
{
	ssize_t n;

	if (!conn->in) {
		conn->in = malloc(IN_SIZE);
		conn->in_scanned = 0;
		if (!conn->in) {
			http_conn_free(conn);
			return;
		}
	}
	n = recv(conn->fd, conn->in + conn->in_len, IN_SIZE - conn->in_len,
		MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
		if (!conn->in_len) {
			free(conn->in);
			conn->in = NULL;
		}
		return;
	}
	if (n <= 0) {
		http_conn_free(conn);
		return;
	}
	/* The head's deadline is absolute: from its first byte. */
	if (!conn->in_len)
		http_conn_set_deadline(conn, HTTP_HEAD_DEADLINE_S);
	conn->in_len += (uint32_t)n;
	http_conn_resume(conn);
}

static void on_event(evutil_socket_t fd, short what, void *arg)
{
	struct http_conn *conn = arg;

	(void)fd;
	if ((what & EV_WRITE) && conn->bulk != HTTP_BULK_NONE)
		make_ready(conn);
	else if (what & EV_WRITE)
		http_conn_resume(conn);
	else if (conn->lingering)
		read_in_vain(conn);
	else
		read_more(conn);
}
