#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/http.h"

/* A text that may hold NUL, and its length. */
#define T(text) (text), sizeof(text) - 1
#define H	"Host: a\r\n"
#define X10	"xxxxxxxxxx"
#define X100	X10 X10 X10 X10 X10 X10 X10 X10 X10 X10
#define X1000	X100 X100 X100 X100 X100 X100 X100 X100 X100 X100

/* Heads that are read. Expectations left out: 1.1, GET, absent. */
static const struct {
	const char *name;
	const char *text;
	size_t len;
	const char *behind; /* what follows in the buffer, not read */
	const char *path;
	const char *query, *host;
	bool head, v10, close;
	const char *range, *user_agent, *if_match, *if_none_match;
	const char *if_range, *if_modified_since, *if_unmodified_since;
} good[] = {
	{"the least of 1.1", T("GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
		.path = "/", .host = "a"},
	{"the least of 1.0", T("GET / HTTP/1.0\r\n\r\n"), .path = "/",
		.v10 = true, .close = true},
	{"UEFI HTTP Boot asks for the size",
		T("HEAD /images/debian.efi HTTP/1.1\r\n"
		  "Host: 192.0.2.1:8080\r\nAccept: */*\r\n"
		  "User-Agent: UefiHttpBoot/1.0\r\n\r\n"),
		.head = true, .path = "/images/debian.efi",
		.host = "192.0.2.1:8080", .user_agent = "UefiHttpBoot/1.0"},
	{"UEFI HTTP Boot resumes by tag",
		T("GET /a.efi HTTP/1.1\r\n" H "Range: bytes=100-199\r\n"
		  "If-Match: \"abc\"\r\n\r\n"),
		.path = "/a.efi", .host = "a", .range = "bytes=100-199",
		.if_match = "\"abc\""},
	{"UEFI HTTP Boot resumes by date",
		T("GET /a.efi HTTP/1.1\r\n" H "Range: bytes=100-199\r\n"
		  "If-Unmodified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n"),
		.path = "/a.efi", .host = "a", .range = "bytes=100-199",
		.if_unmodified_since = "Sun, 06 Nov 1994 08:49:37 GMT"},
	{"iPXE",
		T("GET /ipxe/52-54-00-12-34-56?uuid=1&serial=%20 HTTP/1.1\r\n"
		  "Connection: keep-alive\r\nUser-Agent: iPXE/1.0.0+\r\n"
		  "Host: 192.0.2.1\r\n\r\n"),
		.path = "/ipxe/52-54-00-12-34-56", .query = "uuid=1&serial=%20",
		.host = "192.0.2.1", .user_agent = "iPXE/1.0.0+"},
	{"every conditional field",
		T("GET / HTTP/1.1\r\n" H "If-None-Match: W/\"x\"\r\n"
		  "If-Range: \"y\"\r\nIf-Modified-Since: never\r\n\r\n"),
		.path = "/", .host = "a", .if_none_match = "W/\"x\"",
		.if_range = "\"y\"", .if_modified_since = "never"},
	{"a second request behind it", T("GET / HTTP/1.1\r\n" H "\r\n"),
		.behind = "GET /2 HTTP/1.1\r\n\r\n", .path = "/", .host = "a"},
	{"junk behind it", T("GET / HTTP/1.1\r\n" H "\r\n"),
		.behind = "\n\001\177", .path = "/", .host = "a"},
	{"one empty line before", T("\r\nGET / HTTP/1.1\r\n" H "\r\n"),
		.path = "/", .host = "a"},
	{"two empty lines before", T("\r\n\r\nGET / HTTP/1.1\r\n" H "\r\n"),
		.path = "/", .host = "a"},
	{"1.2 is read as 1.1", T("GET / HTTP/1.2\r\n" H "\r\n"), .path = "/",
		.host = "a"},
	{"1.9 is read as 1.1", T("GET / HTTP/1.9\r\n" H "\r\n"), .path = "/",
		.host = "a"},
	{"1.0 with Host", T("GET / HTTP/1.0\r\nHost: b\r\n\r\n"), .path = "/",
		.host = "b", .v10 = true, .close = true},
	{"1.0 keep-alive",
		T("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n"),
		.path = "/", .v10 = true},
	{"1.0 keep-alive and close",
		T("GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n"),
		.path = "/", .v10 = true, .close = true},
	{"1.1 close", T("GET / HTTP/1.1\r\n" H "Connection: close\r\n\r\n"),
		.path = "/", .host = "a", .close = true},
	{"1.1 close among others",
		T("GET / HTTP/1.1\r\n" H "Connection: ,TE ,\tCLOSE,x\r\n\r\n"),
		.path = "/", .host = "a", .close = true},
	{"1.1 close on a later line",
		T("GET / HTTP/1.1\r\n" H "Connection: keep-alive\r\n"
		  "Connection: upgrade\r\nConnection: close\r\n\r\n"),
		.path = "/", .host = "a", .close = true},
	{"not quite close",
		T("GET / HTTP/1.1\r\n" H "Connection: closed\r\n\r\n"),
		.path = "/", .host = "a"},
	{"an empty Connection", T("GET / HTTP/1.1\r\n" H "Connection:\r\n\r\n"),
		.path = "/", .host = "a"},
	{"names in any case",
		T("GET / HTTP/1.1\r\nhOsT: a\r\nRANGE: bytes=0-\r\n"
		  "if-mATCH: *\r\n\r\n"),
		.path = "/", .host = "a", .range = "bytes=0-", .if_match = "*"},
	{"values are trimmed",
		T("GET / HTTP/1.1\r\nHost: \t a \t\r\nUser-Agent:x y\t \r\n"
		  "\r\n"),
		.path = "/", .host = "a", .user_agent = "x y"},
	{"a tab within a value",
		T("GET / HTTP/1.1\r\n" H "User-Agent: x\ty\r\n\r\n"),
		.path = "/", .host = "a", .user_agent = "x\ty"},
	{"an empty Host", T("GET / HTTP/1.1\r\nHost:\r\n\r\n"), .path = "/",
		.host = ""},
	{"an empty value", T("GET / HTTP/1.1\r\n" H "If-Match: \r\n\r\n"),
		.path = "/", .host = "a", .if_match = ""},
	{"bytes from 0x80 on in a value",
		T("GET / HTTP/1.1\r\n" H "User-Agent: \xe9\xff\x80\r\n\r\n"),
		.path = "/", .host = "a", .user_agent = "\xe9\xff\x80"},
	{"an IPv6 host", T("GET / HTTP/1.1\r\nHost: [2001:db8::1]\r\n\r\n"),
		.path = "/", .host = "[2001:db8::1]"},
	{"an IPv6 host with a port",
		T("GET / HTTP/1.1\r\nHost: [fe80::1%25eth0]:80\r\n\r\n"),
		.path = "/", .host = "[fe80::1%25eth0]:80"},
	{"a host with an empty port",
		T("GET / HTTP/1.1\r\nHost: boot_1.example:\r\n\r\n"),
		.path = "/", .host = "boot_1.example:"},
	{"the absolute form replaces Host",
		T("GET http://b:81/x?y HTTP/1.1\r\n" H "\r\n"), .path = "/x",
		.query = "y", .host = "b:81"},
	{"the absolute form without a path",
		T("GET http://b HTTP/1.1\r\n" H "\r\n"), .path = "/",
		.host = "b"},
	{"the absolute form with a query alone",
		T("GET http://b?q=1 HTTP/1.1\r\n" H "\r\n"), .path = "/",
		.query = "q=1", .host = "b"},
	{"the absolute form, scheme in capitals, 1.0",
		T("GET HTTP://[::1]:8/ HTTP/1.0\r\n\r\n"), .path = "/",
		.host = "[::1]:8", .v10 = true, .close = true},
	{"an empty query", T("GET /? HTTP/1.1\r\n" H "\r\n"), .path = "/",
		.query = "", .host = "a"},
	{"a second ? belongs to the query",
		T("GET /p?a?b HTTP/1.1\r\n" H "\r\n"), .path = "/p",
		.query = "a?b", .host = "a"},
	{"dots and slashes are not judged here",
		T("GET //../%2e%zz HTTP/1.1\r\n" H "\r\n"),
		.path = "//../%2e%zz", .host = "a"},
	{"all characters of RFC 3986",
		T("GET /aZ09-._~%!$&'()*+,;=:@/ HTTP/1.1\r\n" H "\r\n"),
		.path = "/aZ09-._~%!$&'()*+,;=:@/", .host = "a"},
	{"a target of 2048 bytes",
		T("GET /" X1000 X1000 X10 X10 X10 X10 "xxxxxxx HTTP/1.1\r\n" H
		  "\r\n"),
		.path = "/" X1000 X1000 X10 X10 X10 X10 "xxxxxxx", .host = "a"},
	{"Content-Length 0",
		T("GET / HTTP/1.1\r\n" H "Content-Length: 0\r\n\r\n"),
		.path = "/", .host = "a"},
	{"Content-Length 000",
		T("HEAD / HTTP/1.1\r\n" H "Content-Length: 000\r\n\r\n"),
		.head = true, .path = "/", .host = "a"},
	{"Expect and Upgrade are ignored",
		T("GET / HTTP/1.1\r\n" H "Expect: 100-continue\r\n"
		  "Upgrade: h2c\r\nHTTP2-Settings: AA\r\n\r\n"),
		.path = "/", .host = "a"},
	{"two Range are none",
		T("GET / HTTP/1.1\r\n" H "Range: bytes=0-1\r\n"
		  "Range: bytes=2-3\r\n\r\n"),
		.path = "/", .host = "a"},
	{"three Range are none",
		T("GET / HTTP/1.1\r\n" H "Range: bytes=0-1\r\n"
		  "Range: bytes=2-3\r\nRange: bytes=4-5\r\n\r\n"),
		.path = "/", .host = "a"},
	{"the first User-Agent counts",
		T("GET / HTTP/1.1\r\n" H "User-Agent: 1\r\n"
		  "User-Agent: 2\r\n\r\n"),
		.path = "/", .host = "a", .user_agent = "1"},
	{"an odd name that is a token",
		T("GET / HTTP/1.1\r\n!#$%&'*+-.^_`|~09: x\r\n" H "\r\n"),
		.path = "/", .host = "a"},
	{"a colon in a value", T("GET / HTTP/1.1\r\nX: a:b : c\r\n" H "\r\n"),
		.path = "/", .host = "a"},
};

static const struct {
	const char *name;
	int want;
	const char *text;
	size_t len;
} bad[] = {
#define BAD(result, row_name, row_text) {row_name, result, T(row_text)},
#include "tests/unit/http_bad.def"
#undef BAD
};

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))

