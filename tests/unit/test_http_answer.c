#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "proto/http.h"

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))
#define NOW	    784111777 /* Sun, 06 Nov 1994 08:49:37 GMT */
#define DATE	    "Sun, 06 Nov 1994 08:49:37 GMT"
#define EARLIER	    "Sun, 06 Nov 1994 08:49:36 GMT"
#define LATER	    "Sun, 06 Nov 1994 08:49:38 GMT"

/* An entity of 1000 bytes with the tag "v1", changed at DATE. */
static const struct http_entity plain = {1000, "\"v1\"", NOW, "x/y"};
static const struct http_entity no_tag = {1000, NULL, NOW, "x/y"};
static const struct http_entity no_date = {1000, "\"v1\"", -1, "x/y"};
static const struct http_entity empty = {0, "\"v1\"", NOW, "x/y"};
static const struct http_entity one = {1, "\"v1\"", NOW, "x/y"};
static const struct http_entity huge = {UINT64_MAX, "\"v1\"", NOW, "x/y"};
static const struct http_entity epoch = {1000, NULL, 0, "x/y"};
static const struct http_entity odd_tag = {1000, "\"a,b\"", NOW, "x/y"};

/* The request's fields, and what is to be answered. */
struct row {
	const char *fields;
	unsigned status;
	uint64_t first, length;
	const struct http_entity *entity; /* NULL: plain */
	bool head;
};

#define WHOLE(text, ...)                                                       \
	{                                                                      \
		.fields = text, .status = 200, .length = 1000, __VA_ARGS__     \
	}
#define PART(at, n, text, ...)                                                 \
	{                                                                      \
		.fields = text, .status = 206, .first = at, .length = n,       \
		__VA_ARGS__                                                    \
	}
/* An answer without a body. */
#define NONE(code, text, ...)                                                  \
	{                                                                      \
		.fields = text, .status = code, __VA_ARGS__                    \
	}

static void run(const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct row *row = &rows[i];
		struct http_request request;
		struct http_answer got;
		char text[1024];

		int len = snprintf(text, sizeof(text),
			"%s / HTTP/1.1\r\nHost: a\r\n%s\r\n",
			row->head ? "HEAD" : "GET", row->fields);
		assert_true(len > 0 && len < (int)sizeof(text));
		assert_int_equal(
			http_parse_request(text, (size_t)len, 0, &request),
			len);
		http_evaluate(
			&request, row->entity ? row->entity : &plain, &got);
		if (got.status != row->status || got.first != row->first ||
			got.length != row->length)
			fail_msg("row %zu: %s: %u, %llu+%llu", i, row->fields,
				got.status, (unsigned long long)got.first,
				(unsigned long long)got.length);
	}
}

