#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/path.h"

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))
#define T(text)	    (text), sizeof(text) - 1
#define X10	    "xxxxxxxxxx"
#define X100	    X10 X10 X10 X10 X10 X10 X10 X10 X10 X10
#define X511	    X100 X100 X100 X100 X100 X10 "x"

enum how {
	TFTP, /* as it stands */
	HTTP, /* percent escapes */
	BOTH  /* the same either way */
};

static const struct {
	enum how how;
	const char *text;
	size_t len;
	const char *want; /* NULL: no name */
} cases[] = {
	{BOTH, T(""), ""},
	{BOTH, T("/"), ""},
	{BOTH, T("///"), ""},
	{BOTH, T("."), ""},
	{BOTH, T("./"), ""},
	{BOTH, T("/./././"), ""},
	{BOTH, T("a"), "a"},
	{BOTH, T("/a"), "a"},
	{BOTH, T("//a"), "a"},
	{BOTH, T("a/"), "a"},
	{BOTH, T("a//"), "a"},
	{BOTH, T("a/."), "a"},
	{BOTH, T("./a"), "a"},
	{BOTH, T("a/./b"), "a/b"},
	{BOTH, T("a//b"), "a/b"},
	{BOTH, T("/images//./debian.efi"), "images/debian.efi"},
	{BOTH, T("\\images\\debian.efi"), "images/debian.efi"},
	{BOTH, T("a\\/\\b"), "a/b"},
	{BOTH, T("a b"), "a b"},
	{BOTH, T("~!@#$^&*()_+-={}[]|;:'\",<>?`"),
		"~!@#$^&*()_+-={}[]|;:'\",<>?`"},

	/* Dots. */
	{BOTH, T(".."), NULL},
	{BOTH, T("../"), NULL},
	{BOTH, T("/.."), NULL},
	{BOTH, T("a/.."), NULL},
	{BOTH, T("a/../b"), NULL},
	{BOTH, T("../../etc/passwd"), NULL},
	{BOTH, T("..\\a"), NULL},
	{BOTH, T("a\\..\\b"), NULL},
	{BOTH, T("./.."), NULL},
	{BOTH, T("..."), "..."},
	{BOTH, T("a..b"), "a..b"},
	{BOTH, T("..a"), "..a"},
	{BOTH, T("a.."), "a.."},
	{BOTH, T(".a/b."), ".a/b."},
	{BOTH, T("a/.b/c"), "a/.b/c"},

	/* Bytes that no name holds. */
	{BOTH, T("a\0"), NULL},
	{BOTH, T("\0a"), NULL},
	{BOTH, T("a\nb"), NULL},
	{BOTH, T("a\tb"), NULL},
	{BOTH, T("a\x1f"), NULL},
	{BOTH, T("a\x7f"), NULL},
	{BOTH, T("a\x80"), NULL},
	{BOTH, T("a\xff"), NULL},
	{BOTH, T("\xc3\xa9"), NULL},

	/* Escapes. */
	{TFTP, T("a%41"), "a%41"},
	{TFTP, T("%2e%2e/%"), "%2e%2e/%"},
	{HTTP, T("a%41"), "aA"},
	{HTTP, T("%2Fa%2f%62"), "a/b"},
	{HTTP, T("a%5Cb%5c"), "a/b"},
	{HTTP, T("a%20b"), "a b"},
	{HTTP, T("a%2541"), "a%41"},
	{HTTP, T("%7E%7e"), "~~"},
	{HTTP, T("a/%2E/b"), "a/b"},
	{HTTP, T("%2e%2e"), NULL},
	{HTTP, T("a/%2e./b"), NULL},
	{HTTP, T("a%2f..%2fb"), NULL},
	{HTTP, T("a%5c..%5cb"), NULL},
	{HTTP, T("%252e%252e"), "%2e%2e"},
	{HTTP, T("a%00"), NULL},
	{HTTP, T("a%0a"), NULL},
	{HTTP, T("a%1F"), NULL},
	{HTTP, T("a%7f"), NULL},
	{HTTP, T("a%80"), NULL},
	{HTTP, T("a%fF"), NULL},
	{HTTP, T("a%"), NULL},
	{HTTP, T("a%4"), NULL},
	{HTTP, T("a%4g"), NULL},
	{HTTP, T("a%g4"), NULL},
	{HTTP, T("a% 4"), NULL},
	{HTTP, T("a%+4"), NULL},
	{HTTP, T("a%%41"), NULL},
	{HTTP, T("a%u0041"), NULL},

	/* Length. */
	{BOTH, T(X511), X511},
	{BOTH, T(X511 "x"), NULL},
	{BOTH, T("/" X511), X511},
	{BOTH, T(X511 "/"), X511},
	{BOTH, T(X511 "//./."), X511},
	{BOTH, T(X511 "/.x"), NULL},
	{BOTH, T(X511 "/x"), NULL},
	{BOTH, T(X511 "/.."), NULL},
	{BOTH, T("./" X511 "/."), X511},
	{BOTH, T(X511 X511), NULL},
	{HTTP, T("%78" X511), NULL},
	{HTTP, T(X100 X100 X100 X100 X100 X10 "%78"), X511},
};

