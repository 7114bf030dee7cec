#include "daemon/http_conn.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "daemon/clock.h"
#include "daemon/reader.h"

#define IN_SIZE		 (HTTP_MAX_HEAD + 1)
#define CHUNK		 (512u << 10) /* sent to one client before others get a turn */
#define DRAIN_DEADLINE_S 2
#define PROBE		 (128u << 10) /* the kernel reads ahead by about so much */

void http_note(struct http_conn *conn, enum journal_kind kind, const char *path,
	const char *detail)
{
	struct journal_event e = {
		.kind = kind,
		.has_mac = conn->has_mac,
		.mac = conn->mac,
		.ip = ntohl(conn->peer.sin_addr.s_addr),
		.firmware = PXE_FIRMWARE_MAX,
		.arch = ARCH_INVALID,
		.file = path,
		.detail = detail,
	};

	if (kind == JOURNAL_HTTP_DONE || kind == JOURNAL_HTTP_BROKEN) {
		e.bytes = conn->view_at - conn->begin_at;
		e.us = clock_us() - conn->begin_us;
	}
	journal_write(&conn->service->netuki->journal, &e);
}

static void set_deadline(struct http_conn *conn, unsigned seconds)
{
	conn->deadline_us = clock_us() + seconds * 1000000ull;
}

static void on_event(evutil_socket_t fd, short what, void *arg);

/* Have the event wait for reading or for writing. */
static void wait_for(struct http_conn *conn, bool writing)
{
	if (conn->writing == writing && event_initialized(&conn->event) &&
		event_pending(&conn->event, EV_READ | EV_WRITE, NULL))
		return;
	event_del(&conn->event);
	event_assign(&conn->event, conn->service->netuki->base, conn->fd,
		(short)(EV_PERSIST | (writing ? EV_WRITE : EV_READ)), on_event,
		conn);
	event_add(&conn->event, NULL);
	conn->writing = writing;
}

void http_conn_start(struct http_conn *conn)
{
	event_assign(&conn->event, conn->service->netuki->base, conn->fd,
		EV_READ | EV_PERSIST, on_event, conn);
	event_add(&conn->event, NULL);
	set_deadline(conn, HTTP_HEAD_DEADLINE_S);
}

static void end_broken(struct http_conn *conn, const char *why)
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

static void go_on(struct http_conn *conn);

void http_conn_expire(struct http_conn *conn)
{
	if (conn->out || conn->view) {
		conn->service->counts.timeouts++;
		end_broken(conn, "the client stopped reading");
	} else if (conn->in_len) {
		conn->service->counts.timeouts++;
		http_reply_error(conn, 408);
		go_on(conn);
	} else {
		http_conn_free(conn);
	}
}

/* The answer is out. False: the connection is no more. */
static bool finish(struct http_conn *conn)
{
	conn->service->counts.completed++;
	if (conn->noted)
		http_note(conn, JOURNAL_HTTP_DONE, conn->path, NULL);
	conn->noted = false;
	view_unref(conn->view);
	conn->view = NULL;
	free(conn->out);
	conn->out = NULL;
	free(conn->path);
	conn->path = NULL;
	if (conn->refused) {
		/*
		 * Closing with unread bytes in the socket sends a reset, which
		 * can overtake the answer: say FIN and read for a moment.
		 */
		shutdown(conn->fd, SHUT_WR);
		conn->in_len = 0;
		conn->draining = true;
		set_deadline(conn, DRAIN_DEADLINE_S);
		return true;
	}
	if (conn->close_after) {
		http_conn_free(conn);
		return false;
	}
	set_deadline(conn,
		conn->in_len ? HTTP_HEAD_DEADLINE_S : HTTP_IDLE_DEADLINE_S);
	return true;
}

static void on_warm(void *arg, int err)
{
	struct http_conn *conn = arg;

	conn->job = NULL;
	if (err)
		end_broken(conn, "the file cannot be read");
	else
		wait_for(conn, true);
}

/*
 * Is the next chunk in the page cache? sendfile would wait for the disk, and
 * everyone with it.
 */
static bool is_warm(const struct http_conn *conn, uint64_t len)
{
	for (uint64_t at = 0; at < len; at += PROBE) {
		char byte;
		struct iovec iov = {&byte, 1};

		if (view_readv(conn->view, &iov, 1, conn->view_at + at, true) ==
			-EAGAIN)
			return false;
	}
	return true;
}

