#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "proto/tftp.h"
#include "tests/unit/hex.h"

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))
#define T(text)	    (text), sizeof(text) - 1
#define RRQ	    "\0\1"
#define X10	    "xxxxxxxxxx"
#define X50	    X10 X10 X10 X10 X10
#define X255	    X50 X50 X50 X50 X50 "xxxxx"
#define OCTET	    "\0octet\0"
/* What stands for the absence of an answer. */
#define SILENCE TFTP_ERROR_UNDEFINED

static const struct {
	const char *name;
	const char *data;
	size_t len;
	enum tftp_error want;
	/* For TFTP_ERROR_NONE: */
	const char *file;
	uint32_t blksize, windowsize, timeout_s;
	bool tsize;
} requests[] = {
	{"plain", T(RRQ "a" OCTET), TFTP_ERROR_NONE, "a", 0, 0, 0, false},
	{"EDK2 asks the size",
		T(RRQ "images/a.efi" OCTET
		      "tsize\0000\0blksize\0001468\0windowsize\0004\0"),
		TFTP_ERROR_NONE, "images/a.efi", 1468, 4, 0, true},
	{"iPXE", T(RRQ "a" OCTET "blksize\0001432\0tsize\0000\0"),
		TFTP_ERROR_NONE, "a", 1432, 0, 0, true},
	{"timeout", T(RRQ "a" OCTET "timeout\0001\0"), TFTP_ERROR_NONE, "a", 0,
		0, 1, false},
	{"option names in any case",
		T(RRQ "a" OCTET "BlkSize\0001024\0TSIZE\0000\0"),
		TFTP_ERROR_NONE, "a", 1024, 0, 0, true},
	{"mode in any case", T(RRQ "a\0OcTeT\0"), TFTP_ERROR_NONE, "a", 0, 0, 0,
		false},
	{"unknown options", T(RRQ "a" OCTET "foo\0001\0blksize\0008\0bar\0\0"),
		TFTP_ERROR_NONE, "a", 8, 0, 0, false},
	{"the first of two counts",
		T(RRQ "a" OCTET "blksize\000512\0blksize\0001024\0"),
		TFTP_ERROR_NONE, "a", 512, 0, 0, false},
	{"the first of two counts even if absurd",
		T(RRQ "a" OCTET "blksize\0007\0blksize\0001024\0"),
		TFTP_ERROR_NONE, "a", 0, 0, 0, false},

	/* Values. */
	{"least", T(RRQ "a" OCTET "blksize\0008\0windowsize\0001\0"),
		TFTP_ERROR_NONE, "a", 8, 1, 0, false},
	{"most",
		T(RRQ "a" OCTET "blksize\0004294967295\0windowsize\00065535\0"
		      "timeout\000255\0"),
		TFTP_ERROR_NONE, "a", 4294967295, 65535, 255, false},
	{"too little",
		T(RRQ "a" OCTET
		      "blksize\0007\0windowsize\0000\0timeout\0000\0"),
		TFTP_ERROR_NONE, "a", 0, 0, 0, false},
	{"too much",
		T(RRQ "a" OCTET "blksize\0004294967296\0windowsize\00065536\0"
		      "timeout\000256\0"),
		TFTP_ERROR_NONE, "a", 0, 0, 0, false},
	{"beyond 64 bits",
		T(RRQ "a" OCTET "blksize\00018446744073709551624\0"
		      "tsize\00018446744073709551616\0"),
		TFTP_ERROR_NONE, "a", 0, 0, 0, false},
	{"no numbers",
		T(RRQ "a" OCTET "blksize\000 8\0windowsize\0+4\0timeout\0001s\0"
		      "tsize\0-1\0"),
		TFTP_ERROR_NONE, "a", 0, 0, 0, false},
	{"empty value", T(RRQ "a" OCTET "tsize\0\0blksize\0\0"),
		TFTP_ERROR_NONE, "a", 0, 0, 0, false},
	{"leading zeros", T(RRQ "a" OCTET "blksize\0000001468\0"),
		TFTP_ERROR_NONE, "a", 1468, 0, 0, false},
	{"padded", T(RRQ "a" OCTET "\0\0\0\0\0"), TFTP_ERROR_NONE, "a", 0, 0, 0,
		false},
	{"name without value", T(RRQ "a" OCTET "blksize\0"), TFTP_ERROR_NONE,
		"a", 0, 0, 0, false},

	/* Names. */
	{"leading slash", T(RRQ "/a" OCTET), TFTP_ERROR_NONE, "a", 0, 0, 0,
		false},
	{"backslashes", T(RRQ "\\images\\a.efi" OCTET), TFTP_ERROR_NONE,
		"images/a.efi", 0, 0, 0, false},
	{"END of DHCP behind it", T(RRQ "a\xff" OCTET), TFTP_ERROR_NONE, "a", 0,
		0, 0, false},
	{"more of that", T(RRQ "a\x80\xff\xff" OCTET), TFTP_ERROR_NONE, "a", 0,
		0, 0, false},
	{"longest", T(RRQ X255 OCTET), TFTP_ERROR_NONE, X255, 0, 0, 0, false},
	{"too long", T(RRQ "y" X255 OCTET), .want = TFTP_ERROR_ACCESS},
	{"much too long", T(RRQ X255 X255 X255 OCTET),
		.want = TFTP_ERROR_ACCESS},
	{"dots", T(RRQ "../../etc/passwd" OCTET), .want = TFTP_ERROR_ACCESS},
	{"dots inside", T(RRQ "a/../b" OCTET), .want = TFTP_ERROR_ACCESS},
	{"dots of Windows", T(RRQ "..\\a" OCTET), .want = TFTP_ERROR_ACCESS},
	{"dots in a name", T(RRQ "a..b" OCTET), TFTP_ERROR_NONE, "a..b", 0, 0,
		0, false},
	{"control character", T(RRQ "a\nb" OCTET), .want = TFTP_ERROR_ACCESS},
	{"DEL", T(RRQ "a\x7f" OCTET), .want = TFTP_ERROR_ACCESS},
	{"no ASCII inside", T(RRQ "a\xff/b" OCTET), .want = TFTP_ERROR_ACCESS},
	{"empty", T(RRQ OCTET), .want = TFTP_ERROR_ILLEGAL},
	{"a slash", T(RRQ "/" OCTET), .want = TFTP_ERROR_ILLEGAL},
	{"nothing but END", T(RRQ "\xff" OCTET), .want = TFTP_ERROR_ILLEGAL},

	/* Modes. */
	{"netascii", T(RRQ "a\0netascii\0"), .want = TFTP_ERROR_ILLEGAL},
	{"mail", T(RRQ "a\0mail\0"), .want = TFTP_ERROR_ILLEGAL},
	{"octets", T(RRQ "a\0octets\0"), .want = TFTP_ERROR_ILLEGAL},
	{"octe", T(RRQ "a\0octe\0"), .want = TFTP_ERROR_ILLEGAL},
	{"empty mode", T(RRQ "a\0\0"), .want = TFTP_ERROR_ILLEGAL},

	/* Malformed. */
	{"nothing behind the opcode", T(RRQ), .want = TFTP_ERROR_ILLEGAL},
	{"name does not end", T(RRQ "a"), .want = TFTP_ERROR_ILLEGAL},
	{"no mode", T(RRQ "a\0"), .want = TFTP_ERROR_ILLEGAL},
	{"mode does not end", T(RRQ "a\0octet"), .want = TFTP_ERROR_ILLEGAL},
	{"option does not end", T(RRQ "a" OCTET "blk"),
		.want = TFTP_ERROR_ILLEGAL},
	{"value does not end", T(RRQ "a" OCTET "blksize\0001468"),
		.want = TFTP_ERROR_ILLEGAL},

	/* Others. */
	{"write", T("\0\2a" OCTET), .want = TFTP_ERROR_ACCESS},
	{"write, malformed", T("\0\2"), .want = TFTP_ERROR_ACCESS},
	{"DATA", T("\0\3\0\1x"), .want = TFTP_ERROR_UNKNOWN_TID},
	{"ACK", T("\0\4\0\1"), .want = TFTP_ERROR_UNKNOWN_TID},
	{"OACK", T("\0\6tsize\0001\0"), .want = TFTP_ERROR_UNKNOWN_TID},
	{"opcode 0", T("\0\0a" OCTET), .want = TFTP_ERROR_ILLEGAL},
	{"opcode 7", T("\0\7a" OCTET), .want = TFTP_ERROR_ILLEGAL},
	{"opcode 0x0101", T("\1\1a" OCTET), .want = TFTP_ERROR_ILLEGAL},
	{"ERROR", T("\0\5\0\0Aborted\0"), .want = SILENCE},
	{"nothing", T(""), .want = SILENCE},
	{"one byte", T("\0"), .want = SILENCE},
};

