#include "daemon/tftp/tftp_service.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/base/clock.h"
#include "daemon/base/socket.h"
#include "daemon/base/turn.h"
#include "daemon/policy/clients.h"
#include "daemon/policy/content.h"
#include "daemon/tftp/tftp_transfer.h"
#include "proto/path.h"

#define BATCH 32 /* packets in one system call */
/* Enough sent in one turn of the loop: others wait. */
#define TURN_BYTES   (256u << 10)
#define FULL_TURNS   4 /* before more are taken at once */
#define DRAIN_TURNS  8
#define ICMP_AT_ONCE 16
#define SECOND_US    1000000
#define STRAYS_MAX   100 /* answers to strangers in a second */
/* A full table makes room by who has not answered for so long. */
#define STALE_US 1000000

/* Priorities of events: see main.c. */
enum { FIRST = TURN_PRIORITY_DHCP, USUAL = TURN_PRIORITY_NORMAL };

/* What recvmmsg fills; only what was used has to be set up again. */
static struct {
	uint8_t data[BATCH][TFTP_REQUEST_MAX];
	uint8_t control[BATCH][SOCKET_PKTINFO_SPACE]
		__attribute__((aligned(sizeof(long))));
	struct sockaddr_in from[BATCH];
	struct iovec iov[BATCH];
	struct mmsghdr msg[BATCH];
} in;

static void in_reset(unsigned i)
{
	in.iov[i] = (struct iovec){in.data[i], sizeof(in.data[i])};
	in.msg[i].msg_hdr = (struct msghdr){
		.msg_name = &in.from[i],
		.msg_namelen = sizeof(in.from[i]),
		.msg_iov = &in.iov[i],
		.msg_iovlen = 1,
		.msg_control = in.control[i],
		.msg_controllen = sizeof(in.control[i]),
	};
}

static bool is_same(const struct sockaddr_in *a, const struct sockaddr_in *b)
{
	return a->sin_port == b->sin_port &&
	       a->sin_addr.s_addr == b->sin_addr.s_addr;
}

static struct transfer *find(
	struct tftp_service *s, const struct sockaddr_in *peer)
{
	struct transfer *t;

	LIST_FOREACH (t, tftp_peer_bucket(s, peer), by_peer)
		if (is_same(&t->path.peer, peer))
			return t;
	return NULL;
}

/* netif NULL: whichever it came in on. */
static bool is_allowed(
	struct tftp_service *s, const struct netif *netif, uint32_t ip)
{
	const struct config *config = s->netuki->config;

	if (netif && netif_is_on_link(netif, ip))
		return true;
	for (size_t i = 0; i < config->tftp.n_allow; i++)
		if ((ip & config->tftp.allow[i].mask) ==
			config->tftp.allow[i].addr)
			return true;
	for (size_t i = 0; !netif && i < netifs_count(s->netuki->netifs); i++) {
		const struct netif *any = netifs_at(s->netuki->netifs, i);

		if (any->served && netif_is_on_link(any, ip))
			return true;
	}
	return clients_find_ip(s->netuki->clients, ip) ||
	       clients_near_relay(s->netuki->clients, ip);
}

/*
 * A packet for a transfer from somebody who has none there: RFC 1350 4 wants
 * an error 5 to its source, and peace for the transfers that there are.
 */
static void answer_stray(struct tftp_port *port, const struct sockaddr_in *from,
	const uint8_t *data, size_t len)
{
	struct tftp_service *s = port->service;
	struct tftp_path path = {.fd = port->fd, .peer = *from};
	uint64_t now = clock_us();

	s->counts.strays++;
	/* An error is never answered. */
	if (len < 2 || data[0] != 0 || data[1] == TFTP_OP_ERROR)
		return;
	/* The last ACK doubled is no error. */
	for (size_t i = 0; i < sizeof(s->done) / sizeof(s->done[0]); i++)
		if (is_same(&s->done[i], from))
			return;
	if (now - s->strays_us > SECOND_US) {
		s->strays_us = now;
		s->strays = 0;
	}
	if (s->strays++ < STRAYS_MAX &&
		is_allowed(s, NULL, ntohl(from->sin_addr.s_addr)))
		tftp_socket_error(&path, TFTP_ERROR_UNKNOWN_TID,
			"no transfer of yours is here");
}

static void refuse(struct tftp_service *s, const struct tftp_arrival *a,
	enum tftp_error code, const char *why, const char *name)
{
	struct tftp_path path = {
		.fd = s->ask.fd,
		.peer = a->from,
		.from = a->to,
	};
	struct journal_event e = {
		.kind = JOURNAL_TFTP_REFUSED,
		.ip = ntohl(a->from.sin_addr.s_addr),
		.firmware = PXE_FIRMWARE_MAX,
		.arch = ARCH_INVALID,
		.file = name,
		.detail = why,
	};

