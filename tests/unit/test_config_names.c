#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "config/config.h"
#include "config/diag.h"
#include "config/names.h"
#include "config/schema.h"
#include "config/settings.h"

#define N(array) (sizeof(array) / sizeof((array)[0]))

static void test_enums(void **state)
{
	static const char *const modes[] = {
		NULL, "ipxe", "tftp-uki", "local", "alternate"};
	static const char *const offers[] = {
		NULL, "auto", "direct", "pxe-port"};
	static const char *const origins[] = {
		"built in", "defaults", "group", "machine", "override"};

	(void)state;
	assert_int_equal(N(modes), CONFIG_MODE_MAX);
	for (int i = 1; i < CONFIG_MODE_MAX; i++) {
		assert_string_equal(
			config_mode_name((enum config_mode)i), modes[i]);
		assert_int_equal(config_mode_from_name(modes[i]), i);
	}
	assert_null(config_mode_name(CONFIG_MODE_UNSET));
	assert_int_equal(config_mode_from_name("uki"), CONFIG_MODE_UNSET);
	assert_int_equal(config_mode_from_name(""), CONFIG_MODE_UNSET);
	assert_int_equal(N(offers), CONFIG_OFFER_MAX);
	for (int i = 1; i < CONFIG_OFFER_MAX; i++)
		assert_string_equal(
			config_offer_name((enum config_offer)i), offers[i]);
	assert_null(config_offer_name(CONFIG_OFFER_UNSET));
	assert_int_equal(N(origins), CONFIG_ORIGIN_MAX);
	for (int i = 0; i < CONFIG_ORIGIN_MAX; i++)
		assert_string_equal(
			config_origin_name((enum config_origin)i), origins[i]);
}

static const struct {
	const char *text, *want; /* NULL: nothing is near enough */
} suggestions[] = {
	{"images", "images"},
	{"image", "images"},
	{"Images", "images"},
	{"imgaes", "images"},
	{"interface", "interfaces"},
	{"intrefaces", "interfaces"},
	{"unknown_machines", "unknown-machines"},
	{"unknown", "unknown-machines"},
	{"machine", "machines"},
	{"windowsize", "max-windowsize"},
	{"tftp-port", "tftp"},
	{"tfpt", "tftp"},
	{"of", "off"},
	{"x", NULL},
	{"", NULL},
	{"bananas", NULL},
	{"xyz", NULL},
	{"a-text-much-longer-than-any-of-those-that-could-have-been-meant",
		NULL},
};

static void test_suggest(void **state)
{
	static const char *const candidates[] = {"interfaces", "images",
		"unknown-machines", "machines", "max-windowsize", "tftp",
		"http", "off"};

	(void)state;
	for (size_t i = 0; i < N(suggestions); i++) {
		const char *want = suggestions[i].want, *is;
		struct suggest suggest;

		suggest_init(&suggest, suggestions[i].text);
		for (size_t j = 0; j < N(candidates); j++)
			suggest_try(&suggest, candidates[j]);
		is = suggest_best(&suggest);
		if (is != want && (!is || !want || strcmp(is, want) != 0))
			fail_msg("%s: %s, not %s", suggestions[i].text,
				is ? is : "nothing", want ? want : "nothing");
	}
}

static const struct {
	const char *text;
	size_t len; /* 0: all of it */
	const char *quoted;
} quotes[] = {
	{"", 0, "''"},
	{"lab-01", 0, "'lab-01'"},
	{"lab-01", 3, "'lab'"},
	{"a\nb\t\x7f", 0, "'a\\x0ab\\x09\\x7f'"},
	{"caf\xc3\xa9", 0, "'caf\xc3\xa9'"},
	{"a\xc2\x85z", 0, "'a\\xc2\\x85z'"},
	{"\xe2\x80\xa8z", 0, "'\\xe2\\x80\\xa8z'"},
	{"0123456789012345678901234567890123456789"
	 "0123456789012345678901234567890123456789",
		0,
		"'0123456789012345678901234567890123456789"
		"0123456789012345678901234567890...'"},
	/* Not cut inside of a character. */
	{"012345678901234567890123456789012345678901234567890123456789"
	 "0123456789\xe2\x9c\x93\xe2\x9c\x93",
		0,
		"'012345678901234567890123456789012345678901234567890123456789"
		"0123456789...'"},
};

