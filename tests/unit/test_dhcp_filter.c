/*
 * dhcp_filter: what the kernel lets through, by its own word: held against
 * what proto/ipv4 then makes of it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <sys/socket.h>
#include <unistd.h>

#include "daemon/dhcp/dhcp_filter.h"
#include "proto/dhcp.h"
#include "proto/ipv4.h"

#define PORT   67
#define ROUNDS 100000
#define N(a)   (sizeof(a) / sizeof(*(a)))

/* A datagram of a Unix socket is filtered from its first byte on, too. */
static int pair[2];

static int open_pair(void **state)
{
	(void)state;
	return socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair) ||
	       dhcp_filter_attach(pair[1], PORT, NULL, 0);
}

static int close_pair(void **state)
{
	(void)state;
	return close(pair[0]) || close(pair[1]);
}

/* How many of the packet's bytes come through; 0: it does not. */
static size_t pass(const uint8_t *packet, size_t len)
{
	uint8_t got[2 * DHCP_FILTER_PACKET_MAX];
	ssize_t n;

	assert_int_equal(send(pair[0], packet, len, 0), len);
	n = recv(pair[1], got, sizeof(got), MSG_DONTWAIT);
	if (n <= 0)
		return 0;
	assert_memory_equal(got, packet, n);
	return (size_t)n;
}

static void put_u16(uint8_t *at, size_t v)
{
	at[0] = (uint8_t)(v >> 8);
	at[1] = (uint8_t)v;
}

/* A datagram with so many words of IP options; its length. */
static size_t make(uint8_t *packet, size_t options, uint16_t port, uint8_t op,
	size_t payload)
{
	size_t header = 20 + 4 * options, len = header + 8 + payload;

	memset(packet, 0, len);
	packet[0] = (uint8_t)(0x40 | header / 4);
	put_u16(packet + 2, len);
	packet[8] = 64;
	packet[9] = 17;
	memset(packet + 12, 10, 8);
	/* No operation; were they taken for ports, for a client's. */
	memset(packet + 20, 1, 4 * options);
	put_u16(packet + header, 68);
	put_u16(packet + header + 2, port);
	put_u16(packet + header + 4, 8 + payload);
	if (payload)
		packet[header + 8] = op;
	return len;
}

static void test_passes(void **state)
{
	static const struct {
		const char *name;
		size_t options, payload;
		uint16_t port;
		uint8_t op;
		bool passes;
	} cases[] = {
		{"request", 0, 300, 67, 1, true},
		{"reply", 0, 300, 68, 2, true},
		{"request, odd length", 0, 301, 67, 1, true},
		{"request behind IP options", 1, 300, 67, 1, true},
		{"request behind the most IP options", 10, 300, 67, 1, true},
		{"reply behind IP options", 3, 300, 68, 2, true},
		{"a lone op", 0, 1, 67, 1, true},
		{"nothing", 0, 0, 67, 1, false},
		{"reply to the server", 0, 300, 67, 2, false},
		{"request to the client", 0, 300, 68, 1, false},
		{"neither", 0, 300, 67, 3, false},
		{"a port below", 0, 300, 66, 1, false},
		{"a port above", 0, 300, 69, 2, false},
		{"the other byte", 0, 300, 67 << 8, 1, false},
	};
	uint8_t packet[512];

	(void)state;
	for (size_t i = 0; i < N(cases); i++) {
		size_t len = make(packet, cases[i].options, cases[i].port,
			cases[i].op, cases[i].payload);

		if (pass(packet, len) != (cases[i].passes ? len : 0))
			fail_msg("%s", cases[i].name);
	}
}

