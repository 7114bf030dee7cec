/*
 * ra: ICMPv6 router discovery (RFC 4861 4.1, 4.2), as far as netuki needs it:
 * iPXE waits some 16 s for an IPv6 router before it asks for its script, and
 * one advertisement that says "no router here" ends that wait.
 * Lifetime 0 means that nobody takes the sender for a router.
 */
#ifndef PROTO_RA_H
#define PROTO_RA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/id.h"

#define RA_TYPE_SOLICITATION  133
#define RA_TYPE_ADVERTISEMENT 134
#define RA_LEN		      24 /* of an advertisement that we send */

/*
 * Whose Router Solicitation is this (the ICMPv6 message), sent from this IPv6
 * address? By its source link-layer address option, else by the interface
 * identifier of a link-local address (RFC 4291, appendix A). False: it is
 * none, or neither tells.
 */
bool ra_parse_solicitation(const void *data, size_t len,
	const uint8_t source[16], struct mac *ret);

/* Is this a Router Advertisement with a lifetime: is there a router? */
bool ra_is_router(const void *data, size_t len);

/*
 * The advertisement: lifetime 0, no flags, no prefix, and our own link-layer
 * address. The kernel fills in the checksum. Always RA_LEN bytes.
 */
void ra_build(const struct mac *own, uint8_t ret[RA_LEN]);

#endif
