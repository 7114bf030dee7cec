#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "proto/wire.h"

static const uint8_t octets[] = {
	1, 2, 3, 4, 5, 6, 7, 8, 0xfc, 0xfd, 0xfe, 0xff};

static void test_read(void **state)
{
	struct wire_reader r;

	(void)state;
	wire_reader_init(&r, octets, sizeof(octets));
	assert_int_equal(wire_left(&r), 12);
	assert_int_equal(wire_get_u8(&r), 0x01);
	assert_int_equal(wire_get_u16(&r), 0x0203);
	assert_int_equal(wire_get_u32(&r), 0x04050607);
	assert_int_equal(r.at, 7);
	wire_skip(&r, 1);
	assert_int_equal(wire_get_u32(&r), 0xfcfdfeff);
	assert_int_equal(wire_left(&r), 0);
	wire_seek(&r, 8);
	assert_int_equal(wire_get_le32(&r), 0xfffefdfc);
	wire_seek(&r, 10);
	assert_int_equal(wire_get_le16(&r), 0xfffe);
	wire_seek(&r, 0);
	assert_ptr_equal(wire_get_bytes(&r, 3), octets);
	assert_ptr_equal(wire_get_bytes(&r, 0), octets + 3);
	wire_seek(&r, 12);
	assert_ptr_equal(wire_get_bytes(&r, 0), octets + 12);
	assert_null(r.err);
}

enum { GET_U8, GET_U16, GET_U32, GET_LE16, GET_LE32, GET_BYTES, SKIP, SEEK };

static uint64_t read_one(struct wire_reader *r, int what)
{
	switch (what) {
	case GET_U8:
		return wire_get_u8(r);
	case GET_U16:
		return wire_get_u16(r);
	case GET_U32:
		return wire_get_u32(r);
	case GET_LE16:
		return wire_get_le16(r);
	case GET_LE32:
		return wire_get_le32(r);
	case GET_BYTES:
		return wire_get_bytes(r, 5) != NULL;
	case SKIP:
		wire_skip(r, 5);
		return 0;
	default:
		wire_seek(r, 13);
		return 0;
	}
}

static void test_read_errors(void **state)
{
	/* The last offset from which the read succeeds. */
	static const struct {
		const char *name;
		int what;
		size_t last;
	} cases[] = {
		{"u8", GET_U8, 11},
		{"u16", GET_U16, 10},
		{"u32", GET_U32, 8},
		{"le16", GET_LE16, 10},
		{"le32", GET_LE32, 8},
		{"bytes", GET_BYTES, 7},
		{"skip", SKIP, 7},
		{"seek", SEEK, SIZE_MAX},
	};
	size_t i, at;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (at = 0; at <= sizeof(octets); at++) {
			bool want = cases[i].last != SIZE_MAX &&
				    at <= cases[i].last;
			struct wire_reader r;
			const char *err;
			uint64_t got;

			wire_reader_init(&r, octets, sizeof(octets));
			wire_seek(&r, at);
			got = read_one(&r, cases[i].what);
			if ((r.err == NULL) != want)
				fail_msg("%s at %zu", cases[i].name, at);
			if (want)
				continue;
			err = r.err;
			/* Nothing happens any more. */
			wire_seek(&r, 0);
			if (got || r.at != at || wire_get_u8(&r) ||
				wire_get_u32(&r) || wire_get_bytes(&r, 0) ||
				wire_left(&r) || r.err != err)
				fail_msg("%s at %zu: not sticky", cases[i].name,
					at);
		}
	}
}

static void test_read_huge(void **state)
{
	struct wire_reader r;

	(void)state;
	wire_reader_init(&r, octets, sizeof(octets));
	wire_skip(&r, 4);
	assert_null(wire_get_bytes(&r, SIZE_MAX));
	assert_non_null(r.err);
	wire_reader_init(&r, octets, sizeof(octets));
	wire_seek(&r, SIZE_MAX);
	assert_non_null(r.err);
	wire_reader_init(&r, NULL, 0);
	assert_int_equal(wire_left(&r), 0);
	assert_null(r.err);
	assert_int_equal(wire_get_u8(&r), 0);
	assert_non_null(r.err);
}

static void test_write(void **state)
{
	static const uint8_t want[] = {
		1, 2, 3, 4, 5, 6, 7, 9, 8, 0xd, 0xc, 0xb, 0xa, 0, 0, 'x', 'y'};
	uint8_t buf[sizeof(want)];
	struct wire_writer w;

	(void)state;
	memset(buf, 0xee, sizeof(buf));
	wire_writer_init(&w, buf, sizeof(buf));
	wire_put_u8(&w, 1);
	wire_put_u16(&w, 0x0203);
	wire_put_u32(&w, 0x04050607);
	wire_put_le16(&w, 0x0809);
	wire_put_le32(&w, 0x0a0b0c0d);
	wire_put_zeros(&w, 2);
	wire_put_bytes(&w, "xy", 2);
	wire_put_bytes(&w, NULL, 0);
	assert_null(w.err);
	assert_int_equal(w.len, sizeof(want));
	assert_memory_equal(buf, want, sizeof(want));
	/* Full: there is no room for a NUL either. */
	assert_null(wire_terminate(&w));
	assert_non_null(w.err);
}

enum {
	PUT_U8,
	PUT_U16,
	PUT_U32,
	PUT_BYTES,
	PUT_TEXT,
	PUT_DEC,
	PUT_HEX,
	PUT_IPV4,
	PUT_ZEROS,
	PUT_LE16,
	PUT_LE32
};

