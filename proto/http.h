/*
 * http: HTTP/1.0 and 1.1 requests without bodies, strictly parsed, and
 * response heads (RFC 9110, 9112). GET and HEAD only: this is the side of a
 * server that hands out files.
 *
 * A request's slices point into the caller's buffer.
 */
#ifndef PROTO_HTTP_H
#define PROTO_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HTTP_MAX_HEAD	 8192 /* a request head; more is 431 */
#define HTTP_MAX_HEADERS 64   /* header lines; more is 431 */

struct http_slice {
	const char *p; /* NULL: absent */
	size_t len;
};

enum http_method { HTTP_METHOD_GET, HTTP_METHOD_HEAD };

struct http_request {
	enum http_method method;
	unsigned minor;		 /* HTTP/1.minor: 0 or 1 */
	struct http_slice path;	 /* still percent-encoded, begins with '/' */
	struct http_slice query; /* behind '?', without it; may be absent */
	struct http_slice host;
	bool keep_alive;
	struct http_slice range, if_range;
	struct http_slice if_match, if_none_match;
	struct http_slice if_modified_since, if_unmodified_since;
	struct http_slice user_agent;
};

/* Is it this text, but for the case of ASCII letters? An absent one is not. */
bool http_slice_equal(struct http_slice s, const char *text);

/*
 * Read a request head at the start of buf. Returns its length (> 0) and fills
 * ret; 0 if it is incomplete so far; or the negative of the status to answer
 * with before closing: -400 malformed, -405 another known method, -501 an
 * unknown method or a Transfer-Encoding, -413 a body, -414 a target above
 * 2048 bytes, -431 too long or too many headers, -505 another major version.
 * The status does not depend on how the bytes came in; -400 may come before
 * the head is complete. After an error ret is untouched and the method is not
 * known, so that the answer should have no body: HEAD may have been meant.
 * scanned: bytes that an earlier call has seen in vain (0 at first), so that
 * a head that dribbles in costs no quadratic time.
 *
 * Strict: CRLF only, no folding, no NUL or control characters, no space
 * before the colon, names are tokens, Host exactly once in 1.1 and never
 * twice, at most one Content-Length (and only 0), no Transfer-Encoding;
 * targets in origin form or absolute form (http://host/..., whose host then
 * replaces Host), in the characters of RFC 3986 and without a fragment. Bytes
 * from 0x80 on may stand in values only. Empty lines before the request line
 * are skipped (RFC 9112 2.2), two at most, and count in the length.
 *
 * Values are trimmed. Two Range fields count as none (the whole is served),
 * two If-* of one name are -400, of two User-Agent the first counts;
 * Connection lines add up, and "close" wins. Expect and Upgrade are ignored,
 * as RFC 9110 allows for a request without a body.
 */
int http_parse_request(
	const char *buf, size_t len, size_t scanned, struct http_request *ret);

/*
 * The value of `key` in a query string, percent-decoded, into ret (size cap,
 * NUL-terminated); the first one counts, '+' is no space, and a key without
 * '=' has an empty value. False, and ret untouched, if it is not there, does
 * not fit or holds anything but printable ASCII. The key is compared as it
 * stands in the query.
 */
bool http_query_get(
	struct http_slice query, const char *key, char *ret, size_t cap);

/* What is about to be served. */
struct http_entity {
	uint64_t size;
	const char *etag; /* strong, with its quotes; NULL: none */
	int64_t mtime;	  /* seconds since 1970; < 0: none */
	const char *type; /* Content-Type; NULL: none */
};

struct http_answer {
	unsigned status;	/* 200, 206, 304, 412, 416 */
	uint64_t first, length; /* of the entity, for 200 and 206; else 0 */
};

/*
 * Preconditions and Range applied (RFC 9110 13.2.2, 14): what to answer.
 * Range counts for GET only. Several ranges, a malformed Range, another unit
 * and a failed If-Range give the whole. If-Range takes Last-Modified for a
 * strong validator: what is served is replaced by rename, not rewritten.
 */
void http_evaluate(const struct http_request *request,
	const struct http_entity *entity, struct http_answer *ret);

/* A response head, up to and with the empty line. */
struct http_head {
	unsigned status;
	uint64_t content_length; /* of the body that GET would send */
	bool close;		 /* Connection: close, else keep-alive */
	int64_t date;		 /* now, seconds since 1970; < 0: not known */
	/* For 200, 206 and 304; NULL: none, and a body is plain text. */
	const struct http_entity *entity;
	/* For 206: the range. For 416: range_length is the entity's size. */
	uint64_t range_first, range_length;
	unsigned retry_after; /* seconds; 0: none */
	const char *allow;    /* for 405; NULL: none */
};

/*
 * Returns the head's length, 0 if it does not fit. 0 also for what must not
 * go out: a status that is not in our table (so no redirect can, which UEFI
 * HTTP Boot would fail on), a text with control characters in it, a 206
 * without an entity, with a range beyond it or of another length than the body.
 * There is always Connection, Date if it is known and, 304 apart,
 * Content-Length: a 304 says nothing of a body, so that no client waits for
 * one. Nothing that a client sent comes back in it. A Last-Modified in the
 * future (a clock set back) is left out, as RFC 9110 8.8.2.1 forbids it.
 */
size_t http_build_head(const struct http_head *head, char *out, size_t cap);
/* "Not Found"; "Unknown" for a status that is not ours. */
const char *http_status_text(unsigned status);

/*
 * IMF-fixdate, "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110 5.6.7). It can tell
 * 1970 to 9999; what is beyond is written as the nearest end.
 */
#define HTTP_DATE_LEN 30
void http_format_date(int64_t t, char ret[HTTP_DATE_LEN]);
/*
 * Any of the three forms of RFC 9110 5.6.7, exactly; false if it is none, or
 * no date of the calendar. The day's name is not compared with the date. Two
 * digits of a year mean 1970 to 2069. Second 60 is that after second 59.
 */
bool http_parse_date(const char *text, size_t len, int64_t *ret);

#endif
