/* ra: router solicitations read, advertisements written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "proto/ra.h"

/* fe80::5054:ff:fe12:3456, the EUI-64 of 52:54:00:12:34:56 */
static const uint8_t link_local[16] = {0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0x50, 0x54,
	0x00, 0xff, 0xfe, 0x12, 0x34, 0x56};
static const uint8_t unspecified[16];
static const struct mac client = {{0x52, 0x54, 0x00, 0x12, 0x34, 0x56}};

static void test_solicitations(void **state)
{
	static const struct {
		const char *name;
		uint8_t data[32];
		size_t len;
		const uint8_t *source;
		bool want;
	} cases[] = {
		{"with its link-layer address",
			{133, 0, 1, 2, 0, 0, 0, 0, 1, 1, 0x52, 0x54, 0, 0x12,
				0x34, 0x56},
			16, unspecified, true},
		{"by its link-local address", {133}, 8, link_local, true},
		{"another option first",
			{133, 0, 0, 0, 0, 0, 0, 0, 14, 1, 0, 0, 0, 0, 0, 0, 1,
				1, 0x52, 0x54, 0, 0x12, 0x34, 0x56},
			24, unspecified, true},
		{"nobody", {133}, 8, unspecified, false},
		{"an advertisement", {134}, 16, link_local, false},
		{"another code", {133, 1}, 8, link_local, false},
		{"cut short", {133}, 7, link_local, false},
		{"an option of length 0", {133, 0, 0, 0, 0, 0, 0, 0, 1, 0}, 16,
			link_local, false},
		{"an option past the end", {133, 0, 0, 0, 0, 0, 0, 0, 1, 2}, 16,
			link_local, false},
		{"a group address",
			{133, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0x53, 0x54, 0, 0x12,
				0x34, 0x56},
			16, unspecified, false},
		{"nothing", {0}, 0, link_local, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct mac mac = {{0}};
		bool got = ra_parse_solicitation(
			cases[i].data, cases[i].len, cases[i].source, &mac);

		if (got != cases[i].want)
			fail_msg("%s: %d", cases[i].name, got);
		if (got && !mac_equal(&mac, &client))
			fail_msg("%s: another address", cases[i].name);
	}
}

static void test_routers(void **state)
{
	const uint8_t router[16] = {134, 0, 0, 0, 64, 0, 0x07, 0x08};
	const uint8_t none[16] = {134, 0, 0, 0, 64, 0, 0, 0};

	(void)state;
	assert_true(ra_is_router(router, sizeof(router)));
	assert_false(ra_is_router(none, sizeof(none)));
	assert_false(ra_is_router(router, 7));
}

static void test_advertisement(void **state)
{
	static const uint8_t want[RA_LEN] = {134, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
		0, 0, 0, 0, 0, 1, 1, 0x52, 0x54, 0, 0x12, 0x34, 0x56};
	uint8_t got[RA_LEN];

	(void)state;
	ra_build(&client, got);
	assert_memory_equal(got, want, RA_LEN);
	assert_false(ra_is_router(got, RA_LEN));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_solicitations),
		cmocka_unit_test(test_routers),
		cmocka_unit_test(test_advertisement),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
