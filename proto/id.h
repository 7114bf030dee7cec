/*
 * id: what names a machine: its MAC address and its SMBIOS UUID.
 *
 * A UUID is held in the order in which it is printed by Linux and by iPXE
 * (RFC 4122 text order). DHCP option 97 and old firmware carry the first three
 * fields byte-swapped (SMBIOS mixed-endian order): uuid_swap turns the one
 * into the other.
 */
#ifndef PROTO_ID_H
#define PROTO_ID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mac {
	uint8_t b[6];
};

struct uuid {
	uint8_t b[16];
};

#define MAC_TEXT_LEN  18 /* "52:54:00:12:34:56" and NUL */
#define UUID_TEXT_LEN 37 /* and NUL */

/*
 * Twelve hexadecimal digits of either case, with ':' or '-' between all pairs
 * or between none; len bytes, all of them used.
 */
bool mac_parse(const char *text, size_t len, struct mac *ret);
/* Lower case, sep between the pairs. */
void mac_format(const struct mac *mac, char sep, char ret[MAC_TEXT_LEN]);
bool mac_equal(const struct mac *a, const struct mac *b);
/* Not all zero and not a group address: an address that a client can have. */
bool mac_is_unicast(const struct mac *mac);

/* 32 hexadecimal digits, either case, with the four usual dashes or none. */
bool uuid_parse(const char *text, size_t len, struct uuid *ret);
void uuid_format(const struct uuid *uuid, char ret[UUID_TEXT_LEN]);
struct uuid uuid_swap(const struct uuid *uuid);
bool uuid_equal(const struct uuid *a, const struct uuid *b);
/*
 * All zeros, all ones, and the placeholders that board makers forgot to
 * replace (03000200-0400-0500-0006-000700080009 and the like): these name no
 * machine.
 */
bool uuid_is_junk(const struct uuid *uuid);

#endif
