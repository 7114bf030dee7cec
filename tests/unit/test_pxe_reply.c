#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "proto/pxe.h"
#include "tests/unit/pxe_request.h"

/* Numbers in the names of cases are rows of the conformance table. */

#define N(array) (sizeof(array) / sizeof((array)[0]))

#define OFFER	  DHCP_TYPE_OFFER
#define ACK	  DHCP_TYPE_ACK
#define SERVER	  0x0a4d0001 /* 10.77.0.1 */
#define TFTP_FILE "snponly.efi"
#define BIOS_FILE "undionly.kpxe"
#define SCRIPT_URL                                                             \
	"http://10.77.0.1/ipxe/52-54-00-12-34-56"                              \
	"?arch=${buildarch}&platform=${platform}"                              \
	"&uuid=${uuid}&serial=${serial:uristring}"
#define IMAGE_URL "http://10.77.0.1/images/debian.efi"
#define LOCAL_URL "http://10.77.0.1/local.efi"
#define X10	  "xxxxxxxxxx"
#define X50	  X10 X10 X10 X10 X10
#define LONG_URL  "http://10.77.0.1/images/" X50 X50 X50 ".efi"

/* Whole replies, byte for byte. */
static const struct {
	const char *name; /* of the reply's fixture */
	const char *request;
	enum dhcp_type type;
	enum pxe_form form;
	const char *file;
} fixtures[] = {
	/* 1 and 2 */
	{"ovmf-pxe-offer-port", "ovmf-pxe-discover", OFFER, PXE_FORM_PXE_PORT,
		TFTP_FILE},
	{"ovmf-pxe-offer-direct", "ovmf-pxe-discover", OFFER, PXE_FORM_DIRECT,
		TFTP_FILE},
	{"ovmf-pxe-offer-local", "ovmf-pxe-discover", OFFER, PXE_FORM_LOCAL,
		NULL},
	/* 3, 9 and 13 */
	{"ovmf-pxe-offer-direct", "pxe-ebc-discover", OFFER, PXE_FORM_DIRECT,
		TFTP_FILE},
	{"ovmf-pxe-offer-direct", "pxe-no93-discover", OFFER, PXE_FORM_DIRECT,
		TFTP_FILE},
	{"pxe-no97-offer", "pxe-no97-discover", OFFER, PXE_FORM_DIRECT,
		TFTP_FILE},
	/* 4 */
	{"aavmf-pxe-offer", "aavmf-pxe-discover", OFFER, PXE_FORM_DIRECT,
		"images/arm64.efi"},
	/* 5 */
	{"bios-rom-offer", "bios-rom-discover", OFFER, PXE_FORM_DIRECT,
		BIOS_FILE},
	{"bios-rom-4011-ack", "bios-rom-4011-request", ACK, PXE_FORM_PXE_PORT,
		BIOS_FILE},
	/* 15, 16 and 17 */
	{"ipxe-bios-offer", "ipxe-bios-discover", OFFER, PXE_FORM_IPXE,
		SCRIPT_URL},
	{"ipxe-bios-offer-local", "ipxe-bios-discover", OFFER, PXE_FORM_LOCAL,
		NULL},
	{"ipxe-uefi-offer", "ipxe-uefi-discover", OFFER, PXE_FORM_IPXE,
		SCRIPT_URL},
	{"ipxe-rfc3004-offer", "ipxe-rfc3004-discover", OFFER, PXE_FORM_IPXE,
		SCRIPT_URL},
	{"ipxe-nohttp-offer", "ipxe-nohttp-discover", OFFER, PXE_FORM_IPXE,
		BIOS_FILE},
	{"ipxe-4011-ack", "ipxe-4011-request", ACK, PXE_FORM_IPXE, SCRIPT_URL},
	{"ipxe-4011-discovery-ack", "ipxe-4011-discovery", ACK, PXE_FORM_IPXE,
		SCRIPT_URL},
	{"ipxe-uefi-offer", "ipxe-175-discover", OFFER, PXE_FORM_IPXE,
		SCRIPT_URL},
	/* 20 and 22 */
	{"ovmf-http-offer", "ovmf-http-discover", OFFER, PXE_FORM_HTTP,
		IMAGE_URL},
	{"ovmf-http-offer", "http-pxe-arch-discover", OFFER, PXE_FORM_HTTP,
		IMAGE_URL},
	{"ovmf-http-offer-local", "ovmf-http-discover", OFFER, PXE_FORM_HTTP,
		LOCAL_URL},
	{"ovmf-http-offer-long", "ovmf-http-discover", OFFER, PXE_FORM_HTTP,
		LONG_URL},
	/* 28 */
	{"relay-offer", "relay-discover", OFFER, PXE_FORM_DIRECT, TFTP_FILE},
	{"relay-long-offer", "relay-long-discover", OFFER, PXE_FORM_DIRECT,
		TFTP_FILE},
	/* 33, 34 and 36 */
	{"ovmf-discovery-ack", "ovmf-long43-67", ACK, PXE_FORM_PXE_PORT,
		TFTP_FILE},
	{"ovmf-discovery-ack", "ovmf-inform-item", ACK, PXE_FORM_PXE_PORT,
		TFTP_FILE},
	{"ovmf-discovery-ack", "ovmf-discovery-67", ACK, PXE_FORM_PXE_PORT,
		TFTP_FILE},
	{"ovmf-4011-ack", "ovmf-4011-request", ACK, PXE_FORM_PXE_PORT,
		TFTP_FILE},
	{"guid-4011-ack", "guid-4011-request", ACK, PXE_FORM_PXE_PORT,
		TFTP_FILE},
	/* 45 */
	{"overload-offer", "overload-discover", OFFER, PXE_FORM_DIRECT,
		TFTP_FILE},
};

