#include "daemon/dhcp/ra_service.h"

#include <errno.h>
#include <event2/event.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/base/clock.h"
#include "daemon/base/log.h"
#include "daemon/base/netif.h"
#include "daemon/policy/clients.h"
#include "proto/ra.h"

#define HOP_LIMIT 255 /* RFC 4861 6.1: anything less came from elsewhere */
#define AT_ONCE	  32

struct ra_service {
	struct netuki *netuki;
	int fd;
	struct event *event;
	/* Links with a router of their own, and when it was heard. */
	struct {
		unsigned ifindex;
		uint64_t heard_us;
	} router[64];
	size_t next_router;
	unsigned joined[NETIF_MAX]; /* links that are there */
	size_t n_joined;
};

/* A router's advertisement counts for at most so long (RFC 4861 6.2.1). */
#define ROUTER_FOR_US 1800000000ull

struct arrival {
	uint8_t data[256];
	size_t len;
	struct sockaddr_in6 from;
	unsigned ifindex;
	int hop_limit;
};

static bool receive(int fd, struct arrival *a)
{
	uint8_t control[CMSG_SPACE(sizeof(struct in6_pktinfo)) +
			CMSG_SPACE(sizeof(int))]
		__attribute__((aligned(sizeof(long))));
	struct iovec iov = {a->data, sizeof(a->data)};
	struct msghdr msg = {
		.msg_name = &a->from,
		.msg_namelen = sizeof(a->from),
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *c;
	ssize_t n = recvmsg(fd, &msg, MSG_DONTWAIT);

	if (n < 0)
		return false;
	a->len = (size_t)n;
	a->ifindex = 0;
	a->hop_limit = 0;
	for (c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c)) {
		struct in6_pktinfo info;

		if (c->cmsg_level != IPPROTO_IPV6)
			continue;
		if (c->cmsg_type == IPV6_PKTINFO) {
			memcpy(&info, CMSG_DATA(c), sizeof(info));
			a->ifindex = info.ipi6_ifindex;
		} else if (c->cmsg_type == IPV6_HOPLIMIT) {
			memcpy(&a->hop_limit, CMSG_DATA(c), sizeof(int));
		}
	}
	return true;
}

static void hear_router(struct ra_service *s, const struct netif *netif)
{
	const size_t n = sizeof(s->router) / sizeof(*s->router);
	size_t i;

	for (i = 0; i < n && s->router[i].ifindex != netif->index; i++)
		;
	if (i == n) {
		i = s->next_router++ % n;
		log_info("interface %s: an IPv6 router is there: iPXE is left "
			 "to it",
			netif->name);
	}
	s->router[i].ifindex = netif->index;
	s->router[i].heard_us = clock_us();
}

static bool has_router(const struct ra_service *s, unsigned ifindex)
{
	for (size_t i = 0; i < sizeof(s->router) / sizeof(*s->router); i++)
		if (s->router[i].ifindex == ifindex &&
			clock_us() - s->router[i].heard_us < ROUTER_FOR_US)
			return true;
	return false;
}

/* Was this client answered as iPXE a moment ago? */
static struct client_record *waiting_ipxe(
	struct ra_service *s, const struct mac *mac)
{
	struct client_record *r = clients_find(s->netuki->clients, mac);

	if (!r || !r->ipxe_us || clock_us() - r->ipxe_us > RA_IPXE_WITHIN_US)
		return NULL;
	return r;
}

static void answer(struct ra_service *s, const struct arrival *a,
	const struct netif *netif, const struct client_record *record)
{
	uint8_t packet[RA_LEN];
	struct sockaddr_in6 to = a->from;
	struct journal_event e = {
		.kind = JOURNAL_ADVERTISEMENT,
		.has_mac = true,
		.mac = record->mac,
		.ip = record->ip,
		.firmware = record->firmware,
		.arch = record->arch,
		.detail = "no IPv6 router here",
	};

	to.sin6_scope_id = a->ifindex;
	ra_build(&netif->mac, packet);
	/*
	 * The kernel takes the link-local address of the interface as the
	 * source; where IPv6 is off there is none, and nothing is sent.
	 */
	if (sendto(s->fd, packet, sizeof(packet), MSG_DONTWAIT,
		    (struct sockaddr *)&to, sizeof(to)) < 0)
		log_debug("%s: no advertisement sent: %s", netif->name,
			strerror(errno));
	else
		journal_write(&s->netuki->journal, &e);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct ra_service *s = arg;
	struct arrival a;

	(void)what;
	for (int i = 0; i < AT_ONCE && receive(fd, &a); i++) {
		const struct netif *netif =
			netif_by_index(s->netuki->netifs, a.ifindex);
		const struct client_record *record;
		struct mac mac;

		if (a.hop_limit != HOP_LIMIT || !netif || !netif->served)
			continue;
		if (ra_is_router(a.data, a.len)) {
			hear_router(s, netif);
			continue;
		}
		if (!IN6_IS_ADDR_LINKLOCAL(&a.from.sin6_addr) ||
			!ra_parse_solicitation(a.data, a.len,
				a.from.sin6_addr.s6_addr, &mac) ||
			has_router(s, a.ifindex))
			continue;
		record = waiting_ipxe(s, &mac);
		if (record && record->ifindex == a.ifindex)
			answer(s, &a, netif, record);
	}
}