static const struct row range_rows[] = {
	WHOLE(""),
	PART(0, 1, "Range: bytes=0-0\r\n"),
	PART(100, 100, "Range: bytes=100-199\r\n"),
	PART(0, 1000, "Range: bytes=0-999\r\n"),
	PART(0, 1000, "Range: bytes=0-1000\r\n"),
	PART(0, 1000, "Range: bytes=0-\r\n"),
	PART(999, 1, "Range: bytes=999-\r\n"),
	PART(999, 1, "Range: bytes=999-999\r\n"),
	PART(500, 500, "Range: bytes=500-4000\r\n"),
	PART(7, 2, "Range: bytes=007-0008\r\n"),
	PART(0, 10, "Range: BYTES=0-9\r\n"),
	NONE(416, "Range: bytes=1000-\r\n"),
	NONE(416, "Range: bytes=1000-1000\r\n"),
	NONE(416, "Range: bytes=1001-2000\r\n"),
	/* The last so many bytes. */
	PART(999, 1, "Range: bytes=-1\r\n"),
	PART(0, 1000, "Range: bytes=-1000\r\n"),
	PART(0, 1000, "Range: bytes=-1001\r\n"),
	NONE(416, "Range: bytes=-0\r\n"),
	/* Numbers beyond 64 bits. */
	PART(0, 1000, "Range: bytes=0-18446744073709551615\r\n"),
	PART(0, 1000, "Range: bytes=0-18446744073709551616\r\n"),
	PART(1, 999, "Range: bytes=1-99999999999999999999999999\r\n"),
	PART(0, 1000, "Range: bytes=-18446744073709551616\r\n"),
	PART(0, 1000, "Range: bytes=-99999999999999999999999999\r\n"),
	NONE(416, "Range: bytes=18446744073709551616-\r\n"),
	NONE(416, "Range: "
		  "bytes=18446744073709551617-18446744073709551618\r\n"),
	WHOLE("Range: bytes=99999999999999999999999999-1\r\n"),
	/* An empty list element is none, white space is allowed. */
	PART(5, 2, "Range: bytes=,5-6,\r\n"),
	PART(5, 2, "Range: bytes= 5-6 ,\t\r\n"),
	/* More than one: the whole. */
	WHOLE("Range: bytes=0-1,5-6\r\n"),
	WHOLE("Range: bytes=0-1,-1\r\n"),
	WHOLE("Range: bytes=5000-,0-1\r\n"),
	WHOLE("Range: bytes=0-1,x\r\n"),
	WHOLE("Range: bytes=0-1\r\nRange: bytes=0-1\r\n"),
	/* What is no range: the whole. */
	WHOLE("Range: bytes=2-1\r\n"),
	WHOLE("Range: bytes=2000-1999\r\n"),
	WHOLE("Range:\r\n"),
	WHOLE("Range: bytes\r\n"),
	WHOLE("Range: bytes=\r\n"),
	WHOLE("Range: bytes=,\r\n"),
	WHOLE("Range: bytes=-\r\n"),
	WHOLE("Range: bytes=5\r\n"),
	WHOLE("Range: bytes=--5\r\n"),
	WHOLE("Range: bytes=1-2-3\r\n"),
	WHOLE("Range: bytes=+1-2\r\n"),
	WHOLE("Range: bytes=1 - 2\r\n"),
	WHOLE("Range: bytes=0x1-2\r\n"),
	WHOLE("Range: bytes=a-b\r\n"),
	WHOLE("Range: bytes=1-b\r\n"),
	WHOLE("Range: bytes =0-1\r\n"),
	WHOLE("Range: byte=0-1\r\n"),
	WHOLE("Range: items=0-1\r\n"),
	WHOLE("Range: 0-1\r\n"),
	WHOLE("Range: bytes:0-1\r\n"),
	/* Only for GET. */
	WHOLE("Range: bytes=0-1\r\n", .head = true),
	WHOLE("Range: bytes=5000-\r\n", .head = true),
	/* Nothing, one byte, and as much as can be. */
	NONE(200, "", .entity = &empty),
	NONE(416, "Range: bytes=0-\r\n", .entity = &empty),
	NONE(416, "Range: bytes=0-0\r\n", .entity = &empty),
	NONE(200, "Range: bytes=-1\r\n", .entity = &empty),
	NONE(416, "Range: bytes=-0\r\n", .entity = &empty),
	PART(0, 1, "Range: bytes=0-\r\n", .entity = &one),
	PART(0, 1, "Range: bytes=-7\r\n", .entity = &one),
	NONE(416, "Range: bytes=1-\r\n", .entity = &one),
	PART(0, UINT64_MAX, "Range: bytes=0-\r\n", .entity = &huge),
	PART(0, UINT64_MAX, "Range: bytes=-99999999999999999999\r\n",
		.entity = &huge),
	PART(UINT64_MAX - 1, 1, "Range: bytes=18446744073709551614-\r\n",
		.entity = &huge),
	NONE(416, "Range: bytes=18446744073709551615-\r\n", .entity = &huge),
	PART(1, UINT64_MAX - 1, "Range: bytes=1-18446744073709551615\r\n",
		.entity = &huge),
};

