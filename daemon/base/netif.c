#include "daemon/base/netif.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <net/if.h>
#include <netlink/netlink.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>
#include <netlink/route/neighbour.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/log.h"

/* Events come in bursts; one reading serves a burst. */
static const struct timeval settle = {0, 100000};
static const struct timeval retry = {2, 0};

struct netifs {
	const struct config *config;
	struct nl_sock *ask;	/* dumps and look-ups */
	struct nl_sock *events; /* NULL without an event base */
	struct event *readable, *settled;
	void (*changed)(void *arg); /* NULL: nobody wants to know */
	void *changed_arg;
	bool said_full, failed;
	size_t n;
	struct netif netif[NETIF_MAX];
};

static struct netif *find(struct netifs *netifs, unsigned index)
{
	for (size_t i = 0; i < netifs->n; i++)
		if (netifs->netif[i].index == index)
			return &netifs->netif[i];
	return NULL;
}

static void take_link(struct nl_object *object, void *arg)
{
	struct netifs *netifs = arg;
	struct rtnl_link *link = (struct rtnl_link *)object;
	struct nl_addr *mac = rtnl_link_get_addr(link);
	const char *name = rtnl_link_get_name(link);
	unsigned flags = rtnl_link_get_flags(link);
	struct netif *netif;

	/* Without events it may be a helper thread, which does not log. */
	if (netifs->n == NETIF_MAX && netifs->events && !netifs->said_full) {
		netifs->said_full = true;
		log_warn("more than %d interfaces: those beyond are not served",
			NETIF_MAX);
	}
	if (netifs->n == NETIF_MAX || !name)
		return;
	netif = &netifs->netif[netifs->n++];
	*netif = (struct netif){
		.index = (unsigned)rtnl_link_get_ifindex(link),
		.mtu = rtnl_link_get_mtu(link),
		.up = flags & IFF_UP,
		.loopback = flags & IFF_LOOPBACK,
	};
	strncpy(netif->name, name, sizeof(netif->name) - 1);
	if (mac && nl_addr_get_len(mac) == sizeof(netif->mac.b))
		memcpy(netif->mac.b, nl_addr_get_binary_addr(mac),
			sizeof(netif->mac.b));
}

static void take_addr(struct nl_object *object, void *arg)
{
	struct netifs *netifs = arg;
	struct rtnl_addr *addr = (struct rtnl_addr *)object;
	struct nl_addr *local = rtnl_addr_get_local(addr);
	struct netif *netif =
		find(netifs, (unsigned)rtnl_addr_get_ifindex(addr));
	int bits = rtnl_addr_get_prefixlen(addr);
	uint32_t be;

	if (!netif || !local || rtnl_addr_get_family(addr) != AF_INET ||
		nl_addr_get_len(local) != sizeof(be) ||
		netif->n_addrs == NETIF_MAX_ADDRS)
		return;
	memcpy(&be, nl_addr_get_binary_addr(local), sizeof(be));
	netif->addr[netif->n_addrs++] = (struct netif_addr){
		.addr = ntohl(be),
		.mask = bits <= 0 ? 0 : UINT32_MAX << (32 - bits),
	};
}

static bool is_wanted(const struct config *config, const struct netif *netif)
{
	if (!netif->up || !netif->n_addrs)
		return false;
	if (!config->n_interfaces)
		return !netif->loopback;
	for (size_t i = 0; i < config->n_interfaces; i++)
		if (strcmp(config->interfaces[i], netif->name) == 0)
			return true;
	return false;
}

static void say_changes(
	const struct netifs *netifs, const struct netif *old, size_t n_old)
{
	for (size_t i = 0; i < netifs->n; i++) {
		const struct netif *now = &netifs->netif[i], *was = NULL;
		struct in_addr addr;
		char text[INET_ADDRSTRLEN];

		for (size_t j = 0; j < n_old; j++)
			if (old[j].index == now->index)
				was = &old[j];
		if (was && was->served && !now->served)
			log_info("interface %s: no longer served", now->name);
		if (!now->served ||
			(was && was->served && was->mtu == now->mtu &&
				was->addr[0].addr == now->addr[0].addr))
			continue;
		addr.s_addr = htonl(now->addr[0].addr);
		inet_ntop(AF_INET, &addr, text, sizeof(text));
		log_info("interface %s: serving as %s, MTU %u", now->name, text,
			now->mtu);
	}
	for (size_t j = 0; j < n_old; j++)
		if (old[j].served && !netif_by_index(netifs, old[j].index))
			log_info("interface %s: gone", old[j].name);
}

