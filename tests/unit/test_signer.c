/* signer, and the text that it shows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "proto/signer.h"
#include "proto/text.h"

#define N(array) (sizeof(array) / sizeof((array)[0]))
#define CORPUS	 "tests/fuzz/corpus/signer/"

static size_t read_table(const char *path, uint8_t *ret, size_t cap)
{
	FILE *in = fopen(path, "rbe");
	size_t len;

	if (!in)
		fail_msg("%s cannot be read", path);
	len = fread(ret, 1, cap, in);
	fclose(in);
	return len;
}

static void test_names(void **state)
{
	static const struct {
		const char *file;
		size_t cap;
		const char *want;
	} cases[] = {
		/* One certificate's subject has no common name. */
		{CORPUS "sbsign", 256, "netuki test key 1"},
		{CORPUS "sbsign-twice", 256,
			"netuki test key 1, Only an organisation"},
		{CORPUS "sbsign-twice", 40,
			"netuki test key 1, Only an organisation"},
		{CORPUS "sbsign-twice", 39, "netuki test key 1"},
		{CORPUS "sbsign", 17, ""},
		{CORPUS "sbsign", 1, ""},
		{CORPUS "cut", 256, ""},
		{CORPUS "indefinite", 256, ""},
		{CORPUS "long-length", 256, ""},
		{CORPUS "empty", 256, ""},
	};
	static uint8_t table[8192];

	(void)state;
	for (size_t i = 0; i < N(cases); i++) {
		size_t len = read_table(cases[i].file, table, sizeof(table));
		char name[256] = "unset";
		size_t got = signer_names(table, len, name, cases[i].cap);

		if (strcmp(name, cases[i].want) != 0 || got != strlen(name))
			fail_msg("%s, %zu: \"%s\"", cases[i].file, cases[i].cap,
				name);
	}
}

/* Whatever is cut off or turned over, it is a text or nothing. */
static void test_damage(void **state)
{
	static uint8_t table[8192], copy[8192];
	size_t len = read_table(CORPUS "sbsign", table, sizeof(table));

	(void)state;
	for (size_t i = 0; i < len; i++) {
		char name[256];

		memcpy(copy, table, len);
		copy[i] ^= 0xff;
		signer_names(copy, len, name, sizeof(name));
		assert_true(strlen(name) < sizeof(name));
		signer_names(table, i, name, sizeof(name));
		assert_true(i >= 1600 || !name[0]);
	}
}

static void test_text(void **state)
{
	static const struct {
		const char *text;
		size_t cap;
		const char *want; /* NULL: does not fit */
	} cases[] = {
		{"plain", 6, "plain"},
		{"plain", 5, NULL},
		{"", 1, ""},
		{"a\tb\nc\033[31m\177", 64, "a?b?c?[31m?"},
		{"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", 64,
			"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"},
		/* C1, overlong, surrogate, too high, cut short, alone. */
		{"\xc2\x9b\x31m", 64, "?1m"},
		{"\xc0\xaf", 64, "??"},
		{"\xe0\x80\xaf", 64, "???"},
		{"\xed\xa0\x80", 64, "???"},
		{"\xf4\x90\x80\x80", 64, "????"},
		{"a\xe2\x82", 64, "a??"},
		{"\x80z", 64, "?z"},
		{"\xe2\x82\xac", 3, NULL},
	};

	(void)state;
	for (size_t i = 0; i < N(cases); i++) {
		const char *text = cases[i].text;
		char out[64] = "unset";
		size_t n = text_clean(
			(const uint8_t *)text, strlen(text), out, cases[i].cap);

		if ((n == SIZE_MAX) != !cases[i].want ||
			strcmp(out, cases[i].want ? cases[i].want : "") != 0)
			fail_msg("row %zu: \"%s\"", i, out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_damage),
		cmocka_unit_test(test_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
