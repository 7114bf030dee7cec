#include "daemon/tftp_service.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

#include "daemon/clients.h"
#include "daemon/clock.h"
#include "daemon/content.h"
#include "daemon/log.h"
#include "daemon/netif.h"
#include "daemon/reader.h"
#include "daemon/socket.h"
#include "daemon/tftp_socket.h"
#include "proto/path.h"
#include "proto/tftp.h"
#include "proto/tftp_send.h"

#define BUCKETS		 1024
#define REQUEST_MAX	 1024 /* bytes of a request; more is no request */
#define REQUESTS_AT_ONCE 64
#define PACKETS_AT_ONCE	 16

struct transfer {
	struct tftp_service *service;
	LIST_ENTRY(transfer) by_peer;
	struct sockaddr_in peer;
	int fd;
	struct event *readable, *writable, *timer;
	uint64_t timer_us; /* when the timer is set to fire */
	struct view *view;
	struct tftp_send send;
	struct worker_job *job;	   /* waiting for cold data */
	struct tftp_action unsent; /* what waits for the socket or the disk */
	bool started;		   /* the first block has gone out */
	bool has_mac;
	struct mac mac;
	uint64_t begin_us;
	const char *name; /* behind the request */
	size_t request_len;
	uint8_t request[]; /* as it came, to know it again */
};

LIST_HEAD(transfers, transfer);

struct tftp_service {
	struct netuki *netuki;
	int fd;
	struct event *event;
	struct tftp_counts counts;
	struct log_limit limit;
	struct transfers bucket[BUCKETS];
};

static struct transfers *bucket_of(
	struct tftp_service *s, const struct sockaddr_in *peer)
{
	uint32_t h = peer->sin_addr.s_addr * 2654435761u;

	/* By address alone, so that one walk counts an address' transfers. */
	return &s->bucket[(h ^ h >> 16) % BUCKETS];
}

static void note(const struct transfer *t, enum journal_kind kind,
	const char *name, const char *detail)
{
	struct journal_event e = {
		.kind = kind,
		.has_mac = t->has_mac,
		.mac = t->mac,
		.ip = ntohl(t->peer.sin_addr.s_addr),
		.firmware = PXE_FIRMWARE_MAX,
		.arch = ARCH_INVALID,
		.file = name,
		.detail = detail,
	};
	uint64_t acked = t->send.base * t->send.params.blksize;

	if (t->begin_us) {
		e.us = clock_us() - t->begin_us;
		e.bytes =
			acked < view_size(t->view) ? acked : view_size(t->view);
	}
	journal_write(&t->service->netuki->journal, &e);
}

static void transfer_free(struct transfer *t)
{
	struct tftp_service *s = t->service;

	s->counts.blocks += t->send.stats.blocks_sent;
	s->counts.resent +=
		t->send.stats.resent_timer + t->send.stats.resent_rollback;
	s->counts.running--;
	LIST_REMOVE(t, by_peer);
	worker_cancel(t->job);
	if (t->readable)
		event_free(t->readable);
	if (t->writable)
		event_free(t->writable);
	if (t->timer)
		event_free(t->timer);
	if (t->fd >= 0)
		close(t->fd);
	view_unref(t->view);
	free(t);
}

/* How it ended, for the journal: its one line. */
static void transfer_end(
	struct transfer *t, enum journal_kind kind, const char *why)
{
	const struct tftp_send_stats *stats = &t->send.stats;
	char detail[JOURNAL_TEXT_MAX];

	snprintf(detail, sizeof(detail),
		"%s%sblksize %u windowsize %u, resent %llu by timer %llu by "
		"roll-back, round trip %.1f ms",
		why ? why : "", why ? ", " : "", t->send.params.blksize,
		t->send.params.windowsize,
		(unsigned long long)stats->resent_timer,
		(unsigned long long)stats->resent_rollback,
		(double)stats->srtt_us / 1000);
	note(t, kind, t->name, detail);
	transfer_free(t);
}

static void transfer_fail(struct transfer *t, const char *why)
{
	tftp_socket_error(t->fd, TFTP_ERROR_UNDEFINED, why);
	t->service->counts.failed++;
	transfer_end(t, JOURNAL_TFTP_FAILED, why);
}

