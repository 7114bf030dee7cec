/*
 * netif: which network interfaces there are, with their IPv4 addresses and
 * MTU, and which of them netukid serves; learnt from the kernel over netlink
 * (libnl). An event is only a hint: a moment after it everything is read
 * again and the table replaced, so a lost event costs nothing but that moment.
 *
 * Also answers which MAC address an IPv4 neighbour has.
 */
#ifndef DAEMON_BASE_NETIF_H
#define DAEMON_BASE_NETIF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/config.h"
#include "proto/id.h"

struct event_base;

#define NETIF_MAX	1024
#define NETIF_MAX_ADDRS 16

struct netif_addr {
	uint32_t addr; /* host order */
	uint32_t mask;
};

struct netif {
	unsigned index;
	char name[16];
	struct mac mac;
	uint32_t mtu;
	bool up, loopback;
	bool served; /* the configuration wants it, and it can be */
	size_t n_addrs;
	struct netif_addr addr[NETIF_MAX_ADDRS];
};

struct netifs;

/* base may be NULL: read once, for --check. 0 or -errno. */
int netifs_new(struct event_base *base, const struct config *config,
	struct netifs **ret);
void netifs_free(struct netifs *netifs);
/* changed(arg) is called after each reading that may have changed anything. */
void netifs_on_change(
	struct netifs *netifs, void (*changed)(void *arg), void *arg);
/* After a reload. */
void netifs_set_config(struct netifs *netifs, const struct config *config);

size_t netifs_count(const struct netifs *netifs);
const struct netif *netifs_at(const struct netifs *netifs, size_t i);
const struct netif *netif_by_index(const struct netifs *netifs, unsigned index);
const struct netif *netif_by_name(
	const struct netifs *netifs, const char *name);
/*
 * The address that a client on this interface is told: the one whose subnet
 * holds `near` (0: no preference), else the first. 0 if there is none.
 */
uint32_t netif_server_addr(const struct netif *netif, uint32_t near);
/* Is this an address of this interface itself? */
bool netif_has(const struct netif *netif, uint32_t addr);
/* Is addr in a subnet of this interface? */
bool netif_is_on_link(const struct netif *netif, uint32_t addr);

/* Is addr in a subnet of any interface? */
bool netifs_on_link(const struct netifs *netifs, uint32_t addr);
/* Is this an address of this host, on any interface? */
bool netifs_have(const struct netifs *netifs, uint32_t addr);

/* The neighbour's MAC address; false if the kernel knows none. */
bool netifs_neighbour(const struct netifs *netifs, unsigned index,
	uint32_t addr, struct mac *ret);

#endif