/* An own copy of exactly this length, for ASan to see what is read beyond. */
static char *copy_of(const char *text, size_t len)
{
	char *copy = malloc(len > 0 ? len : 1);

	assert_non_null(copy);
	memcpy(copy, text, len);
	return copy;
}

static void check_slice(const char *row, const char *what,
	struct http_slice got, const char *want)
{
	if (!want && !got.p)
		return;
	if (!want || !got.p || got.len != strlen(want) ||
		memcmp(got.p, want, got.len) != 0)
		fail_msg("%s: %s is \"%.*s\"", row, what,
			got.p ? (int)got.len : 0, got.p ? got.p : "");
}

static void check_request(size_t i, const struct http_request *got)
{
	const char *row = good[i].name;

	check_slice(row, "path", got->path, good[i].path);
	check_slice(row, "query", got->query, good[i].query);
	check_slice(row, "host", got->host, good[i].host);
	check_slice(row, "range", got->range, good[i].range);
	check_slice(row, "user agent", got->user_agent, good[i].user_agent);
	check_slice(row, "If-Match", got->if_match, good[i].if_match);
	check_slice(row, "If-None-Match", got->if_none_match,
		good[i].if_none_match);
	check_slice(row, "If-Range", got->if_range, good[i].if_range);
	check_slice(row, "If-Modified-Since", got->if_modified_since,
		good[i].if_modified_since);
	check_slice(row, "If-Unmodified-Since", got->if_unmodified_since,
		good[i].if_unmodified_since);
	if (got->method != (good[i].head ? HTTP_METHOD_HEAD : HTTP_METHOD_GET))
		fail_msg("%s: method", row);
	if (got->minor != (good[i].v10 ? 0 : 1))
		fail_msg("%s: minor version %u", row, got->minor);
	if (got->keep_alive == good[i].close)
		fail_msg("%s: keep_alive", row);
}

