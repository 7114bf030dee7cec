#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "proto/http.h"

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))
#define DAY_S	    86400
#define YEAR_10000  253402300800

static const struct {
	const char *text;
	int64_t t;
} good[] = {
	{"Sun, 06 Nov 1994 08:49:37 GMT", 784111777},
	{"Sunday, 06-Nov-94 08:49:37 GMT", 784111777},
	{"Sun Nov  6 08:49:37 1994", 784111777},
	{"Thu, 01 Jan 1970 00:00:00 GMT", 0},
	{"Thursday, 01-Jan-70 00:00:00 GMT", 0},
	{"Thu Jan  1 00:00:00 1970", 0},
	{"Wed, 31 Dec 1969 23:59:59 GMT", -1},
	{"Sat, 01 Jan 0000 00:00:00 GMT", -62167219200},
	{"Tue, 19 Jan 2038 03:14:08 GMT", 2147483648},
	{"Fri, 31 Dec 9999 23:59:59 GMT", YEAR_10000 - 1},
	{"Tue, 29 Feb 2000 12:00:00 GMT", 951825600},
	{"Thu, 29 Feb 2024 23:59:59 GMT", 1709251199},
	{"Thu Feb 29 23:59:59 2024", 1709251199},
	{"Thursday, 29-Feb-24 23:59:59 GMT", 1709251199},
	{"Wed, 28 Feb 2100 00:00:00 GMT", 4107456000},
	{"Sat, 31 Dec 2016 23:59:60 GMT", 1483228800},
	{"Tuesday, 31-Dec-69 00:00:00 GMT", 3155673600},
	{"Friday, 31-Dec-99 23:59:59 GMT", 946684799},
	{"Sun Nov 06 08:49:37 1994", 784111777},
	{"Wed Dec 31 00:00:00 2025", 1767139200},
	/* The name of the day is not compared. */
	{"Mon, 06 Nov 1994 08:49:37 GMT", 784111777},
};

static const char *const bad[] = {
	"",
	" ",
	"0",
	"784111777",
	"Sun",
	"Sun, 06 Nov 1994 08:49:37",
	"Sun, 06 Nov 1994 08:49:37 ",
	"Sun, 06 Nov 1994 08:49:37 GM",
	"Sun, 06 Nov 1994 08:49:37 GMTx",
	"Sun, 06 Nov 1994 08:49:37 GMT ",
	" Sun, 06 Nov 1994 08:49:37 GMT",
	"Sun, 06 Nov 1994 08:49:37 UTC",
	"Sun, 06 Nov 1994 08:49:37 +0000",
	"Sun, 06 Nov 1994  08:49:37 GMT",
	"Sun,  6 Nov 1994 08:49:37 GMT",
	"Sun, 6 Nov 1994 08:49:37 GMT",
	"Sun,06 Nov 1994 08:49:37 GMT",
	"Sun 06 Nov 1994 08:49:37 GMT",
	"06 Nov 1994 08:49:37 GMT",
	"sun, 06 Nov 1994 08:49:37 GMT",
	"Sun, 06 nov 1994 08:49:37 GMT",
	"Sun, 06 Nov 1994 08:49:37 gmt",
	"Xyz, 06 Nov 1994 08:49:37 GMT",
	"Sun, 06 Xyz 1994 08:49:37 GMT",
	"Sun, 06 11 1994 08:49:37 GMT",
	"Sun, 06 Nov 94 08:49:37 GMT",
	"Sun, 06 Nov 19940 08:49:37 GMT",
	"Sun, 06 Nov -994 08:49:37 GMT",
	"Sun, 00 Nov 1994 08:49:37 GMT",
	"Sun, 31 Nov 1994 08:49:37 GMT",
	"Sun, 32 Dec 1994 08:49:37 GMT",
	"Sun, 29 Feb 2023 08:49:37 GMT",
	"Sun, 29 Feb 2100 08:49:37 GMT",
	"Sun, 30 Feb 2000 08:49:37 GMT",
	"Sun, 06 Nov 1994 24:00:00 GMT",
	"Sun, 06 Nov 1994 08:60:37 GMT",
	"Sun, 06 Nov 1994 08:49:61 GMT",
	"Sun, 06 Nov 1994 8:49:37 GMT",
	"Sun, 06 Nov 1994 08.49.37 GMT",
	"Sun, 06 Nov 1994 08:4a:37 GMT",
	"Sun, +6 Nov 1994 08:49:37 GMT",
	"Sunday, 06 Nov 1994 08:49:37 GMT",
	"Sun, 06-Nov-94 08:49:37 GMT",
	"Sunday, 06-Nov-1994 08:49:37 GMT",
	"Sunday, 06-Nov-9 08:49:37 GMT",
	"Sunday 06-Nov-94 08:49:37 GMT",
	"Sunday, 29-Feb-23 08:49:37 GMT",
	"Sun Nov 6 08:49:37 1994",
	"Sun Nov  0 08:49:37 1994",
	"Sun Nov  6 08:49:37 1994 GMT",
	"Sun Nov  6 08:49:37 94",
	"Sun Nov 31 08:49:37 1994",
	"Sun, Nov  6 08:49:37 1994",
	"1994-11-06T08:49:37Z",
	"W, D M Y T Z",
};