static void test_range(void **state)
{
	(void)state;
	run(range_rows, ROWS(range_rows));
}

static const struct row if_match_rows[] = {
	WHOLE("If-Match: \"v1\"\r\n"),
	WHOLE("If-Match: *\r\n"),
	WHOLE("If-Match: \"v0\", \"v1\"\r\n"),
	WHOLE("If-Match: ,\"v0\",,\t\"v1\" ,\"v2\"\r\n"),
	NONE(412, "If-Match: \"v2\"\r\n"),
	NONE(412, "If-Match: \"V1\"\r\n"),
	NONE(412, "If-Match: \"v1\r\n"),
	NONE(412, "If-Match: v1\r\n"),
	NONE(412, "If-Match: \"v\"\r\n"),
	NONE(412, "If-Match: \"v11\"\r\n"),
	NONE(412, "If-Match: \"\"\r\n"),
	NONE(412, "If-Match: \"\r\n"),
	NONE(412, "If-Match:\r\n"),
	NONE(412, "If-Match: ,\r\n"),
	NONE(412, "If-Match: W/\r\n"),
	NONE(412, "If-Match: **\r\n"),
	/* A weak tag is not strong enough here. */
	NONE(412, "If-Match: W/\"v1\"\r\n"),
	WHOLE("If-Match: W/\"v1\", \"v1\"\r\n"),
	/* What is no list is not searched. */
	NONE(412, "If-Match: \"v0\" \"v1\"\r\n"),
	NONE(412, "If-Match: \"v1\"x\r\n"),
	NONE(412, "If-Match: x, \"v1\"\r\n"),
	NONE(412, "If-Match: \"v 0\", \"v1\"\r\n"),
	NONE(412, "If-Match: \"v1\"\r\n", .entity = &no_tag),
	WHOLE("If-Match: *\r\n", .entity = &no_tag),
	/* A comma within a tag. */
	WHOLE("If-Match: \"a,b\"\r\n", .entity = &odd_tag),
	NONE(412, "If-Match: \"a\",\"b\"\r\n", .entity = &odd_tag),
	NONE(412, "If-Match: \"v2\"\r\n", .head = true),
	WHOLE("If-Match: \"v1\"\r\n", .head = true),
	/* With a range: how UEFI HTTP Boot resumes. */
	PART(5, 995, "If-Match: \"v1\"\r\nRange: bytes=5-\r\n"),
	NONE(412, "If-Match: \"v2\"\r\nRange: bytes=5-\r\n"),
	NONE(416, "If-Match: \"v1\"\r\nRange: bytes=1000-\r\n"),
	NONE(412, "If-Match: \"v2\"\r\nRange: bytes=1000-\r\n"),
};

static void test_if_match(void **state)
{
	(void)state;
	run(if_match_rows, ROWS(if_match_rows));
}

static const struct row if_unmodified_since_rows[] = {
	WHOLE("If-Unmodified-Since: " DATE "\r\n"),
	WHOLE("If-Unmodified-Since: " LATER "\r\n"),
	NONE(412, "If-Unmodified-Since: " EARLIER "\r\n"),
	NONE(412, "If-Unmodified-Since: " EARLIER "\r\n", .head = true),
	NONE(412, "If-Unmodified-Since: " EARLIER "\r\nRange: bytes=0-0\r\n"),
	PART(7, 3, "If-Unmodified-Since: " DATE "\r\nRange: bytes=7-9\r\n"),
	/* The other two forms of a date. */
	NONE(412, "If-Unmodified-Since: Sunday, 06-Nov-94 08:49:36 "
		  "GMT\r\n"),
	NONE(412, "If-Unmodified-Since: Sun Nov  6 08:49:36 1994\r\n"),
	/* No date of either: not a condition. */
	WHOLE("If-Unmodified-Since: yesterday\r\n"),
	WHOLE("If-Unmodified-Since:\r\n"),
	WHOLE("If-Unmodified-Since: 0\r\n"),
	WHOLE("If-Unmodified-Since: " EARLIER "\r\n", .entity = &no_date),
	/* If-Match takes its place. */
	WHOLE("If-Match: \"v1\"\r\nIf-Unmodified-Since: " EARLIER "\r\n"),
	NONE(412, "If-Match: \"v2\"\r\nIf-Unmodified-Since: " LATER "\r\n"),
};