static void test_good(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(good); i++) {
		const char *behind = good[i].behind ? good[i].behind : "";
		size_t len = good[i].len + strlen(behind);
		char *buf = copy_of(good[i].text, good[i].len);
		struct http_request request;

		buf = realloc(buf, len);
		assert_non_null(buf);
		memcpy(buf + good[i].len, behind, strlen(behind));
		int got = http_parse_request(buf, len, 0, &request);
		if (got != (int)good[i].len)
			fail_msg("%s: %d", good[i].name, got);
		check_request(i, &request);
		free(buf);
	}
}

static void test_prefixes(void **state)
{
	struct http_request request, before;

	(void)state;
	memset(&request, 0x5a, sizeof(request));
	before = request;
	for (size_t i = 0; i < ROWS(good); i++) {
		for (size_t len = 0; len < good[i].len; len++) {
			char *buf = copy_of(good[i].text, len);
			int got = http_parse_request(buf, len, 0, &request);

			free(buf);
			if (got != 0)
				fail_msg("%s: %d at %zu", good[i].name, got,
					len);
			assert_memory_equal(&request, &before, sizeof(before));
		}
	}
}

/* Fed in steps of `step` bytes, by the contract of `scanned`. */
static int dribble(
	const char *text, size_t len, size_t step, struct http_request *ret)
{
	size_t scanned = 0;

	for (;;) {
		size_t have = len - scanned < step ? len : scanned + step;
		int got = http_parse_request(text, have, scanned, ret);

		if (got != 0 || have == len)
			return got;
		scanned = have;
	}
}

