/* http_response, by a table; each head also byte by byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "proto/http_response.h"

#define N(array) (sizeof(array) / sizeof((array)[0]))
#define OK	 "HTTP/1.1 200 OK\r\n"

static const struct {
	const char *head;
	const char *want; /* "status length|- close|keep"; NULL: it is none */
} cases[] = {
	{OK "Content-Length: 12\r\n\r\n", "200 12 keep"},
	{OK "content-length:12\r\nServer: x\r\n\r\n", "200 12 keep"},
	{OK "Content-Length: 12\r\nContent-Length: 12\r\n\r\n", "200 12 keep"},
	{OK "Content-Length: 12\r\nContent-Length: 13\r\n\r\n", NULL},
	{OK "Content-Length: 999999999999999999\r\n\r\n",
		"200 999999999999999999 keep"},
	{OK "Content-Length: 9999999999999999999\r\n\r\n", NULL},
	{OK "Content-Length: -1\r\n\r\n", NULL},
	{OK "Content-Length:\r\n\r\n", NULL},
	{OK "\r\n", "200 - keep"},
	{OK "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
		"200 - keep"},
	{OK "Connection: close\r\n\r\n", "200 - close"},
	{OK "Connection: a, Close\r\n\r\n", "200 - close"},
	{"HTTP/1.0 200 OK\r\n\r\n", "200 - close"},
	{"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\n", "200 - keep"},
	{"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "404 0 keep"},
	{"HTTP/1.1 301\r\nLocation: /\r\n\r\n", "301 - keep"},
	{"HTTP/1.1 204 \r\n\r\n", "204 - keep"},
	{"HTTP/2 200 OK\r\n\r\n", NULL},
	{"HTTP/1.1 20 OK\r\n\r\n", NULL},
	{"HTTP/1.1 2000\r\n\r\n", NULL},
	{"HTTP/1.1 099 x\r\n\r\n", NULL},
	{"HTTP/1.1  200 OK\r\n\r\n", NULL},
	{"SSH-2.0-OpenSSH\r\n\r\n", NULL},
	{"HTTP/1.1 200 OK\nContent-Length: 1\n\n", NULL},
	{OK "no colon\r\n\r\n", NULL},
	{OK ": no name\r\n\r\n", NULL},
	{OK "a: b\n\r\n", NULL},
};

static void test_parse(void **state)
{
	(void)state;
	for (size_t i = 0; i < N(cases); i++) {
		char text[300], got[100];
		size_t whole = strlen(cases[i].head);
		struct http_response r;
		int n;

		/* What follows the head is not its business. */
		snprintf(text, sizeof(text), "%s\r\n\r\nbody", cases[i].head);
		n = http_response_parse(text, strlen(text), &r);
		snprintf(got, sizeof(got), "%u %lld %s", r.status,
			r.has_length ? (long long)r.length : -1,
			r.close ? "close" : "keep");
		if (n > 0 && !r.has_length)
			snprintf(got, sizeof(got), "%u - %s", r.status,
				r.close ? "close" : "keep");
		if (!cases[i].want ? n != -1
				   : n != (int)whole ||
					     strcmp(got, cases[i].want) != 0)
			fail_msg("%s: %d %s", cases[i].head, n, got);
		if (!cases[i].want)
			continue;
		for (size_t len = 0; len < whole; len++)
			if (http_response_parse(text, len, &r) != 0)
				fail_msg("%s: not incomplete at %zu",
					cases[i].head, len);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
