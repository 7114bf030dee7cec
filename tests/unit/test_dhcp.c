#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "proto/dhcp.h"
#include "tests/unit/hex.h"

#define N(array) (sizeof(array) / sizeof((array)[0]))

#define SNAME_AT   44
#define FILE_AT	   108
#define COOKIE_AT  236
#define OPTIONS_AT 240

/* The fixed part of a DISCOVER, with all fields different. */
static const uint8_t fixed_part[OPTIONS_AT] = {[0] = 1,
	1,
	6,
	3,
	0x12,
	0x34,
	0x56,
	0x78,
	0x01,
	0x02,
	0x80,
	0x00,
	10,
	0,
	0,
	1,
	10,
	0,
	0,
	2,
	10,
	0,
	0,
	3,
	10,
	0,
	0,
	4,
	0x52,
	0x54,
	0x00,
	0x12,
	0x34,
	0x56,
	[SNAME_AT] = 's',
	'r',
	'v',
	[FILE_AT] = 'b',
	'o',
	'o',
	't',
	[COOKIE_AT] = 0x63,
	0x82,
	0x53,
	0x63};

/*
 * A packet of the fixed part, of options, and of what is in file and sname
 * (NULL: names). It is exactly as long as its bytes, so that a sanitizer sees
 * every byte read behind its end.
 */
static uint8_t *make_packet(const char *options, const char *file,
	const char *sname, size_t *ret_len)
{
	uint8_t text[HEX_MAX];
	size_t len = hex_text(options, text, sizeof(text));
	uint8_t *packet = malloc(OPTIONS_AT + len);

	assert_non_null(packet);
	memcpy(packet, fixed_part, OPTIONS_AT);
	memcpy(packet + OPTIONS_AT, text, len);
	*ret_len = OPTIONS_AT + len;
	if (file) {
		memset(packet + FILE_AT, 0, 128);
		(void)hex_text(file, packet + FILE_AT, 128);
	}
	if (sname) {
		memset(packet + SNAME_AT, 0, 64);
		(void)hex_text(sname, packet + SNAME_AT, 64);
	}
	return packet;
}

static void test_header(void **state)
{
	size_t len;
	uint8_t *packet = make_packet("35 01 01 ff", NULL, NULL, &len);
	struct dhcp_message m;

	(void)state;
	assert_null(dhcp_parse(packet, len, &m));
	assert_int_equal(m.op, DHCP_OP_REQUEST);
	assert_int_equal(m.htype, 1);
	assert_int_equal(m.hlen, 6);
	assert_int_equal(m.hops, 3);
	assert_int_equal(m.xid, 0x12345678);
	assert_int_equal(m.secs, 0x0102);
	assert_int_equal(m.flags, DHCP_FLAG_BROADCAST);
	assert_int_equal(m.ciaddr, 0x0a000001);
	assert_int_equal(m.yiaddr, 0x0a000002);
	assert_int_equal(m.siaddr, 0x0a000003);
	assert_int_equal(m.giaddr, 0x0a000004);
	assert_memory_equal(m.chaddr, packet + 28, 16);
	assert_memory_equal(m.sname, packet + SNAME_AT, 64);
	assert_memory_equal(m.file, packet + FILE_AT, 128);
	assert_int_equal(m.type, DHCP_TYPE_DISCOVER);
	assert_int_equal(m.joined_len, 0);
	free(packet);
}

/* An option as a test wants it: content in hexadecimal. */
struct want {
	uint8_t code;
	const char *content; /* NULL: absent */
};

