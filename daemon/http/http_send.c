#include "daemon/http/http_send.h"

#include <errno.h>
#include <linux/sockios.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "daemon/base/clock.h"
#include "daemon/http/http_conn.h"
#include "daemon/http/http_peer.h"
#include "daemon/images/reader.h"

#define END 512 /* bytes of a large answer that are held back */

void http_note(struct http_conn *conn, enum journal_kind kind, const char *path,
	const char *detail)
{
	char ip6[INET6_ADDRSTRLEN];
	struct journal_event e = {
		.kind = kind,
		.ip = http_peer_ip(conn),
		.firmware = PXE_FIRMWARE_MAX,
		.arch = ARCH_INVALID,
		.file = path,
		.detail = detail,
	};

	http_peer_identify(conn);
	e.elsewhere = kind == JOURNAL_SCRIPT && conn->elsewhere;
	e.has_mac = conn->has_mac;
	e.mac = conn->mac;
	if (!e.ip)
		e.ip6 = http_peer_text(conn, ip6);
	if (kind == JOURNAL_HTTP_DONE || kind == JOURNAL_HTTP_BROKEN) {
		e.bytes = conn->view_at - conn->begin_at;
		e.partial = conn->partial;
		e.ours = conn->ours;
		e.us = clock_us() - conn->begin_us;
	}
	journal_write(&conn->service->netuki->journal, &e);
}

void http_send_break(struct http_conn *conn, const char *why)
{
	if (conn->noted) {
		conn->service->counts.broken++;
		http_note(conn, JOURNAL_HTTP_BROKEN, conn->path, why);
	}
	/*
	 * What is missing must not look like an end: a reset, not a FIN.
	 * Also so that no socket lingers with what nobody will read.
	 */
	setsockopt(conn->fd, SOL_SOCKET, SO_LINGER,
		&(struct linger){.l_onoff = 1}, sizeof(struct linger));
	http_conn_free(conn);
}

static enum http_sent break_changed(struct http_conn *conn)
{
	conn->ours = true;
	http_send_break(conn, "the file was changed while it was sent");
	return HTTP_SENT_GONE;
}

/* It is chance which of the two a client that hung up is told by. */
static const char *why_unsent(int err)
{
	return err == EPIPE || err == ECONNRESET ? "the client hung up"
						 : strerror(err);
}

static void on_warm(void *arg, int err)
{
	struct http_conn *conn = arg;

	conn->job = NULL;
	if (err == -ESTALE) {
		break_changed(conn);
		return;
	}
	if (err) {
		conn->ours = true;
		http_send_break(conn, err == -EIO ? "the file was cut short"
						  : "the file cannot be read");
		return;
	}
	http_conn_set_deadline(conn, HTTP_PROGRESS_DEADLINE_S);
	if (conn->bulk != HTTP_BULK_WAITING)
		http_conn_wait(conn, true);
}

static enum http_sent send_out(struct http_conn *conn)
{
	bool more = conn->view && conn->view_at < conn->view_end;

	while (conn->out_at < conn->out_len) {
		ssize_t n = send(conn->fd, conn->out + conn->out_at,
			conn->out_len - conn->out_at,
			MSG_DONTWAIT | MSG_NOSIGNAL | (more ? MSG_MORE : 0));

		if (n < 0 && errno == EAGAIN)
			return HTTP_SENT_FULL;
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			http_send_break(conn, why_unsent(errno));
			return HTTP_SENT_GONE;
		}
		conn->out_at += (uint32_t)n;
	}
	return HTTP_SENT_ALL;
}

/* Have a helper thread read in what is missing. */
static enum http_sent warm_up(struct http_conn *conn)
{
	conn->job = reader_start(conn->service->netuki->worker, conn->view,
		conn->view_at, READER_CHUNK, on_warm, conn);
	if (conn->job)
		return HTTP_SENT_WAIT;
	conn->ours = true;
	http_send_break(conn, "out of memory");
	return HTTP_SENT_GONE;
}

static const struct timeval soon = {0, 1000};

static void hold(struct http_conn *conn)
{
	struct http_service *s = conn->service;

	if (!conn->held)
		TAILQ_INSERT_TAIL(&s->held, conn, bulk_link);
	conn->held = true;
	if (!event_pending(s->held_tick, EV_TIMEOUT, NULL))
		event_add(s->held_tick, &soon);
}

/*
 * sendfile gives the socket references to the page cache: what is queued there
 * still changes when the file is rewritten. So the last bytes of a large
 * answer wait until all before them has reached the client, and leave, as a
 * copy, only if the file is still the same: the client must not take a
 * mixture for a whole.
 */
