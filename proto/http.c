#include "proto/http.h"

#include <string.h>

#include "proto/http_slice.h"
#include "proto/path.h"

#define MAX_TARGET	2048
#define MAX_EMPTY_LINES 2

/* What a second line of the same field does to the request. */
enum repeat {
	REPEAT_BAD,  /* 400: two answers would be possible */
	REPEAT_DROP, /* as if the field were not there at all */
	REPEAT_FIRST /* the first line counts */
};

enum field {
	FIELD_HOST,
	FIELD_CONNECTION,
	FIELD_CONTENT_LENGTH,
	FIELD_TRANSFER_ENCODING,
	FIELD_RANGE,
	FIELD_IF_RANGE,
	FIELD_IF_MATCH,
	FIELD_IF_NONE_MATCH,
	FIELD_IF_MODIFIED_SINCE,
	FIELD_IF_UNMODIFIED_SINCE,
	FIELD_USER_AGENT,
	FIELD_MAX
};

/*
 * Range may be ignored by any server (RFC 9110 14.2), so two of them give the
 * whole. A repeated If-* may not be ignored: the answer would then hold for
 * another question than the one that was asked.
 */
static const struct {
	const char *name;
	enum repeat repeat;
} field_rows[FIELD_MAX] = {
	[FIELD_HOST] = {"host", REPEAT_BAD},
	[FIELD_CONNECTION] = {"connection", REPEAT_FIRST},
	[FIELD_CONTENT_LENGTH] = {"content-length", REPEAT_BAD},
	[FIELD_TRANSFER_ENCODING] = {"transfer-encoding", REPEAT_FIRST},
	[FIELD_RANGE] = {"range", REPEAT_DROP},
	[FIELD_IF_RANGE] = {"if-range", REPEAT_BAD},
	[FIELD_IF_MATCH] = {"if-match", REPEAT_BAD},
	[FIELD_IF_NONE_MATCH] = {"if-none-match", REPEAT_BAD},
	[FIELD_IF_MODIFIED_SINCE] = {"if-modified-since", REPEAT_BAD},
	[FIELD_IF_UNMODIFIED_SINCE] = {"if-unmodified-since", REPEAT_BAD},
	[FIELD_USER_AGENT] = {"user-agent", REPEAT_FIRST},
};

