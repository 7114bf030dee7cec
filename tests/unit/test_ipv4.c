/* ipv4: the headers before a DHCP packet from a packet socket. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "proto/ipv4.h"

/* 10.0.0.1:67 -> 192.0.2.1:67, three bytes of payload */
static const uint8_t good[31] = {0x45, 0, 0, 31, 0, 1, 0x40, 0, 64, 17, 0, 0,
	10, 0, 0, 1, 192, 0, 2, 1, 0, 67, 0, 67, 0, 11, 0, 0, 'a', 'b', 'c'};

static void test_good(void **state)
{
	uint8_t padded[46] = {0}, options[35];
	struct ipv4_udp udp;

	(void)state;
	assert_true(ipv4_parse_udp(good, sizeof(good), &udp));
	assert_int_equal(udp.src, 0x0a000001);
	assert_int_equal(udp.dst, 0xc0000201);
	assert_int_equal(udp.src_port, 67);
	assert_int_equal(udp.dst_port, 67);
	assert_int_equal(udp.len, 3);
	assert_memory_equal(udp.data, "abc", 3);
	/* Ethernet pads short frames. */
	memcpy(padded, good, sizeof(good));
	assert_true(ipv4_parse_udp(padded, sizeof(padded), &udp));
	assert_int_equal(udp.len, 3);
	/* An option in the IP header. */
	memcpy(options, good, 20);
	memset(options + 20, 1, 4);
	memcpy(options + 24, good + 20, 11);
	options[0] = 0x46;
	options[3] = sizeof(options);
	assert_true(ipv4_parse_udp(options, sizeof(options), &udp));
	assert_memory_equal(udp.data, "abc", 3);
}

static void test_bad(void **state)
{
	static const struct {
		const char *name;
		size_t at;
		uint8_t value;
	} cases[] = {
		{"version 6", 0, 0x65},
		{"a header of 16 bytes", 0, 0x44},
		{"a header past the end", 0, 0x4f},
		{"longer than the packet", 3, 32},
		{"no room for UDP", 3, 27},
		{"TCP", 9, 6},
		{"more fragments", 6, 0x20},
		{"a later fragment", 7, 1},
		{"UDP longer than IP", 25, 12},
		{"UDP shorter than its header", 25, 7},
	};
	struct ipv4_udp udp;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		uint8_t packet[sizeof(good)];

		memcpy(packet, good, sizeof(good));
		packet[cases[i].at] = cases[i].value;
		if (ipv4_parse_udp(packet, sizeof(packet), &udp))
			fail_msg("%s", cases[i].name);
	}
	for (size_t len = 0; len < sizeof(good); len++)
		assert_false(ipv4_parse_udp(good, len, &udp));
}

static void test_build(void **state)
{
	/* The checksum was computed by hand from RFC 768. */
	static const uint8_t want[IPV4_UDP_HEADERS] = {0x45, 0, 0, 31, 0x6e,
		0x6b, 0x40, 0, 64, 17, 0, 0, 10, 0, 0, 1, 192, 0, 2, 1, 0, 67,
		0, 67, 0, 11, 0x6e, 0xed};
	uint8_t got[IPV4_UDP_HEADERS];
	struct ipv4_udp udp = {
		.src = 0x0a000001,
		.dst = 0xc0000201,
		.src_port = 67,
		.dst_port = 67,
		.data = (const uint8_t *)"abc",
		.len = 3,
	};

	(void)state;
	assert_true(ipv4_build_udp(&udp, got));
	assert_memory_equal(got, want, sizeof(want));
	udp.len = 65535;
	assert_false(ipv4_build_udp(&udp, got));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_build),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