static void test_if_unmodified_since(void **state)
{
	(void)state;
	run(if_unmodified_since_rows, ROWS(if_unmodified_since_rows));
}

static const struct row cached_rows[] = {
	NONE(304, "If-None-Match: \"v1\"\r\n"),
	NONE(304, "If-None-Match: \"v1\"\r\n", .head = true),
	NONE(304, "If-None-Match: *\r\n"),
	NONE(304, "If-None-Match: W/\"v1\"\r\n"),
	NONE(304, "If-None-Match: \"v0\", W/\"v1\"\r\n"),
	WHOLE("If-None-Match: \"v2\"\r\n"),
	WHOLE("If-None-Match: w/\"v1\"\r\n"),
	WHOLE("If-None-Match: junk, \"v1\"\r\n"),
	WHOLE("If-None-Match:\r\n"),
	WHOLE("If-None-Match: \"v1\"\r\n", .entity = &no_tag),
	NONE(304, "If-None-Match: *\r\n", .entity = &no_tag),
	NONE(304, "If-Modified-Since: " DATE "\r\n"),
	NONE(304, "If-Modified-Since: " LATER "\r\n", .head = true),
	WHOLE("If-Modified-Since: " EARLIER "\r\n"),
	WHOLE("If-Modified-Since: junk\r\n"),
	/* Reproducible images are of 1970. */
	NONE(304, "If-Modified-Since: " DATE "\r\n", .entity = &epoch),
	NONE(304, "If-Modified-Since: Thu, 01 Jan 1970 00:00:00 GMT\r\n",
		.entity = &epoch),
	WHOLE("If-Modified-Since: " LATER "\r\n", .entity = &no_date),
	/* If-None-Match takes the place of If-Modified-Since. */
	WHOLE("If-None-Match: \"v2\"\r\nIf-Modified-Since: " LATER "\r\n"),
	NONE(304,
		"If-None-Match: \"v1\"\r\nIf-Modified-Since: " EARLIER "\r\n"),
	WHOLE("If-None-Match:\r\nIf-Modified-Since: " LATER "\r\n"),
	/* Before the range, behind If-Match. */
	NONE(304, "If-None-Match: \"v1\"\r\nRange: bytes=0-0\r\n"),
	NONE(304, "If-None-Match: \"v1\"\r\nRange: bytes=5000-\r\n"),
	PART(0, 1, "If-None-Match: \"v2\"\r\nRange: bytes=0-0\r\n"),
	NONE(412, "If-Match: \"v2\"\r\nIf-None-Match: \"v1\"\r\n"),
	NONE(304, "If-Match: \"v1\"\r\nIf-None-Match: \"v1\"\r\n"),
	NONE(304, "If-Match: \"v1\"\r\nIf-Modified-Since: " DATE "\r\n"),
	NONE(412, "If-Unmodified-Since: " EARLIER "\r\nIf-Modified-Since: " DATE
		  "\r\n"),
};

static void test_cached(void **state)
{
	(void)state;
	run(cached_rows, ROWS(cached_rows));
}

#define RANGE "Range: bytes=5-9\r\n"

