/*
 * ipv4: the IPv4 and UDP headers (RFC 791, 768) of packets that come from a
 * packet socket, or go out by a raw one. Of what comes in, checksums are not
 * looked at: senders on the same host leave them to a device that is not there.
 */
#ifndef PROTO_IPV4_H
#define PROTO_IPV4_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ipv4_udp {
	uint32_t src, dst; /* host order */
	uint16_t src_port, dst_port;
	const uint8_t *data; /* the payload, within the packet */
	size_t len;
};

/* False: no whole UDP datagram (another protocol, a fragment, cut short). */
bool ipv4_parse_udp(const void *packet, size_t len, struct ipv4_udp *ret);

#define IPV4_UDP_HEADERS 28
/* The identification in ours, by which they are told from others. */
#define IPV4_UDP_ID 0x6e6b

/*
 * The IPv4 and UDP headers of a datagram whose payload is `udp->data`, with
 * both checksums but for IPv4's, which the kernel writes. False: too long.
 */
bool ipv4_build_udp(const struct ipv4_udp *udp, uint8_t ret[IPV4_UDP_HEADERS]);

#endif
