#include "proto/ra.h"

#include <string.h>

#include "proto/wire.h"

#define OPTION_SOURCE_LINK_ADDRESS 1
#define OPTION_UNIT		   8 /* lengths of options are in units of 8 bytes */

/* The MAC address in a modified EUI-64 interface identifier. */
static bool mac_of_link_local(const uint8_t source[16], struct mac *ret)
{
	static const uint8_t prefix[8] = {0xfe, 0x80};

	if (memcmp(source, prefix, sizeof(prefix)) != 0 || source[11] != 0xff ||
		source[12] != 0xfe)
		return false;
	memcpy(ret->b, source + 8, 3);
	memcpy(ret->b + 3, source + 13, 3);
	ret->b[0] ^= 0x02;
	return mac_is_unicast(ret);
}

bool ra_parse_solicitation(
	const void *data, size_t len, const uint8_t source[16], struct mac *ret)
{
	struct wire_reader r;
	struct mac mac;

	wire_reader_init(&r, data, len);
	if (wire_get_u8(&r) != RA_TYPE_SOLICITATION || wire_get_u8(&r) != 0)
		return false;
	wire_skip(&r, 6); /* checksum, reserved */
	while (!r.err && wire_left(&r)) {
		uint8_t type = wire_get_u8(&r);
		size_t size = (size_t)wire_get_u8(&r) * OPTION_UNIT;
		const uint8_t *body;

		if (!size)
			return false; /* RFC 4861 4.6: to be discarded */
		body = wire_get_bytes(&r, size - 2);
		if (!body || type != OPTION_SOURCE_LINK_ADDRESS)
			continue;
		memcpy(mac.b, body, sizeof(mac.b));
		if (!mac_is_unicast(&mac))
			return false;
		*ret = mac;
		return true;
	}
	if (r.err || !mac_of_link_local(source, &mac))
		return false;
	*ret = mac;
	return true;
}

bool ra_is_router(const void *data, size_t len)
{
	struct wire_reader r;

	wire_reader_init(&r, data, len);
	if (wire_get_u8(&r) != RA_TYPE_ADVERTISEMENT || wire_get_u8(&r) != 0)
		return false;
	wire_skip(&r, 4); /* checksum, hop limit, flags */
	return wire_get_u16(&r) != 0 && !r.err;
}

void ra_build(const struct mac *own, uint8_t ret[RA_LEN])
{
	struct wire_writer w;

	wire_writer_init(&w, ret, RA_LEN);
	wire_put_u8(&w, RA_TYPE_ADVERTISEMENT);
	wire_put_u8(&w, 0);
	wire_put_u16(&w, 0); /* checksum: the kernel's */
	wire_put_u8(&w, 0);  /* hop limit: not said */
	wire_put_u8(&w, 0);  /* neither M nor O */
	wire_put_u16(&w, 0); /* router lifetime: not a router */
	wire_put_u32(&w, 0); /* reachable time: not said */
	wire_put_u32(&w, 0); /* retransmission timer: not said */
	wire_put_u8(&w, OPTION_SOURCE_LINK_ADDRESS);
	wire_put_u8(&w, 1);
	wire_put_bytes(&w, own->b, sizeof(own->b));
}
