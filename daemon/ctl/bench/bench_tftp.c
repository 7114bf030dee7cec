/*
 * The clients of TFTP: their sockets, and packets that get lost or are held.
 */
#include <errno.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "daemon/ctl/bench/bench_loop.h"

#define BATCH	 64
#define PACKET	 65536 /* with UDP_GRO a datagram holds many */
#define HELD_MAX (256u << 20)

struct player {
	struct bench_client base;
	struct tftp_client tftp;
	int fd;
	bool has_socket, connected;
	unsigned sockets; /* so many until now: fd is used again */
};

/* A packet that is on its way, to a player or (NULL) to the server. */
struct bench_held {
	struct bench_held *next;
	struct player *to;
	const struct bench_target *target;
	uint64_t due_ns;
	int fd;
	unsigned sockets;
	bool closes, to_service;
	size_t len;
	uint8_t data[];
};

static uint8_t packets[BATCH * PACKET];

static struct player *player_of(struct bench_client *client)
{
	void *at = client; /* its first member */

	return at;
}

static uint64_t now_us(const struct bench_loop *loop)
{
	return loop->now_ns / 1000;
}

static void hold(struct bench_loop *loop, const struct bench_held *what,
	const uint8_t *data)
{
	struct bench_held *held;

	/* As a queue of a router would be full. */
	if (loop->held_bytes + what->len > HELD_MAX && !what->closes) {
		loop->figures->dropped++;
		return;
	}
	held = malloc(sizeof(*held) + what->len);
	if (!held)
		abort();
	*held = *what;
	held->next = NULL;
	held->due_ns = bench_now_ns() + loop->setup->delay_ns;
	if (what->len)
		memcpy(held->data, data, what->len);
	*loop->held_end = held;
	loop->held_end = &held->next;
	loop->held_bytes += held->len;
}

static void transmit(const struct bench_target *target, int fd,
	const uint8_t *data, size_t len, bool to_service)
{
	const union bench_address *to = &target->address;

	/* A refusal is known by its ERROR, or by silence. */
	(void)!sendto(fd, data, len, MSG_NOSIGNAL, to_service ? &to->any : NULL,
		to_service ? bench_address_len(to) : 0);
}

static void put(struct bench_loop *loop, struct player *p, bool to_service)
{
	const struct bench_held what = {.fd = p->fd,
		.target = p->base.target,
		.to_service = to_service,
		.len = p->tftp.packet_len};

	/*
	 * What asks is not lost, nor what ends it: nothing that a server does
	 * could mend it.
	 */
	if (p->tftp.opened && p->tftp.end == TFTP_CLIENT_RUNNING &&
		bench_loop_loses(loop))
		return;
	if (loop->setup->delay_ns)
		hold(loop, &what, p->tftp.packet);
	else
		transmit(p->base.target, p->fd, p->tftp.packet,
			p->tftp.packet_len, to_service);
}

/* After what is held, and was sent from it before. */
static void close_socket(struct bench_loop *loop, struct player *p)
{
	const struct bench_held what = {.fd = p->fd, .closes = true};

	if (!p->has_socket)
		return;
	p->has_socket = p->connected = false;
	if (loop->setup->delay_ns && !loop->is_broken) {
		epoll_ctl(loop->epoll, EPOLL_CTL_DEL, p->fd, NULL);
		hold(loop, &what, NULL);
	} else {
		close(p->fd);
	}
}

/* Errors of the network are told, until there was an answer. */
static void tell_errors(const struct player *p, int on)
{
	int family = AF_INET;
	socklen_t len = sizeof(family);

	getsockopt(p->fd, SOL_SOCKET, SO_DOMAIN, &family, &len);
	if (family == AF_INET6)
		setsockopt(p->fd, SOL_IPV6, IPV6_RECVERR, &on, sizeof(on));
	else
		setsockopt(p->fd, SOL_IP, IP_RECVERR, &on, sizeof(on));
}