static void test_parse(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(good); i++) {
		int64_t got = -2;

		if (!http_parse_date(good[i].text, strlen(good[i].text), &got))
			fail_msg("%s: refused", good[i].text);
		if (got != good[i].t)
			fail_msg("%s: %lld", good[i].text, (long long)got);
	}
	for (size_t i = 0; i < ROWS(bad); i++) {
		int64_t got = -2;

		if (http_parse_date(bad[i], strlen(bad[i]), &got))
			fail_msg("%s: %lld", bad[i], (long long)got);
		assert_true(got == -2);
	}
}

/* A date cut short anywhere, or with a byte changed to one of no use. */
static void test_damaged(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(good); i++) {
		size_t len = strlen(good[i].text);
		int64_t got;
		char text[40];

		for (size_t cut = 0; cut < len; cut++)
			assert_false(http_parse_date(good[i].text, cut, &got));
		for (size_t at = 0; at < len; at++) {
			memcpy(text, good[i].text, len);
			text[at] = '\0';
			assert_false(http_parse_date(text, len, &got));
			text[at] = '/';
			assert_false(http_parse_date(text, len, &got));
		}
	}
}

/* libc is the yardstick, at three moments of every day up to the year 9999. */
static void test_against_libc(void **state)
{
	static const int64_t seconds[] = {0, 45296, DAY_S - 1};

	(void)state;
	for (int64_t t = 0; t < YEAR_10000; t += DAY_S) {
		time_t now = t + seconds[t / DAY_S % 3];
		char want[64], got[HTTP_DATE_LEN];
		struct tm tm;
		int64_t back = -2;

		assert_non_null(gmtime_r(&now, &tm));
		assert_int_equal(strftime(want, sizeof(want),
					 "%a, %d %b %Y %H:%M:%S GMT", &tm),
			HTTP_DATE_LEN - 1);
		http_format_date(now, got);
		if (strcmp(got, want) != 0)
			fail_msg("%s instead of %s", got, want);
		if (!http_parse_date(got, strlen(got), &back) || back != now)
			fail_msg("%s: %lld", got, (long long)back);
	}
}

static void test_format_ends(void **state)
{
	static const struct {
		int64_t t;
		const char *want;
	} cases[] = {
		{784111777, "Sun, 06 Nov 1994 08:49:37 GMT"},
		{0, "Thu, 01 Jan 1970 00:00:00 GMT"},
		{-1, "Thu, 01 Jan 1970 00:00:00 GMT"},
		{INT64_MIN, "Thu, 01 Jan 1970 00:00:00 GMT"},
		{YEAR_10000 - 1, "Fri, 31 Dec 9999 23:59:59 GMT"},
		{YEAR_10000, "Fri, 31 Dec 9999 23:59:59 GMT"},
		{INT64_MAX, "Fri, 31 Dec 9999 23:59:59 GMT"},
	};

	(void)state;
	for (size_t i = 0; i < ROWS(cases); i++) {
		char got[HTTP_DATE_LEN];

		http_format_date(cases[i].t, got);
		assert_string_equal(got, cases[i].want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_against_libc),
		cmocka_unit_test(test_format_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