static size_t build(const struct dhcp_message *request, enum dhcp_type type,
	enum pxe_form form, const char *file, uint8_t out[DHCP_MAX_PACKET])
{
	const struct pxe_reply reply = {
		.type = type, .form = form, .server = SERVER, .file = file};

	memset(out, 0xee, DHCP_MAX_PACKET);
	return pxe_build_reply(request, &reply, out, DHCP_MAX_PACKET);
}

static void test_fixtures(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < N(fixtures); i++) {
		uint8_t packet[HEX_MAX], want[HEX_MAX], out[DHCP_MAX_PACKET];
		struct dhcp_message m;
		size_t want_len = hex_load(fixtures[i].name, want, HEX_MAX);
		size_t len;
		int again;

		parse_fixture(fixtures[i].request, packet, &m);
		/* 46: the same request again is answered again. */
		for (again = 0; again < 2; again++) {
			len = build(&m, fixtures[i].type, fixtures[i].form,
				fixtures[i].file, out);
			hex_assert_equal(
				fixtures[i].name, out, len, want, want_len);
		}
	}
}

/* What holds for every reply, whatever its form: rows 12, 13, 24 to 28. */
static void check_reply(const char *name, const struct dhcp_message *request,
	const uint8_t *out, size_t len)
{
	static const uint8_t never[] = {1, 3, 6, 13, 51, 52, 58, 59};
	const struct dhcp_option *uuid = &request->opt[DHCP_OPT_CLIENT_UUID];
	const struct dhcp_option *file;
	struct dhcp_message m;
	uint8_t last = 0, before_last = 0;
	size_t at, i;
	const char *err = dhcp_parse(out, len, &m);

	if (err)
		fail_msg("%s: %s", name, err);
	if (len < DHCP_MIN_PACKET || len > DHCP_MAX_PACKET)
		fail_msg("%s: %zu bytes", name, len);
	if (m.op != DHCP_OP_REPLY || m.xid != request->xid || m.hops != 0 ||
		m.secs != 0 || m.yiaddr != 0 || m.siaddr != SERVER ||
		m.giaddr != request->giaddr || m.htype != request->htype ||
		m.hlen != request->hlen ||
		memcmp(m.chaddr, request->chaddr, 16) != 0)
		fail_msg("%s: header", name);
	if (dhcp_opt_addr(&m, DHCP_OPT_SERVER_ID) != SERVER)
		fail_msg("%s: 54", name);
	for (i = 0; i < N(never); i++)
		if (m.opt[never[i]].data)
			fail_msg("%s: has option %u", name, never[i]);
	if (m.opt[97].len != uuid->len ||
		(uuid->data && memcmp(m.opt[97].data, uuid->data, 17) != 0))
		fail_msg("%s: 97", name);
	if (out[OPTIONS_AT] != DHCP_OPT_TYPE)
		fail_msg("%s: 53 is not first", name);
	for (at = OPTIONS_AT; out[at] != 255; at += 2u + out[at + 1]) {
		before_last = last;
		last = out[at];
	}
	while (++at < len)
		if (out[at] != 0)
			fail_msg("%s: byte %zu behind END", name, at);
	if (request->giaddr && request->opt[82].data && last != 82)
		fail_msg("%s: 82 is not last", name);
	file = &m.opt[DHCP_OPT_BOOT_FILE];
	if (!file->data)
		return;
	if (last != 67 && (last != 82 || before_last != 67))
		fail_msg("%s: 67 is not last", name);
	if (memchr(file->data, 0, file->len) != file->data + file->len - 1)
		fail_msg("%s: 67 has no NUL, or not at its end", name);
	if (m.file[0] &&
		strcmp((const char *)m.file, (const char *)file->data) != 0)
		fail_msg("%s: file and 67 differ", name);
}