static const struct row if_range_rows[] = {
	PART(5, 5, RANGE "If-Range: \"v1\"\r\n"),
	WHOLE(RANGE "If-Range: \"v2\"\r\n"),
	WHOLE(RANGE "If-Range: W/\"v1\"\r\n"),
	WHOLE(RANGE "If-Range: *\r\n"),
	WHOLE(RANGE "If-Range: \"v1\", \"v1\"\r\n"),
	WHOLE(RANGE "If-Range: v1\r\n"),
	WHOLE(RANGE "If-Range:\r\n"),
	WHOLE(RANGE "If-Range: \"v1\"\r\n", .entity = &no_tag),
	PART(5, 5, RANGE "If-Range: " DATE "\r\n"),
	PART(5, 5, RANGE "If-Range: Sun Nov  6 08:49:37 1994\r\n"),
	WHOLE(RANGE "If-Range: " LATER "\r\n"),
	WHOLE(RANGE "If-Range: " EARLIER "\r\n"),
	WHOLE(RANGE "If-Range: " DATE "\r\n", .entity = &no_date),
	WHOLE(RANGE "If-Range: junk\r\n"),
	/* Without a range it is nothing; nor with one beyond. */
	WHOLE("If-Range: \"v2\"\r\n"),
	NONE(416, "Range: bytes=1000-\r\nIf-Range: \"v1\"\r\n"),
	WHOLE("Range: bytes=1000-\r\nIf-Range: \"v2\"\r\n"),
	WHOLE(RANGE "If-Range: \"v1\"\r\n", .head = true),
	NONE(412, RANGE "If-Range: \"v1\"\r\nIf-Match: \"v2\"\r\n"),
};

static void test_if_range(void **state)
{
	(void)state;
	run(if_range_rows, ROWS(if_range_rows));
}

#define ZERO "Thu, 01 Jan 1970 00:00:00 GMT"
#define END  "Connection: keep-alive\r\n\r\n"
#define WHAT "Content-Type: x/y\r\nAccept-Ranges: bytes\r\nETag: \"v1\"\r\n"
#define LAST "Last-Modified: " DATE "\r\n"
#define WHEN "Date: " DATE "\r\n"

static const struct http_entity future = {1000, "\"v1\"", NOW + 1, "x/y"};
static const struct http_entity bare = {5, NULL, -1, NULL};
static const struct http_entity split = {5, "\"a\r\nX: b\"", -1, "x/y"};
static const struct http_entity split_type = {5, NULL, -1, "x\n"};