	s->counts.refused++;
	tftp_socket_error(&path, code, why);
	journal_write(&s->netuki->journal, &e);
}

/*
 * A request from an address and port that has a transfer is the same request
 * again (its answer was lost), or the port is used anew and the old transfer
 * is over. True: it was the same, and is answered.
 */
static bool is_repeat(struct tftp_service *s, struct tftp_arrival *a)
{
	struct transfer *t = find(s, &a->from);

	if (!t)
		return false;
	if (t->request_len == a->len &&
		memcmp(t->request, a->data, a->len) == 0) {
		transfer_again(t);
		return true;
	}
	/* Other names in turn are no way to have more sent to an address. */
	if (!t->answered)
		a->unanswered = t->before;
	/* Not from the same port again: what is under way must not mix. */
	s->next_port++;
	transfer_abort(t, "a new request");
	return false;
}

/* Is there room for one more, from this address and at all? */
static bool has_room(struct tftp_service *s, const struct sockaddr_in *from)
{
	struct transfer *t;
	unsigned running = 0, unanswered = 0;

	LIST_FOREACH (t, tftp_addr_bucket(s, from->sin_addr.s_addr), by_addr) {
		if (t->path.peer.sin_addr.s_addr != from->sin_addr.s_addr)
			continue;
		running++;
		unanswered += !t->answered;
	}
	if (running >= TFTP_MAX_TRANSFERS_PER_ADDR ||
		unanswered >= TFTP_MAX_UNANSWERED_PER_ADDR)
		return false;
	if (s->counts.running < TFTP_MAX_TRANSFERS)
		return true;
	/* A flood of forged requests must not keep the others out. */
	t = TAILQ_FIRST(&s->unanswered);
	if (!t || clock_us() - t->begin_us < STALE_US)
		return false;
	transfer_free(t);
	return true;
}

static struct tftp_port *choose_port(struct tftp_service *s, uint64_t size)
{
	unsigned n = s->next_port++ % TFTP_PORTS;

	if (s->small[0].fd < 0) /* single-port */
		return &s->ask;
	return size < TFTP_BULK_BYTES ? &s->small[n] : &s->bulk[n];
}

static void serve(struct tftp_service *s, struct tftp_arrival *a,
	const struct tftp_request *request)
{
	char path[PATH_MAX_LEN + 1];
	const char *why;
	struct view *view;

	if (!has_room(s, &a->from)) {
		/* No refusal: the client asks again by itself. */
		s->counts.over_cap++;
		return;
	}
	if (!path_normalise(
		    request->name, strlen(request->name), false, path)) {
		refuse(s, a, TFTP_ERROR_ACCESS, "not a file name", NULL);
		return;
	}
	view = content_find(s->netuki, path, &why);
	if (!view && !why) /* Nor here: memory is short for now. */
		return;
	if (!view) {
		refuse(s, a, TFTP_ERROR_NOT_FOUND, why, request->name);
		return;
	}
	if (tftp_socket_route(s->route_fd, &a->from, &a->route)) {
		/* There is no way back to where it says it comes from. */
		s->counts.not_allowed++;
		view_unref(view);
		return;
	}
	transfer_begin(s, choose_port(s, view_size(view)), a, request, view);
}

static void take_request(struct tftp_service *s, struct tftp_arrival *a)
{
	struct tftp_request request;
	const char *why;
	enum tftp_error code;

	s->counts.requests++;
	if (!is_allowed(s, a->netif, ntohl(a->from.sin_addr.s_addr)) ||
		!a->from.sin_port) {
		s->counts.not_allowed++;
		return;
	}
	if (is_repeat(s, a))
		return;
	code = tftp_parse_request(a->data, a->len, &request, &why);
	if (code == TFTP_ERROR_NONE)
		serve(s, a, &request);
	else if (why)
		refuse(s, a, code, why, NULL);
}

/* With single-port what belongs to transfers comes here as well. */
static bool is_for_transfer(const uint8_t *data, size_t len)
{
	return len >= 4 && data[0] == 0 &&
	       (data[1] == TFTP_OP_ACK || data[1] == TFTP_OP_ERROR);
}