static enum http_sent send_end(struct http_conn *conn)
{
	char end[END];
	struct iovec iov = {end, conn->view_end - conn->view_at};
	ssize_t n;
	int err;

	if (ioctl(conn->fd, SIOCOUTQ, &conn->queued) == 0 && conn->queued > 0) {
		hold(conn);
		return HTTP_SENT_WAIT;
	}
	err = view_readv(conn->view, &iov, 1, conn->view_at, true);
	if (err == -EAGAIN)
		return warm_up(conn);
	if (err || !view_is_whole(conn->view))
		return break_changed(conn);
	n = send(conn->fd, end, iov.iov_len, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n < 0 && errno == EAGAIN)
		return HTTP_SENT_FULL;
	if (n < 0 && errno != EINTR) {
		http_send_break(conn, why_unsent(errno));
		return HTTP_SENT_GONE;
	}
	if (n > 0) {
		conn->view_at += (uint64_t)n;
		conn->service->counts.bytes += (uint64_t)n;
	}
	return conn->view_at < conn->view_end ? HTTP_SENT_TURN : HTTP_SENT_ALL;
}

void http_held_drop(struct http_conn *conn)
{
	if (conn->held)
		TAILQ_REMOVE(&conn->service->held, conn, bulk_link);
	conn->held = false;
}

void http_held_tick(struct http_service *s)
{
	struct http_conn *conn, *next;

	for (conn = TAILQ_FIRST(&s->held); conn; conn = next) {
		int queued = 0;

		/* Going on with one frees none but itself. */
		next = TAILQ_NEXT(conn, bulk_link);
		if (ioctl(conn->fd, SIOCOUTQ, &queued) == 0 && queued > 0) {
			if (queued < conn->queued)
				http_conn_set_deadline(
					conn, HTTP_PROGRESS_DEADLINE_S);
			conn->queued = queued;
			continue;
		}
		http_held_drop(conn);
		http_conn_resume(conn);
	}
	if (!TAILQ_EMPTY(&s->held))
		event_add(s->held_tick, &soon);
}

/* At most `budget` bytes of the body. */
static enum http_sent send_view(struct http_conn *conn, uint64_t budget)
{
	uint64_t left = conn->view_end - conn->view_at;
	uint64_t end = conn->bulk == HTTP_BULK_NONE ? 0 : END;

	if (end && left <= end)
		return send_end(conn);
	left -= end;
	if (budget > left)
		budget = left;
	/* sendfile would wait for the disk, and everyone with it. */
	if (!view_is_warm(conn->view, conn->view_at, budget))
		return warm_up(conn);
	if (budget == left && !view_is_whole(conn->view))
		return break_changed(conn);
	while (budget) {
		int64_t n = view_send(conn->view, conn->fd, conn->view_at,
			budget, budget < left);

		if (n == -EAGAIN)
			return HTTP_SENT_FULL;
		if (n == -EINTR)
			continue;
		if (n < 0) {
			conn->ours = n == -EIO;
			http_send_break(conn, n == -EIO
						      ? "the file was cut short"
						      : why_unsent((int)-n));
			return HTTP_SENT_GONE;
		}
		conn->view_at += (uint64_t)n;
		conn->service->counts.bytes += (uint64_t)n;
		budget -= (uint64_t)n;
		left -= (uint64_t)n;
	}
	if (!left && end)
		return send_end(conn);
	return left ? HTTP_SENT_TURN : HTTP_SENT_ALL;
}

enum http_sent http_send(struct http_conn *conn)
{
	uint64_t before = conn->out_at + conn->view_at;
	enum http_sent sent = send_out(conn);

	if (sent == HTTP_SENT_ALL && conn->view &&
		conn->view_at < conn->view_end)
		sent = conn->bulk == HTTP_BULK_WAITING
			       ? HTTP_SENT_WAIT
			       : send_view(conn,
					 conn->bulk ? HTTP_CHUNK : UINT64_MAX);
	if ((sent == HTTP_SENT_TURN || sent == HTTP_SENT_FULL) &&
		conn->out_at + conn->view_at != before) {
		http_conn_set_deadline(conn, HTTP_PROGRESS_DEADLINE_S);
		conn->queued = 0;
	}
	return sent;
}

void http_send_drop(struct http_conn *conn, uint64_t len)
{
	http_conn_set_deadline(conn, HTTP_PROGRESS_DEADLINE_S);
	/* Its end is not for now: an answer ends in its turn. */
	if (!conn->job && conn->out_at == conn->out_len &&
		conn->view_end - conn->view_at > len + END)
		send_view(conn, len);
}
