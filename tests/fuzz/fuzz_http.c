/*
 * A stream of bytes as an HTTP client sends them, and all that is done with it
 * until a response head is built. Behind the request's head, what is left of
 * the input serves as texts that the server's own side might hold by mistake.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proto/http.h"
#include "proto/path.h"

#define CHECK(holds)                                                           \
	do {                                                                   \
		if (!(holds))                                                  \
			abort();                                               \
	} while (0)

#define NOW 784111777

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_inside(struct http_slice s, const char *buf, size_t len)
{
	if (!s.p) {
		CHECK(s.len == 0);
		return;
	}
	CHECK(s.p >= buf && s.p <= buf + len);
	CHECK(s.len <= (size_t)(buf + len - s.p));
}

/* Values are trimmed, and hold neither line ends nor NUL. */
static void check_value(struct http_slice s, const char *buf, size_t len)
{
	check_inside(s, buf, len);
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.p[i];
		CHECK((c >= 0x20 && c != 0x7f) || c == '\t');
	}
	if (s.len > 0) {
		CHECK(s.p[0] != ' ' && s.p[0] != '\t');
		CHECK(s.p[s.len - 1] != ' ' && s.p[s.len - 1] != '\t');
	}
}

static bool same_slice(struct http_slice a, struct http_slice b)
{
	return a.p == b.p && a.len == b.len;
}

static bool same_request(
	const struct http_request *a, const struct http_request *b)
{
	return a->method == b->method && a->minor == b->minor &&
	       a->keep_alive == b->keep_alive && same_slice(a->path, b->path) &&
	       same_slice(a->query, b->query) && same_slice(a->host, b->host) &&
	       same_slice(a->range, b->range) &&
	       same_slice(a->if_range, b->if_range) &&
	       same_slice(a->if_match, b->if_match) &&
	       same_slice(a->if_none_match, b->if_none_match) &&
	       same_slice(a->if_modified_since, b->if_modified_since) &&
	       same_slice(a->if_unmodified_since, b->if_unmodified_since) &&
	       same_slice(a->user_agent, b->user_agent);
}

/* However the bytes come in, the result is the same. */
static void check_dribbled(const char *buf, size_t len, size_t step, int want,
	const struct http_request *want_request)
{
	struct http_request request;
	size_t scanned = 0;

	for (;;) {
		size_t have = len - scanned < step ? len : scanned + step;
		int got = http_parse_request(buf, have, scanned, &request);

		if (got != 0 || have == len) {
			CHECK(got == want);
			break;
		}
		scanned = have;
	}
	if (want > 0)
		CHECK(same_request(&request, want_request));
}

static void check_request(
	const struct http_request *request, const char *buf, size_t len)
{
	char text[64], path[PATH_MAX_LEN + 1];

	CHECK(request->minor <= 1);
	check_value(request->path, buf, len);
	check_value(request->query, buf, len);
	check_value(request->host, buf, len);
	check_value(request->range, buf, len);
	check_value(request->if_range, buf, len);
	check_value(request->if_match, buf, len);
	check_value(request->if_none_match, buf, len);
	check_value(request->if_modified_since, buf, len);
	check_value(request->if_unmodified_since, buf, len);
	check_value(request->user_agent, buf, len);
	CHECK(request->path.len > 0 && request->path.p[0] == '/');
	CHECK(request->host.p || request->minor == 0);

	(void)path_normalise(request->path.p, request->path.len, true, path);
	if (http_query_get(request->query, "uuid", text, sizeof(text))) {
		CHECK(memchr(text, '\0', sizeof(text)));
		for (const char *p = text; *p != '\0'; p++)
			CHECK(*p >= 0x20 && *p <= 0x7e);
	}
}

/* There is one empty line, at the end, and no byte beyond cap is touched. */
static void check_head(const struct http_head *head, size_t cap)
{
	char *out = malloc(cap > 0 ? cap : 1);

	CHECK(out);
	size_t len = http_build_head(head, out, cap);
	CHECK(len <= cap);
	if (len > 0) {
		CHECK(len > 13 && memcmp(out, "HTTP/1.1 ", 9) == 0);
		CHECK(out[12] == ' ');
		const char *end = memmem(out, len, "\r\n\r\n", 4);
		CHECK(end && end + 4 == out + len);
		for (size_t i = 0; i < len; i++) {
			CHECK((unsigned char)out[i] >= 0x20 || out[i] == '\r' ||
				out[i] == '\n');
			CHECK((out[i] == '\r') ==
				(i + 1 < len && out[i + 1] == '\n'));
		}
	}
	free(out);
}

