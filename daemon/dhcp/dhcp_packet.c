#include "daemon/dhcp/dhcp_packet.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/base/socket.h"
#include "daemon/base/turn.h"
#include "daemon/dhcp/dhcp_filter.h"
#include "daemon/netuki.h"
#include "proto/ipv4.h"

#define BATCH 32

struct slot {
	uint8_t in[DHCP_FILTER_PACKET_MAX];
	struct sockaddr_ll from;
	struct iovec iov_in;
	struct dhcp_reply_packet reply;
	uint8_t headers[IPV4_UDP_HEADERS];
	struct sockaddr_in to;
	struct iovec iov_out[2];
	uint8_t control[SOCKET_PKTINFO_SPACE]
		__attribute__((aligned(sizeof(long))));
};

struct dhcp_packet {
	int ear, mouth;
	uint16_t port;
	struct event *event;
	struct turn turn;
	struct dhcp_packet_calls calls;
	struct slot slot[BATCH];
	struct mmsghdr in[BATCH], out[BATCH];
};

/* A reply as a message of the raw socket. False: there is none to send. */
static bool prepare(
	const struct dhcp_packet *p, struct slot *slot, struct msghdr *out)
{
	const struct dhcp_reply_packet *reply = &slot->reply;
	struct ipv4_udp udp = {
		.src = reply->from,
		.dst = reply->to,
		.src_port = p->port,
		.dst_port = reply->to_port,
		.data = reply->data,
		.len = reply->len,
	};

	if (!reply->len || !ipv4_build_udp(&udp, slot->headers))
		return false;
	slot->to = socket_addr(reply->to, 0);
	slot->iov_out[0] = (struct iovec){slot->headers, sizeof(slot->headers)};
	slot->iov_out[1] = (struct iovec){slot->reply.data, reply->len};
	*out = (struct msghdr){
		.msg_name = &slot->to,
		.msg_namelen = sizeof(slot->to),
		.msg_iov = slot->iov_out,
		.msg_iovlen = 2,
		.msg_control = slot->control,
	};
	socket_set_pktinfo(out, reply->ifindex, reply->from);
	return true;
}

/* One packet; true: a reply is in `out`. */
static bool take(struct dhcp_packet *p, struct slot *slot, size_t len,
	struct msghdr *out)
{
	struct dhcp_heard heard;
	struct ipv4_udp udp;

	/*
	 * To another host, or of a VLAN that has no interface here: the kernel
	 * says so in the same way.
	 */
	if (slot->from.sll_pkttype == PACKET_OUTGOING ||
		slot->from.sll_pkttype == PACKET_OTHERHOST ||
		!ipv4_parse_udp(slot->in, len, &udp))
		return false;
	heard = (struct dhcp_heard){
		.data = udp.data,
		.len = udp.len,
		.from = udp.src,
		.to = udp.dst,
		.from_port = udp.src_port,
		.ifindex = (unsigned)slot->from.sll_ifindex,
	};
	if (udp.dst_port != p->port) {
		p->calls.reply(p->calls.arg, &heard);
		return false;
	}
	slot->reply.len = 0;
	p->calls.request(p->calls.arg, &heard, &slot->reply);
	return prepare(p, slot, out);
}

static void send_all(struct dhcp_packet *p, unsigned n)
{
	unsigned sent = 0;

	while (sent < n) {
		int k = sendmmsg(p->mouth, p->out + sent, n - sent, 0);

		if (k > 0) {
			sent += (unsigned)k;
		} else if (errno != EINTR) {
			/* This one cannot be sent; the others still can. */
			p->calls.unsent(p->calls.arg);
			sent++;
		}
	}
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct dhcp_packet *p = arg;
	unsigned n_out = 0;
	int n;

	(void)what;
	turn_take(&p->turn);
	for (unsigned i = 0; i < BATCH; i++)
		p->in[i].msg_hdr.msg_namelen = sizeof(p->slot[i].from);
	n = recvmmsg(fd, p->in, BATCH, MSG_DONTWAIT, NULL);
	for (int i = 0; i < n; i++)
		if (take(p, &p->slot[i], p->in[i].msg_len,
			    &p->out[n_out].msg_hdr))
			n_out++;
	if (n_out)
		send_all(p, n_out);
}

static int open_ear(uint16_t port)
{
	/* Protocol 0: nothing comes in before the filter is there. */
	int fd =
		socket(AF_PACKET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct sockaddr_ll all = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_IP),
	};
	int size = 4 << 20;

	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)))
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	if (dhcp_filter_attach(fd, port, NULL, 0) ||
		bind(fd, (struct sockaddr *)&all, sizeof(all))) {
		int err = -errno;

		close(fd);
		return err;
	}
	return fd;
}

static int open_mouth(void)
{
	int fd = socket(
		AF_INET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_RAW);
	int one = 1;

	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &one, sizeof(one))) {
		int err = -errno;

		close(fd);
		return err;
	}
	return fd;
}

static void init_slots(struct dhcp_packet *p)
{
	for (unsigned i = 0; i < BATCH; i++) {
		struct slot *slot = &p->slot[i];

		slot->iov_in = (struct iovec){slot->in, sizeof(slot->in)};
		p->in[i].msg_hdr = (struct msghdr){
			.msg_name = &slot->from,
			.msg_iov = &slot->iov_in,
			.msg_iovlen = 1,
		};
	}
}

int dhcp_packet_new(struct event_base *base, uint16_t port,
	const struct dhcp_packet_calls *calls, struct dhcp_packet **ret)
{
	struct dhcp_packet *p = calloc(1, sizeof(*p));
	int err = -ENOMEM;

	if (!p)
		return err;
	p->port = port;
	p->calls = *calls;
	init_slots(p);
	p->mouth = -1;
	p->ear = open_ear(port);
	if (p->ear >= 0)
		p->mouth = open_mouth();
	if (p->mouth >= 0)
		p->event = event_new(
			base, p->ear, EV_READ | EV_PERSIST, on_readable, p);
	if (!p->event || turn_init(&p->turn, base, p->event)) {
		if (p->ear < 0)
			err = p->ear;
		else if (p->mouth < 0)
			err = p->mouth;
		dhcp_packet_free(p);
		return err;
	}
	event_priority_set(p->event, TURN_PRIORITY_DHCP);
	event_add(p->event, NULL);
	*ret = p;
	return 0;
}

void dhcp_packet_free(struct dhcp_packet *p)
{
	if (!p)
		return;
	turn_done(&p->turn);
	if (p->event)
		event_free(p->event);
	if (p->ear >= 0)
		close(p->ear);
	if (p->mouth >= 0)
		close(p->mouth);
	free(p);
}
