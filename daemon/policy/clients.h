/*
 * clients: who has been heard of lately, by MAC address and by IP address.
 * The table is bounded: the one not heard of for longest makes room.
 *
 * It is fed by the services and changes no decision about who may boot.
 */
#ifndef DAEMON_POLICY_CLIENTS_H
#define DAEMON_POLICY_CLIENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "daemon/policy/offer_form.h"
#include "proto/pxe.h"

#define CLIENTS_MAX	   16384
#define CLIENTS_SERIAL_MAX 128

struct client_record {
	struct mac mac;
	uint32_t ip;	  /* last known; 0: none */
	uint64_t ip_us;	  /* when that was last seen to be so */
	unsigned ifindex; /* where it was last heard */
	enum pxe_firmware firmware;
	enum arch arch;
	bool has_uuid;
	struct uuid uuid;
	char serial[CLIENTS_SERIAL_MAX]; /* as its iPXE has it; "": not known */
	char vendor[34];
	uint64_t first_us, seen_us;
	uint64_t ipxe_us;   /* when it was last answered as iPXE; 0: never */
	uint64_t asked;	    /* DHCP requests seen */
	bool answered;	    /* the last one got an answer */
	const char *reason; /* why, or why not; static text */
	struct offer_memory offer; /* UEFI PXE under `offer: auto` */
	unsigned loads;		   /* loaders given since it last got further */
	uint64_t loads_us;	   /* when the first of them was */
	bool loops;		   /* it goes round in a circle; said once */
	/* The table's own. */
	TAILQ_ENTRY(client_record) lru;
	LIST_ENTRY(client_record) by_mac, by_ip;
};

TAILQ_HEAD(client_list, client_record);

struct clients;
struct config;
struct config_machine;
struct netifs;

struct clients *clients_new(void);
void clients_free(struct clients *clients);
/* The record of this MAC, made if there is none; now the newest. */
struct client_record *clients_touch(
	struct clients *clients, const struct mac *mac, uint64_t now_us);
/* NULL if it is not known. */
struct client_record *clients_find(
	const struct clients *clients, const struct mac *mac);
struct client_record *clients_find_ip(
	const struct clients *clients, uint32_t ip);
/*
 * Whose address is this, at now_us? What was seen a moment ago counts; then
 * what the kernel knows of its neighbours on that interface, as leases move
 * from one machine to another; then, behind a relay, what was seen last.
 * cheap: do not ask the kernel. False: nobody knows.
 */
bool clients_identify(struct clients *clients, const struct netifs *netifs,
	unsigned ifindex, uint32_t ip, uint64_t now_us, bool cheap,
	struct mac *ret);
/* Which machine of the configuration it is; NULL: none. */
const struct config_machine *clients_machine(
	const struct config *config, const struct client_record *record);
/* The client now has this address; no other has it any more. */
void clients_set_ip(struct clients *clients, struct client_record *record,
	uint32_t ip, uint64_t now_us);
/*
 * A DHCP relay at this address was answered; the last 64 are remembered. Its
 * clients' addresses are near its own, but nobody says how near: a /16.
 */
void clients_saw_relay(struct clients *clients, uint32_t relay);
bool clients_have_relay(const struct clients *clients, uint32_t relay);
bool clients_near_relay(const struct clients *clients, uint32_t ip);
/* Oldest first; read only. */
const struct client_list *clients_list(const struct clients *clients);

#endif
