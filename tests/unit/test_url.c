/* url, by tables. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "proto/url.h"

#define N(array) (sizeof(array) / sizeof((array)[0]))

static const struct {
	const char *text;
	const char *want; /* "scheme host port path"; or part of why not */
} cases[] = {
	{"tftp://10.0.0.1/a.efi", "tftp 10.0.0.1 69 a.efi"},
	{"tftp://10.0.0.1:6969/images/a.efi",
		"tftp 10.0.0.1 6969 images/a.efi"},
	{"tftp://server//a", "tftp server 69 /a"},
	{"tftp://server/a%20b%2fc", "tftp server 69 a b/c"},
	{"tftp://[2001:db8::1]/a", "tftp 2001:db8::1 69 a"},
	{"tftp://[fe80::1%eth0]:70/a", "tftp fe80::1%eth0 70 a"},
	{"tftp://server/a%", "no escape"},
	{"tftp://server/a%4", "no escape"},
	{"tftp://server/a%zz", "no escape"},
	{"tftp://server/a%00", "no escape"},
	{"tftp://server/", "the file is missing"},
	{"tftp://server", "the file is missing"},
	{"http://server/a.efi", "http server 80 /a.efi"},
	{"http://server", "http server 80 /"},
	{"http://server:8080", "http server 8080 /"},
	{"http://server/a%20b?c=d/e", "http server 80 /a%20b?c=d/e"},
	{"http://[::1]:8080/a", "http ::1 8080 /a"},
	{"http:///a", "the server is missing"},
	{"http://:80/a", "the server is missing"},
	{"http://[]/a", "the server is missing"},
	{"http://[::1/a", "']' is missing"},
	{"http://[::1]80/a", "no port"},
	{"http://server:/a", "no port"},
	{"http://server:0/a", "no port"},
	{"http://server:65536/a", "no port"},
	{"http://server:+80/a", "no port"},
	{"http://server:800000/a", "no port"},
	{"http://me@server/a", "user"},
	{"http://server/a b", "no URL"},
	{"http://server/\xc3\xa4", "no URL"},
	{"http://server/a#b", "no URL"},
	{"dhcp://10.0.0.1", "dhcp 10.0.0.1 67 /"},
	{"dhcp://server:6767/", "dhcp server 6767 /"},
	{"dhcp://server/a", "no files"},
	{"https://server/a", "begins with"},
	{"HTTP://server/a", "begins with"},
	{"server/a", "begins with"},
	{"", "begins with"},
};

static void test_parse(void **state)
{
	static const char *const names[] = {"tftp", "http", "dhcp"};

	(void)state;
	for (size_t i = 0; i < N(cases); i++) {
		struct url url;
		const char *wrong = url_parse(cases[i].text, &url);
		char got[URL_MAX + 300];

		if (wrong)
			snprintf(got, sizeof(got), "%s", wrong);
		else
			snprintf(got, sizeof(got), "%s %s %u %s",
				names[url.scheme], url.host, url.port,
				url.path);
		if (wrong ? !strstr(got, cases[i].want)
			  : strcmp(got, cases[i].want) != 0)
			fail_msg("<%s>: <%s>, wanted <%s>", cases[i].text, got,
				cases[i].want);
	}
}

static void test_long(void **state)
{
	static const struct {
		size_t len;
		const char *begin, *want; /* NULL: good */
	} rows[] = {
		{255, "tftp://s/", NULL},
		{256, "tftp://s/", "file's name is too long"},
		{255, "http://", NULL},
		{256, "http://", "server's name is too long"},
		{URL_MAX - 1 - 9, "http://s/", NULL},
		{URL_MAX - 9, "http://s/", "too long"},
	};

	(void)state;
	for (size_t i = 0; i < N(rows); i++) {
		char text[2 * URL_MAX];
		size_t at = strlen(rows[i].begin);
		const char *wrong;
		struct url url;

		strcpy(text, rows[i].begin);
		memset(text + at, 'x', rows[i].len);
		text[at + rows[i].len] = '\0';
		wrong = url_parse(text, &url);
		if (!wrong != !rows[i].want ||
			(wrong && !strstr(wrong, rows[i].want)))
			fail_msg("%s%zu: %s", rows[i].begin, rows[i].len,
				wrong ? wrong : "good");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
