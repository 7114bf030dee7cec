#include "daemon/dhcp_service.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/clients.h"
#include "daemon/clock.h"
#include "daemon/log.h"
#include "daemon/netif.h"
#include "daemon/socket.h"

#define BATCH		 32
#define DHCP_CLIENT_PORT 68
#define DHCP_SERVER_PORT 67

/* One datagram and the reply to it. */
struct slot {
	uint8_t in[2048];
	uint8_t out[DHCP_MAX_PACKET];
	struct sockaddr_in from, to;
	struct iovec iov_in, iov_out;
	uint8_t control_in[SOCKET_PKTINFO_SPACE]
		__attribute__((aligned(sizeof(long))));
	uint8_t control_out[SOCKET_PKTINFO_SPACE]
		__attribute__((aligned(sizeof(long))));
};

struct dhcp_service {
	struct netuki *netuki;
	int fd67, fd4011;
	struct event *event67, *event4011;
	struct dhcp_counts counts;
	struct log_limit limit;
	struct slot slot[BATCH];
	struct mmsghdr in[BATCH], out[BATCH];
};

/* A request with what is known of it; what step() works on. */
struct asked {
	const struct dhcp_message *message;
	enum pxe_ask ask;
	struct pxe_client who;
	struct client client;
	const struct netif *netif;
	uint32_t from; /* source address, host order */
	struct plan plan;
	struct client_record *record; /* NULL: no MAC known */
};

static const char *form_name(enum pxe_form form)
{
	switch (form) {
	case PXE_FORM_DIRECT:
		return "direct";
	case PXE_FORM_PXE_PORT:
		return "pxe-port";
	case PXE_FORM_IPXE:
		return "ipxe";
	case PXE_FORM_HTTP:
		return "http";
	case PXE_FORM_LOCAL:
		return "local";
	}
	return "?";
}

static void note_event(struct dhcp_service *s, const struct asked *a,
	enum journal_kind kind, const char *file, const char *detail)
{
	struct journal_event e = {
		.kind = kind,
		.has_mac = a->client.has_mac,
		.mac = a->client.mac,
		.ip = a->message->ciaddr,
		.firmware = a->client.firmware,
		.arch = a->client.arch,
		.file = file,
		.detail = detail,
	};

	journal_write(&s->netuki->journal, &e);
}

static void note_client(struct dhcp_service *s, struct asked *a)
{
	struct client_record *r;

	if (!a->client.has_mac)
		return;
	r = clients_touch(s->netuki->clients, &a->client.mac, clock_us());
	r->ifindex = a->netif->index;
	r->firmware = a->who.firmware;
	r->arch = a->who.arch;
	r->has_uuid = a->who.has_uuid;
	r->uuid = a->who.uuid;
	memcpy(r->vendor, a->who.vendor, sizeof(r->vendor));
	r->asked++;
	if (a->message->ciaddr)
		clients_set_ip(s->netuki->clients, r, a->message->ciaddr);
	a->record = r;
}

/* The reply to one request into out; its length, 0 for silence. */
static size_t answer(struct dhcp_service *s, struct asked *a, uint8_t *out)
{
	struct decide_world world = netuki_world(s->netuki);
	bool offer = a->ask == PXE_ASK_OFFER;
	struct pxe_reply reply;
	size_t len;

	decide(&world, &a->client, &a->plan);
	if (a->record) {
		a->record->reason = a->plan.reason;
		a->record->answered = a->plan.kind != PLAN_SILENCE;
	}
	if (a->plan.kind == PLAN_SILENCE) {
		note_event(s, a, JOURNAL_IGNORED, NULL, a->plan.reason);
		s->counts.ignored++;
		return 0;
	}
	reply = (struct pxe_reply){
		.type = offer ? DHCP_TYPE_OFFER : DHCP_TYPE_ACK,
		.form = a->plan.form,
		.server = a->client.server,
		.file = a->plan.file[0] ? a->plan.file : NULL,
	};
	len = pxe_build_reply(a->message, &reply, out, DHCP_MAX_PACKET);
	if (!len) {
		if (log_allow(&s->limit))
			log_warn("an offer of %s does not fit into what the "
				 "client takes",
				a->plan.file);
		return 0;
	}
	note_event(s, a, offer ? JOURNAL_OFFER : JOURNAL_ACK, reply.file,
		form_name(reply.form));
	if (a->plan.warning && log_allow(&s->limit))
		log_warn("%s: %s", a->plan.file, a->plan.warning);
	if (offer)
		s->counts.offers++;
	else
		s->counts.acks++;
	if (a->record && a->client.firmware == PXE_FIRMWARE_IPXE)
		a->record->ipxe_us = clock_us();
	return len;
}

/* Where the reply goes: RFC 2131 4.1, less the addresses we do not give. */
static struct sockaddr_in reply_to(
	const struct asked *a, const struct sockaddr_in *from)
{
	if (a->message->giaddr)
		return socket_addr(a->message->giaddr, DHCP_SERVER_PORT);
	if (a->ask == PXE_ASK_ACK && a->from)
		return *from;
	if (a->message->ciaddr)
		return socket_addr(a->message->ciaddr, DHCP_CLIENT_PORT);
	return socket_addr(INADDR_BROADCAST, DHCP_CLIENT_PORT);
}

/* One datagram: the reply's length, and its slot filled; 0 for silence. */
static size_t step(struct dhcp_service *s, struct slot *slot, size_t len,
	struct msghdr *in, struct msghdr *out, bool on_pxe_port)
{
	struct dhcp_message message;
	struct in_pktinfo info;
	struct asked a = {.message = &message};
	const char *why;
	size_t n;

