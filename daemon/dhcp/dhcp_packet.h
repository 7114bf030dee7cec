/*
 * dhcp_packet: DHCP through a packet socket and a raw one, without binding
 * port 67, so that netukid takes nothing from a DHCP server on the same host:
 * neither its port (dnsmasq binds it without allowing others), nor the
 * renewals that its clients send by unicast, nor a relay's requests. It also
 * hears what other servers tell clients.
 *
 * Needs CAP_NET_RAW when it is opened.
 */
#ifndef DAEMON_DHCP_DHCP_PACKET_H
#define DAEMON_DHCP_DHCP_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/dhcp.h"

struct event_base;
struct dhcp_packet;

/* A datagram that came in. */
struct dhcp_heard {
	const uint8_t *data; /* the UDP payload */
	size_t len;
	uint32_t from, to; /* host order; to: perhaps not an address of ours */
	uint16_t from_port;
	unsigned ifindex;
	bool is_from_here; /* another program of this host sent it */
};

/* A datagram that is to go out, from the server's port. */
struct dhcp_reply_packet {
	uint8_t data[DHCP_MAX_PACKET];
	size_t len;	   /* 0: none */
	uint32_t from, to; /* host order */
	uint16_t to_port;
	unsigned ifindex; /* by which to leave; 0: as routed */
};

struct dhcp_packet_calls {
	/* A BOOTREQUEST to the server's port: fill in the reply. */
	void (*request)(void *arg, const struct dhcp_heard *heard,
		struct dhcp_reply_packet *ret);
	/* A BOOTREPLY to the port above it, by anybody. */
	void (*reply)(void *arg, const struct dhcp_heard *heard);
	/* A reply could not be sent; errno says why. */
	void (*unsent)(void *arg);
	void *arg;
};

/* port: the server's, 67. 0 or -errno. */
int dhcp_packet_new(struct event_base *base, uint16_t port,
	const struct dhcp_packet_calls *calls, struct dhcp_packet **ret);
void dhcp_packet_free(struct dhcp_packet *packet); /* NULL is fine */

#endif