static void test_requests(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(requests); i++) {
		const char *row = requests[i].name, *why = "unset";
		struct tftp_request got = {.name = "untouched"};
		enum tftp_error error = tftp_parse_request(
			requests[i].data, requests[i].len, &got, &why);

		if (requests[i].want == SILENCE) {
			if (error == TFTP_ERROR_NONE || why)
				fail_msg("%s: answered", row);
			continue;
		}
		if (error != requests[i].want)
			fail_msg("%s: error %d", row, (int)error);
		if (error != TFTP_ERROR_NONE) {
			if (!why || !*why || strcmp(why, "unset") == 0)
				fail_msg("%s: no reason", row);
			if (strcmp(got.name, "untouched") != 0)
				fail_msg("%s: written to", row);
			continue;
		}
		if (strcmp(got.name, requests[i].file) != 0)
			fail_msg("%s: name \"%s\"", row, got.name);
		if (got.blksize != requests[i].blksize ||
			got.windowsize != requests[i].windowsize ||
			got.timeout_s != requests[i].timeout_s ||
			got.tsize != requests[i].tsize)
			fail_msg("%s: blksize %u windowsize %u timeout %u "
				 "tsize %d",
				row, got.blksize, got.windowsize, got.timeout_s,
				got.tsize);
	}
}