static const struct {
	const char *name;
	const char *options;
	const char *file, *sname; /* NULL: not overloaded */
	enum dhcp_type type;
	struct want want[4]; /* ends with code 0 */
} good_cases[] = {
	{"one option", "35 01 01 ff", NULL, NULL, DHCP_TYPE_DISCOVER,
		{{53, "01"}, {54, NULL}}},
	{"BOOTP: END alone", "ff", NULL, NULL, DHCP_TYPE_NONE, {{53, NULL}}},
	{"padding before, between and after",
		"00 00 35 01 03 00 36 04 0a 00 00 01 00 ff 00 00", NULL, NULL,
		DHCP_TYPE_REQUEST, {{53, "03"}, {54, "0a 00 00 01"}}},
	{"what follows END is not read", "35 01 01 ff 36 04 01", NULL, NULL,
		DHCP_TYPE_DISCOVER, {{54, NULL}}},
	{"an option of no bytes", "50 00 35 01 01 ff", NULL, NULL,
		DHCP_TYPE_DISCOVER, {{80, ""}}},
	{"an option of no bytes just before END", "35 01 01 50 00 ff", NULL,
		NULL, DHCP_TYPE_DISCOVER, {{80, ""}}},
	{"an unknown type keeps its number", "35 01 c8 ff", NULL, NULL,
		(enum dhcp_type)200, {{53, "c8"}}},
	{"codes 1 and 254", "01 01 aa fe 01 bb ff", NULL, NULL, DHCP_TYPE_NONE,
		{{1, "aa"}, {254, "bb"}}},
	{"RFC 3396: two pieces", "3c 02 50 58 35 01 01 3c 01 45 ff", NULL, NULL,
		DHCP_TYPE_DISCOVER, {{60, "50 58 45"}}},
	{"RFC 3396: pieces of two options, mixed",
		"3c 01 01 2b 01 11 3c 01 02 2b 02 12 13 3c 01 03 ff", NULL,
		NULL, DHCP_TYPE_NONE, {{60, "01 02 03"}, {43, "11 12 13"}}},
	{"RFC 3396: empty pieces", "3c 00 3c 02 01 02 3c 00 ff", NULL, NULL,
		DHCP_TYPE_NONE, {{60, "01 02"}}},
	{"RFC 3396: only empty pieces", "3c 00 3c 00 ff", NULL, NULL,
		DHCP_TYPE_NONE, {{60, ""}}},
	{"52=1: file holds options", "35 01 01 34 01 01 ff", "3c 01 aa ff",
		NULL, DHCP_TYPE_DISCOVER, {{60, "aa"}}},
	{"52=2: sname holds options", "35 01 01 34 01 02 ff", NULL,
		"3c 01 bb ff", DHCP_TYPE_DISCOVER, {{60, "bb"}}},
	{"45: 52=3, the class in sname", "35 01 01 34 01 03 ff", "43 01 aa ff",
		"3c 09 50 58 45 43 6c 69 65 6e 74 ff", DHCP_TYPE_DISCOVER,
		{{67, "aa"}, {60, "50 58 45 43 6c 69 65 6e 74"}}},
	{"52=3: the type itself in file", "34 01 03 ff", "35 01 03 ff", "ff",
		DHCP_TYPE_REQUEST, {{53, "03"}}},
	{"52=3: pieces join in the order options, file, sname",
		"34 01 03 3c 01 01 ff", "3c 01 02 ff", "3c 01 03 ff",
		DHCP_TYPE_NONE, {{60, "01 02 03"}}},
	{"a 52 in file does not count", "34 01 01 ff", "34 01 03 ff",
		"3c 01 aa ff", DHCP_TYPE_NONE, {{60, NULL}}},
	{"without 52 file and sname are names", "35 01 01 ff", "3c 01 aa ff",
		"3d 01 aa ff", DHCP_TYPE_DISCOVER, {{60, NULL}, {61, NULL}}},
};

static void check_option(
	const char *name, const struct dhcp_message *m, const struct want *want)
{
	const struct dhcp_option *opt = &m->opt[want->code];
	uint8_t content[HEX_MAX];
	size_t len;

	if ((opt->data != NULL) != (want->content != NULL))
		fail_msg("%s: option %u is%s there", name, want->code,
			opt->data ? "" : " not");
	if (!want->content)
		return;
	len = hex_text(want->content, content, sizeof(content));
	hex_assert_equal(name, opt->data, opt->len, content, len);
}

static void test_parse_good(void **state)
{
	size_t i;
	const struct want *want;

	(void)state;
	for (i = 0; i < N(good_cases); i++) {
		const char *name = good_cases[i].name;
		size_t len;
		uint8_t *packet = make_packet(good_cases[i].options,
			good_cases[i].file, good_cases[i].sname, &len);
		struct dhcp_message m;
		const char *err = dhcp_parse(packet, len, &m);

		if (err)
			fail_msg("%s: %s", name, err);
		if (m.type != good_cases[i].type)
			fail_msg("%s: type %d", name, m.type);
		for (want = good_cases[i].want; want->code; want++)
			check_option(name, &m, want);
		free(packet);
	}
}

/* Names are names only where no options stand. */
static void test_names(void **state)
{
	static const struct {
		const char *options;
		bool file, sname;
	} cases[] = {
		{"ff", true, true},
		{"34 01 01 ff", false, true},
		{"34 01 02 ff", true, false},
		{"34 01 03 ff", false, false},
	};
	static const uint8_t zeros[128];
	size_t i, len;

	(void)state;
	for (i = 0; i < N(cases); i++) {
		uint8_t *packet =
			make_packet(cases[i].options, "ff", "ff", &len);
		struct dhcp_message m;

		assert_null(dhcp_parse(packet, len, &m));
		assert_memory_equal(
			m.file, cases[i].file ? packet + FILE_AT : zeros, 128);
		assert_memory_equal(m.sname,
			cases[i].sname ? packet + SNAME_AT : zeros, 64);
		free(packet);
	}
}