static const struct {
	const char *name;
	struct http_head head;
	const char *want; /* NULL: refused */
} heads[] = {
	{"the whole",
		{.status = 200,
			.content_length = 1000,
			.date = NOW,
			.entity = &plain},
		"HTTP/1.1 200 OK\r\n" WHEN
		"Content-Length: 1000\r\n" WHAT LAST END},
	{"the whole, then close",
		{.status = 200,
			.content_length = 1000,
			.close = true,
			.date = NOW,
			.entity = &plain},
		"HTTP/1.1 200 OK\r\n" WHEN "Content-Length: 1000\r\n" WHAT LAST
		"Connection: close\r\n\r\n"},
	{"no clock",
		{.status = 200,
			.content_length = 1000,
			.date = -1,
			.entity = &plain},
		"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n" WHAT LAST END},
	{"changed in the future",
		{.status = 200,
			.content_length = 1000,
			.date = NOW,
			.entity = &future},
		"HTTP/1.1 200 OK\r\n" WHEN "Content-Length: 1000\r\n" WHAT END},
	{"nothing known of the entity",
		{.status = 200,
			.content_length = 5,
			.date = NOW,
			.entity = &bare},
		"HTTP/1.1 200 OK\r\n" WHEN "Content-Length: 5\r\n"
		"Accept-Ranges: bytes\r\n" END},
	{"as large as can be",
		{.status = 200,
			.content_length = UINT64_MAX,
			.date = NOW,
			.entity = &huge},
		"HTTP/1.1 200 OK\r\n" WHEN
		"Content-Length: 18446744073709551615\r\n" WHAT LAST END},
	{"a part",
		{.status = 206,
			.content_length = 100,
			.date = NOW,
			.entity = &plain,
			.range_first = 100,
			.range_length = 100},
		"HTTP/1.1 206 Partial Content\r\n" WHEN
		"Content-Length: 100\r\n" WHAT LAST
		"Content-Range: bytes 100-199/1000\r\n" END},
	{"a part that is the whole, as large as can be",
		{.status = 206,
			.content_length = UINT64_MAX,
			.date = NOW,
			.entity = &huge,
			.range_length = UINT64_MAX},
		"HTTP/1.1 206 Partial Content\r\n" WHEN
		"Content-Length: 18446744073709551615\r\n" WHAT LAST
		"Content-Range: bytes "
		"0-18446744073709551614/18446744073709551615\r\n" END},
	{"a part of nothing known",
		{.status = 206,
			.content_length = 1,
			.date = NOW,
			.range_length = 1},
		NULL},
	{"an empty part", {.status = 206, .date = NOW, .entity = &plain}, NULL},
	{"a part that begins beyond",
		{.status = 206,
			.content_length = 1,
			.date = NOW,
			.entity = &plain,
			.range_first = 1000,
			.range_length = 1},
		NULL},
	{"a part that ends beyond",
		{.status = 206,
			.content_length = 2,
			.date = NOW,
			.entity = &plain,
			.range_first = 999,
			.range_length = 2},
		NULL},
	{"a part whose end overflows",
		{.status = 206,
			.content_length = UINT64_MAX,
			.date = NOW,
			.entity = &plain,
			.range_first = 2,
			.range_length = UINT64_MAX},
		NULL},
	{"a part of another length than the body",
		{.status = 206,
			.content_length = 1000,
			.date = NOW,
			.entity = &plain,
			.range_length = 10},
		NULL},
	{"not modified",
		{.status = 304,
			.content_length = 1000,
			.date = NOW,
			.entity = &plain},
		"HTTP/1.1 304 Not Modified\r\n" WHEN "ETag: \"v1\"\r\n" END},
	{"not modified, without a tag",
		{.status = 304, .date = NOW, .entity = &no_tag},
		"HTTP/1.1 304 Not Modified\r\n" WHEN LAST END},
	{"all of 1970, and one byte",
		{.status = 200, .content_length = 1, .entity = &epoch},
		"HTTP/1.1 200 OK\r\nDate: " ZERO "\r\nContent-Length: 1\r\n"
		"Content-Type: x/y\r\nAccept-Ranges: bytes\r\n"
		"Last-Modified: " ZERO "\r\n" END},
	{"all of 1970, but changed later", {.status = 304, .entity = &no_tag},
		"HTTP/1.1 304 Not Modified\r\nDate: " ZERO "\r\n" END},
	{"one byte of text, and one second",
		{.status = 503,
			.content_length = 1,
			.date = NOW,
			.retry_after = 1},
		"HTTP/1.1 503 Service Unavailable\r\n" WHEN
		"Content-Length: 1\r\n"
		"Content-Type: text/plain; charset=utf-8\r\n"
		"Retry-After: 1\r\n" END},
	{"not found", {.status = 404, .content_length = 10, .date = NOW},
		"HTTP/1.1 404 Not Found\r\n" WHEN "Content-Length: 10\r\n"
		"Content-Type: text/plain; charset=utf-8\r\n" END},
	{"not found, without a body",
		{.status = 404, .date = NOW, .close = true},
		"HTTP/1.1 404 Not Found\r\n" WHEN "Content-Length: 0\r\n"
		"Connection: close\r\n\r\n"},
	{"a method refused",
		{.status = 405,
			.date = NOW,
			.close = true,
			.allow = "GET, HEAD"},
		"HTTP/1.1 405 Method Not Allowed\r\n" WHEN
		"Content-Length: 0\r\nAllow: GET, HEAD\r\n"
		"Connection: close\r\n\r\n"},
	{"a precondition failed says nothing of the entity",
		{.status = 412, .date = NOW, .entity = &plain},
		"HTTP/1.1 412 Precondition Failed\r\n" WHEN
		"Content-Length: 0\r\n" END},
	{"a range beyond the end",
		{.status = 416, .date = NOW, .range_length = 1000},
		"HTTP/1.1 416 Range Not Satisfiable\r\n" WHEN
		"Content-Length: 0\r\nContent-Range: bytes */1000\r\n" END},
	{"a range of nothing", {.status = 416, .date = NOW, .entity = &empty},
		"HTTP/1.1 416 Range Not Satisfiable\r\n" WHEN
		"Content-Length: 0\r\nContent-Range: bytes */0\r\n" END},
	{"wait for it", {.status = 503, .date = NOW, .retry_after = 5},
		"HTTP/1.1 503 Service Unavailable\r\n" WHEN
		"Content-Length: 0\r\nRetry-After: 5\r\n" END},
	{"a redirect", {.status = 301, .date = NOW}, NULL},
	{"another redirect", {.status = 302, .date = NOW}, NULL},
	{"no status", {.status = 0, .date = NOW}, NULL},
	{"a status of four digits", {.status = 2000, .date = NOW}, NULL},
	{"a tag that would be another line",
		{.status = 200,
			.content_length = 5,
			.date = NOW,
			.entity = &split},
		NULL},
	{"a type that would end the line",
		{.status = 200,
			.content_length = 5,
			.date = NOW,
			.entity = &split_type},
		NULL},
	{"methods that would be another line",
		{.status = 405, .date = NOW, .allow = "GET\r\n"}, NULL},
};