#define ETHERNET                                                               \
	{                                                                      \
		1468, 64                                                       \
	}

static const struct {
	const char *name;
	struct tftp_request request;
	struct tftp_limits limits;
	uint32_t blksize, windowsize;
	uint64_t size;
	const char *oack; /* behind the opcode; NULL: none is sent */
	size_t oack_len;
} negotiations[] = {
	{"no options", {.name = "a"}, ETHERNET, 512, 1, 0, NULL, 0},
	{"EDK2", {.blksize = 1468, .windowsize = 4, .tsize = true}, ETHERNET,
		1468, 4, 226492416,
		T("tsize\000226492416\0blksize\0001468\0windowsize\0004\0")},
	{"iPXE", {.blksize = 1432, .tsize = true}, ETHERNET, 1432, 1, 174000,
		T("tsize\000174000\0blksize\0001432\0")},
	{"tsize alone", {.tsize = true}, ETHERNET, 512, 1, 0,
		T("tsize\0000\0")},
	{"tsize beyond 32 bits", {.tsize = true}, ETHERNET, 512, 1, UINT64_MAX,
		T("tsize\00018446744073709551615\0")},
	{"no fragments", {.blksize = 65464}, ETHERNET, 1468, 1, 0,
		T("blksize\0001468\0")},
	{"blksize at its limit", {.blksize = 1469}, ETHERNET, 1468, 1, 0,
		T("blksize\0001468\0")},
	{"small blocks", {.blksize = 8}, ETHERNET, 8, 1, 0,
		T("blksize\0008\0")},
	{"no limit", {.blksize = UINT32_MAX, .windowsize = 65535},
		{UINT32_MAX, UINT32_MAX}, 65464, 65535, 0,
		T("blksize\00065464\0windowsize\00065535\0")},
	{"limits of nothing", {.blksize = 512, .windowsize = 4}, {0, 0}, 8, 1,
		0, T("blksize\0008\0windowsize\0001\0")},
	{"large window", {.windowsize = 65535}, ETHERNET, 512, 64, 0,
		T("windowsize\00064\0")},
	{"window of one", {.windowsize = 1}, ETHERNET, 512, 1, 0,
		T("windowsize\0001\0")},
	{"timeout", {.timeout_s = 255}, ETHERNET, 512, 1, 0,
		T("timeout\000255\0")},
	{"all",
		{.blksize = 1024,
			.windowsize = 2,
			.timeout_s = 3,
			.tsize = true},
		ETHERNET, 1024, 2, 7,
		T("tsize\0007\0blksize\0001024\0timeout\0003\0"
		  "windowsize\0002\0")},
};

