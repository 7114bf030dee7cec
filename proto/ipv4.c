#include "proto/ipv4.h"

#include "proto/wire.h"

#define PROTOCOL_UDP	 17
#define HEADER_MIN	 20
#define UDP_HEADER	 8
#define FRAGMENT_OF_MORE 0x3fff /* "more fragments" and the offset */

bool ipv4_parse_udp(const void *packet, size_t len, struct ipv4_udp *ret)
{
	struct wire_reader r;
	struct ipv4_udp udp;
	uint8_t first, protocol;
	uint16_t total, fragment, udp_len;
	size_t header;

	wire_reader_init(&r, packet, len);
	first = wire_get_u8(&r);
	wire_skip(&r, 1); /* type of service */
	total = wire_get_u16(&r);
	wire_skip(&r, 2); /* identification */
	fragment = wire_get_u16(&r);
	wire_skip(&r, 1); /* time to live */
	protocol = wire_get_u8(&r);
	wire_skip(&r, 2); /* checksum */
	udp.src = wire_get_u32(&r);
	udp.dst = wire_get_u32(&r);
	header = (size_t)(first & 0x0f) * 4;
	if (r.err || first >> 4 != 4 || header < HEADER_MIN || total > len ||
		total < header + UDP_HEADER || protocol != PROTOCOL_UDP ||
		(fragment & FRAGMENT_OF_MORE))
		return false;
	wire_seek(&r, header);
	udp.src_port = wire_get_u16(&r);
	udp.dst_port = wire_get_u16(&r);
	udp_len = wire_get_u16(&r);
	wire_skip(&r, 2); /* checksum */
	if (udp_len < UDP_HEADER || udp_len > total - header)
		return false;
	udp.len = (size_t)udp_len - UDP_HEADER;
	udp.data = wire_get_bytes(&r, udp.len);
	if (r.err)
		return false;
	*ret = udp;
	return true;
}

/* One's complement sum of big-endian 16-bit words; an odd byte is padded. */
static uint32_t sum_words(uint32_t sum, const uint8_t *data, size_t len)
{
	for (size_t i = 0; i + 1 < len; i += 2)
		sum += (uint32_t)data[i] << 8 | data[i + 1];
	if (len % 2)
		sum += (uint32_t)data[len - 1] << 8;
	return sum;
}

static uint16_t udp_checksum(const struct ipv4_udp *udp, uint16_t udp_len)
{
	uint32_t sum = PROTOCOL_UDP + udp_len;

	sum += (udp->src >> 16) + (udp->src & 0xffff);
	sum += (udp->dst >> 16) + (udp->dst & 0xffff);
	sum += (uint32_t)udp->src_port + udp->dst_port + udp_len;
	sum = sum_words(sum, udp->data, udp->len);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	/* 0 would mean that there is none. */
	return sum == 0xffff ? 0xffff : (uint16_t)~sum;
}

bool ipv4_build_udp(const struct ipv4_udp *udp, uint8_t ret[IPV4_UDP_HEADERS])
{
	struct wire_writer w;
	uint16_t udp_len;

	if (udp->len > UINT16_MAX - IPV4_UDP_HEADERS)
		return false;
	udp_len = (uint16_t)(udp->len + UDP_HEADER);
	wire_writer_init(&w, ret, IPV4_UDP_HEADERS);
	wire_put_u8(&w, 0x45);
	wire_put_u8(&w, 0);
	wire_put_u16(&w, (uint16_t)(udp_len + HEADER_MIN));
	wire_put_u16(&w, IPV4_UDP_ID);
	wire_put_u16(&w, 0x4000); /* not to be fragmented */
	wire_put_u8(&w, 64);
	wire_put_u8(&w, PROTOCOL_UDP);
	wire_put_u16(&w, 0);
	wire_put_u32(&w, udp->src);
	wire_put_u32(&w, udp->dst);
	wire_put_u16(&w, udp->src_port);
	wire_put_u16(&w, udp->dst_port);
	wire_put_u16(&w, udp_len);
	wire_put_u16(&w, udp_checksum(udp, udp_len));
	return true;
}
