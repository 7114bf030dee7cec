#include "daemon/http/http_peer.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "daemon/base/clock.h"
#include "daemon/base/hash.h"
#include "daemon/base/netif.h"
#include "daemon/http/http_conn.h"
#include "daemon/policy/clients.h"
#include "daemon/policy/content.h"

#define LOOPBACK_INDEX 1

static void set_ipv4(struct in6_addr *ret, struct in_addr addr)
{
	memset(ret, 0, sizeof(*ret));
	ret->s6_addr[10] = ret->s6_addr[11] = 0xff;
	memcpy(ret->s6_addr + 12, &addr, sizeof(addr));
}

/* The IPv4 address in host order; 0: it is none. */
static uint32_t ipv4_of(const struct in6_addr *addr)
{
	uint32_t be;

	if (!IN6_IS_ADDR_V4MAPPED(addr))
		return 0;
	memcpy(&be, addr->s6_addr + 12, sizeof(be));
	return ntohl(be);
}

static void set_addr(struct in6_addr *ret, const struct sockaddr *addr)
{
	if (addr->sa_family == AF_INET6)
		*ret = ((const struct sockaddr_in6 *)(const void *)addr)
			       ->sin6_addr;
	else
		set_ipv4(ret, ((const struct sockaddr_in *)(const void *)addr)
				      ->sin_addr);
}

/*
 * The interface by which the connection came in; 0: not known. TCP tells it
 * this way and no other (IPV6_RECVPKTINFO is set on the listener).
 */
static unsigned ingress_of(int fd)
{
	uint8_t control[256] __attribute__((aligned(sizeof(long))));
	struct msghdr msg = {.msg_control = control};
	socklen_t len = sizeof(control);
	struct cmsghdr *c;

	if (getsockopt(fd, IPPROTO_IPV6, IPV6_2292PKTOPTIONS, control, &len))
		return 0;
	msg.msg_controllen = len;
	for (c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c)) {
		struct in6_pktinfo info;

		if (c->cmsg_level != IPPROTO_IPV6 ||
			c->cmsg_type != IPV6_PKTINFO)
			continue;
		memcpy(&info, CMSG_DATA(c), sizeof(info));
		return info.ipi6_ifindex;
	}
	return 0;
}

/* The interface that has this IPv4 address of ours; NULL: none. */
static const struct netif *netif_of(const struct netifs *netifs, uint32_t addr)
{
	for (size_t i = 0; i < netifs_count(netifs); i++) {
		const struct netif *netif = netifs_at(netifs, i);

		for (size_t j = 0; j < netif->n_addrs; j++)
			if (netif->addr[j].addr == addr)
				return netif;
	}
	return NULL;
}

void http_peer_init(struct http_conn *conn, const struct sockaddr *peer)
{
	const struct netifs *netifs = conn->service->netuki->netifs;
	struct sockaddr_in6 local = {.sin6_family = AF_INET6};
	socklen_t len = sizeof(local);

	set_addr(&conn->peer, peer);
	if (getsockname(conn->fd, (struct sockaddr *)&local, &len) == 0)
		set_addr(&conn->local, (struct sockaddr *)&local);
	if (ipv4_of(&conn->local)) {
		const struct netif *netif =
			netif_of(netifs, ipv4_of(&conn->local));

		conn->ifindex = netif ? netif->index : 0;
	} else {
		conn->ifindex = ingress_of(conn->fd);
	}
}

/* Loopback always: for the site's own monitoring. */
bool http_peer_is_welcome(const struct http_conn *conn)
{
	const struct netif *netif =
		netif_by_index(conn->service->netuki->netifs, conn->ifindex);

	return (netif && netif->served) || conn->ifindex == LOOPBACK_INDEX ||
	       ipv4_of(&conn->local) >> 24 == 127;
}

uint32_t http_peer_ip(const struct http_conn *conn)
{
	return ipv4_of(&conn->peer);
}

const char *http_peer_text(
	const struct http_conn *conn, char ret[INET6_ADDRSTRLEN])
{
	if (http_peer_ip(conn))
		inet_ntop(AF_INET, conn->peer.s6_addr + 12, ret,
			INET6_ADDRSTRLEN);
	else
		inet_ntop(AF_INET6, &conn->peer, ret, INET6_ADDRSTRLEN);
	return ret;
}

void http_peer_identify(struct http_conn *conn)
{
	struct netuki *netuki = conn->service->netuki;
	uint32_t ip = http_peer_ip(conn);

	if (conn->has_mac || conn->asked_mac || !ip)
		return;
	conn->asked_mac = true;
	conn->has_mac = clients_identify(netuki->clients, netuki->netifs,
		conn->ifindex, ip, clock_us(), false, &conn->mac);
}

/* By name or UUID it may be several. */
bool http_peer_mac_of(struct http_conn *conn, const char *id, size_t len,
	const struct config_machine *machine, struct mac *ret)
{
	const struct config *config = conn->service->netuki->config;
	struct client client = {0};

	http_peer_identify(conn);
	if (content_parse_id(id, len, &client) && client.has_mac)
		*ret = client.mac;
	else if (conn->has_mac &&
		 config_find(config, &conn->mac, NULL, NULL, NULL) == machine)
		*ret = conn->mac;
	else if (machine && machine->n_macs)
		*ret = machine->macs[0];
	else
		return false;
	return true;
}

bool http_peer_may_be(const struct http_conn *conn, const struct mac *mac)
{
	const struct netifs *netifs = conn->service->netuki->netifs;
	const struct netif *netif = netif_by_index(netifs, conn->ifindex);
	uint32_t ip = http_peer_ip(conn);
	struct mac neighbour;

	if (!ip || !netif || netif->loopback || !netif_is_on_link(netif, ip))
		return true;
	return !netifs_neighbour(netifs, conn->ifindex, ip, &neighbour) ||
	       mac_equal(&neighbour, mac);
}

void http_peer_is(struct http_conn *conn, struct client_record *record)
{
	if (http_peer_ip(conn))
		clients_set_ip(conn->service->netuki->clients, record,
			http_peer_ip(conn), clock_us());
	conn->mac = record->mac;
	conn->has_mac = true;
}

uint16_t *http_peer_count(struct http_conn *conn)
{
	/* Of IPv6 the network: a host there has addresses without end. */
	size_t len = ipv4_of(&conn->peer) ? 16 : 8;

	return &conn->service->per_addr[hash_bucket(
		&conn->peer, len, HTTP_PER_ADDR_BUCKETS)];
}

void http_peer_server(const struct http_conn *conn, struct client *client,
	char text[INET6_ADDRSTRLEN + 2])
{
	const struct netif *netif =
		netif_by_index(conn->service->netuki->netifs, conn->ifindex);
	char addr[INET6_ADDRSTRLEN];

	client->server = ipv4_of(&conn->local);
	if (client->server)
		return;
	/* A link-local address means nothing without the client's own zone. */
	if (netif && IN6_IS_ADDR_LINKLOCAL(&conn->local)) {
		client->server = netif_server_addr(netif, 0);
		return;
	}
	inet_ntop(AF_INET6, &conn->local, addr, sizeof(addr));
	snprintf(text, INET6_ADDRSTRLEN + 2, "[%s]", addr);
	client->server6 = text;
}