static void test_every_form(void **state)
{
	static const char *const files[] = {
		TFTP_FILE, SCRIPT_URL, LONG_URL, NULL};
	static const enum pxe_form forms[] = {PXE_FORM_DIRECT,
		PXE_FORM_PXE_PORT, PXE_FORM_IPXE, PXE_FORM_HTTP,
		PXE_FORM_LOCAL};
	uint8_t packet[HEX_MAX], out[DHCP_MAX_PACKET];
	size_t i, k, n, built = 0;

	(void)state;
	for (i = 0; i < N(fixtures); i++) {
		for (k = 0; k < N(forms) * N(files); k++) {
			struct dhcp_message m;
			int type;

			parse_fixture(fixtures[i].request, packet, &m);
			for (type = OFFER; type <= ACK; type += ACK - OFFER) {
				n = build(&m, (enum dhcp_type)type,
					forms[k / N(files)],
					files[k % N(files)], out);
				if (n)
					check_reply(fixtures[i].request, &m,
						out, n);
				built += n > 0;
			}
		}
	}
	assert_true(built > 100);
}

/* What is not said to a client, because it would take it amiss. */
static const struct {
	const char *name, *options;
	enum dhcp_type type;
	enum pxe_form form;
	uint32_t server;
	const char *file;
	bool said;
} sayable_cases[] = {
	{"PXE: direct", DISCOVER PXE, OFFER, PXE_FORM_DIRECT, SERVER, TFTP_FILE,
		true},
	{"19: a URL to PXE, direct", DISCOVER PXE, OFFER, PXE_FORM_DIRECT,
		SERVER, SCRIPT_URL, false},
	{"19: a URL to PXE, pxe-port", DISCOVER PXE, OFFER, PXE_FORM_PXE_PORT,
		SERVER, SCRIPT_URL, false},
	{"19: a URL to PXE, in an ACK", REQUEST PXE, ACK, PXE_FORM_PXE_PORT,
		SERVER, SCRIPT_URL, false},
	{"19: a tftp URL to PXE", DISCOVER PXE, OFFER, PXE_FORM_DIRECT, SERVER,
		"tftp://10.77.0.1/x", false},
	{"19: a name with a colon to PXE", DISCOVER PXE, OFFER, PXE_FORM_DIRECT,
		SERVER, "a:b/c", true},
	{"19: the form of iPXE to PXE", DISCOVER PXE, OFFER, PXE_FORM_IPXE,
		SERVER, TFTP_FILE, false},
	{"23: the form of HTTP Boot to PXE", DISCOVER PXE, OFFER, PXE_FORM_HTTP,
		SERVER, IMAGE_URL, false},
	{"a URL to iPXE", DISCOVER PXE IPXE_BARE, OFFER, PXE_FORM_IPXE, SERVER,
		SCRIPT_URL, true},
	{"a URL to iPXE, direct", DISCOVER PXE IPXE_BARE, OFFER,
		PXE_FORM_DIRECT, SERVER, "tftp://10.77.0.1/x", true},
	{"17: a file to iPXE", DISCOVER PXE IPXE_BARE, OFFER, PXE_FORM_IPXE,
		SERVER, BIOS_FILE, true},
	{"a URL to HTTP Boot", DISCOVER HTTP ARCH_CODE("00 10"), OFFER,
		PXE_FORM_HTTP, SERVER, IMAGE_URL, true},
	{"a name to HTTP Boot", DISCOVER HTTP ARCH_CODE("00 10"), OFFER,
		PXE_FORM_HTTP, SERVER, TFTP_FILE, false},
	{"a PXE form to HTTP Boot", DISCOVER HTTP ARCH_CODE("00 10"), OFFER,
		PXE_FORM_DIRECT, SERVER, TFTP_FILE, false},
	{"a menu to HTTP Boot", DISCOVER HTTP ARCH_CODE("00 10"), OFFER,
		PXE_FORM_LOCAL, SERVER, NULL, false},
	{"a menu to PXE", DISCOVER PXE, OFFER, PXE_FORM_LOCAL, SERVER, NULL,
		true},
	{"a menu to iPXE", DISCOVER PXE IPXE_BARE, OFFER, PXE_FORM_LOCAL,
		SERVER, NULL, true},
	{"no file", DISCOVER PXE, OFFER, PXE_FORM_DIRECT, SERVER, NULL, false},
	{"an empty file", DISCOVER PXE, OFFER, PXE_FORM_PXE_PORT, SERVER, "",
		false},
	{"no address of ours", DISCOVER PXE, OFFER, PXE_FORM_DIRECT, 0,
		TFTP_FILE, false},
	{"6: to no PXE client", DISCOVER, OFFER, PXE_FORM_DIRECT, SERVER,
		TFTP_FILE, false},
	{"11: to an unknown architecture", DISCOVER PXE ARCH_CODE("00 63"),
		OFFER, PXE_FORM_DIRECT, SERVER, TFTP_FILE, false},
	{"a NAK", DISCOVER PXE, DHCP_TYPE_NAK, PXE_FORM_DIRECT, SERVER,
		TFTP_FILE, false},
};