static void test_dribbled(void **state)
{
	(void)state;
	for (size_t step = 1; step <= 7; step++) {
		struct http_request request;

		for (size_t i = 0; i < ROWS(good); i++) {
			int got = dribble(
				good[i].text, good[i].len, step, &request);

			if (got != (int)good[i].len)
				fail_msg("%s: %d in steps of %zu", good[i].name,
					got, step);
			check_request(i, &request);
		}
		for (size_t i = 0; i < ROWS(bad); i++) {
			int got = dribble(
				bad[i].text, bad[i].len, step, &request);

			if (got != bad[i].want)
				fail_msg("%s: %d in steps of %zu", bad[i].name,
					got, step);
		}
	}
}

static void test_bad(void **state)
{
	struct http_request request, before;

	(void)state;
	memset(&request, 0x5a, sizeof(request));
	before = request;
	for (size_t i = 0; i < ROWS(bad); i++) {
		char *buf = copy_of(bad[i].text, bad[i].len);
		int got = http_parse_request(buf, bad[i].len, 0, &request);

		free(buf);
		if (got != bad[i].want)
			fail_msg("%s: %d instead of %d", bad[i].name, got,
				bad[i].want);
		assert_memory_equal(&request, &before, sizeof(before));
	}
}

/* A request of `len` bytes, all but the last field's value of a known form. */
static char *head_of_length(size_t len)
{
	static const char start[] = "GET / HTTP/1.1\r\nHost: a\r\nX: ";
	char *buf = malloc(len);

	assert_non_null(buf);
	memset(buf, 'x', len);
	memcpy(buf, start, sizeof(start) - 1);
	memcpy(buf + len - 4, "\r\n\r\n", 4);
	return buf;
}