static void check(size_t i, bool percent)
{
	char got[PATH_MAX_LEN + 1], again[PATH_MAX_LEN + 1];
	char *text = malloc(cases[i].len > 0 ? cases[i].len : 1);

	assert_non_null(text);
	memcpy(text, cases[i].text, cases[i].len);
	memset(got, '#', sizeof(got));
	bool ok = path_normalise(text, cases[i].len, percent, got);
	free(text);

	if (ok != (cases[i].want != NULL))
		fail_msg("row %zu, \"%s\", percent %d: %d", i, cases[i].text,
			percent, ok);
	if (!ok) {
		for (size_t at = 0; at < sizeof(got); at++)
			assert_int_equal(got[at], '#');
		return;
	}
	if (strcmp(got, cases[i].want) != 0)
		fail_msg("row %zu, \"%s\", percent %d: \"%s\"", i,
			cases[i].text, percent, got);
	assert_true(path_normalise(got, strlen(got), false, again));
	assert_string_equal(got, again);
}

static void test_normalise(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(cases); i++) {
		if (cases[i].how != HTTP)
			check(i, false);
		if (cases[i].how != TFTP)
			check(i, true);
	}
}

/* Every byte, alone and escaped. */
static void test_every_byte(void **state)
{
	static const char digits[] = "0123456789abcdef";

	(void)state;
	for (unsigned c = 0; c < 256; c++) {
		const char raw[] = {'x', (char)c};
		const char escaped[] = {
			'x', '%', digits[c >> 4], digits[c & 15]};
		char want[] = {'x', (char)c, '\0'};
		bool ok = c >= 0x20 && c <= 0x7e;
		char got[PATH_MAX_LEN + 1];

		if (c == '/' || c == '\\')
			want[1] = '\0';
		assert_int_equal(path_normalise(raw, 2, false, got), ok);
		if (ok)
			assert_string_equal(got, want);
		assert_int_equal(path_normalise(escaped, 4, true, got), ok);
		if (ok)
			assert_string_equal(got, want);
		assert_int_equal(path_unescape(escaped + 1, 3), (int)c);
	}
}

static void test_unescape(void **state)
{
	(void)state;
	assert_int_equal(path_unescape("%aF", 3), 0xaf);
	assert_int_equal(path_unescape("%00x", 4), 0);
	assert_int_equal(path_unescape("%41", 2), -1);
	assert_int_equal(path_unescape("%", 1), -1);
	assert_int_equal(path_unescape("", 0), -1);
	assert_int_equal(path_unescape("x41", 3), -1);
	assert_int_equal(path_unescape("%4x", 3), -1);
	assert_int_equal(path_unescape("%x4", 3), -1);
	assert_int_equal(path_unescape("%-1", 3), -1);
}

static void test_below(void **state)
{
	static const struct {
		const char *path, *head, *want;
	} rows[] = {
		{"images/a.efi", "images", "a.efi"},
		{"images/a.efi/linux", "images", "a.efi/linux"},
		{"images", "images", ""},
		{"images/", "images", ""},
		{"images2/a", "images", NULL},
		{"image", "images", NULL},
		{"", "images", NULL},
		{"a/images/b", "images", NULL},
		{"Images/a", "images", NULL},
		{"a.efi/linux", "a.efi", "linux"},
		{"a/b/c", "a/b", "c"},
		{"", "", ""},
		{"a", "", NULL},
	};

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		const char *got = path_below(rows[i].path, rows[i].head);

		if (!got != !rows[i].want ||
			(got && strcmp(got, rows[i].want) != 0))
			fail_msg("%s below %s: %s", rows[i].path, rows[i].head,
				got ? got : "none");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_normalise),
		cmocka_unit_test(test_every_byte),
		cmocka_unit_test(test_unescape),
		cmocka_unit_test(test_below),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