static void test_not_sayable(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < N(sayable_cases); i++) {
		const struct pxe_reply reply = {sayable_cases[i].type,
			sayable_cases[i].form, sayable_cases[i].server,
			sayable_cases[i].file};
		uint8_t packet[HEX_MAX], out[DHCP_MAX_PACKET];
		size_t len = make_request(sayable_cases[i].options, packet);
		struct dhcp_message m;

		assert_null(dhcp_parse(packet, len, &m));
		len = pxe_build_reply(&m, &reply, out, sizeof(out));
		if ((len > 0) != sayable_cases[i].said)
			fail_msg("%s: %zu bytes", sayable_cases[i].name, len);
		if (len > 0)
			check_reply(sayable_cases[i].name, &m, out, len);
	}
}

/* 26: a reply to HTTP Boot with a URL of n characters is 284 + n bytes. */
static void test_size(void **state)
{
	static const struct {
		const char *name, *option57;
		size_t url_len, cap, want;
	} cases[] = {
		{"shortest", "", 10, 1472, 300},
		{"just padded", "", 15, 1472, 300},
		{"just full", "", 16, 1472, 300},
		{"one more", "", 17, 1472, 301},
		{"longest URL in file", "", 127, 1472, 411},
		{"URL in 67 only", "", 128, 1472, 412},
		{"longest URL in 67", "", 254, 1472, 538},
		{"URL too long", "", 255, 1472, 0},
		{"57 = 1472", "39 02 05 c0 ", 254, 1472, 538},
		{"57 = 65280", "39 02 ff 00 ", 254, 1472, 538},
		{"57 = 577", "39 02 02 41 ", 254, 1472, 538},
		{"57 = 575 is no value", "39 02 02 3f ", 254, 1472, 538},
		{"57 = 0 is no value", "39 02 00 00 ", 254, 1472, 538},
		{"57 of one byte does not count", "39 01 01 ", 254, 1472, 538},
		{"room as needed", "", 100, 384, 384},
		{"room too small by one", "", 100, 383, 0},
		{"no room for the padding", "", 10, 299, 0},
		{"no room", "", 10, 0, 0},
	};
	size_t i;

	(void)state;
	for (i = 0; i < N(cases); i++) {
		const char *name = cases[i].name;
		uint8_t packet[HEX_MAX], out[DHCP_MAX_PACKET + 1];
		char options[256], url[300] = "http://";
		struct pxe_reply reply = {
			DHCP_TYPE_OFFER, PXE_FORM_HTTP, SERVER, url};
		struct dhcp_message m, back;
		size_t len;

		memset(url + 7, 'x', cases[i].url_len - 7);
		(void)snprintf(options, sizeof(options), "%s%s",
			DISCOVER HTTP UUID ARCH_CODE("00 10"),
			cases[i].option57);
		len = make_request(options, packet);
		assert_null(dhcp_parse(packet, len, &m));
		memset(out, 0xee, sizeof(out));
		len = pxe_build_reply(&m, &reply, out, cases[i].cap);
		if (len != cases[i].want)
			fail_msg("%s: %zu bytes", name, len);
		if (out[cases[i].cap] != 0xee)
			fail_msg("%s: wrote behind the end", name);
		if (len == 0)
			continue;
		check_reply(name, &m, out, len);
		assert_null(dhcp_parse(out, len, &back));
		if ((back.file[0] != 0) != (cases[i].url_len < 128))
			fail_msg("%s: file", name);
	}
}