static void test_negotiation(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(negotiations); i++) {
		const char *row = negotiations[i].name;
		size_t want = negotiations[i].oack_len + 2;
		struct tftp_params params;
		uint8_t oack[256];
		size_t len;

		tftp_negotiate(&negotiations[i].request,
			&negotiations[i].limits, &params);
		if (params.blksize != negotiations[i].blksize ||
			params.windowsize != negotiations[i].windowsize ||
			params.timeout_s != negotiations[i].request.timeout_s)
			fail_msg("%s: blksize %u windowsize %u timeout %u", row,
				params.blksize, params.windowsize,
				params.timeout_s);
		if (params.oack != (negotiations[i].oack != NULL))
			fail_msg("%s: OACK %d", row, params.oack);
		if (!params.oack)
			continue;

		len = tftp_build_oack(
			&params, negotiations[i].size, oack, sizeof(oack));
		if (len != want || memcmp(oack, "\0\6", 2) != 0)
			fail_msg("%s: OACK of %zu bytes", row, len);
		hex_assert_equal(row, oack + 2, len - 2,
			(const uint8_t *)negotiations[i].oack, want - 2);
		if (tftp_build_oack(&params, negotiations[i].size, oack,
			    want) != want ||
			tftp_build_oack(&params, negotiations[i].size, oack,
				want - 1) != 0)
			fail_msg("%s: does not mind the room", row);
	}
}

static const struct {
	const char *name;
	const char *data;
	size_t len;
	bool want;
	enum tftp_op op;
	uint16_t block;
	int code;
	const char *text; /* ERROR: its text; DATA and OACK: the rest */
} packets[] = {
	{"DATA", T("\0\3\1\2abc"), true, TFTP_OP_DATA, 0x102, 0, "abc"},
	{"empty DATA", T("\0\3\0\1"), true, TFTP_OP_DATA, 1, 0, ""},
	{"ACK", T("\0\4\xff\xff"), true, TFTP_OP_ACK, 65535, 0, NULL},
	{"padded ACK", T("\0\4\0\1\0\0"), true, TFTP_OP_ACK, 1, 0, NULL},
	{"ERROR of EDK2", T("\0\5\0\10User aborted the transfer\0"), true,
		TFTP_OP_ERROR, 0, 8, "User aborted the transfer"},
	{"ERROR of Intel", T("\0\5\0\0TFTP Aborted\0"), true, TFTP_OP_ERROR, 0,
		0, "TFTP Aborted"},
	{"ERROR without an end", T("\0\5\0\1oops"), true, TFTP_OP_ERROR, 0, 1,
		"oops"},
	{"ERROR without a text", T("\0\5\0\1"), true, TFTP_OP_ERROR, 0, 1, ""},
	{"ERROR of an unknown kind", T("\0\5\x12\x34x\0"), true, TFTP_OP_ERROR,
		0, 0x1234, "x"},
	{"ERROR that would write to a terminal",
		T("\0\5\0\0a\x1b[2Jb\r\nc\xff"
		  "d\0e"),
		true, TFTP_OP_ERROR, 0, 0, "a[2Jbcd"},
	{"ERROR with a long text", T("\0\5\0\0" X50 X50 "\0"), true,
		TFTP_OP_ERROR, 0, 0, X50 X10 "xxxx"},
	{"OACK", T("\0\6tsize\0001\0"), true, TFTP_OP_OACK, 0, 0, "tsize"},
	{"empty OACK", T("\0\6"), true, TFTP_OP_OACK, 0, 0, ""},
	{"read request", T("\0\1a" OCTET), .want = false},
	{"write request", T("\0\2a" OCTET), .want = false},
	{"opcode 0", T("\0\0\0\1"), .want = false},
	{"opcode 7", T("\0\7\0\1"), .want = false},
	{"opcode 0x0104", T("\1\4\0\1"), .want = false},
	{"short DATA", T("\0\3\0"), .want = false},
	{"short ACK", T("\0\4\0"), .want = false},
	{"shorter ACK", T("\0\4"), .want = false},
	{"short ERROR", T("\0\5\0"), .want = false},
	{"one byte", T("\0"), .want = false},
	{"nothing", T(""), .want = false},
};