	s->counts.received++;
	if (!socket_get_pktinfo(in, &info))
		return 0;
	a.netif = netif_by_index(s->netuki->netifs, (unsigned)info.ipi_ifindex);
	if (!a.netif || !a.netif->served) {
		s->counts.ignored++;
		return 0;
	}
	if ((in->msg_flags & MSG_TRUNC) ||
		dhcp_parse(slot->in, len, &message) != NULL) {
		s->counts.malformed++;
		return 0;
	}
	a.ask = pxe_identify(&message, on_pxe_port, &a.who, &why);
	if (a.ask == PXE_ASK_NOTHING) {
		s->counts.ignored++;
		return 0;
	}
	a.from = ntohl(slot->from.sin_addr.s_addr);
	a.client = (struct client){
		.firmware = a.who.firmware,
		.arch = a.who.arch,
		.ipxe_http = a.who.ipxe_http,
		.has_mac = mac_is_unicast(&a.who.mac),
		.mac = a.who.mac,
		.has_uuid = a.who.has_uuid,
		.uuid = a.who.uuid,
		.server = netif_server_addr(a.netif,
			message.giaddr ? message.giaddr : message.ciaddr),
	};
	note_client(s, &a);
	note_event(s, &a, on_pxe_port ? JOURNAL_REQUEST : JOURNAL_DISCOVER,
		NULL, a.who.vendor);
	n = answer(s, &a, slot->out);
	if (!n)
		return 0;
	slot->to = reply_to(&a, &slot->from);
	socket_set_pktinfo(
		out, message.giaddr ? 0 : a.netif->index, a.client.server);
	return n;
}

static void send_all(struct dhcp_service *s, int fd, unsigned n)
{
	unsigned sent = 0;

	while (sent < n) {
		int k = sendmmsg(fd, s->out + sent, n - sent, 0);

		if (k > 0) {
			sent += (unsigned)k;
			continue;
		}
		if (errno == EINTR)
			continue;
		/* This one cannot be sent; the others still can. */
		s->counts.send_errors++;
		if (log_allow(&s->limit))
			log_warn("a DHCP reply could not be sent: %s",
				strerror(errno));
		sent++;
	}
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct dhcp_service *s = arg;
	unsigned n_out = 0;
	int n;

	(void)what;
	for (unsigned i = 0; i < BATCH; i++) {
		struct msghdr *m = &s->in[i].msg_hdr;

		m->msg_namelen = sizeof(s->slot[i].from);
		m->msg_controllen = sizeof(s->slot[i].control_in);
		m->msg_flags = 0;
	}
	n = recvmmsg(fd, s->in, BATCH, MSG_DONTWAIT, NULL);
	for (int i = 0; i < n; i++) {
		struct slot *slot = &s->slot[i];
		struct msghdr *out = &s->out[n_out].msg_hdr;
		size_t len;

		*out = (struct msghdr){
			.msg_name = &slot->to,
			.msg_namelen = sizeof(slot->to),
			.msg_iov = &slot->iov_out,
			.msg_iovlen = 1,
			.msg_control = slot->control_out,
		};
		len = step(s, slot, s->in[i].msg_len, &s->in[i].msg_hdr, out,
			fd == s->fd4011);
		if (!len)
			continue;
		slot->iov_out = (struct iovec){slot->out, len};
		n_out++;
	}
	if (n_out)
		send_all(s, fd, n_out);
}

static void init_slots(struct dhcp_service *s)
{
	for (unsigned i = 0; i < BATCH; i++) {
		struct slot *slot = &s->slot[i];

		slot->iov_in = (struct iovec){slot->in, sizeof(slot->in)};
		s->in[i].msg_hdr = (struct msghdr){
			.msg_name = &slot->from,
			.msg_iov = &slot->iov_in,
			.msg_iovlen = 1,
			.msg_control = slot->control_in,
		};
	}
}

static int listen_on(struct dhcp_service *s, const char *what, uint32_t addr,
	uint16_t port, bool reuse, int *ret_fd, struct event **ret_event)
{
	int fd = socket_udp(addr, port, reuse);

	if (fd < 0) {
		socket_log_failure(what, false, addr, port, fd);
		return fd;
	}
	*ret_fd = fd;
	*ret_event = event_new(
		s->netuki->base, fd, EV_READ | EV_PERSIST, on_readable, s);
	if (!*ret_event)
		return -ENOMEM;
	/* DHCP goes before everything else. */
	event_priority_set(*ret_event, 0);
	event_add(*ret_event, NULL);
	return 0;
}

int dhcp_service_new(struct netuki *netuki, struct dhcp_service **ret)
{
	const struct config *config = netuki->config;
	struct dhcp_service *s = calloc(1, sizeof(*s));
	uint32_t listen = config->dhcp.listen;
	int err;

	if (!s)
		return -ENOMEM;
	s->netuki = netuki;
	s->fd67 = s->fd4011 = -1;
	s->limit.burst = 10;
	init_slots(s);
	err = listen_on(s, "ProxyDHCP", listen ? listen : INADDR_BROADCAST,
		config->dhcp.port, true, &s->fd67, &s->event67);
	if (!err)
		err = listen_on(s, "ProxyDHCP (PXE port)", listen,
			config->dhcp.pxe_port, false, &s->fd4011,
			&s->event4011);
	if (err) {
		dhcp_service_free(s);
		return err;
	}
	*ret = s;
	return 0;
}

void dhcp_service_free(struct dhcp_service *s)
{
	if (!s)
		return;
	if (s->event67)
		event_free(s->event67);
	if (s->event4011)
		event_free(s->event4011);
	if (s->fd67 >= 0)
		close(s->fd67);
	if (s->fd4011 >= 0)
		close(s->fd4011);
	free(s);
}

struct dhcp_counts dhcp_service_counts(const struct dhcp_service *service)
{
	return service->counts;
}