/* A TFTP name that does not fit in file is not said: old ROMs read file. */
static void test_long_name(void **state)
{
	char name[129];
	uint8_t packet[HEX_MAX], out[DHCP_MAX_PACKET];
	size_t len = make_request(DISCOVER PXE, packet);
	struct dhcp_message m;

	(void)state;
	memset(name, 'x', sizeof(name));
	assert_null(dhcp_parse(packet, len, &m));
	name[128] = '\0';
	assert_int_equal(build(&m, OFFER, PXE_FORM_DIRECT, name, out), 0);
	name[127] = '\0';
	assert_true(build(&m, OFFER, PXE_FORM_DIRECT, name, out) > 0);
}

/* 28, 29: flags and addresses, by what the request has. */
static void test_header(void **state)
{
	static const struct {
		const char *name;
		enum dhcp_type type;
		uint16_t flags;
		uint8_t ciaddr, giaddr; /* the last byte */
		uint16_t want_flags;
		uint8_t want_ciaddr;
	} cases[] = {
		{"29: flags 0", OFFER, 0, 0, 0, 0x8000, 0},
		{"flags set", OFFER, 0x8000, 0, 0, 0x8000, 0},
		{"28: relayed, flags 0", OFFER, 0, 0, 9, 0, 0},
		{"28: relayed, flags set", OFFER, 0x8000, 0, 9, 0x8000, 0},
		{"36: ACK to a lease", ACK, 0, 7, 0, 0, 7},
		{"ACK to a lease, flags set", ACK, 0x8000, 7, 0, 0x8000, 7},
		{"ACK without ciaddr", ACK, 0, 0, 0, 0x8000, 0},
		{"ACK to a lease, relayed", ACK, 0, 7, 9, 0, 7},
		{"OFFER has no ciaddr", OFFER, 0, 7, 0, 0x8000, 0},
	};
	size_t i;

	(void)state;
	for (i = 0; i < N(cases); i++) {
		uint8_t packet[HEX_MAX], out[DHCP_MAX_PACKET];
		size_t len = make_request(DISCOVER PXE UUID, packet);
		struct dhcp_message m, back;

		packet[10] = (uint8_t)(cases[i].flags >> 8);
		packet[15] = cases[i].ciaddr;
		packet[27] = cases[i].giaddr;
		packet[3] = 4; /* hops */
		packet[8] = 5; /* secs */
		assert_null(dhcp_parse(packet, len, &m));
		len = build(&m, cases[i].type, PXE_FORM_DIRECT, TFTP_FILE, out);
		check_reply(cases[i].name, &m, out, len);
		assert_null(dhcp_parse(out, len, &back));
		if (back.flags != cases[i].want_flags ||
			back.ciaddr != cases[i].want_ciaddr)
			fail_msg("%s: flags %04x, ciaddr %u", cases[i].name,
				back.flags, (unsigned)back.ciaddr);
	}
}

