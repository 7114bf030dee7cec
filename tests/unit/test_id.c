#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "proto/id.h"

#define N(array) (sizeof(array) / sizeof((array)[0]))

static const struct {
	const char *text;
	const char *want; /* NULL: refused */
} mac_cases[] = {
	{"52:54:00:12:34:56", "52:54:00:12:34:56"},
	{"52-54-00-12-34-56", "52:54:00:12:34:56"},
	{"525400123456", "52:54:00:12:34:56"},
	{"AA:bB:Cc:dd:EE:ff", "aa:bb:cc:dd:ee:ff"},
	{"00:00:00:00:00:00", "00:00:00:00:00:00"},
	{"", NULL},
	{"52:54:00:12:34:5", NULL},
	{"52:54:00:12:34:567", NULL},
	{"52:54:00:12:34:56 ", NULL},
	{" 2:54:00:12:34:56", NULL},
	{"52:54-00:12:34:56", NULL},
	{"52-54:00:12:34:56", NULL},
	{"52:54:00:12:34-56", NULL},
	{"52.54.00.12.34.56", NULL},
	{"5254.0012.3456", NULL},
	{"52:54:00:12:34:5g", NULL},
	{"52:54:00:12:34:g5", NULL},
	{"52540012345/", NULL},
	{"52540012345:", NULL},
	{"52540012345@", NULL},
	{"52540012345`", NULL},
	{"52540012345G", NULL},
	{"5254:00:123456", NULL},
	{":52:54:00:12:34:5", NULL},
	{"52:54:00:12:34::6", NULL},
};

static void test_mac_text(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < N(mac_cases); i++) {
		const char *text = mac_cases[i].text;
		const struct mac before = {{1, 2, 3, 4, 5, 6}};
		struct mac mac = before;
		char out[MAC_TEXT_LEN];
		bool ok = mac_parse(text, strlen(text), &mac);

		if (ok != (mac_cases[i].want != NULL))
			fail_msg("\"%s\": %s", text, ok ? "taken" : "refused");
		if (!ok && !mac_equal(&mac, &before))
			fail_msg("\"%s\": refused, but written", text);
		if (!ok)
			continue;
		mac_format(&mac, ':', out);
		if (strcmp(out, mac_cases[i].want) != 0)
			fail_msg("\"%s\": became %s", text, out);
	}
}

static void test_mac_length(void **state)
{
	const char text[] = "52:54:00:12:34:56 and more";
	struct mac mac;
	char out[MAC_TEXT_LEN];

	(void)state;
	/* The length counts, not a NUL. */
	assert_true(mac_parse(text, 17, &mac));
	assert_false(mac_parse(text, 18, &mac));
	assert_false(mac_parse("52540012345\0", 12, &mac));
	mac_format(&mac, '-', out);
	assert_string_equal(out, "52-54-00-12-34-56");
}

static void test_mac_unicast(void **state)
{
	static const struct {
		struct mac mac;
		bool want;
	} cases[] = {
		{{{0x52, 0x54, 0, 0x12, 0x34, 0x56}}, true},
		{{{0, 0, 0, 0, 0, 1}}, true},
		{{{0x02, 0, 0, 0, 0, 0}}, true},
		{{{0xfe, 0xff, 0xff, 0xff, 0xff, 0xff}}, true},
		{{{0, 0, 0, 0, 0, 0}}, false},
		{{{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}}, false},
		{{{0x01, 0, 0x5e, 0, 0, 1}}, false},
		{{{0x33, 0x33, 0, 0, 0, 1}}, false},
	};
	size_t i;

	(void)state;
	for (i = 0; i < N(cases); i++) {
		char out[MAC_TEXT_LEN];

		mac_format(&cases[i].mac, ':', out);
		if (mac_is_unicast(&cases[i].mac) != cases[i].want)
			fail_msg("%s", out);
	}
}

