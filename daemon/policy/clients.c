#include "daemon/policy/clients.h"

#include <stdlib.h>
#include <string.h>

#include "config/config.h"
#include "daemon/base/hash.h"
#include "daemon/base/netif.h"

#define BUCKETS 4096
#define RELAYS	64

LIST_HEAD(bucket, client_record);

struct clients {
	size_t n;
	struct client_list lru;
	struct bucket mac[BUCKETS], ip[BUCKETS];
	uint32_t relay[RELAYS];	     /* 0: none */
	struct client_record *spare; /* for when memory is short */
	unsigned next_relay;
};

struct clients *clients_new(void)
{
	struct clients *clients = calloc(1, sizeof(*clients));

	if (!clients)
		return NULL;
	TAILQ_INIT(&clients->lru);
	clients->spare = calloc(1, sizeof(*clients->spare));
	if (!clients->spare) {
		free(clients);
		return NULL;
	}
	return clients;
}

static void take_out(struct clients *clients, struct client_record *record)
{
	TAILQ_REMOVE(&clients->lru, record, lru);
	LIST_REMOVE(record, by_mac);
	if (record->ip)
		LIST_REMOVE(record, by_ip);
	clients->n--;
}

static void drop(struct clients *clients, struct client_record *record)
{
	take_out(clients, record);
	free(record);
}

void clients_free(struct clients *clients)
{
	if (!clients)
		return;
	while (!TAILQ_EMPTY(&clients->lru))
		drop(clients, TAILQ_FIRST(&clients->lru));
	free(clients->spare);
	free(clients);
}

struct client_record *clients_find(
	const struct clients *clients, const struct mac *mac)
{
	struct client_record *record;

	LIST_FOREACH (record,
		&clients->mac[hash_bucket(mac, sizeof(*mac), BUCKETS)], by_mac)
		if (mac_equal(&record->mac, mac))
			return record;
	return NULL;
}

struct client_record *clients_find_ip(
	const struct clients *clients, uint32_t ip)
{
	struct client_record *record;

	LIST_FOREACH (record,
		&clients->ip[hash_bucket(&ip, sizeof(ip), BUCKETS)], by_ip)
		if (record->ip == ip)
			return record;
	return NULL;
}

/*
 * One that is all zeros. If memory is short the one not seen for longest makes
 * room: once there was a record there always is.
 */
static struct client_record *record_new(struct clients *clients)
{
	struct client_record *record;

	if (clients->n >= CLIENTS_MAX)
		drop(clients, TAILQ_FIRST(&clients->lru));
	record = calloc(1, sizeof(*record));
	if (record)
		return record;
	record = clients->spare;
	clients->spare = NULL;
	if (!record) {
		record = TAILQ_FIRST(&clients->lru);
		take_out(clients, record);
		memset(record, 0, sizeof(*record));
	}
	return record;
}

struct client_record *clients_touch(
	struct clients *clients, const struct mac *mac, uint64_t now_us)
{
	struct client_record *record = clients_find(clients, mac);

	if (record) {
		TAILQ_REMOVE(&clients->lru, record, lru);
	} else {
		record = record_new(clients);
		record->mac = *mac;
		record->firmware = PXE_FIRMWARE_MAX;
		record->arch = ARCH_INVALID;
		record->first_us = now_us;
		record->reason = "";
		LIST_INSERT_HEAD(
			&clients->mac[hash_bucket(mac, sizeof(*mac), BUCKETS)],
			record, by_mac);
		clients->n++;
	}
	record->seen_us = now_us;
	TAILQ_INSERT_TAIL(&clients->lru, record, lru);
	return record;
}

void clients_set_ip(struct clients *clients, struct client_record *record,
	uint32_t ip, uint64_t now_us)
{
	struct client_record *other;

	record->ip_us = now_us;
	if (record->ip == ip)
		return;
	other = ip ? clients_find_ip(clients, ip) : NULL;
	if (other) {
		LIST_REMOVE(other, by_ip);
		other->ip = 0;
	}
	if (record->ip)
		LIST_REMOVE(record, by_ip);
	record->ip = ip;
	if (ip)
		LIST_INSERT_HEAD(
			&clients->ip[hash_bucket(&ip, sizeof(ip), BUCKETS)],
			record, by_ip);
}

const struct config_machine *clients_machine(
	const struct config *config, const struct client_record *r)
{
	return config_find(config, &r->mac, r->has_uuid ? &r->uuid : NULL,
		r->serial[0] ? r->serial : NULL, NULL);
}

/* An address changes hands no faster than this. */
#define IP_FRESH_US 5000000

bool clients_identify(struct clients *clients, const struct netifs *netifs,
	unsigned ifindex, uint32_t ip, uint64_t now_us, bool cheap,
	struct mac *ret)
{
	struct client_record *seen = clients_find_ip(clients, ip), *record;
	const struct netif *netif;

	if (seen && now_us - seen->ip_us < IP_FRESH_US) {
		*ret = seen->mac;
		return true;
	}
	netif = cheap ? NULL : netif_by_index(netifs, ifindex);
	if (netif && !netif->loopback && netif_is_on_link(netif, ip) &&
		netifs_neighbour(netifs, ifindex, ip, ret)) {
		record = clients_find(clients, ret);
		if (record)
			clients_set_ip(clients, record, ip, now_us);
		return true;
	}
	if (!seen)
		return false;
	*ret = seen->mac;
	return true;
}

const struct client_list *clients_list(const struct clients *clients)
{
	return &clients->lru;
}

bool clients_have_relay(const struct clients *clients, uint32_t relay)
{
	for (size_t i = 0; i < RELAYS; i++)
		if (relay && clients->relay[i] == relay)
			return true;
	return false;
}

void clients_saw_relay(struct clients *clients, uint32_t relay)
{
	if (clients_have_relay(clients, relay))
		return;
	clients->relay[clients->next_relay++ % RELAYS] = relay;
}

bool clients_near_relay(const struct clients *clients, uint32_t ip)
{
	for (size_t i = 0; i < RELAYS; i++)
		if (clients->relay[i] && clients->relay[i] >> 16 == ip >> 16)
			return true;
	return false;
}