static void test_quote(void **state)
{
	(void)state;
	for (size_t i = 0; i < N(quotes); i++) {
		size_t len =
			quotes[i].len ? quotes[i].len : strlen(quotes[i].text);
		char text[QUOTE_LEN];

		assert_string_equal(
			quote(quotes[i].text, len, text), quotes[i].quoted);
	}
}

static const struct {
	const char *text;
	size_t good;
} printables[] = {
	{"", 0},
	{"plain text ~", 12},
	{"a\tb", 1},
	{"a\x1f", 1},
	{"a\x7f", 1},
	{"\xc3\xbc", 2},
	{"\xc2\x9f", 0},
	{"\xc2\xa0", 2},
	{"\xe2\x80\xa7", 3},
	{"\xe2\x80\xa8", 0},
	{"\xe2\x80\xa9", 0},
	{"\xe2\x80\xa6", 3},
	{"\xef\xbb\xbf", 0},
	{"\xef\xbf\xbd", 3},
	{"\xef\xbf\xbe", 0},
	{"\xef\xbf\xbf", 0},
	{"\xf0\x9f\x98\x80", 4},
};

static void test_printable(void **state)
{
	(void)state;
	for (size_t i = 0; i < N(printables); i++) {
		size_t is = printable_len(
			printables[i].text, strlen(printables[i].text));

		if (is != printables[i].good)
			fail_msg("row %zu: %zu, not %zu", i, is,
				printables[i].good);
	}
}

static const struct {
	const char *text, *canonical; /* NULL: refused */
} prefixes[] = {
	{"52", "52"},
	{"52:54", "52:54"},
	{"52-54-00", "52:54:00"},
	{"525400", "52:54:00"},
	{"52:54:00:aB:CD", "52:54:00:ab:cd"},
	{"525400abcd", "52:54:00:ab:cd"},
	{"", NULL},
	{"5", NULL},
	{"525", NULL},
	{"52:", NULL},
	{":52", NULL},
	{"52:5", NULL},
	{"52:54:", NULL},
	{"52:54-00", NULL},
	{"5254:00", NULL},
	{"52.54", NULL},
	{"5g", NULL},
	{"52:54:00:12:34:56", NULL},
	{"525400123456", NULL},
	{"52:54:00:12:34:", NULL},
};

static void test_prefix(void **state)
{
	(void)state;
	for (size_t i = 0; i < N(prefixes); i++) {
		struct config_prefix prefix;
		char text[PREFIX_TEXT_LEN] = "";
		bool ok = prefix_parse(
			prefixes[i].text, strlen(prefixes[i].text), &prefix);

		if (ok)
			prefix_format(&prefix, text);
		if (ok != (prefixes[i].canonical != NULL) ||
			(ok && strcmp(text, prefixes[i].canonical) != 0))
			fail_msg("'%s': %s '%s'", prefixes[i].text,
				ok ? "taken as" : "refused", text);
	}
}

/* Rows are complete, unique in their section, and sections stay together. */
static void test_schema(void **state)
{
	bool seen[SECTION_MAX] = {false};

	(void)state;
	for (size_t i = 0; i < schema_n_keys; i++) {
		const struct schema_key *key = &schema_keys[i];

		bool apart = i > 0 && seen[key->section] &&
			     schema_keys[i - 1].section != key->section;

		if (schema_find(key->section, key->name) != key ||
			strlen(key->doc) == 0 || key->min > key->max || apart)
			fail_msg("%s: %s", schema_section_name(key->section),
				key->name);
		seen[key->section] = true;
	}
	for (int i = 0; i < SECTION_MAX; i++)
		assert_true(seen[i]);
	assert_null(schema_find(SECTION_TOP, "port"));
	assert_null(schema_find(SECTION_DHCP, "images"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_enums),
		cmocka_unit_test(test_suggest),
		cmocka_unit_test(test_quote),
		cmocka_unit_test(test_printable),
		cmocka_unit_test(test_prefix),
		cmocka_unit_test(test_schema),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