static void test_packets(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(packets); i++) {
		const char *row = packets[i].name;
		struct tftp_packet got = {.block = 4711};

		if (tftp_parse_packet(packets[i].data, packets[i].len, &got) !=
			packets[i].want)
			fail_msg("%s: %s", row,
				packets[i].want ? "refused" : "taken");
		if (!packets[i].want) {
			if (got.block != 4711)
				fail_msg("%s: written to", row);
			continue;
		}
		if (got.op != packets[i].op || got.block != packets[i].block ||
			(int)got.code != packets[i].code)
			fail_msg("%s: op %d block %u code %d", row, (int)got.op,
				got.block, (int)got.code);
		if (got.op == TFTP_OP_ERROR &&
			strcmp(got.text, packets[i].text) != 0)
			fail_msg("%s: \"%s\"", row, got.text);
		if (got.op == TFTP_OP_DATA &&
			(got.len != strlen(packets[i].text) ||
				memcmp(got.data, packets[i].text, got.len) !=
					0))
			fail_msg("%s: %zu bytes of data", row, got.len);
		if (got.op == TFTP_OP_OACK && got.len != packets[i].len - 2)
			fail_msg("%s: %zu bytes of options", row, got.len);
	}
}

static const struct {
	const char *name;
	const char *data;
	size_t len;
	bool want;
	struct tftp_oack oack;
} oacks[] = {
	{"empty", T("\0\6"), true, {0}},
	{"all",
		T("\0\6TSIZE\0007\0blksize\0001468\0windowsize\0004\0"
		  "timeout\0002\0"),
		true, {1468, 4, 2, true, 7}},
	{"tsize of nothing", T("\0\6tsize\0000\0"), true, {.has_tsize = true}},
	{"tsize beyond 32 bits", T("\0\6tsize\0004294967296\0"), true,
		{.has_tsize = true, .tsize = 4294967296}},
	{"unknown", T("\0\6multicast\0,,1\0"), true, {0}},
	{"no end", T("\0\6tsize\0001"), false, {0}},
	{"no value", T("\0\6tsize\0"), false, {0}},
	{"no number", T("\0\6tsize\0x\0"), false, {0}},
	{"absurd", T("\0\6blksize\0007\0"), false, {0}},
	{"no OACK", T("\0\4\0\0"), false, {0}},
};

