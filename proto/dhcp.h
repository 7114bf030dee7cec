/*
 * dhcp: BOOTP/DHCP messages, parsed and built (RFC 951, 1542, 2131, 2132,
 * 3396, 4388 numbers). Knows the format, not PXE: see proto/pxe.h.
 *
 * A parsed message points into the packet and, for options that arrived in
 * several pieces (RFC 3396; perhaps in overloaded fields, 52), into its own
 * `joined` area: the packet must outlive it, and a copy points into the
 * original.
 */
#ifndef PROTO_DHCP_H
#define PROTO_DHCP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/wire.h"

#define DHCP_MAX_PACKET	    1472 /* EDK2 drops a larger UDP payload */
#define DHCP_MIN_PACKET	    300	 /* RFC 1542 2.1 */
#define DHCP_FLAG_BROADCAST 0x8000

enum dhcp_op { DHCP_OP_REQUEST = 1, DHCP_OP_REPLY = 2 };

enum dhcp_type {
	DHCP_TYPE_NONE = 0, /* BOOTP: no option 53 */
	DHCP_TYPE_DISCOVER = 1,
	DHCP_TYPE_OFFER = 2,
	DHCP_TYPE_REQUEST = 3,
	DHCP_TYPE_DECLINE = 4,
	DHCP_TYPE_ACK = 5,
	DHCP_TYPE_NAK = 6,
	DHCP_TYPE_RELEASE = 7,
	DHCP_TYPE_INFORM = 8
};

enum dhcp_opt {
	DHCP_OPT_PAD = 0,
	DHCP_OPT_VENDOR = 43,
	DHCP_OPT_REQUESTED_IP = 50,
	DHCP_OPT_OVERLOAD = 52,
	DHCP_OPT_TYPE = 53,
	DHCP_OPT_SERVER_ID = 54,
	DHCP_OPT_PARAMETER_LIST = 55,
	DHCP_OPT_MAX_SIZE = 57,
	DHCP_OPT_VENDOR_CLASS = 60,
	DHCP_OPT_CLIENT_ID = 61,
	DHCP_OPT_TFTP_SERVER = 66,
	DHCP_OPT_BOOT_FILE = 67,
	DHCP_OPT_USER_CLASS = 77,
	DHCP_OPT_RELAY_INFO = 82,
	DHCP_OPT_CLIENT_ARCH = 93,
	DHCP_OPT_CLIENT_NDI = 94,
	DHCP_OPT_CLIENT_UUID = 97,
	DHCP_OPT_IPXE = 175,
	DHCP_OPT_END = 255
};

struct dhcp_option {
	const uint8_t *data; /* NULL: the option is absent */
	size_t len;
};

struct dhcp_message {
	enum dhcp_op op;
	uint8_t htype;
	uint8_t hlen; /* 0..16 */
	uint8_t hops;
	uint32_t xid;
	uint16_t secs;
	uint16_t flags;
	uint32_t ciaddr; /* host order, as all addresses here */
	uint32_t yiaddr;
	uint32_t siaddr;
	uint32_t giaddr;
	uint8_t chaddr[16];
	uint8_t sname[64]; /* this and file: zeros if they hold options */
	uint8_t file[128];
	enum dhcp_type type;
	struct dhcp_option opt[256];
	uint8_t joined[DHCP_MAX_PACKET];
	size_t joined_len;
};

/*
 * Read a UDP payload. Returns NULL, or static text that says what is wrong
 * with it: cut short, no cookie, op not 1 or 2, hlen above 16, an option past
 * the end, no END (in an overloaded field too), a malformed 52 or 53, or more
 * split options than `joined` holds. A message without option 53 is BOOTP and
 * not an error; an unknown type is kept as its number.
 */
const char *dhcp_parse(const void *data, size_t len, struct dhcp_message *ret);

/* The option's bytes as a 32-bit address, 0 if absent or of another size. */
uint32_t dhcp_opt_addr(const struct dhcp_message *m, enum dhcp_opt code);
/* An option holds exactly this text, or begins with it. */
bool dhcp_opt_is(
	const struct dhcp_message *m, enum dhcp_opt code, const char *text);
bool dhcp_opt_begins(
	const struct dhcp_message *m, enum dhcp_opt code, const char *text);

/*
 * A sub-option of an encapsulated option (43 or 175). False: it is not there,
 * or not before the encapsulation breaks.
 */
bool dhcp_opt_sub(
	const struct dhcp_option *opt, uint8_t code, struct dhcp_option *ret);

/*
 * Build a message: dhcp_put_header, then options with 53 first, then
 * dhcp_put_end, which writes END and pads to DHCP_MIN_PACKET. Errors stick to
 * the writer.
 */
struct dhcp_header {
	enum dhcp_op op;
	uint8_t htype, hlen, hops;
	uint32_t xid;
	uint16_t secs, flags;
	uint32_t ciaddr, yiaddr, siaddr, giaddr;
	uint8_t chaddr[16];
	const char *sname; /* NULL, or at most 63 characters */
	const char *file;  /* NULL, or at most 127 characters */
};

void dhcp_put_header(struct wire_writer *w, const struct dhcp_header *h);
/* 1..255 bytes of content. */
void dhcp_put_option(struct wire_writer *w, enum dhcp_opt code,
	const void *data, size_t len);
void dhcp_put_end(struct wire_writer *w);

#endif