static bool perform(struct transfer *t, struct tftp_action action);
static void arm(struct transfer *t);

static void on_data_warm(void *arg, int err)
{
	struct transfer *t = arg;
	struct tftp_action action = t->unsent;

	t->job = NULL;
	t->unsent = (struct tftp_action){.step = TFTP_STEP_WAIT};
	if (err) {
		transfer_fail(t, "the file cannot be read");
		return;
	}
	tftp_send_delayed(&t->send, clock_us());
	if (perform(t, action))
		arm(t);
}

/* Blocks go out; what the socket or the disk does not take now waits. */
static bool send_blocks(struct transfer *t, struct tftp_action action)
{
	uint64_t offset = (action.first - 1) * t->send.params.blksize;
	struct tftp_sent sent;

	if (!t->started) {
		t->started = true;
		note(t, JOURNAL_TFTP_START, t->name, NULL);
	}
	sent = tftp_socket_blocks(
		t->fd, t->view, &t->send, action.first, action.count);
	t->unsent = (struct tftp_action){
		.step = TFTP_STEP_BLOCKS,
		.first = action.first + sent.count,
		.count = action.count - sent.count,
	};
	switch (sent.result) {
	case TFTP_SENT_ALL:
		t->unsent.step = TFTP_STEP_WAIT;
		return true;
	case TFTP_SENT_FULL:
		event_add(t->writable, NULL);
		return true;
	case TFTP_SENT_COLD:
		t->job = reader_start(t->service->netuki->worker, t->view,
			offset, READER_CHUNK, on_data_warm, t);
		if (t->job)
			return true;
		transfer_fail(t, "out of memory");
		return false;
	case TFTP_SENT_CHANGED:
		transfer_fail(t, "the file was changed while it was sent");
		return false;
	case TFTP_SENT_GONE:
		break;
	}
	t->service->counts.gave_up++;
	transfer_end(t, JOURNAL_TFTP_FAILED, "the client cannot be reached");
	return false;
}

/* Do what the state machine says. False: the transfer is no more. */
static bool perform(struct transfer *t, struct tftp_action action)
{
	struct tftp_service *s = t->service;

	switch (action.step) {
	case TFTP_STEP_WAIT:
		return true;
	case TFTP_STEP_OACK:
		tftp_socket_oack(t->fd, &t->send.params, view_size(t->view));
		return true;
	case TFTP_STEP_BLOCKS:
		if (t->job) /* the disk is slow: the client will ask again */
			return true;
		return send_blocks(t, action);
	case TFTP_STEP_DONE:
		s->counts.completed++;
		s->counts.bytes += view_size(t->view);
		transfer_end(t, JOURNAL_TFTP_DONE, NULL);
		return false;
	case TFTP_STEP_ABORTED:
		s->counts.aborted++;
		transfer_end(t, JOURNAL_TFTP_ABORTED,
			t->started ? "by the client" : "a question of size");
		return false;
	case TFTP_STEP_GAVE_UP:
		s->counts.gave_up++;
		transfer_end(t, JOURNAL_TFTP_FAILED, "the client went silent");
		return false;
	}
	return true;
}

/*
 * The timer is left alone while packets come in: it fires, sees that its
 * deadline has moved, and is set again. An ACK so costs no heap operation.
 */
static void arm(struct transfer *t)
{
	uint64_t deadline = tftp_send_deadline(&t->send), now;
	struct timeval in;

	if (t->job || deadline == UINT64_MAX ||
		(t->timer_us && t->timer_us <= deadline))
		return;
	now = clock_us();
	t->timer_us = deadline > now ? deadline : now + 1;
	in = clock_timeval(t->timer_us - now);
	event_add(t->timer, &in);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct transfer *t = arg;

	(void)fd, (void)what;
	t->timer_us = 0;
	if (t->job)
		return;
	if (perform(t, tftp_send_tick(&t->send, clock_us())))
		arm(t);
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct transfer *t = arg;
	struct tftp_action action = t->unsent;

	(void)fd, (void)what;
	t->unsent.step = TFTP_STEP_WAIT;
	perform(t, action);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct transfer *t = arg;
	uint8_t buf[600];

	(void)what;
	for (int i = 0; i < PACKETS_AT_ONCE; i++) {
		ssize_t n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);
		struct tftp_packet packet;

		if (n < 0 && errno == ECONNREFUSED) {
			/* The client's port is closed: it has gone on. */
			perform(t, (struct tftp_action){
					   .step = TFTP_STEP_ABORTED});
			return;
		}
		if (n < 0)
			break;
		if (!tftp_parse_packet(buf, (size_t)n, &packet))
			continue;
		if (!perform(
			    t, tftp_send_packet(&t->send, &packet, clock_us())))
			return;
	}
	arm(t);
}