static bool open_socket(struct bench_loop *loop, struct player *p)
{
	int size = 4 << 20, one = 1;

	p->fd = bench_socket(loop->setup, p->base.target, p->base.number);
	if (p->fd < 0) {
		bench_loop_break(loop);
		return false;
	}
	p->has_socket = true;
	p->sockets++;
	if (setsockopt(p->fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)))
		setsockopt(p->fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	if (loop->setup->gro)
		setsockopt(p->fd, SOL_UDP, UDP_GRO, &one, sizeof(one));
	tell_errors(p, 1);
	bench_loop_watch(loop, p->fd, EPOLLIN, &p->base);
	return !loop->is_broken;
}

static void count(struct bench_loop *loop, struct player *p)
{
	struct tftp_client_stats *sum = &loop->figures->tftp;
	const struct tftp_client_stats *stats = &p->tftp.stats;

	sum->blocks += stats->blocks;
	sum->again += stats->again;
	sum->needless += stats->needless;
	sum->timeouts += stats->timeouts;
	p->tftp.stats = (struct tftp_client_stats){.blocks = 0};
}

static void end(struct bench_loop *loop, struct player *p, const char *why)
{
	close_socket(loop, p);
	count(loop, p);
	bench_loop_end(loop, &p->base, why);
}

/* Its words, if it had any. */
static void end_refused(struct bench_loop *loop, struct player *p)
{
	const struct tftp_client *c = &p->tftp;
	char why[120];

	if (loop->setup->missing && c->code == TFTP_ERROR_NOT_FOUND) {
		end(loop, p, NULL);
		return;
	}
	snprintf(why, sizeof(why), "the server refuses it: %s (error %d)",
		*c->text ? c->text : "no reason given", (int)c->code);
	end(loop, p, why);
}

static void end_silent(struct bench_loop *loop, struct player *p)
{
	end(loop, p,
		p->tftp.opened ? "the server fell silent in the middle"
			       : "no answer to the request");
}

static void finish(struct bench_loop *loop, struct player *p)
{
	const struct tftp_client *c = &p->tftp;
	const char *wrong;

	switch (c->end) {
	case TFTP_CLIENT_RUNNING:
		break;
	case TFTP_CLIENT_COMPLETE:
		wrong = loop->setup->missing ? "the file is there" : NULL;
		if (!wrong)
			wrong = bench_file_end(p->base.file, c->received);
		if (!wrong && c->has_size && c->size != c->received)
			wrong = "it is not as long as the server said";
		end(loop, p, wrong);
		break;
	case TFTP_CLIENT_REFUSED:
		end_refused(loop, p);
		break;
	case TFTP_CLIENT_SILENT:
		end_silent(loop, p);
		break;
	case TFTP_CLIENT_BROKEN:
		end(loop, p, c->text);
		break;
	}
}

/* NULL, or why these bytes are wrong. */
static const char *take_bytes(
	struct player *p, const struct tftp_client_action *action)
{
	const struct tftp_client *c = &p->tftp;

	if (!action->len)
		return NULL;
	if (c->has_size &&
		(action->at > c->size || action->len > c->size - action->at))
		return "it is longer than the server said";
	return bench_file_take(
		p->base.file, action->at, action->data, action->len);
}

static void act(struct bench_loop *loop, struct player *p,
	struct tftp_client_action action)
{
	const char *wrong = take_bytes(p, &action);

	if (wrong) {
		p->tftp.packet_len = tftp_build_error(TFTP_ERROR_UNDEFINED,
			wrong, p->tftp.packet, sizeof(p->tftp.packet));
		put(loop, p, false);
		end(loop, p, wrong);
		return;
	}
	if (action.request || action.send) {
		put(loop, p, action.request);
		if (loop->setup->twice && p->tftp.opened)
			put(loop, p, action.request);
	}
	if (action.probed) {
		close_socket(loop, p);
		action = tftp_client_load(&p->tftp, now_us(loop));
		if (open_socket(loop, p))
			put(loop, p, action.request);
		return;
	}
	if (p->tftp.end != TFTP_CLIENT_RUNNING)
		finish(loop, p);
}