struct fields {
	struct http_slice value[FIELD_MAX];
	unsigned count[FIELD_MAX];
	/* Of all Connection lines together. */
	bool close, keep_alive;
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_alnum(char c)
{
	return is_digit(c) || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/* Are all bytes letters, digits or one of `extra`? */
static bool consists_of(struct http_slice s, const char *extra)
{
	size_t extra_len = strlen(extra);

	for (size_t i = 0; i < s.len; i++) {
		if (!is_alnum(s.p[i]) && !memchr(extra, s.p[i], extra_len))
			return false;
	}
	return true;
}

static bool is_token(struct http_slice s)
{
	return s.len > 0 && consists_of(s, "!#$%&'*+-.^_`|~");
}

static bool is_exactly(struct http_slice s, const char *text)
{
	return s.len == strlen(text) && memcmp(s.p, text, s.len) == 0;
}

static bool all_digits(struct http_slice s)
{
	for (size_t i = 0; i < s.len; i++) {
		if (!is_digit(s.p[i]))
			return false;
	}
	return true;
}

/*
 * Pass over the empty lines before a request. Returns where it begins, as far
 * as can be told yet, or -400.
 */
static int skip_empty_lines(const char *buf, size_t len)
{
	int at = 0;

	for (unsigned n = 0; len - (size_t)at >= 2; n++, at += 2) {
		if (memcmp(buf + at, "\r\n", 2) != 0)
			break;
		if (n == MAX_EMPTY_LINES)
			return -400;
	}
	return at;
}

/*
 * Look for the empty line that ends the head, and for bytes that no head may
 * hold: they are refused as soon as they are seen, so that a client which
 * speaks another protocol, or ends its lines with LF, need not time out.
 * buf[start] is the first byte of the request, `from` (>= start) the first one
 * to look at. Returns the length of all up to the end, 0 if it is not there.
 */
static int scan_head(const char *buf, size_t start, size_t from, size_t len)
{
	for (size_t i = from; i < len; i++) {
		unsigned char c = (unsigned char)buf[i];

		if (c == '\n') {
			if (i == start || buf[i - 1] != '\r')
				return -400;
			if (i - start >= 2 && buf[i - 2] == '\n')
				return (int)(i + 1);
		} else if (c == '\r') {
			if (i + 1 < len && buf[i + 1] != '\n')
				return -400;
		} else if ((c < 0x20 && c != '\t') || c == 0x7f) {
			return -400;
		}
	}
	return 0;
}

/* uri-host [":" port] of RFC 9110 7.2; the host may be empty (RFC 9112 3.2). */
static bool host_is_valid(struct http_slice host)
{
	struct http_slice rest = host, address;

	if (host.len > 0 && host.p[0] == '[') {
		if (!http_slice_cut(&rest, ']', &address))
			return false;
		address.p++;
		address.len--;
		if (address.len == 0 || !consists_of(address, ":.-_~%"))
			return false;
		if (rest.len == 0)
			return true;
		if (rest.p[0] != ':')
			return false;
		rest.p++;
		rest.len--;
		return all_digits(rest);
	}
	if (!http_slice_cut(&rest, ':', &address))
		return consists_of(host, "-._~%!$&'()*+,;=");
	return consists_of(address, "-._~%!$&'()*+,;=") && all_digits(rest);
}

static const char scheme[] = "http://";
#define SCHEME_LEN (sizeof(scheme) - 1)

/*
 * The origin form, or the absolute form (RFC 9112 3.2.2), whose authority then
 * stands for the Host field. Characters that RFC 3986 does not let stand in a
 * path or query are refused, and so is a fragment; escapes are not looked at.
 */
static int parse_target(struct http_slice target, struct http_request *req)
{
	struct http_slice rest = target;

	if (target.len > MAX_TARGET)
		return -414;
	if (target.len > SCHEME_LEN &&
		http_slice_equal(
			(struct http_slice){target.p, SCHEME_LEN}, scheme)) {
		size_t at = SCHEME_LEN;

		while (at < target.len && target.p[at] != '/' &&
			target.p[at] != '?')
			at++;
		req->host = (struct http_slice){
			target.p + SCHEME_LEN,
			at - SCHEME_LEN,
		};
		if (req->host.len == 0 || req->host.p[0] == ':' ||
			!host_is_valid(req->host))
			return -400;
		rest = (struct http_slice){target.p + at, target.len - at};
	} else if (target.len == 0 || target.p[0] != '/') {
		return -400;
	}

	if (!consists_of(rest, "-._~%!$&'()*+,;=:@/?"))
		return -400;
	if (http_slice_cut(&rest, '?', &req->path))
		req->query = rest;
	else
		req->path = rest;
	/* "http://host" asks for "/": the slash before the host serves. */
	if (req->path.len == 0)
		req->path = (struct http_slice){target.p + SCHEME_LEN - 1, 1};
	return 0;
}

static int parse_method(struct http_slice method, enum http_method *ret)
{
	static const char *const others[] = {
		"POST",
		"PUT",
		"DELETE",
		"CONNECT",
		"OPTIONS",
		"TRACE",
		"PATCH",
	};

	if (is_exactly(method, "GET")) {
		*ret = HTTP_METHOD_GET;
		return 0;
	}
	if (is_exactly(method, "HEAD")) {
		*ret = HTTP_METHOD_HEAD;
		return 0;
	}
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		if (is_exactly(method, others[i]))
			return -405;
	}
	return -501;
}

/* "HTTP/" DIGIT "." DIGIT. A 1.x above 1.1 is read as 1.1 (RFC 9110 2.5). */
static int parse_version(struct http_slice version, unsigned *ret_minor)
{
	const char *p = version.p;

	if (version.len != 8 || memcmp(p, "HTTP/", 5) != 0 || !is_digit(p[5]) ||
		p[6] != '.' || !is_digit(p[7]))
		return -400;
	if (p[5] != '1')
		return -505;
	*ret_minor = p[7] == '0' ? 0 : 1;
	return 0;
}

/*
 * The version is judged before the method and the target, because the preface
 * of HTTP/2 ("PRI * HTTP/2.0") is then answered with what it is.
 */
static int parse_request_line(struct http_slice line, struct http_request *req)
{
	struct http_slice method, target;
	int err;

	if (!http_slice_cut(&line, ' ', &method) || !is_token(method) ||
		!http_slice_cut(&line, ' ', &target))
		return -400;
	err = parse_version(line, &req->minor);
	if (err == 0)
		err = parse_method(method, &req->method);
	if (err == 0)
		err = parse_target(target, req);
	return err;
}

static void note_connection(struct fields *fields, struct http_slice value)
{
	struct http_slice option;

	while (http_slice_next(&value, &option)) {
		if (http_slice_equal(option, "close"))
			fields->close = true;
		else if (http_slice_equal(option, "keep-alive"))
			fields->keep_alive = true;
	}
}

/*
 * A folded line begins with white space, which is no part of a token: so it
 * is refused here, like white space before the colon (RFC 9112 5.1, 5.2).
 */
static int parse_field(struct http_slice line, struct fields *fields)
{
	struct http_slice name;
	size_t id = 0;

	if (!http_slice_cut(&line, ':', &name) || !is_token(name))
		return -400;
	while (id < FIELD_MAX && !http_slice_equal(name, field_rows[id].name))
		id++;
	if (id == FIELD_MAX)
		return 0;

	struct http_slice value = http_slice_trim(line);
	if (id == FIELD_CONNECTION)
		note_connection(fields, value);
	if (fields->count[id]++ == 0) {
		fields->value[id] = value;
		return 0;
	}
	switch (field_rows[id].repeat) {
	case REPEAT_BAD:
		return -400;
	case REPEAT_DROP:
		fields->value[id] = (struct http_slice){NULL, 0};
		break;
	case REPEAT_FIRST:
		break;
	}
	return 0;
}

/* What the fields say together, whatever order they came in. */
static int judge_fields(const struct fields *fields, unsigned minor)
{
	struct http_slice host = fields->value[FIELD_HOST];
	struct http_slice length = fields->value[FIELD_CONTENT_LENGTH];

	if ((!host.p && minor > 0) || (host.p && !host_is_valid(host)))
		return -400;
	if (length.p && (length.len == 0 || !all_digits(length)))
		return -400;
	if (fields->value[FIELD_TRANSFER_ENCODING].p)
		return -501;
	for (size_t i = 0; length.p && i < length.len; i++) {
		if (length.p[i] != '0')
			return -413;
	}
	return 0;
}

static void take_fields(const struct fields *fields, struct http_request *req)
{
	if (!req->host.p)
		req->host = fields->value[FIELD_HOST];
	req->keep_alive =
		!fields->close && (req->minor > 0 || fields->keep_alive);
	req->range = fields->value[FIELD_RANGE];
	req->if_range = fields->value[FIELD_IF_RANGE];
	req->if_match = fields->value[FIELD_IF_MATCH];
	req->if_none_match = fields->value[FIELD_IF_NONE_MATCH];
	req->if_modified_since = fields->value[FIELD_IF_MODIFIED_SINCE];
	req->if_unmodified_since = fields->value[FIELD_IF_UNMODIFIED_SINCE];
	req->user_agent = fields->value[FIELD_USER_AGENT];
}

/* The next line, without its CRLF; false if it does not end in one. */
static bool next_line(struct http_slice *rest, struct http_slice *ret)
{
	if (!http_slice_cut(rest, '\n', ret) || ret->len == 0 ||
		ret->p[ret->len - 1] != '\r')
		return false;
	ret->len--;
	return true;
}

/* A whole head, from the request line to the empty line. */
static int parse_head(struct http_slice head, struct http_request *ret)
{
	struct http_request req = {.method = HTTP_METHOD_GET};
	struct fields fields = {.close = false};
	struct http_slice line;
	int err;

	if (!next_line(&head, &line))
		return -400;
	err = parse_request_line(line, &req);
	for (unsigned n = 0; err == 0; n++) {
		if (!next_line(&head, &line))
			return -400;
		if (line.len == 0)
			break;
		if (n == HTTP_MAX_HEADERS)
			return -431;
		err = parse_field(line, &fields);
	}
	if (err == 0)
		err = judge_fields(&fields, req.minor);
	if (err == 0) {
		take_fields(&fields, &req);
		*ret = req;
	}
	return err;
}

/*
 * Why is there no end within HTTP_MAX_HEAD bytes? The request line may be to
 * blame, and RFC 9112 3 wants a long target to be told from a long head.
 */
static int judge_overlong(struct http_slice head)
{
	struct http_request req;
	struct http_slice line = head, part;

	if (next_line(&head, &line)) {
		int err = parse_request_line(line, &req);
		return err < 0 ? err : -431;
	}
	if (!http_slice_cut(&line, ' ', &part))
		return -431;
	if (!http_slice_cut(&line, ' ', &part))
		part = line;
	return part.len > MAX_TARGET ? -414 : -431;
}

int http_parse_request(
	const char *buf, size_t len, size_t scanned, struct http_request *ret)
{
	size_t limit = len < HTTP_MAX_HEAD ? len : HTTP_MAX_HEAD;
	int start = skip_empty_lines(buf, limit);

	if (start < 0)
		return start;

	/* A CR that came last has not been judged without what follows. */
	size_t from = scanned > 0 ? scanned - 1 : 0;
	if (from < (size_t)start)
		from = (size_t)start;
	int end = scan_head(buf, (size_t)start, from, limit);
	if (end < 0 || (end == 0 && limit < HTTP_MAX_HEAD))
		return end;

	struct http_slice head = {buf + start, limit - (size_t)start};
	if (end == 0)
		return judge_overlong(head);
	head.len = (size_t)(end - start);

	int err = parse_head(head, ret);
	return err < 0 ? err : end;
}

/*
 * Percent-decode; with out NULL only the length is found. False if a byte is
 * not printable or an escape is none.
 */
static bool decode(struct http_slice text, char *out, size_t *ret_len)
{
	size_t len = 0;

	for (size_t i = 0; i < text.len; i++) {
		int c = (unsigned char)text.p[i];

		if (c == '%') {
			c = path_unescape(text.p + i, text.len - i);
			i += 2;
		}
		if (c < 0x20 || c > 0x7e)
			return false;
		if (out)
			out[len] = (char)c;
		len++;
	}
	*ret_len = len;
	return true;
}

bool http_query_get(
	struct http_slice query, const char *key, char *ret, size_t cap)
{
	size_t len;

	while (query.len > 0) {
		struct http_slice value, name;

		if (!http_slice_cut(&query, '&', &value)) {
			value = query;
			query.len = 0;
		}
		if (!http_slice_cut(&value, '=', &name)) {
			name = value;
			value.len = 0;
		}
		if (!is_exactly(name, key))
			continue;
		if (!decode(value, NULL, &len) || len >= cap)
			return false;
		decode(value, ret, &len);
		ret[len] = '\0';
		return true;
	}
	return false;
}