static void take_asked(struct tftp_port *port, struct msghdr *msg, size_t len)
{
	struct tftp_service *s = port->service;
	struct tftp_arrival a = {
		.data = msg->msg_iov->iov_base,
		.len = len,
	};
	struct in_pktinfo info;

	memcpy(&a.from, msg->msg_name, sizeof(a.from));
	if (is_for_transfer(a.data, a.len)) {
		struct transfer *t = find(s, &a.from);

		if (t && t->port == port) {
			transfer_take(t, a.data, len);
			return;
		}
	}
	if ((msg->msg_flags & MSG_TRUNC) || !socket_get_pktinfo(msg, &info))
		return;
	a.netif = netif_by_index(s->netuki->netifs, (unsigned)info.ipi_ifindex);
	if (!a.netif || !a.netif->served || s->ending)
		return;
	a.to = ntohl(info.ipi_spec_dst.s_addr);
	take_request(s, &a);
}

static void take(struct tftp_port *port, struct msghdr *msg, size_t len)
{
	const struct sockaddr_in *from = msg->msg_name;
	const uint8_t *data = msg->msg_iov->iov_base;
	struct transfer *t;

	if (port->requests) {
		take_asked(port, msg, len);
		return;
	}
	t = find(port->service, from);
	if (t && t->port == port)
		transfer_take(t, data, len);
	else
		answer_stray(port, from, data, len);
}

/*
 * The kernel queues an ICMP error only if it quotes a datagram from this port
 * to the peer that it is about, and it ends nothing but that peer's transfer
 * at this port. So who forges one must know or guess both ports, as he would
 * to forge the client's own ERROR packet. Only a closed port ends a transfer:
 * all else may pass, and has the timers for it.
 */
static void take_errors(struct tftp_port *port)
{
	struct sockaddr_in peer;
	bool gone;

	for (int i = 0; i < ICMP_AT_ONCE &&
			tftp_socket_take_icmp(port->fd, &peer, &gone);
		i++) {
		struct transfer *t = gone ? find(port->service, &peer) : NULL;

		if (t && t->port == port)
			transfer_gone(t);
	}
}

/*
 * How many packets to take next, by what the last ones were: to look for a
 * second one that is not there costs a client in lockstep, and nobody may hold
 * up the loop, whatever the size of the windows.
 */
static void adapt_batch(struct tftp_port *port, unsigned n)
{
	unsigned batch = port->batch;

	port->full = n == batch ? port->full + 1 : 0;
	if (batch > 1 && (port->sent > TURN_BYTES || n * 2 <= batch)) {
		port->batch = batch / 2;
	} else if (port->full >= FULL_TURNS && batch < BATCH &&
		   port->sent < TURN_BYTES / 4) {
		port->batch = batch * 2;
		port->full = 0;
	}
}

/* What came in: how many packets, or less than 1. */
static int receive(struct tftp_port *port)
{
	struct mmsghdr *one = &in.msg[0];
	ssize_t len;

	if (port->batch > 1 || port->requests)
		return recvmmsg(
			port->fd, in.msg, port->batch, MSG_DONTWAIT, NULL);
	/* In lockstep this is a fifth less work. */
	len = recvfrom(port->fd, in.data[0], sizeof(in.data[0]), MSG_DONTWAIT,
		(struct sockaddr *)&in.from[0], &one->msg_hdr.msg_namelen);
	if (len < 0)
		return -1;
	one->msg_len = (unsigned)len;
	return 1;
}

/* Take some packets. False: no more are there. */
static bool port_turn(struct tftp_port *port)
{
	unsigned batch = port->batch;
	int n = receive(port);

	if (n <= 0) {
		take_errors(port);
		return false;
	}
	port->sent = 0;
	port->gathering = n > 1;
	for (unsigned i = 0; i < (unsigned)n; i++)
		take(port, &in.msg[i].msg_hdr, in.msg[i].msg_len);
	port->gathering = false;
	/* A socket that is full says so itself when there is room. */
	if (!event_pending(port->writable, EV_WRITE, NULL))
		transfer_send_waiting(port);
	for (unsigned i = 0; i < (unsigned)n; i++)
		in_reset(i);
	adapt_batch(port, (unsigned)n);
	return (unsigned)n == batch;
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct tftp_port *port = arg;

	(void)fd, (void)what;
	if (port->turn.breather)
		turn_take(&port->turn);
	port_turn(port);
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct tftp_port *port = arg;

	(void)fd, (void)what;
	if (!transfer_send_waiting(port))
		event_add(port->writable, NULL);
}

/*
 * Before a transfer's time is up, the packets that have come are looked at:
 * the answer may be among them, and only the loop was busy.
 */
static void on_deadline(void *arg, struct deadline *d)
{
	struct tftp_service *s = arg;
	struct transfer *t =
		(struct transfer *)(void *)((char *)d -
					    offsetof(struct transfer, timer));

	s->ticking = t;
	if (clock_us() >= tftp_send_deadline(&t->send))
		for (int i = 0; i < DRAIN_TURNS && port_turn(t->port); i++)
			if (!s->ticking)
				return;
	if (s->ticking)
		transfer_tick(t);
	s->ticking = NULL;
}