static void mark_served(struct netifs *netifs)
{
	for (size_t i = 0; i < netifs->n; i++)
		netifs->netif[i].served =
			is_wanted(netifs->config, &netifs->netif[i]);
}

static int dump(struct netifs *netifs,
	struct nl_cache *(*alloc)(struct nl_sock *),
	void (*take)(struct nl_object *, void *))
{
	struct nl_cache *cache = alloc(netifs->ask);

	if (!cache)
		return -EIO;
	nl_cache_foreach(cache, take, netifs);
	nl_cache_free(cache);
	return 0;
}

static struct nl_cache *all_links(struct nl_sock *sock)
{
	struct nl_cache *cache;

	return rtnl_link_alloc_cache(sock, AF_UNSPEC, &cache) ? NULL : cache;
}

static struct nl_cache *all_addrs(struct nl_sock *sock)
{
	struct nl_cache *cache;

	return rtnl_addr_alloc_cache(sock, &cache) ? NULL : cache;
}

static int read_all(struct netifs *netifs)
{
	static struct netif old[NETIF_MAX];
	size_t n_old = netifs->n;
	int err;

	memcpy(old, netifs->netif, n_old * sizeof(*old));
	netifs->n = 0;
	err = dump(netifs, all_links, take_link);
	if (!err)
		err = dump(netifs, all_addrs, take_addr);
	if (err) {
		/* What we knew is better than nothing. */
		memcpy(netifs->netif, old, n_old * sizeof(*old));
		netifs->n = n_old;
		return err;
	}
	mark_served(netifs);
	if (netifs->events)
		say_changes(netifs, old, n_old);
	if (netifs->changed)
		netifs->changed(netifs->changed_arg);
	return 0;
}

static void on_settled(evutil_socket_t fd, short what, void *arg)
{
	struct netifs *netifs = arg;
	bool failed = read_all(netifs) != 0;

	(void)fd, (void)what;
	/* Nobody tells again of what has changed. */
	if (failed)
		event_add(netifs->settled, &retry);
	if (failed && !netifs->failed)
		log_warn("network interfaces could not be read: it is tried "
			 "again every %d s",
			(int)retry.tv_sec);
	netifs->failed = failed;
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct netifs *netifs = arg;
	char buf[8192];

	(void)what;
	/* Also after ENOBUFS, which says that events were lost. */
	while (recv(fd, buf, sizeof(buf), MSG_DONTWAIT) > 0)
		;
	if (!event_pending(netifs->settled, EV_TIMEOUT, NULL))
		event_add(netifs->settled, &settle);
}

static int watch(struct netifs *netifs, struct event_base *base)
{
	netifs->events = nl_socket_alloc();
	if (!netifs->events)
		return -ENOMEM;
	nl_socket_disable_seq_check(netifs->events);
	if (nl_connect(netifs->events, NETLINK_ROUTE) ||
		nl_socket_add_memberships(
			netifs->events, RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, 0))
		return -EIO;
	nl_socket_set_nonblocking(netifs->events);
	netifs->readable = event_new(base, nl_socket_get_fd(netifs->events),
		EV_READ | EV_PERSIST, on_readable, netifs);
	netifs->settled = evtimer_new(base, on_settled, netifs);
	if (!netifs->readable || !netifs->settled)
		return -ENOMEM;
	event_add(netifs->readable, NULL);
	return 0;
}

int netifs_new(struct event_base *base, const struct config *config,
	struct netifs **ret)
{
	struct netifs *netifs = calloc(1, sizeof(*netifs));
	int err = -ENOMEM;

	if (!netifs)
		return err;
	netifs->config = config;
	netifs->ask = nl_socket_alloc();
	if (!netifs->ask)
		goto fail;
	err = -EIO;
	/* One question, one answer: an ACK on top would be left unread. */
	nl_socket_disable_auto_ack(netifs->ask);
	if (nl_connect(netifs->ask, NETLINK_ROUTE))
		goto fail;
	/* Watch first: nothing is missed between reading and watching. */
	if (base) {
		err = watch(netifs, base);
		if (err)
			goto fail;
	}
	err = read_all(netifs);
	if (err)
		goto fail;
	*ret = netifs;
	return 0;
fail:
	netifs_free(netifs);
	return err;
}