static void test_heads(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(heads); i++) {
		const char *want = heads[i].want ? heads[i].want : "";
		char got[1024];

		memset(got, '#', sizeof(got));
		size_t len =
			http_build_head(&heads[i].head, got, sizeof(got) - 1);
		if (len != strlen(want) || memcmp(got, want, len) != 0)
			fail_msg("%s: %.*s", heads[i].name, (int)len, got);
	}
}

static void test_heads_that_do_not_fit(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(heads); i++) {
		char got[1024];
		size_t want = http_build_head(&heads[i].head, got, sizeof(got));

		for (size_t cap = 0; cap <= want; cap++) {
			memset(got, '#', sizeof(got));
			size_t len = http_build_head(&heads[i].head, got, cap);
			if (len != (cap == want ? want : 0))
				fail_msg("%s: %zu of %zu", heads[i].name, len,
					cap);
			for (size_t at = cap; at < sizeof(got); at++) {
				if (got[at] != '#')
					fail_msg("%s: written beyond %zu",
						heads[i].name, cap);
			}
		}
	}
}

static void test_status_text(void **state)
{
	static const struct {
		unsigned status;
		const char *text;
	} cases[] = {
		{200, "OK"},
		{206, "Partial Content"},
		{304, "Not Modified"},
		{400, "Bad Request"},
		{404, "Not Found"},
		{405, "Method Not Allowed"},
		{408, "Request Timeout"},
		{412, "Precondition Failed"},
		{413, "Content Too Large"},
		{414, "URI Too Long"},
		{416, "Range Not Satisfiable"},
		{431, "Request Header Fields Too Large"},
		{500, "Internal Server Error"},
		{501, "Not Implemented"},
		{503, "Service Unavailable"},
		{505, "HTTP Version Not Supported"},
		{0, "Unknown"},
		{201, "Unknown"},
		{999, "Unknown"},
	};

	(void)state;
	for (size_t i = 0; i < ROWS(cases); i++)
		assert_string_equal(
			http_status_text(cases[i].status), cases[i].text);
	/* No redirect may ever go out; 304 is none. */
	for (unsigned status = 300; status < 400; status++) {
		if (status != 304)
			assert_string_equal(
				http_status_text(status), "Unknown");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_range),
		cmocka_unit_test(test_if_match),
		cmocka_unit_test(test_if_unmodified_since),
		cmocka_unit_test(test_cached),
		cmocka_unit_test(test_if_range),
		cmocka_unit_test(test_heads),
		cmocka_unit_test(test_heads_that_do_not_fit),
		cmocka_unit_test(test_status_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