static void load(struct bench_loop *loop, struct bench_client *client)
{
	struct player *p = player_of(client);
	struct tftp_client_action action = tftp_client_start(&p->tftp,
		client->firmware, client->target->url.path, now_us(loop));

	if (open_socket(loop, p))
		act(loop, p, action);
}

static void take(struct bench_loop *loop, struct player *p,
	const struct tftp_packet *packet)
{
	act(loop, p, tftp_client_packet(&p->tftp, packet, now_us(loop)));
}

static void hold_arrived(struct bench_loop *loop, struct player *p,
	const uint8_t *data, size_t len)
{
	const struct bench_held what = {
		.to = p, .fd = p->fd, .sockets = p->sockets, .len = len};

	hold(loop, &what, data);
}

/* A packet has come in: it may get lost here, or be held. */
static void arrive(struct bench_loop *loop, struct player *p,
	const uint8_t *data, size_t len)
{
	struct tftp_packet packet;

	if (!tftp_parse_packet(data, len, &packet))
		return;
	tftp_client_saw(&p->tftp, &packet);
	if (bench_loop_loses(loop))
		return;
	if (loop->setup->delay_ns)
		hold_arrived(loop, p, data, len);
	else
		take(loop, p, &packet);
}

/* What was held arrives, if its socket is still the same. */
static void let_go(struct bench_loop *loop, struct bench_held *held)
{
	struct tftp_packet packet;

	if (held->closes)
		close(held->fd);
	else if (loop->is_broken || (held->to_service && !loop->running))
		return;
	else if (!held->to)
		transmit(held->target, held->fd, held->data, held->len,
			held->to_service);
	else if (held->to->has_socket && held->to->sockets == held->sockets &&
		 tftp_parse_packet(held->data, held->len, &packet))
		take(loop, held->to, &packet);
}

uint64_t bench_tftp_release(struct bench_loop *loop, uint64_t now_ns)
{
	struct bench_held *held;

	while ((held = loop->held) && held->due_ns <= now_ns) {
		loop->held = held->next;
		if (!loop->held)
			loop->held_end = &loop->held;
		loop->held_bytes -= held->len;
		let_go(loop, held);
		free(held);
	}
	return held ? held->due_ns : UINT64_MAX;
}

/* The size of the packets that UDP_GRO has joined; 0: it is one. */
static size_t segment_size(struct msghdr *msg)
{
	for (struct cmsghdr *h = CMSG_FIRSTHDR(msg); h; h = CMSG_NXTHDR(msg, h))
		if (h->cmsg_level == SOL_UDP && h->cmsg_type == UDP_GRO) {
			int size;

			memcpy(&size, CMSG_DATA(h), sizeof(size));
			return (size_t)size;
		}
	return 0;
}

/* Is it still the transfer that these packets came for? */
static bool goes_on(const struct player *p, unsigned sockets)
{
	return p->has_socket && p->sockets == sockets;
}

static void receive_joined(struct bench_loop *loop, struct player *p)
{
	static uint8_t control[256] __attribute__((aligned(8)));
	struct iovec iov = {packets, PACKET};
	struct msghdr msg = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control)};
	ssize_t n = recvmsg(p->fd, &msg, MSG_DONTWAIT);
	unsigned sockets = p->sockets;
	size_t step, at;

	if (n <= 0)
		return;
	step = segment_size(&msg);
	if (!step)
		step = (size_t)n;
	for (at = 0; at < (size_t)n && goes_on(p, sockets); at += step)
		arrive(loop, p, packets + at,
			step < (size_t)n - at ? step : (size_t)n - at);
}