/* What is no whole datagram of UDP has no ports to look at. */
static void test_refused(void **state)
{
	static const struct {
		const char *name;
		size_t at;
		uint8_t value;
	} cases[] = {
		{"TCP", 9, 6},
		{"more fragments", 6, 0x20},
		{"a later fragment", 7, 1},
		{"a much later fragment", 6, 0x10},
		{"ports past the end", 0, 0x4f},
	};
	uint8_t packet[64];

	(void)state;
	for (size_t i = 0; i < N(cases); i++) {
		size_t len = make(packet, 0, PORT, 1, 20);

		packet[cases[i].at] = cases[i].value;
		if (pass(packet, len))
			fail_msg("%s", cases[i].name);
	}
	/* "Do not fragment" says that it is whole. */
	make(packet, 0, PORT, 1, 20);
	packet[6] = 0x40;
	assert_true(pass(packet, 48));
}

/* Whoever sends more than can be read is cut, and so is no datagram. */
static void test_long(void **state)
{
	uint8_t packet[DHCP_FILTER_PACKET_MAX + 1];
	struct ipv4_udp udp;
	size_t len = make(packet, 0, PORT, 1, sizeof(packet) - 28);

	(void)state;
	assert_int_equal(len, sizeof(packet));
	len = pass(packet, len);
	assert_int_equal(len, DHCP_FILTER_PACKET_MAX);
	assert_false(ipv4_parse_udp(packet, len, &udp));
	len = make(packet, 0, PORT, 1, DHCP_FILTER_PACKET_MAX - 28);
	assert_int_equal(pass(packet, len), DHCP_FILTER_PACKET_MAX);
}

static uint32_t chance(void)
{
	static uint32_t x = 1;

	x ^= x << 13;
	x ^= x >> 17;
	x ^= x << 5;
	return x;
}

/* A packet that is nearly one of DHCP; its length. */
static size_t make_any(uint8_t *packet)
{
	static const uint16_t ports[] = {66, 67, 68, 69, 67 << 8, 4011};
	size_t len = make(packet, chance() % 4 ? 0 : chance() % 11,
		ports[chance() % N(ports)], (uint8_t)(chance() % 4),
		chance() % 40);

	/* The headers' bytes, some of them, one after the other. */
	for (uint32_t n = chance() % 3; n > 0; n--)
		packet[chance() % len] =
			(uint8_t)(chance() % 2 ? chance() : 1u << chance() % 8);
	if (chance() % 4 == 0)
		return 1 + chance() % len;
	if (chance() % 4 == 0) {
		/* Padding behind it. */
		size_t more = chance() % 20;

		memset(packet + len, (int)(chance() % 4), more);
		len += more;
	}
	return len;
}

/* What of a whole datagram the filter is to say. */
static bool is_dhcp(const struct ipv4_udp *udp)
{
	return udp->len > 0 &&
	       ((udp->dst_port == PORT && *udp->data == 1) ||
		       (udp->dst_port == PORT + 1 && *udp->data == 2));
}

static void test_same_as_parser(void **state)
{
	size_t taken = 0, kept = 0;

	(void)state;
	for (size_t i = 0; i < ROUNDS; i++) {
		uint8_t packet[256];
		size_t len = make_any(packet), through = pass(packet, len);
		struct ipv4_udp udp;
		bool whole = ipv4_parse_udp(packet, len, &udp);

		/* It is all or nothing. */
		if (through && through != len)
			fail_msg("round %zu: cut to %zu", i, through);
		/* None is lost. */
		if (whole && is_dhcp(&udp) && !through)
			fail_msg("round %zu: kept back", i);
		/* Nor does another's come, but behind a payload of nothing. */
		if (whole && udp.len && !is_dhcp(&udp) && through)
			fail_msg("round %zu: port %u let through", i,
				udp.dst_port);
		taken += through && whole;
		kept += !through && whole;
	}
	/* The test is one. */
	assert_true(taken > ROUNDS / 50);
	assert_true(kept > ROUNDS / 50);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_passes),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_long),
		cmocka_unit_test(test_same_as_parser),
	};

	return cmocka_run_group_tests(tests, open_pair, close_pair);
}