void netifs_free(struct netifs *netifs)
{
	if (!netifs)
		return;
	if (netifs->readable)
		event_free(netifs->readable);
	if (netifs->settled)
		event_free(netifs->settled);
	nl_socket_free(netifs->events);
	nl_socket_free(netifs->ask);
	free(netifs);
}

void netifs_on_change(
	struct netifs *netifs, void (*changed)(void *arg), void *arg)
{
	netifs->changed = changed;
	netifs->changed_arg = arg;
}

void netifs_set_config(struct netifs *netifs, const struct config *config)
{
	netifs->config = config;
	if (read_all(netifs))
		mark_served(netifs);
}

size_t netifs_count(const struct netifs *netifs)
{
	return netifs->n;
}

const struct netif *netifs_at(const struct netifs *netifs, size_t i)
{
	return &netifs->netif[i];
}

const struct netif *netif_by_index(const struct netifs *netifs, unsigned index)
{
	for (size_t i = 0; i < netifs->n; i++)
		if (netifs->netif[i].index == index)
			return &netifs->netif[i];
	return NULL;
}

const struct netif *netif_by_name(const struct netifs *netifs, const char *name)
{
	for (size_t i = 0; i < netifs->n; i++)
		if (strcmp(netifs->netif[i].name, name) == 0)
			return &netifs->netif[i];
	return NULL;
}

uint32_t netif_server_addr(const struct netif *netif, uint32_t near)
{
	for (size_t i = 0; near && i < netif->n_addrs; i++)
		if (!((netif->addr[i].addr ^ near) & netif->addr[i].mask))
			return netif->addr[i].addr;
	return netif->n_addrs ? netif->addr[0].addr : 0;
}

bool netif_is_on_link(const struct netif *netif, uint32_t addr)
{
	for (size_t i = 0; i < netif->n_addrs; i++)
		if (!((netif->addr[i].addr ^ addr) & netif->addr[i].mask))
			return true;
	return false;
}

bool netifs_on_link(const struct netifs *netifs, uint32_t addr)
{
	for (size_t i = 0; i < netifs->n; i++)
		if (netif_is_on_link(&netifs->netif[i], addr))
			return true;
	return false;
}

bool netif_has(const struct netif *netif, uint32_t addr)
{
	for (size_t i = 0; i < netif->n_addrs; i++)
		if (netif->addr[i].addr == addr)
			return true;
	return false;
}

bool netifs_have(const struct netifs *netifs, uint32_t addr)
{
	for (size_t i = 0; i < netifs->n; i++)
		if (netif_has(&netifs->netif[i], addr))
			return true;
	return false;
}

/* What one RTM_GETNEIGH answers. */
static int take_neighbour(struct nl_msg *msg, void *arg)
{
	struct mac *mac = arg;
	struct rtnl_neigh *neigh = NULL;
	struct nl_addr *lladdr;

	if (rtnl_neigh_parse(nlmsg_hdr(msg), &neigh) < 0)
		return NL_SKIP;
	lladdr = rtnl_neigh_get_lladdr(neigh);
	if (lladdr && nl_addr_get_len(lladdr) == sizeof(mac->b))
		memcpy(mac->b, nl_addr_get_binary_addr(lladdr), sizeof(mac->b));
	rtnl_neigh_put(neigh);
	return NL_OK;
}

bool netifs_neighbour(const struct netifs *netifs, unsigned index,
	uint32_t addr, struct mac *ret)
{
	struct ndmsg header = {
		.ndm_family = AF_INET,
		.ndm_ifindex = (int)index,
	};
	uint32_t be = htonl(addr);
	struct nl_msg *msg = nlmsg_alloc_simple(RTM_GETNEIGH, NLM_F_REQUEST);
	struct nl_cb *cb = nl_cb_alloc(NL_CB_DEFAULT);
	struct mac found = {{0}};

	if (msg && cb &&
		nlmsg_append(msg, &header, sizeof(header), NLMSG_ALIGNTO) ==
			0 &&
		nla_put(msg, NDA_DST, sizeof(be), &be) == 0 &&
		nl_send_auto(netifs->ask, msg) >= 0) {
		nl_cb_set(
			cb, NL_CB_VALID, NL_CB_CUSTOM, take_neighbour, &found);
		/* One message, or an error if the kernel knows nothing. */
		nl_recvmsgs(netifs->ask, cb);
	}
	nl_cb_put(cb);
	nlmsg_free(msg);
	if (!mac_is_unicast(&found))
		return false;
	*ret = found;
	return true;
}