static const struct {
	const char *text;
	const char *want; /* NULL: refused */
	const char *swapped;
} uuid_cases[] = {
	{"12345678-9abc-def0-1122-334455667788",
		"12345678-9abc-def0-1122-334455667788",
		"78563412-bc9a-f0de-1122-334455667788"},
	{"00112233445566778899AABBCCDDEEFF",
		"00112233-4455-6677-8899-aabbccddeeff",
		"33221100-5544-7766-8899-aabbccddeeff"},
	{"4C4C4544-0051-4810-8053-b4c04f4e4d32",
		"4c4c4544-0051-4810-8053-b4c04f4e4d32",
		"44454c4c-5100-1048-8053-b4c04f4e4d32"},
	{"", NULL, NULL},
	{"12345678-9abc-def0-1122-33445566778", NULL, NULL},
	{"12345678-9abc-def0-1122-3344556677889", NULL, NULL},
	{"123456789-abc-def0-1122-334455667788", NULL, NULL},
	{"12345678:9abc-def0-1122-334455667788", NULL, NULL},
	{"12345678-9abc-def01-122-334455667788", NULL, NULL},
	{"12345678-9abc-def0-11223344556677889", NULL, NULL},
	{"{2345678-9abc-def0-1122-33445566778}", NULL, NULL},
	{"0011223344556677-8899AABBCCDDEEF", NULL, NULL},
	{"00112233445566778899aabbccddeefg", NULL, NULL},
	{"00112233445566778899aabbccddee f", NULL, NULL},
};

static void test_uuid_text(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < N(uuid_cases); i++) {
		const char *text = uuid_cases[i].text;
		const struct uuid before = {{1, 2, 3}};
		struct uuid uuid = before, swapped, back;
		char out[UUID_TEXT_LEN];
		bool ok = uuid_parse(text, strlen(text), &uuid);

		if (ok != (uuid_cases[i].want != NULL))
			fail_msg("\"%s\": %s", text, ok ? "taken" : "refused");
		if (!ok && !uuid_equal(&uuid, &before))
			fail_msg("\"%s\": refused, but written", text);
		if (!ok)
			continue;
		uuid_format(&uuid, out);
		if (strcmp(out, uuid_cases[i].want) != 0)
			fail_msg("\"%s\": became %s", text, out);
		swapped = uuid_swap(&uuid);
		uuid_format(&swapped, out);
		if (strcmp(out, uuid_cases[i].swapped) != 0)
			fail_msg("\"%s\": swapped to %s", text, out);
		back = uuid_swap(&swapped);
		if (!uuid_equal(&back, &uuid))
			fail_msg("\"%s\": not swapped back", text);
	}
}

static void test_uuid_junk(void **state)
{
	static const struct {
		const char *text;
		bool junk;
	} cases[] = {
		{"00000000-0000-0000-0000-000000000000", true},
		{"ffffffff-ffff-ffff-ffff-ffffffffffff", true},
		{"fefefefe-fefe-fefe-fefe-fefefefefefe", true},
		{"58585858-5858-5858-5858-585858585858", true},
		{"03000200-0400-0500-0006-000700080009", true},
		{"00020003-0004-0005-0006-000700080009", true},
		{"00010203-0405-0607-0809-0a0b0c0d0e0f", true},
		{"03020100-0504-0706-0809-0a0b0c0d0e0f", true},
		{"12345678-1234-5678-90ab-cddeefaabbcc", true},
		{"78563412-3412-7856-90ab-cddeefaabbcc", true},
		{"07090201-0103-0301-0807-060504030201", true},
		{"56f49712-ffff-ffff-ffff-ffffffffffff", true},
		{"12345678-9abc-def0-1122-334455667788", false},
		{"00000000-0000-0000-0000-ac1f6b012345", false},
		{"00000000-0000-0000-0000-000000000001", false},
		{"12345678-0000-0000-0000-000000000000", false},
		{"03000200-0400-0500-0006-000700080008", false},
		{"4c4c4544-0051-4810-8053-b4c04f4e4d32", false},
	};
	size_t i;

	(void)state;
	for (i = 0; i < N(cases); i++) {
		struct uuid uuid;

		assert_true(uuid_parse(cases[i].text, 36, &uuid));
		if (uuid_is_junk(&uuid) != cases[i].junk)
			fail_msg("%s", cases[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mac_text),
		cmocka_unit_test(test_mac_length),
		cmocka_unit_test(test_mac_unicast),
		cmocka_unit_test(test_uuid_text),
		cmocka_unit_test(test_uuid_junk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