/* Nor is a 97 echoed that is none. */
static void test_malformed_uuid(void **state)
{
	static const size_t lens[] = {1, 16, 18, 255};

	(void)state;
	for (size_t i = 0; i < N(lens); i++) {
		char options[1024] = DISCOVER PXE ARCH_CODE("00 07");
		size_t at = strlen(options);
		uint8_t packet[HEX_MAX], out[DHCP_MAX_PACKET];
		struct dhcp_message m, back;
		size_t len;

		at += (size_t)snprintf(options + at, sizeof(options) - at,
			"61 %02zx", lens[i]);
		for (size_t j = 0; j < lens[i]; j++)
			at += (size_t)snprintf(
				options + at, sizeof(options) - at, " 00");
		snprintf(options + at, sizeof(options) - at, " ");
		len = make_request(options, packet);
		assert_null(dhcp_parse(packet, len, &m));
		assert_int_equal(m.opt[DHCP_OPT_CLIENT_UUID].len, lens[i]);
		len = build(&m, OFFER, PXE_FORM_DIRECT, TFTP_FILE, out);
		assert_null(dhcp_parse(out, len, &back));
		assert_null(back.opt[DHCP_OPT_CLIENT_UUID].data);
	}
}

/* 43 by form, beside what the fixtures show. */
static void test_vendor_option(void **state)
{
	static const struct {
		const char *name, *options;
		enum dhcp_type type;
		enum pxe_form form;
		const char *want; /* NULL: no 43 */
	} cases[] = {
		{"BIOS, pxe-port, OFFER", DISCOVER PXE ARCH_CODE("00 00"),
			OFFER, PXE_FORM_PXE_PORT, NULL},
		{"BIOS, pxe-port, ACK", REQUEST PXE ARCH_CODE("00 00"), ACK,
			PXE_FORM_PXE_PORT, "06 01 08 ff"},
		{"UEFI, pxe-port, ACK", REQUEST PXE ARCH_CODE("00 07"), ACK,
			PXE_FORM_PXE_PORT, NULL},
		{"UEFI, direct, ACK, 43.71",
			REQUEST PXE ARCH_CODE("00 07") ITEM, ACK,
			PXE_FORM_DIRECT,
			"06 01 08 0a 04 00 50 58 45 47 04 00 00 00 00 ff"},
		{"UEFI, direct, OFFER: no echo of 43.71",
			DISCOVER PXE ARCH_CODE("00 07") ITEM, OFFER,
			PXE_FORM_DIRECT, "06 01 08 0a 04 00 50 58 45 ff"},
		{"43.71 of three bytes: no echo",
			REQUEST PXE ARCH_CODE("00 07") "2b 05 47 03 00 00 00 ",
			ACK, PXE_FORM_PXE_PORT, NULL},
		{"iPXE, ACK", REQUEST PXE IPXE_BARE, ACK, PXE_FORM_IPXE,
			"06 01 08 ff"},
		{"local, ACK, 43.71", REQUEST PXE ITEM, ACK, PXE_FORM_LOCAL,
			"06 01 07 09 08 00 00 05 6c 6f 63 61 6c "
			"0a 06 00 6c 6f 63 61 6c 47 04 00 00 00 00 ff"},
	};
	size_t i;

	(void)state;
	for (i = 0; i < N(cases); i++) {
		uint8_t packet[HEX_MAX], out[DHCP_MAX_PACKET], want[64];
		size_t len = make_request(cases[i].options, packet);
		struct dhcp_message m, back;
		const struct dhcp_option *opt = &back.opt[DHCP_OPT_VENDOR];

		assert_null(dhcp_parse(packet, len, &m));
		len = build(&m, cases[i].type, cases[i].form, TFTP_FILE, out);
		check_reply(cases[i].name, &m, out, len);
		assert_null(dhcp_parse(out, len, &back));
		if ((opt->data != NULL) != (cases[i].want != NULL))
			fail_msg("%s: 43 is%s there", cases[i].name,
				opt->data ? "" : " not");
		if (cases[i].form == PXE_FORM_LOCAL &&
			(back.opt[DHCP_OPT_BOOT_FILE].data || back.file[0]))
			fail_msg("%s: names a file", cases[i].name);
		if (!opt->data)
			continue;
		len = hex_text(cases[i].want, want, sizeof(want));
		hex_assert_equal(cases[i].name, opt->data, opt->len, want, len);
	}
}