static void write_one(struct wire_writer *w, int what)
{
	switch (what) {
	case PUT_U8:
		wire_put_u8(w, 0x11);
		break;
	case PUT_U16:
		wire_put_u16(w, 0x1111);
		break;
	case PUT_U32:
		wire_put_u32(w, 0x11111111);
		break;
	case PUT_LE16:
		wire_put_le16(w, 0x1111);
		break;
	case PUT_LE32:
		wire_put_le32(w, 0x11111111);
		break;
	case PUT_BYTES:
		wire_put_bytes(w, "11111", 5);
		break;
	case PUT_TEXT:
		wire_put_text(w, "1111111");
		break;
	case PUT_DEC:
		wire_put_dec(w, 11111111);
		break;
	case PUT_HEX:
		wire_put_hex(w, 0x111, 3);
		break;
	case PUT_IPV4:
		wire_put_ipv4(w, 0x0b0b0b0b);
		break;
	default:
		wire_put_zeros(w, 6);
		break;
	}
}

static void test_write_errors(void **state)
{
	static const struct {
		const char *name;
		int what;
		size_t len;
	} cases[] = {
		{"u8", PUT_U8, 1},
		{"u16", PUT_U16, 2},
		{"u32", PUT_U32, 4},
		{"le16", PUT_LE16, 2},
		{"le32", PUT_LE32, 4},
		{"bytes", PUT_BYTES, 5},
		{"text", PUT_TEXT, 7},
		{"dec", PUT_DEC, 8},
		{"hex", PUT_HEX, 3},
		{"ipv4", PUT_IPV4, 11},
		{"zeros", PUT_ZEROS, 6},
	};
	size_t i, cap, k;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (cap = 0; cap <= cases[i].len + 1; cap++) {
			bool want = cap >= cases[i].len;
			uint8_t buf[16];
			struct wire_writer w;

			memset(buf, 0xee, sizeof(buf));
			wire_writer_init(&w, buf, cap);
			write_one(&w, cases[i].what);
			if ((w.err == NULL) != want ||
				w.len != (want ? cases[i].len : 0))
				fail_msg("%s into %zu", cases[i].name, cap);
			/* All or nothing, and nothing behind it. */
			for (k = w.len; k < sizeof(buf); k++)
				if (buf[k] != 0xee)
					fail_msg("%s into %zu: wrote byte %zu",
						cases[i].name, cap, k);
			if (want)
				continue;
			wire_put_zeros(&w, 0);
			wire_put_text(&w, "");
			if (wire_terminate(&w) || w.len != 0)
				fail_msg("%s into %zu: not sticky",
					cases[i].name, cap);
		}
	}
}

static void test_write_huge(void **state)
{
	uint8_t buf[4] = {0};
	struct wire_writer w;

	(void)state;
	wire_writer_init(&w, buf, sizeof(buf));
	wire_put_u8(&w, 1);
	wire_put_zeros(&w, SIZE_MAX);
	assert_non_null(w.err);
	assert_int_equal(w.len, 1);
	wire_writer_init(&w, NULL, 0);
	wire_put_u8(&w, 1);
	assert_non_null(w.err);
}

static void test_text(void **state)
{
	static const struct {
		uint64_t v;
		const char *dec, *hex;
		unsigned digits;
	} cases[] = {
		{0, "0", "0", 1},
		{0, "0", "", 0},
		{9, "9", "09", 2},
		{10, "10", "0a", 2},
		{4096, "4096", "1000", 4},
		{4096, "4096", "000", 3},
		{UINT32_MAX, "4294967295", "00ffffffff", 10},
		{UINT64_MAX, "18446744073709551615", "ffffffffffffffff", 16},
		{UINT64_MAX, "18446744073709551615", "00ffffffffffffffff", 18},
	};
	char buf[64];
	struct wire_writer w;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		wire_writer_init(&w, buf, sizeof(buf));
		wire_put_dec(&w, cases[i].v);
		assert_string_equal(wire_terminate(&w), cases[i].dec);
		wire_writer_init(&w, buf, sizeof(buf));
		wire_put_hex(&w, cases[i].v, cases[i].digits);
		assert_string_equal(wire_terminate(&w), cases[i].hex);
	}
}

static void test_ipv4(void **state)
{
	static const struct {
		uint32_t addr;
		const char *text;
	} cases[] = {
		{0, "0.0.0.0"},
		{0x0a4d0001, "10.77.0.1"},
		{0x7f000001, "127.0.0.1"},
		{0xc0a8640a, "192.168.100.10"},
		{0xffffffff, "255.255.255.255"},
	};
	char buf[16];
	struct wire_writer w;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		wire_writer_init(&w, buf, sizeof(buf));
		wire_put_ipv4(&w, cases[i].addr);
		assert_string_equal(wire_terminate(&w), cases[i].text);
	}
}

static void test_terminate(void **state)
{
	char buf[8];
	struct wire_writer w;

	(void)state;
	wire_writer_init(&w, buf, sizeof(buf));
	wire_put_text(&w, "abc");
	assert_string_equal(wire_terminate(&w), "abc");
	/* The NUL is not part of it: writing goes on over it. */
	assert_int_equal(w.len, 3);
	wire_put_text(&w, "defg");
	assert_string_equal(wire_terminate(&w), "abcdefg");
	wire_put_text(&w, "h");
	assert_null(w.err);
	assert_null(wire_terminate(&w));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read),
		cmocka_unit_test(test_read_errors),
		cmocka_unit_test(test_read_huge),
		cmocka_unit_test(test_write),
		cmocka_unit_test(test_write_errors),
		cmocka_unit_test(test_write_huge),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_ipv4),
		cmocka_unit_test(test_terminate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