enum sending { SENDING_DONE, SENDING_LATER, SENDING_GONE };

static enum sending send_out(struct http_conn *conn)
{
	bool more = conn->view && conn->view_at < conn->view_end;

	while (conn->out_at < conn->out_len) {
		ssize_t n = send(conn->fd, conn->out + conn->out_at,
			conn->out_len - conn->out_at,
			MSG_DONTWAIT | MSG_NOSIGNAL | (more ? MSG_MORE : 0));

		if (n < 0 && errno == EAGAIN)
			return SENDING_LATER;
		if (n < 0) {
			end_broken(conn, strerror(errno));
			return SENDING_GONE;
		}
		conn->out_at += (uint32_t)n;
	}
	return SENDING_DONE;
}

/* One turn's worth of the body. */
static enum sending send_view(struct http_conn *conn)
{
	uint64_t left = conn->view_end - conn->view_at;
	uint64_t budget = left < CHUNK ? left : CHUNK;
	int64_t n;

	if (!is_warm(conn, budget)) {
		conn->job = reader_start(conn->service->netuki->worker,
			conn->view, conn->view_at, READER_CHUNK, on_warm, conn);
		if (!conn->job) {
			end_broken(conn, "out of memory");
			return SENDING_GONE;
		}
		event_del(&conn->event);
		return SENDING_LATER;
	}
	while (budget) {
		n = view_send(conn->view, conn->fd, conn->view_at, budget,
			budget < left);
		if (n == -EAGAIN)
			return SENDING_LATER;
		if (n < 0) {
			end_broken(conn, n == -EIO ? "the file was cut short"
						   : strerror((int)-n));
			return SENDING_GONE;
		}
		conn->view_at += (uint64_t)n;
		conn->service->counts.bytes += (uint64_t)n;
		budget -= (uint64_t)n;
		left -= (uint64_t)n;
	}
	if (!left && !view_is_whole(conn->view)) {
		end_broken(conn, "the file was changed while it was sent");
		return SENDING_GONE;
	}
	return left ? SENDING_LATER : SENDING_DONE;
}

static enum sending send_answer(struct http_conn *conn)
{
	uint64_t before = conn->out_at + conn->view_at;
	enum sending sending = send_out(conn);

	if (sending == SENDING_DONE && conn->view &&
		conn->view_at < conn->view_end)
		sending = send_view(conn);
	if (sending == SENDING_LATER && conn->out_at + conn->view_at != before)
		set_deadline(conn, HTTP_PROGRESS_DEADLINE_S);
	return sending;
}

/* Take the request at the start of `in`, if it is whole. */
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
	if (n < 0) {
		http_reply_error(conn, (unsigned)-n);
		conn->in_len = 0;
	} else {
		http_reply(conn, &request);
		conn->in_len -= (uint32_t)n;
		memmove(conn->in, conn->in + n, conn->in_len);
	}
	if (!conn->in_len) {
		free(conn->in);
		conn->in = NULL;
	}
	set_deadline(conn, HTTP_PROGRESS_DEADLINE_S);
	return true;
}

/* Answer what has been asked until something has to be waited for. */
static void go_on(struct http_conn *conn)
{
	for (;;) {
		if (conn->out) {
			switch (send_answer(conn)) {
			case SENDING_GONE:
				return;
			case SENDING_LATER:
				if (!conn->job)
					wait_for(conn, true);
				return;
			case SENDING_DONE:
				break;
			}
			if (!finish(conn))
				return;
		}
		if (!conn->in_len || !next_request(conn))
			break;
	}
	wait_for(conn, false);
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
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		http_conn_free(conn);
		return;
	}
	if (conn->draining)
		return;
	/* The head's deadline is absolute: from its first byte. */
	if (!conn->in_len)
		set_deadline(conn, HTTP_HEAD_DEADLINE_S);
	conn->in_len += (uint32_t)n;
	go_on(conn);
}

static void on_event(evutil_socket_t fd, short what, void *arg)
{
	struct http_conn *conn = arg;

	(void)fd;
	if (what & EV_WRITE)
		go_on(conn);
	else
		read_more(conn);
}