static void test_length_limit(void **state)
{
	static const struct {
		size_t len;
		int want;
	} cases[] = {
		{HTTP_MAX_HEAD - 1, HTTP_MAX_HEAD - 1},
		{HTTP_MAX_HEAD, HTTP_MAX_HEAD},
		{HTTP_MAX_HEAD + 1, -431},
		{HTTP_MAX_HEAD + 3, -431},
		{2 * HTTP_MAX_HEAD, -431},
	};

	(void)state;
	for (size_t i = 0; i < ROWS(cases); i++) {
		char *buf = head_of_length(cases[i].len);
		struct http_request request;
		int got = http_parse_request(buf, cases[i].len, 0, &request);

		assert_int_equal(got, cases[i].want);
		got = dribble(buf, cases[i].len, 1, &request);
		assert_int_equal(got, cases[i].want);
		free(buf);
	}
}

static void test_field_limit(void **state)
{
	char buf[HTTP_MAX_HEAD];
	struct http_request request;

	(void)state;
	for (size_t fields = 1; fields <= HTTP_MAX_HEADERS + 2; fields++) {
		size_t len = 0;

		memcpy(buf, T("GET / HTTP/1.1\r\nHost: a\r\n"));
		len += 25;
		for (size_t i = 1; i < fields; i++) {
			memcpy(buf + len, T("A:\r\n"));
			len += 4;
		}
		memcpy(buf + len, "\r\n", 2);
		len += 2;
		assert_int_equal(http_parse_request(buf, len, 0, &request),
			fields <= HTTP_MAX_HEADERS ? (int)len : -431);
	}
}