/* Whose address is this? Asks the kernel if nobody has told us before. */
static void identify(struct transfer *t, unsigned ifindex)
{
	struct netuki *netuki = t->service->netuki;
	uint32_t ip = ntohl(t->peer.sin_addr.s_addr);
	struct client_record *r = clients_find_ip(netuki->clients, ip);

	if (r) {
		t->mac = r->mac;
		t->has_mac = true;
	} else if (netifs_neighbour(netuki->netifs, ifindex, ip, &t->mac)) {
		t->has_mac = true;
		r = clients_find(netuki->clients, &t->mac);
		if (r)
			clients_set_ip(netuki->clients, r, ip);
	}
}

/* A request that came in, and where. */
struct arrival {
	const uint8_t *data;
	size_t len;
	struct sockaddr_in from;
	uint32_t to; /* our address that it was sent to; host order */
	const struct netif *netif;
};

static void refuse(struct tftp_service *s, const struct arrival *a,
	enum tftp_error code, const char *why, const char *name)
{
	struct journal_event e = {
		.kind = JOURNAL_TFTP_REFUSED,
		.ip = ntohl(a->from.sin_addr.s_addr),
		.firmware = PXE_FIRMWARE_MAX,
		.arch = ARCH_INVALID,
		.file = name,
		.detail = why,
	};

	s->counts.refused++;
	tftp_socket_refuse(s->fd, &a->from, a->netif->index, a->to, code, why);
	journal_write(&s->netuki->journal, &e);
}

/*
 * A request from an address and port that has a transfer is the same request
 * again (its answer was lost), or the port is used anew and the old transfer
 * is over. True: it was the same, and is answered.
 */
static bool repeat(struct tftp_service *s, const struct arrival *a,
	unsigned *ret_of_address)
{
	struct transfer *t, *next;

	*ret_of_address = 0;
	for (t = LIST_FIRST(bucket_of(s, &a->from)); t; t = next) {
		next = LIST_NEXT(t, by_peer);
		if (t->peer.sin_addr.s_addr != a->from.sin_addr.s_addr)
			continue;
		if (t->peer.sin_port != a->from.sin_port) {
			++*ret_of_address;
			continue;
		}
		if (t->request_len == a->len &&
			memcmp(t->request, a->data, a->len) == 0) {
			if (perform(t, tftp_send_again(&t->send, clock_us())))
				arm(t);
			return true;
		}
		s->counts.aborted++;
		transfer_end(t, JOURNAL_TFTP_ABORTED, "a new request");
	}
	return false;
}

static bool transfer_events(struct transfer *t)
{
	struct event_base *base = t->service->netuki->base;

	t->readable =
		event_new(base, t->fd, EV_READ | EV_PERSIST, on_readable, t);
	t->writable = event_new(base, t->fd, EV_WRITE, on_writable, t);
	t->timer = evtimer_new(base, on_timer, t);
	return t->readable && t->writable && t->timer &&
	       event_add(t->readable, NULL) == 0;
}

static void begin(struct tftp_service *s, const struct arrival *a,
	const struct tftp_request *request, struct view *view)
{
	struct tftp_limits limits = {
		.max_blksize = tftp_socket_max_blksize(a->netif->mtu),
		.max_windowsize = s->netuki->config->tftp.max_windowsize,
	};
	size_t name_len = strlen(request->name) + 1;
	struct transfer *t = calloc(1, sizeof(*t) + a->len + name_len);
	struct tftp_params params;
	struct tftp_action action;

	if (!t) {
		view_unref(view);
		return;
	}
	t->service = s;
	t->name = memcpy(t->request + a->len, request->name, name_len);
	t->view = view;
	t->peer = a->from;
	memcpy(t->request, a->data, a->len);
	t->request_len = a->len;
	LIST_INSERT_HEAD(bucket_of(s, &a->from), t, by_peer);
	s->counts.running++;
	t->fd = tftp_socket_open(a->to, &a->from);
	if (t->fd < 0 || !transfer_events(t)) {
		if (log_allow(&s->limit))
			log_error("TFTP: no socket for a transfer: %s",
				strerror(errno));
		transfer_free(t);
		return;
	}
	t->begin_us = clock_us();
	tftp_negotiate(request, &limits, &params);
	action = tftp_send_start(
		&t->send, &params, view_size(view), t->begin_us);
	identify(t, a->netif->index);
	if (perform(t, action))
		arm(t);
}