static int port_start(struct tftp_port *port, int fd, int priority)
{
	struct event_base *base = port->service->netuki->base;

	port->fd = fd;
	if (fd < 0)
		return fd;
	port->batch = BATCH;
	port->readable =
		event_new(base, fd, EV_READ | EV_PERSIST, on_readable, port);
	port->writable = event_new(base, fd, EV_WRITE, on_writable, port);
	if (!port->readable || !port->writable ||
		/* Whoever has no priority keeps nobody waiting. */
		(priority == FIRST &&
			turn_init(&port->turn, base, port->readable)) ||
		event_priority_set(port->readable, priority) ||
		event_priority_set(port->writable, priority) ||
		event_add(port->readable, NULL))
		return -ENOMEM;
	return 0;
}

static void port_stop(struct tftp_port *port)
{
	turn_done(&port->turn);
	if (port->readable)
		event_free(port->readable);
	if (port->writable)
		event_free(port->writable);
	port->readable = port->writable = NULL;
	if (port->fd >= 0)
		close(port->fd);
	port->fd = -1;
}

static void port_init(struct tftp_service *s, struct tftp_port *port)
{
	port->service = s;
	port->fd = -1;
	TAILQ_INIT(&port->waiting);
}

static int start_ask(struct tftp_service *s)
{
	const struct config *config = s->netuki->config;
	int fd = socket_udp(config->tftp.listen, config->tftp.port, false);

	if (fd < 0) {
		socket_log_failure("TFTP", false, config->tftp.listen,
			config->tftp.port, fd);
		return fd;
	}
	tftp_socket_prepare(fd);
	s->ask.requests = true;
	return port_start(
		&s->ask, fd, config->tftp.single_port ? USUAL : FIRST);
}

static int start(struct tftp_service *s)
{
	const struct config *config = s->netuki->config;
	int err = start_ask(s);

	s->route_fd =
		socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (!err && s->route_fd < 0)
		err = -errno;
	s->deadlines = deadlines_new(s->netuki->base, USUAL, on_deadline, s);
	s->cache = tftp_cache_new();
	if (!err && (!s->deadlines || !s->cache))
		err = -ENOMEM;
	for (size_t i = 0; !err && !config->tftp.single_port && i < TFTP_PORTS;
		i++) {
		err = port_start(&s->small[i],
			tftp_socket_open(config->tftp.listen), FIRST);
		if (!err)
			err = port_start(&s->bulk[i],
				tftp_socket_open(config->tftp.listen), USUAL);
	}
	return err;
}

int tftp_service_new(struct netuki *netuki, struct tftp_service **ret)
{
	struct tftp_service *s = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return -ENOMEM;
	s->netuki = netuki;
	s->route_fd = -1;
	TAILQ_INIT(&s->unanswered);
	port_init(s, &s->ask);
	for (size_t i = 0; i < TFTP_PORTS; i++) {
		port_init(s, &s->small[i]);
		port_init(s, &s->bulk[i]);
	}
	for (unsigned i = 0; i < BATCH; i++)
		in_reset(i);
	err = start(s);
	if (err) {
		tftp_service_free(s);
		return err;
	}
	*ret = s;
	return 0;
}

void tftp_service_end_soon(struct tftp_service *s)
{
	s->ending = true;
	/* With single-port the transfers under way need it still. */
	if (s->small[0].fd >= 0)
		port_stop(&s->ask);
}

void tftp_service_free(struct tftp_service *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < TFTP_PEER_BUCKETS; i++)
		while (!LIST_EMPTY(&s->by_peer[i]))
			transfer_free(LIST_FIRST(&s->by_peer[i]));
	deadlines_free(s->deadlines);
	tftp_cache_free(s->cache);
	port_stop(&s->ask);
	for (size_t i = 0; i < TFTP_PORTS; i++) {
		port_stop(&s->small[i]);
		port_stop(&s->bulk[i]);
	}
	if (s->route_fd >= 0)
		close(s->route_fd);
	free(s);
}

void tftp_service_each(
	struct tftp_service *service, journal_progress *each, void *arg)
{
	struct transfer *t;

	for (size_t i = 0; i < TFTP_PEER_BUCKETS; i++) {
		LIST_FOREACH (t, &service->by_peer[i], by_peer) {
			struct journal_event e;

			if (!t->started)
				continue;
			e = transfer_progress(t);
			each(arg, &e, view_size(t->view));
		}
	}
}

struct tftp_counts tftp_service_counts(const struct tftp_service *service)
{
	return service->counts;
}