static const struct {
	const char *name;
	const char *options;
	const char *file, *sname;
	const char *err;
} bad_cases[] = {
	{"43: no options, no END", "", NULL, NULL, "no END option"},
	{"43: END missing", "35 01 01", NULL, NULL, "no END option"},
	{"43: END missing, padding", "35 01 01 00 00", NULL, NULL,
		"no END option"},
	{"43: a code and no length", "35 01 01 3c", NULL, NULL,
		"an option runs past the end"},
	{"43: length past the end by one", "35 01 01 3c 03 01 02", NULL, NULL,
		"an option runs past the end"},
	{"43: length past the end by far", "35 01 01 3c ff 01 ff", NULL, NULL,
		"an option runs past the end"},
	{"43: the END is inside an option", "35 02 01 ff", NULL, NULL,
		"no END option"},
	{"53 of no bytes", "35 00 ff", NULL, NULL,
		"message type (53) is malformed"},
	{"53 of two bytes", "35 02 01 01 ff", NULL, NULL,
		"message type (53) is malformed"},
	{"53 twice", "35 01 01 35 01 01 ff", NULL, NULL,
		"message type (53) is malformed"},
	{"53 of 0", "35 01 00 ff", NULL, NULL,
		"message type (53) is malformed"},
	{"52 of no bytes", "34 00 ff", NULL, NULL,
		"option overload (52) is malformed"},
	{"52 of two bytes", "34 02 01 01 ff", "ff", NULL,
		"option overload (52) is malformed"},
	{"52 twice", "34 01 01 34 01 02 ff", "ff", "ff",
		"option overload (52) is malformed"},
	{"52 of 0", "34 01 00 ff", NULL, NULL,
		"option overload (52) is malformed"},
	{"52 of 4", "34 01 04 ff", "ff", "ff",
		"option overload (52) is malformed"},
	{"file without END", "34 01 01 ff", "3c 01 aa", NULL, "no END option"},
	{"sname without END", "34 01 02 ff", NULL, "3c 01 aa", "no END option"},
	{"an option past the end of file", "34 01 01 ff", "3c 7f ff", NULL,
		"an option runs past the end"},
	{"an option past the end of sname, into file", "34 01 03 ff", "ff",
		"3c 3f ff", "an option runs past the end"},
};

static void test_parse_bad(void **state)
{
	struct dhcp_message m, before;
	size_t i;

	(void)state;
	memset(&before, 0x5a, sizeof(before));
	for (i = 0; i < N(bad_cases); i++) {
		size_t len;
		uint8_t *packet = make_packet(bad_cases[i].options,
			bad_cases[i].file, bad_cases[i].sname, &len);
		const char *err;

		memcpy(&m, &before, sizeof(m));
		err = dhcp_parse(packet, len, &m);
		if (!err || strcmp(err, bad_cases[i].err) != 0)
			fail_msg("%s: %s", bad_cases[i].name,
				err ? err : "taken");
		if (memcmp(&m, &before, sizeof(m)) != 0)
			fail_msg("%s: refused, but written", bad_cases[i].name);
		free(packet);
	}
}

static void test_parse_bad_header(void **state)
{
	static const struct {
		const char *name;
		size_t at;
		uint8_t value;
		bool good;
	} cases[] = {
		{"as it is", 0, 1, true},
		{"a reply", 0, 2, true},
		{"op 0", 0, 0, false},
		{"op 3", 0, 3, false},
		{"hlen 0", 2, 0, true},
		{"hlen 16", 2, 16, true},
		{"hlen 17", 2, 17, false},
		{"hlen 255", 2, 255, false},
		{"cookie, first byte", COOKIE_AT, 0x62, false},
		{"cookie, last byte", COOKIE_AT + 3, 0x64, false},
	};
	size_t i, len;

	(void)state;
	for (i = 0; i < N(cases); i++) {
		uint8_t *packet = make_packet("35 01 01 ff", NULL, NULL, &len);
		struct dhcp_message m;

		packet[cases[i].at] = cases[i].value;
		if ((dhcp_parse(packet, len, &m) == NULL) != cases[i].good)
			fail_msg("%s", cases[i].name);
		free(packet);
	}
}

