#include "daemon/dhcp/dhcp_service.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/base/log.h"
#include "daemon/base/socket.h"
#include "daemon/base/turn.h"
#include "daemon/dhcp/dhcp_answer.h"
#include "daemon/dhcp/dhcp_packet.h"
#include "daemon/dhcp/dhcp_tap.h"

#define BATCH 32

/* One datagram of a UDP socket, and the reply to it. */
struct slot {
	uint8_t in[2048];
	struct sockaddr_in from, to;
	struct iovec iov_in, iov_out;
	struct dhcp_reply_packet reply;
	uint8_t control_in[SOCKET_PKTINFO_SPACE]
		__attribute__((aligned(sizeof(long))));
	uint8_t control_out[SOCKET_PKTINFO_SPACE]
		__attribute__((aligned(sizeof(long))));
};

struct port {
	int fd; /* -1: none */
	struct event *event;
	struct turn turn;
};

struct dhcp_service {
	struct dhcp_answerer answerer;
	struct event_base *base;
	struct dhcp_packet *packet; /* port 67 without binding it, or NULL */
	struct dhcp_tap *tap;	    /* NULL with the above */
	struct port server, pxe;
	struct slot slot[BATCH];
	struct mmsghdr in[BATCH], out[BATCH];
};

static void on_unsent(void *arg)
{
	struct dhcp_service *s = arg;

	s->answerer.counts.send_errors++;
	if (log_allow(&s->answerer.limit))
		log_warn("a DHCP reply could not be sent: %s", strerror(errno));
}

static void on_request(void *arg, const struct dhcp_heard *heard,
	struct dhcp_reply_packet *ret)
{
	struct dhcp_service *s = arg;

	dhcp_answer(&s->answerer, heard, false, ret);
	if (ret->len)
		dhcp_tap_wake(s->tap);
}

static void on_overheard(void *arg, const struct dhcp_heard *heard)
{
	struct dhcp_service *s = arg;

	dhcp_answer_overheard(&s->answerer, heard);
}

static void send_all(struct dhcp_service *s, int fd, unsigned n)
{
	unsigned sent = 0;

	while (sent < n) {
		int k = sendmmsg(fd, s->out + sent, n - sent, 0);

		if (k > 0) {
			sent += (unsigned)k;
		} else if (errno != EINTR) {
			/* This one cannot be sent; the others still can. */
			on_unsent(s);
			sent++;
		}
	}
}

/* One datagram; true: a reply is in `out`. */
static bool take(struct dhcp_service *s, struct slot *slot, size_t len,
	struct msghdr *in, struct msghdr *out, bool on_pxe_port)
{
	struct in_pktinfo info;
	struct dhcp_heard heard = {
		.data = slot->in,
		.len = len,
		.from = ntohl(slot->from.sin_addr.s_addr),
		.from_port = ntohs(slot->from.sin_port),
	};

	if (!socket_get_pktinfo(in, &info))
		return false;
	heard.ifindex = (unsigned)info.ipi_ifindex;
	heard.to = ntohl(info.ipi_addr.s_addr);
	if (in->msg_flags & MSG_TRUNC)
		heard.len = 0; /* larger than any DHCP packet: malformed */
	dhcp_answer(&s->answerer, &heard, on_pxe_port, &slot->reply);
	if (!slot->reply.len)
		return false;
	slot->iov_out = (struct iovec){slot->reply.data, slot->reply.len};
	slot->to = socket_addr(slot->reply.to, slot->reply.to_port);
	*out = (struct msghdr){
		.msg_name = &slot->to,
		.msg_namelen = sizeof(slot->to),
		.msg_iov = &slot->iov_out,
		.msg_iovlen = 1,
		.msg_control = slot->control_out,
	};
	socket_set_pktinfo(out, slot->reply.ifindex, slot->reply.from);
	return true;
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct dhcp_service *s = arg;
	unsigned n_out = 0;
	int n;

	(void)what;
	turn_take(&(fd == s->pxe.fd ? &s->pxe : &s->server)->turn);
	for (unsigned i = 0; i < BATCH; i++) {
		struct msghdr *m = &s->in[i].msg_hdr;

		m->msg_namelen = sizeof(s->slot[i].from);
		m->msg_controllen = sizeof(s->slot[i].control_in);
		m->msg_flags = 0;
	}
	n = recvmmsg(fd, s->in, BATCH, MSG_DONTWAIT, NULL);
	for (int i = 0; i < n; i++)
		if (take(s, &s->slot[i], s->in[i].msg_len, &s->in[i].msg_hdr,
			    &s->out[n_out].msg_hdr, fd == s->pxe.fd))
			n_out++;
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
	uint16_t number, bool reuse, struct port *port)
{
	int fd = socket_udp(addr, number, reuse);

	if (fd < 0) {
		socket_log_failure(what, false, addr, number, fd);
		return fd;
	}
	port->fd = fd;
	port->event =
		event_new(s->base, fd, EV_READ | EV_PERSIST, on_readable, s);
	if (!port->event || turn_init(&port->turn, s->base, port->event))
		return -ENOMEM;
	event_priority_set(port->event, TURN_PRIORITY_DHCP);
	event_add(port->event, NULL);
	return 0;
}

static void port_done(struct port *port)
{
	turn_done(&port->turn);
	if (port->event)
		event_free(port->event);
	if (port->fd >= 0)
		close(port->fd);
}

/*
 * Port 67: by packets, so that no DHCP server on this host is in our way nor
 * we in its. Where that is not permitted, by a socket; bound to 255.255.255.255
 * it gets the broadcasts alone.
 */
static int open_server_port(struct dhcp_service *s, uint16_t port)
{
	const struct dhcp_packet_calls calls = {
		on_request, on_overheard, on_unsent, s};
	const struct dhcp_tap_calls tap = {on_overheard, s};
	int err = dhcp_packet_new(s->base, port, &calls, &s->packet);

	if (!err) {
		int tap_err = dhcp_tap_new(s->base, s->answerer.netuki->worker,
			port, &tap, &s->tap);

		if (tap_err)
			log_warn("another PXE server on this host would not be "
				 "noticed: %s",
				strerror(-tap_err));
		return 0;
	}
	log_warn("without CAP_NET_RAW (%s): requests that a DHCP relay "
		 "sends are not heard, nor other PXE servers",
		strerror(-err));
	return listen_on(
		s, "ProxyDHCP", INADDR_BROADCAST, port, true, &s->server);
}

int dhcp_service_new(struct netuki *netuki, struct dhcp_service **ret)
{
	const struct config *config = netuki->config;
	struct dhcp_service *s = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return -ENOMEM;
	s->answerer.netuki = netuki;
	s->answerer.limit.burst = 10;
	s->base = netuki->base;
	s->server.fd = s->pxe.fd = -1;
	init_slots(s);
	/* First the port that is ours alone: it tells of a second netukid. */
	err = listen_on(s, "ProxyDHCP (PXE port)", config->dhcp.listen,
		config->dhcp.pxe_port, false, &s->pxe);
	if (!err)
		err = open_server_port(s, config->dhcp.port);
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
	dhcp_packet_free(s->packet);
	dhcp_tap_free(s->tap);
	port_done(&s->server);
	port_done(&s->pxe);
	free(s);
}

struct dhcp_counts dhcp_service_counts(const struct dhcp_service *service)
{
	return service->answerer.counts;
}