static int open_socket(void)
{
	struct icmp6_filter filter;
	int one = 1, hops = HOP_LIMIT;
	int fd = socket(AF_INET6, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC,
		IPPROTO_ICMPV6);

	if (fd < 0)
		return -errno;
	ICMP6_FILTER_SETBLOCKALL(&filter);
	ICMP6_FILTER_SETPASS(ND_ROUTER_SOLICIT, &filter);
	ICMP6_FILTER_SETPASS(ND_ROUTER_ADVERT, &filter);
	if (setsockopt(fd, IPPROTO_ICMPV6, ICMP6_FILTER, &filter,
		    sizeof(filter)) ||
		setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &one,
			sizeof(one)) ||
		setsockopt(fd, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, &one,
			sizeof(one)) ||
		setsockopt(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, &hops,
			sizeof(hops))) {
		int err = -errno;

		close(fd);
		return err;
	}
	return fd;
}

static int change_group(const struct ra_service *s, int how, unsigned ifindex)
{
	struct ipv6_mreq all_routers = {
		.ipv6mr_multiaddr = {{{0xff, 0x02, [15] = 0x02}}},
		.ipv6mr_interface = ifindex,
	};

	return setsockopt(
		s->fd, IPPROTO_IPV6, how, &all_routers, sizeof(all_routers));
}

static bool has_joined(const struct ra_service *s, unsigned ifindex)
{
	for (size_t i = 0; i < s->n_joined; i++)
		if (s->joined[i] == ifindex)
			return true;
	return false;
}

/*
 * Solicitations go to the group of all routers, which a host is not in: join
 * it on every link that is served. A link that is gone has to be left: the
 * socket goes on holding it, and is refused another one of the same index.
 */
static void join_links(void *arg)
{
	struct ra_service *s = arg;
	const struct netifs *netifs = s->netuki->netifs;
	size_t n = 0;

	for (size_t i = 0; i < s->n_joined; i++) {
		if (netif_by_index(netifs, s->joined[i]))
			s->joined[n++] = s->joined[i];
		else
			change_group(s, IPV6_LEAVE_GROUP, s->joined[i]);
	}
	s->n_joined = n;
	for (size_t i = 0; i < netifs_count(netifs); i++) {
		const struct netif *netif = netifs_at(netifs, i);

		if (!netif->served || netif->loopback ||
			has_joined(s, netif->index))
			continue;
		if (change_group(s, IPV6_JOIN_GROUP, netif->index))
			log_debug("%s: IPv6: %s", netif->name, strerror(errno));
		else
			s->joined[s->n_joined++] = netif->index;
	}
}

int ra_service_new(struct netuki *netuki, struct ra_service **ret)
{
	struct ra_service *s;
	int fd = open_socket();

	*ret = NULL;
	if (fd < 0) {
		log_warn("no router advertisements for iPXE (%s): its boots "
			 "take 16 s longer where there is no IPv6 router",
			strerror(-fd));
		return 0;
	}
	s = calloc(1, sizeof(*s));
	if (!s) {
		close(fd);
		return -ENOMEM;
	}
	s->netuki = netuki;
	s->fd = fd;
	s->event = event_new(
		netuki->base, fd, EV_READ | EV_PERSIST, on_readable, s);
	if (!s->event) {
		ra_service_free(s);
		return -ENOMEM;
	}
	event_add(s->event, NULL);
	join_links(s);
	netifs_on_change(netuki->netifs, join_links, s);
	*ret = s;
	return 0;
}

void ra_service_free(struct ra_service *s)
{
	if (!s)
		return;
	netifs_on_change(s->netuki->netifs, NULL, NULL);
	if (s->event)
		event_free(s->event);
	close(s->fd);
	free(s);
}