static void check_answer(const struct http_request *request,
	const struct http_entity *entity, size_t cap)
{
	struct http_answer answer;

	http_evaluate(request, entity, &answer);
	switch (answer.status) {
	case 200:
		CHECK(answer.first == 0 && answer.length == entity->size);
		break;
	case 206:
		CHECK(request->method == HTTP_METHOD_GET && request->range.p);
		CHECK(answer.length > 0 && answer.first < entity->size);
		CHECK(answer.length <= entity->size - answer.first);
		break;
	case 416:
		CHECK(request->method == HTTP_METHOD_GET && request->range.p);
		CHECK(answer.first == 0 && answer.length == 0);
		break;
	case 304:
		CHECK(request->if_none_match.p || request->if_modified_since.p);
		CHECK(answer.first == 0 && answer.length == 0);
		break;
	case 412:
		CHECK(request->if_match.p || request->if_unmodified_since.p);
		CHECK(answer.first == 0 && answer.length == 0);
		break;
	default:
		abort();
	}

	struct http_head head = {
		.status = answer.status,
		.content_length = answer.length,
		.close = !request->keep_alive,
		.date = NOW,
		.entity = entity,
		.range_first = answer.first,
		.range_length = answer.length,
	};
	char out[1024];
	if (answer.status == 416)
		head.range_length = entity->size;
	CHECK(http_build_head(&head, out, sizeof(out)) > 0);
	check_head(&head, cap);
}

/* A copy of what may be any bytes, NUL-terminated. */
static char *text_of(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	CHECK(text);
	memcpy(text, data, size);
	text[size] = '\0';
	return text;
}

/* Texts and numbers that are not as they should be. */
static void check_odd_head(const uint8_t *data, size_t size)
{
	if (size < 4)
		return;

	char *text = text_of(data + 4, size - 4);
	struct http_entity entity = {
		.size = data[0],
		.etag = data[1] & 1 ? text : NULL,
		.mtime = (int64_t)data[2] * 10000000000 - 1,
		.type = data[1] & 2 ? text : NULL,
	};
	struct http_head head = {
		.status = data[1] & 4 ? 206 : 200u + data[3],
		.content_length = data[2],
		.date = data[1] & 8 ? NOW : INT64_MAX,
		.entity = data[1] & 16 ? &entity : NULL,
		.range_first = data[3],
		.range_length = data[2],
		.allow = data[1] & 32 ? text : NULL,
	};

	check_head(&head, 2048);
	check_head(&head, data[0]);
	free(text);
}

static void check_date(const char *text, size_t len)
{
	char again[HTTP_DATE_LEN];
	int64_t t, back;

	if (!http_parse_date(text, len, &t) || t < 0)
		return;
	http_format_date(t, again);
	CHECK(strlen(again) == HTTP_DATE_LEN - 1);
	CHECK(http_parse_date(again, strlen(again), &back));
	/* Second 60 of the last day of 9999 has no other spelling. */
	CHECK(back == t || t == INT64_C(253402300800));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct http_entity entities[] = {
		{1000, "\"v1\"", NOW, "application/efi"},
		{0, "\"v1\"", NOW, "application/efi"},
		{1, NULL, NOW - 1, "text/plain"},
		{UINT64_MAX, "\"a,b\"", -1, "text/plain"},
		{UINT64_C(1) << 32, NULL, -1, NULL},
	};
	struct http_request request;
	char *buf = malloc(size > 0 ? size : 1);

	CHECK(buf);
	if (size > 0)
		memcpy(buf, data, size);
	int got = http_parse_request(buf, size, 0, &request);
	CHECK(got <= HTTP_MAX_HEAD && (got <= 0 || (size_t)got <= size));
	CHECK(got >= 0 || got == -400 || got == -405 || got == -413 ||
		got == -414 || got == -431 || got == -501 || got == -505);
	CHECK(got != 0 || size < HTTP_MAX_HEAD);
	check_dribbled(buf, size, 1, got, &request);
	check_dribbled(buf, size, 2 + size % 61, got, &request);

	/* A caller that is wrong about `scanned` does no harm to memory. */
	struct http_request wrong;
	(void)http_parse_request(buf, size, size / 2, &wrong);
	(void)http_parse_request(buf, size, SIZE_MAX, &wrong);

	check_date((const char *)data, size);
	if (got > 0) {
		check_request(&request, buf, (size_t)got);
		for (size_t i = 0; i < sizeof(entities) / sizeof(entities[0]);
			i++)
			check_answer(&request, &entities[i], size % 512);
		check_odd_head(data + got, size - (size_t)got);
	}
	free(buf);
	return 0;
}