static void take_request(struct tftp_service *s, const struct arrival *a)
{
	struct tftp_request request;
	char path[PATH_MAX_LEN + 1];
	const char *why;
	enum tftp_error code;
	unsigned running;
	struct view *view;

	s->counts.requests++;
	if (repeat(s, a, &running))
		return;
	code = tftp_parse_request(a->data, a->len, &request, &why);
	if (code != TFTP_ERROR_NONE) {
		if (why)
			refuse(s, a, code, why, NULL);
		return;
	}
	if (running >= TFTP_MAX_TRANSFERS_PER_ADDR ||
		s->counts.running >= TFTP_MAX_TRANSFERS) {
		/* No refusal: the client asks again by itself. */
		s->counts.over_cap++;
		return;
	}
	if (!path_normalise(request.name, strlen(request.name), false, path)) {
		refuse(s, a, TFTP_ERROR_ACCESS, "not a file name", NULL);
		return;
	}
	view = content_find(s->netuki, path, &why);
	if (view)
		begin(s, a, &request, view);
	else
		refuse(s, a, TFTP_ERROR_NOT_FOUND, why, request.name);
}

static void on_request(evutil_socket_t fd, short what, void *arg)
{
	struct tftp_service *s = arg;

	(void)what;
	for (int i = 0; i < REQUESTS_AT_ONCE; i++) {
		uint8_t data[REQUEST_MAX];
		uint8_t control[SOCKET_PKTINFO_SPACE]
			__attribute__((aligned(sizeof(long))));
		struct arrival a = {.data = data};
		struct iovec iov = {data, sizeof(data)};
		struct msghdr msg = {
			.msg_name = &a.from,
			.msg_namelen = sizeof(a.from),
			.msg_iov = &iov,
			.msg_iovlen = 1,
			.msg_control = control,
			.msg_controllen = sizeof(control),
		};
		struct in_pktinfo info;
		ssize_t n = recvmsg(fd, &msg, MSG_DONTWAIT);

		if (n < 0)
			return;
		if ((msg.msg_flags & MSG_TRUNC) ||
			!socket_get_pktinfo(&msg, &info))
			continue;
		a.netif = netif_by_index(
			s->netuki->netifs, (unsigned)info.ipi_ifindex);
		if (!a.netif || !a.netif->served)
			continue;
		a.len = (size_t)n;
		a.to = ntohl(info.ipi_spec_dst.s_addr);
		take_request(s, &a);
	}
}

int tftp_service_new(struct netuki *netuki, struct tftp_service **ret)
{
	const struct config *config = netuki->config;
	struct tftp_service *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->netuki = netuki;
	s->limit.burst = 10;
	s->fd = socket_udp(config->tftp.listen, config->tftp.port, false);
	if (s->fd < 0) {
		int err = s->fd;

		socket_log_failure("TFTP", false, config->tftp.listen,
			config->tftp.port, err);
		free(s);
		return err;
	}
	s->event = event_new(
		netuki->base, s->fd, EV_READ | EV_PERSIST, on_request, s);
	if (!s->event) {
		tftp_service_free(s);
		return -ENOMEM;
	}
	event_add(s->event, NULL);
	*ret = s;
	return 0;
}

void tftp_service_free(struct tftp_service *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < BUCKETS; i++)
		while (!LIST_EMPTY(&s->bucket[i]))
			transfer_free(LIST_FIRST(&s->bucket[i]));
	if (s->event)
		event_free(s->event);
	if (s->fd >= 0)
		close(s->fd);
	free(s);
}

struct tftp_counts tftp_service_counts(const struct tftp_service *service)
{
	return service->counts;
}