/* What a client that repeats itself can cost: `scanned` bytes are not seen. */
static void test_scanned_is_not_read_again(void **state)
{
	static const char text[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
	char buf[sizeof(text)];
	struct http_request request;

	(void)state;
	memcpy(buf, text, sizeof(text));
	buf[5] = '\001';
	assert_int_equal(http_parse_request(buf, 20, 0, &request), -400);
	assert_int_equal(http_parse_request(buf, 20, 10, &request), 0);
	/* More than there is, or than was good: no harm. */
	assert_int_equal(http_parse_request(buf, 20, 4000, &request), 0);
	assert_int_equal(
		http_parse_request(T("GET /\n\r\n\r\n"), 9, &request), -400);
	assert_int_equal(http_parse_request(T("GET / HTTP/1.0\r\nA\n\r\n\r\n"),
				 20, &request),
		-400);
}

static void test_slices_are_of_the_input(void **state)
{
	static const char text[] =
		"GET http://b?q HTTP/1.1\r\nHost: a\r\nRange: x\r\n\r\n";
	struct http_request request;

	(void)state;
	assert_int_equal(http_parse_request(T(text), 0, &request),
		(int)sizeof(text) - 1);
	assert_ptr_equal(request.query.p, strstr(text, "q HTTP"));
	assert_ptr_equal(request.host.p, strstr(text, "b?q"));
	assert_ptr_equal(request.range.p, strstr(text, "x\r\n"));
	assert_true(
		request.path.p > text && request.path.p < text + sizeof(text));
}

static const struct {
	const char *name, *query, *key;
	size_t cap;
	const char *want; /* NULL: false */
} queries[] = {
	{"alone", "a=1", "a", 8, "1"},
	{"first of three", "a=1&b=2&c=3", "a", 8, "1"},
	{"middle of three", "a=1&b=2&c=3", "b", 8, "2"},
	{"last of three", "a=1&b=2&c=3", "c", 8, "3"},
	{"not there", "a=1&b=2", "c", 8, NULL},
	{"an empty query", "", "a", 8, NULL},
	{"a prefix of a key", "uuid=1", "uu", 8, NULL},
	{"a key with more", "uu=1", "uuid", 8, NULL},
	{"another case", "UUID=1", "uuid", 8, NULL},
	{"an empty value", "a=&b=2", "a", 8, ""},
	{"no value", "a&b=2", "a", 8, ""},
	{"no value at the end", "b=2&a", "a", 8, ""},
	{"a value is no key", "b=a&c=a=1", "a", 8, NULL},
	{"= in the value", "a=b=c", "a", 8, "b=c"},
	{"empty pairs", "&&a=1&&", "a", 8, "1"},
	{"the first counts", "a=1&a=2", "a", 8, "1"},
	{"a bad first is not made good", "a=%00&a=2", "a", 8, NULL},
	{"decoded", "a=%41%6a%6A%20%26%3d", "a", 8, "Ajj &="},
	{"the first and the last printable byte", "a=%20~%7e", "a", 8, " ~~"},
	{"+ is no space", "a=b+c", "a", 8, "b+c"},
	{"decoded once", "a=%2541", "a", 8, "%41"},
	{"fits", "a=1234567", "a", 8, "1234567"},
	{"does not fit", "a=12345678", "a", 8, NULL},
	{"fits when decoded", "a=%31%32%33", "a", 4, "123"},
	{"room for the NUL alone", "a=", "a", 1, ""},
	{"no room", "a=", "a", 0, NULL},
	{"NUL", "a=%00", "a", 8, NULL},
	{"a line end", "a=x%0d%0a", "a", 8, NULL},
	{"DEL", "a=%7f", "a", 8, NULL},
	{"0x80", "a=%80", "a", 8, NULL},
	{"0xff", "a=%ff", "a", 8, NULL},
	{"a bad escape", "a=%4g", "a", 8, NULL},
	{"half an escape", "a=%4", "a", 8, NULL},
	{"half an escape before another pair", "a=%4&b=1", "a", 8, NULL},
	{"an escape alone", "a=%", "a", 8, NULL},
	{"a bad escape elsewhere", "b=%zz&a=1", "a", 8, "1"},
	{"a raw byte", "a=\xe9", "a", 8, NULL},
};

static void test_query(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(queries); i++) {
		size_t len = strlen(queries[i].query);
		char *copy = copy_of(queries[i].query, len);
		struct http_slice query = {copy, len};
		char got[8];

		memset(got, '#', sizeof(got));
		bool found = http_query_get(
			query, queries[i].key, got, queries[i].cap);
		free(copy);
		if (found != (queries[i].want != NULL))
			fail_msg("%s: %d", queries[i].name, found);
		if (found && strcmp(got, queries[i].want) != 0)
			fail_msg("%s: \"%s\"", queries[i].name, got);
		if (!found && memcmp(got, "########", 8) != 0)
			fail_msg("%s: ret was touched", queries[i].name);
	}

	struct http_slice absent = {NULL, 0};
	char got[8];
	assert_false(http_query_get(absent, "a", got, sizeof(got)));
}

static void test_slice_equal(void **state)
{
	struct http_slice s = {"Close,", 5};

	(void)state;
	assert_true(http_slice_equal(s, "close"));
	assert_true(http_slice_equal(s, "CLOSE"));
	assert_true(http_slice_equal((struct http_slice){"aZ", 2}, "Az"));
	assert_false(http_slice_equal(s, "close,"));
	assert_false(http_slice_equal(s, "clos"));
	assert_false(http_slice_equal(s, ""));
	/* Not letters: '[' and '{' differ by the bit that makes letters small.
	 */
	assert_false(http_slice_equal((struct http_slice){"[", 1}, "{"));
	assert_true(http_slice_equal((struct http_slice){"", 0}, ""));
	assert_false(http_slice_equal((struct http_slice){NULL, 0}, ""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_prefixes),
		cmocka_unit_test(test_dribbled),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_length_limit),
		cmocka_unit_test(test_field_limit),
		cmocka_unit_test(test_scanned_is_not_read_again),
		cmocka_unit_test(test_slices_are_of_the_input),
		cmocka_unit_test(test_query),
		cmocka_unit_test(test_slice_equal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