/* 43: every length short of the END, the 239-byte packet among them. */
static void test_parse_short(void **state)
{
	size_t whole, len;
	uint8_t *packet = make_packet(
		"35 01 01 3c 02 01 02 3c 01 03 ff", NULL, NULL, &whole);
	struct dhcp_message m;

	(void)state;
	for (len = 0; len < whole; len++) {
		uint8_t *cut = malloc(len ? len : 1);

		assert_non_null(cut);
		memcpy(cut, packet, len);
		if (!dhcp_parse(cut, len, &m))
			fail_msg("%zu bytes are taken", len);
		free(cut);
	}
	assert_null(dhcp_parse(packet, whole, &m));
	assert_non_null(dhcp_parse(NULL, 0, &m));
	free(packet);
}

/* Split options up to what `joined` holds, and one byte more. */
static void test_parse_joined_limit(void **state)
{
	size_t extra;

	(void)state;
	for (extra = 0; extra < 2; extra++) {
		size_t left = DHCP_MAX_PACKET + extra, at = OPTIONS_AT, i;
		uint8_t *packet = malloc(OPTIONS_AT + 2000);
		struct dhcp_message m;
		const char *err;

		assert_non_null(packet);
		memcpy(packet, fixed_part, OPTIONS_AT);
		while (left > 0) {
			size_t len = left < 250 ? left : 250;

			packet[at++] = 43;
			packet[at++] = (uint8_t)len;
			for (i = 0; i < len; i++)
				packet[at++] = (uint8_t)(left-- % 251);
		}
		packet[at++] = 255;
		err = dhcp_parse(packet, at, &m);
		assert_int_equal(err == NULL, extra == 0);
		if (err)
			assert_string_equal(err, "split options are too long");
		for (i = 0; !err && i < DHCP_MAX_PACKET; i++)
			assert_int_equal(
				m.opt[43].data[i], (DHCP_MAX_PACKET - i) % 251);
		free(packet);
	}
}

static void test_opt_helpers(void **state)
{
	size_t len;
	uint8_t *packet =
		make_packet("36 04 0a 4d 00 01 39 02 05 c0 "
			    "3c 09 50 58 45 43 6c 69 65 6e 74 50 00 ff",
			NULL, NULL, &len);
	struct dhcp_message m;

	(void)state;
	assert_null(dhcp_parse(packet, len, &m));
	assert_int_equal(dhcp_opt_addr(&m, DHCP_OPT_SERVER_ID), 0x0a4d0001);
	assert_int_equal(dhcp_opt_addr(&m, DHCP_OPT_MAX_SIZE), 0);
	assert_int_equal(dhcp_opt_addr(&m, DHCP_OPT_VENDOR), 0);
	assert_true(dhcp_opt_is(&m, DHCP_OPT_VENDOR_CLASS, "PXEClient"));
	assert_false(dhcp_opt_is(&m, DHCP_OPT_VENDOR_CLASS, "PXEClien"));
	assert_false(dhcp_opt_is(&m, DHCP_OPT_VENDOR_CLASS, "PXEClient:"));
	assert_false(dhcp_opt_is(&m, DHCP_OPT_VENDOR_CLASS, "PXEClienT"));
	assert_true(dhcp_opt_begins(&m, DHCP_OPT_VENDOR_CLASS, "PXE"));
	assert_true(dhcp_opt_begins(&m, DHCP_OPT_VENDOR_CLASS, "PXEClient"));
	assert_true(dhcp_opt_begins(&m, DHCP_OPT_VENDOR_CLASS, ""));
	assert_false(dhcp_opt_begins(&m, DHCP_OPT_VENDOR_CLASS, "PXEClient:"));
	assert_false(dhcp_opt_begins(&m, DHCP_OPT_VENDOR_CLASS, "XE"));
	assert_false(dhcp_opt_begins(&m, DHCP_OPT_VENDOR, ""));
	assert_false(dhcp_opt_is(&m, DHCP_OPT_VENDOR, ""));
	assert_true(dhcp_opt_is(&m, (enum dhcp_opt)80, ""));
	free(packet);
}

static const struct dhcp_header reply_header = {
	.op = DHCP_OP_REPLY,
	.htype = 1,
	.hlen = 6,
	.hops = 1,
	.xid = 0xdeadbeef,
	.secs = 0x0304,
	.flags = DHCP_FLAG_BROADCAST,
	.ciaddr = 0x01020304,
	.yiaddr = 0x05060708,
	.siaddr = 0x090a0b0c,
	.giaddr = 0x0d0e0f10,
	.chaddr = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16},
	.sname = "server",
	.file = "file",
};