/* The server, from any port? */
static bool is_server(
	const struct bench_target *target, const union bench_address *from)
{
	const union bench_address *server = &target->address;

	if (from->any.sa_family == AF_INET6)
		return IN6_ARE_ADDR_EQUAL(
			&from->v6.sin6_addr, &server->v6.sin6_addr);
	return from->v4.sin_addr.s_addr == server->v4.sin_addr.s_addr;
}

/* The first answer, from a port that this client then keeps to. */
static void receive_first(struct bench_loop *loop, struct player *p)
{
	union bench_address from = {.any = {.sa_family = AF_UNSPEC}};
	socklen_t len = sizeof(from);
	ssize_t n =
		recvfrom(p->fd, packets, PACKET, MSG_DONTWAIT, &from.any, &len);

	if (n < 0) {
		if (errno == EAGAIN)
			/* A sending has taken the error, but not what it is. */
			recv(p->fd, packets, 0, MSG_ERRQUEUE | MSG_DONTWAIT);
		else if (errno != EINTR)
			end(loop, p,
				errno == ECONNREFUSED ? "nothing listens there"
						      : strerror(errno));
		return;
	}
	if (!is_server(p->base.target, &from))
		return;
	tell_errors(p, 0);
	if (connect(p->fd, &from.any, len) == 0)
		p->connected = true;
	arrive(loop, p, packets, (size_t)n);
}

static void receive_many(struct bench_loop *loop, struct player *p)
{
	static struct mmsghdr msgs[BATCH];
	static struct iovec iov[BATCH];
	unsigned sockets = p->sockets;
	/* Close to each other, or the caches would thrash. */
	size_t step = (p->tftp.blksize + TFTP_DATA_HEADER + 128) & ~63u;
	int n;

	for (size_t i = 0; i < BATCH; i++) {
		iov[i] = (struct iovec){packets + i * step, step};
		msgs[i].msg_hdr.msg_iov = &iov[i];
		msgs[i].msg_hdr.msg_iovlen = 1;
	}
	n = recvmmsg(p->fd, msgs, BATCH, MSG_DONTWAIT, NULL);
	for (int i = 0; i < n && goes_on(p, sockets); i++)
		arrive(loop, p, iov[i].iov_base, msgs[i].msg_len);
}

static void ready(struct bench_loop *loop, struct bench_client *client)
{
	struct player *p = player_of(client);

	if (!p->connected) {
		receive_first(loop, p);
	} else if (loop->setup->gro) {
		receive_joined(loop, p);
	} else if (p->tftp.windowsize > 1) {
		receive_many(loop, p);
	} else {
		ssize_t n = recv(p->fd, packets, PACKET, MSG_DONTWAIT);

		if (n > 0)
			arrive(loop, p, packets, (size_t)n);
	}
}

static void tick(
	struct bench_loop *loop, struct bench_client *client, uint64_t now_ns)
{
	struct player *p = player_of(client);

	if (now_ns / 1000 < tftp_client_deadline(&p->tftp))
		return;
	loop->figures->unanswered += !p->tftp.opened;
	act(loop, p, tftp_client_tick(&p->tftp, now_ns / 1000));
}

static void close_client(struct bench_loop *loop, struct bench_client *client)
{
	struct player *p = player_of(client);

	/* Let it not go on to send to nobody. */
	if (p->has_socket && p->connected) {
		p->tftp.packet_len = tftp_build_error(TFTP_ERROR_UNDEFINED,
			"the client has left", p->tftp.packet,
			sizeof(p->tftp.packet));
		transmit(p->base.target, p->fd, p->tftp.packet,
			p->tftp.packet_len, false);
	}
	close_socket(loop, p);
	count(loop, p);
}

const struct bench_kind bench_tftp = {
	.client_size = sizeof(struct player),
	.load = load,
	.ready = ready,
	.tick = tick,
	.close = close_client,
	.release = bench_tftp_release,
};