/*
 * 28: 82 comes back whole, also one that needs three options, whatever the
 * client takes, which never sees it. What no packet holds is left out.
 */
static void test_relay_info(void **state)
{
	/* Without 82 the reply has 306 bytes. */
	static const struct {
		const char *option57;
		size_t len; /* of 82 */
		size_t want;
	} cases[] = {
		{"39 02 ff 00 ", 1, 309},
		{"39 02 ff 00 ", 255, 563},
		{"39 02 ff 00 ", 256, 566},
		{"39 02 ff 00 ", 510, 820},
		{"39 02 ff 00 ", 600, 912},
		{"39 02 ff 00 ", 1156, 1472},
		{"39 02 ff 00 ", 1157, 306},
		{"39 02 02 40 ", 255, 563},
		{"39 02 00 00 ", 255, 563},
		{"", 255, 563},
		{"", 1156, 1472},
		{"", 1157, 306},
	};
	size_t i, k;

	(void)state;
	for (i = 0; i < N(cases); i++) {
		const struct pxe_reply reply = {
			OFFER, PXE_FORM_DIRECT, SERVER, TFTP_FILE};
		uint8_t packet[HEX_MAX], out[DHCP_MAX_PACKET + 500];
		char options[256];
		size_t len;
		struct dhcp_message m, back;
		size_t left = cases[i].len;

		(void)snprintf(options, sizeof(options), "%s%s",
			DISCOVER PXE UUID, cases[i].option57);
		len = make_request(options, packet);
		packet[27] = 1; /* giaddr */
		len--;		/* END */
		while (left > 0) {
			size_t piece = left < 200 ? left : 200;

			packet[len++] = 82;
			packet[len++] = (uint8_t)piece;
			for (k = 0; k < piece; k++)
				packet[len++] = (uint8_t)(left-- * 7);
		}
		packet[len++] = 255;
		assert_null(dhcp_parse(packet, len, &m));
		assert_int_equal(m.opt[82].len, cases[i].len);
		len = pxe_build_reply(&m, &reply, out, sizeof(out));
		assert_int_equal(len, cases[i].want);
		assert_null(dhcp_parse(out, len, &back));
		if (cases[i].want == 306) {
			assert_null(back.opt[82].data);
			continue;
		}
		hex_assert_equal("82", back.opt[82].data, back.opt[82].len,
			m.opt[82].data, m.opt[82].len);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fixtures),
		cmocka_unit_test(test_every_form),
		cmocka_unit_test(test_not_sayable),
		cmocka_unit_test(test_size),
		cmocka_unit_test(test_long_name),
		cmocka_unit_test(test_header),
		cmocka_unit_test(test_malformed_uuid),
		cmocka_unit_test(test_vendor_option),
		cmocka_unit_test(test_relay_info),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