static void test_build(void **state)
{
	uint8_t buf[DHCP_MAX_PACKET], type = DHCP_TYPE_OFFER, big[255];
	struct wire_writer w;
	struct dhcp_message m;

	(void)state;
	memset(big, 7, sizeof(big));
	memset(buf, 0xee, sizeof(buf));
	wire_writer_init(&w, buf, sizeof(buf));
	dhcp_put_header(&w, &reply_header);
	assert_int_equal(w.len, OPTIONS_AT);
	dhcp_put_option(&w, DHCP_OPT_TYPE, &type, 1);
	dhcp_put_end(&w);
	assert_null(w.err);
	assert_int_equal(w.len, DHCP_MIN_PACKET);
	assert_memory_equal(buf + 240, "\x35\1\2\xff\0\0", 6);
	assert_int_equal(buf[DHCP_MIN_PACKET - 1], 0);
	assert_int_equal(buf[DHCP_MIN_PACKET], 0xee);
	assert_null(dhcp_parse(buf, w.len, &m));
	assert_int_equal(m.op, DHCP_OP_REPLY);
	assert_int_equal(m.hops, 1);
	assert_int_equal(m.xid, 0xdeadbeef);
	assert_int_equal(m.secs, 0x0304);
	assert_int_equal(m.flags, DHCP_FLAG_BROADCAST);
	assert_int_equal(m.ciaddr, 0x01020304);
	assert_int_equal(m.yiaddr, 0x05060708);
	assert_int_equal(m.siaddr, 0x090a0b0c);
	assert_int_equal(m.giaddr, 0x0d0e0f10);
	assert_memory_equal(m.chaddr, reply_header.chaddr, 16);
	assert_string_equal((const char *)m.sname, "server");
	assert_string_equal((const char *)m.file, "file");
	assert_int_equal(m.type, DHCP_TYPE_OFFER);

	/* Longer than the minimum: nothing but END is added. */
	wire_writer_init(&w, buf, sizeof(buf));
	dhcp_put_header(&w, &reply_header);
	dhcp_put_option(&w, DHCP_OPT_VENDOR, big, sizeof(big));
	dhcp_put_end(&w);
	assert_null(w.err);
	assert_int_equal(w.len, OPTIONS_AT + 257 + 1);
	assert_int_equal(buf[w.len - 1], DHCP_OPT_END);
}

static void test_build_errors(void **state)
{
	static const struct {
		const char *name;
		size_t sname_len, file_len, opt_len, cap;
		bool good;
	} cases[] = {
		{"usual", 5, 5, 5, 1472, true},
		{"no names", 0, 0, 5, 1472, true},
		{"longest sname", 63, 5, 5, 1472, true},
		{"sname too long", 64, 5, 5, 1472, false},
		{"longest file", 5, 127, 5, 1472, true},
		{"file too long", 5, 128, 5, 1472, false},
		{"option of one byte", 5, 5, 1, 1472, true},
		{"longest option", 5, 5, 255, 1472, true},
		{"option too long", 5, 5, 256, 1472, false},
		{"empty option", 5, 5, 0, 1472, false},
		{"room for the minimum only", 5, 5, 57, 300, true},
		{"END does not fit", 5, 5, 58, 300, false},
		{"padding does not fit", 5, 5, 5, 299, false},
		{"header does not fit", 5, 5, 5, 239, false},
	};
	char text[257];
	uint8_t content[256] = {0};
	size_t i;

	(void)state;
	for (i = 0; i < N(cases); i++) {
		struct dhcp_header h = {.op = DHCP_OP_REPLY};
		char sname[sizeof(text)];
		uint8_t buf[1472];
		struct wire_writer w;

		memset(text, 'x', sizeof(text));
		memcpy(sname, text, sizeof(text));
		text[cases[i].file_len] = '\0';
		sname[cases[i].sname_len] = '\0';
		h.file = cases[i].file_len ? text : NULL;
		h.sname = cases[i].sname_len ? sname : NULL;
		wire_writer_init(&w, buf, cases[i].cap);
		dhcp_put_header(&w, &h);
		dhcp_put_option(&w, DHCP_OPT_VENDOR, content, cases[i].opt_len);
		dhcp_put_end(&w);
		if ((w.err == NULL) != cases[i].good)
			fail_msg("%s: %s", cases[i].name,
				w.err ? w.err : "taken");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_header),
		cmocka_unit_test(test_parse_good),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_parse_bad),
		cmocka_unit_test(test_parse_bad_header),
		cmocka_unit_test(test_parse_short),
		cmocka_unit_test(test_parse_joined_limit),
		cmocka_unit_test(test_opt_helpers),
		cmocka_unit_test(test_build),
		cmocka_unit_test(test_build_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
