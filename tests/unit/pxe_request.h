/*
 * pxe_request: requests for the tests of proto/pxe, from fixtures and from
 * options in hexadecimal. To be included after cmocka.h.
 */
#ifndef TESTS_UNIT_PXE_REQUEST_H
#define TESTS_UNIT_PXE_REQUEST_H

#include <stdint.h>
#include <string.h>

#include "proto/dhcp.h"
#include "tests/unit/hex.h"

#define OPTIONS_AT 240

/* Options, to put small requests together from. */
#define DISCOVER "35 01 01 "
#define REQUEST	 "35 01 03 "
#define INFORM	 "35 01 08 "
#define TYPE(n)	 "35 01 " n " "
#define PXE	 "3c 09 50 58 45 43 6c 69 65 6e 74 "
#define HTTP	 "3c 0a 48 54 54 50 43 6c 69 65 6e 74 "
/* PXEClient:Arch:ddddd:UNDI */
#define PXE_ARCH_TEXT(digits)                                                  \
	"3c 19 50 58 45 43 6c 69 65 6e 74 3a 41 72 63 68 3a " digits           \
	" 3a 55 4e 44 49 "
/* HTTPClient:Arch:ddddd */
#define HTTP_ARCH_TEXT(digits)                                                 \
	"3c 15 48 54 54 50 43 6c 69 65 6e 74 3a 41 72 63 68 3a " digits " "
#define ARCH_CODE(code) "5d 02 " code " "
#define IPXE_BARE	"4d 04 69 50 58 45 "
#define IPXE_RFC	"4d 05 04 69 50 58 45 "
#define UUID		"61 11 00 78 56 34 12 bc 9a f0 de 11 22 33 44 55 66 77 88 "
#define ITEM		"2b 07 47 04 00 00 00 00 ff "
#define SERVER_ID	"36 04 0a 4d 00 02 "

static inline void parse_fixture(
	const char *name, uint8_t packet[HEX_MAX], struct dhcp_message *ret)
{
	size_t len = hex_load(name, packet, HEX_MAX);
	const char *err = dhcp_parse(packet, len, ret);

	if (err)
		fail_msg("%s: %s", name, err);
}

/* A request of these options and END; the header is a usual client's. */
static inline size_t make_request(const char *options, uint8_t packet[HEX_MAX])
{
	static const uint8_t head[] = {1, 1, 6, 0, 1, 2, 3, 4, 0, 0, 0x80, 0};
	static const uint8_t mac[] = {0x52, 0x54, 0, 0x12, 0x34, 0x56};
	static const uint8_t cookie[] = {0x63, 0x82, 0x53, 0x63};
	size_t len;

	memset(packet, 0, OPTIONS_AT);
	memcpy(packet, head, sizeof(head));
	memcpy(packet + 28, mac, sizeof(mac));
	memcpy(packet + OPTIONS_AT - 4, cookie, sizeof(cookie));
	len = hex_text(options, packet + OPTIONS_AT, HEX_MAX - OPTIONS_AT - 1);
	packet[OPTIONS_AT + len] = 255;
	return OPTIONS_AT + len + 1;
}

#endif