static void test_oacks(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(oacks); i++) {
		const char *row = oacks[i].name;
		struct tftp_packet packet;
		struct tftp_oack got = {.blksize = 4711};

		assert_true(tftp_parse_packet(
			oacks[i].data, oacks[i].len, &packet));
		if (tftp_parse_oack(&packet, &got) != oacks[i].want)
			fail_msg("%s: %s", row,
				oacks[i].want ? "refused" : "taken");
		if (!oacks[i].want) {
			if (got.blksize != 4711)
				fail_msg("%s: written to", row);
			continue;
		}
		if (got.blksize != oacks[i].oack.blksize ||
			got.windowsize != oacks[i].oack.windowsize ||
			got.timeout_s != oacks[i].oack.timeout_s ||
			got.has_tsize != oacks[i].oack.has_tsize ||
			got.tsize != oacks[i].oack.tsize)
			fail_msg("%s: other values", row);
	}
}

static void test_builders(void **state)
{
	uint8_t out[64], header[TFTP_DATA_HEADER];
	size_t len;

	(void)state;
	len = tftp_build_error(TFTP_ERROR_NOT_FOUND, "no", out, sizeof(out));
	hex_assert_equal("error", out, len, (const uint8_t *)T("\0\5\0\1no\0"));
	assert_int_equal(
		tftp_build_error(TFTP_ERROR_NOT_FOUND, "no", out, 6), 0);
	len = tftp_build_ack(65537, out, sizeof(out));
	hex_assert_equal("ack", out, len, (const uint8_t *)T("\0\4\0\1"));
	assert_int_equal(tftp_build_ack(1, out, 3), 0);

	/* The block after 65535 is 0. */
	tftp_build_data_header(65536, header);
	hex_assert_equal(
		"data", header, sizeof(header), (const uint8_t *)T("\0\3\0\0"));
	tftp_build_data_header(UINT64_C(0x100001234), header);
	hex_assert_equal("data", header, sizeof(header),
		(const uint8_t *)T("\0\3\x12\x34"));
}

/* What the firmware sends, byte by byte, and that we can send the same. */
static void test_firmware(void **state)
{
	static const struct {
		const char *packet;
		struct tftp_request want;
	} cases[] = {
		{"tftp-edk2-rrq-size", {"images/debian.efi", 1468, 4, 0, true}},
		{"tftp-edk2-rrq", {"images/debian.efi", 1468, 4, 0, false}},
		{"tftp-ipxe-rrq", {"images/debian.efi", 1432, 0, 0, true}},
		{"tftp-intel-rrq", {"undionly.kpxe", 1456, 0, 0, false}},
	};

	(void)state;
	for (size_t i = 0; i < ROWS(cases); i++) {
		const struct tftp_request *want = &cases[i].want;
		uint8_t packet[HEX_MAX], again[HEX_MAX];
		size_t len = hex_load(cases[i].packet, packet, sizeof(packet));
		struct tftp_request got;
		const char *why;

		assert_int_equal(tftp_parse_request(packet, len, &got, &why),
			TFTP_ERROR_NONE);
		if (strcmp(got.name, want->name) != 0 ||
			got.blksize != want->blksize ||
			got.windowsize != want->windowsize ||
			got.timeout_s != want->timeout_s ||
			got.tsize != want->tsize)
			fail_msg("%s: otherwise understood", cases[i].packet);

		/* Ours has its own order of options, but says the same. */
		len = tftp_build_request(want, again, sizeof(again));
		assert_int_equal(tftp_build_request(want, again, len - 1), 0);
		assert_int_equal(tftp_parse_request(again, len, &got, &why),
			TFTP_ERROR_NONE);
		if (strcmp(got.name, want->name) != 0 ||
			got.blksize != want->blksize ||
			got.windowsize != want->windowsize ||
			got.tsize != want->tsize)
			fail_msg("%s: otherwise built", cases[i].packet);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_requests),
		cmocka_unit_test(test_negotiation),
		cmocka_unit_test(test_packets),
		cmocka_unit_test(test_oacks),
		cmocka_unit_test(test_builders),
		cmocka_unit_test(test_firmware),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
