#include "proto/http_response.h"

#include <limits.h>
#include <string.h>

#include "proto/http_slice.h"

/* Up to its CRLF, which goes too; false if there is none. */
static bool take_line(struct http_slice *rest, struct http_slice *ret)
{
	struct http_slice line;

	if (!http_slice_cut(rest, '\n', &line))
		return false;
	if (line.len > 0 && line.p[line.len - 1] == '\r')
		line.len--;
	else
		line.p = NULL;
	*ret = line;
	return true;
}

/* At most 18 digits, and nothing else. */
static bool number_of(struct http_slice s, uint64_t *ret)
{
	uint64_t n = 0;

	if (s.len < 1 || s.len > 18)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
		n = n * 10 + (uint64_t)(s.p[i] - '0');
	}
	*ret = n;
	return true;
}

/* "HTTP/1.1 200 OK"; the text may be missing, its blank too. */
static bool take_status(struct http_slice line, struct http_response *r)
{
	uint64_t status;

	if (line.len < 12 || memcmp(line.p, "HTTP/1.", 7) != 0 ||
		(line.p[7] != '0' && line.p[7] != '1') || line.p[8] != ' ' ||
		(line.len > 12 && line.p[12] != ' ') ||
		!number_of((struct http_slice){line.p + 9, 3}, &status))
		return false;
	r->status = (unsigned)status;
	r->close = line.p[7] == '0';
	return status >= 100;
}

static bool take_header(
	struct http_slice value, struct http_response *r, bool *encoded)
{
	struct http_slice name, word;
	uint64_t length;

	if (!http_slice_cut(&value, ':', &name) || name.len == 0)
		return false;
	if (http_slice_equal(name, "connection")) {
		while (http_slice_next(&value, &word)) {
			if (http_slice_equal(word, "close"))
				r->close = true;
			if (http_slice_equal(word, "keep-alive"))
				r->close = false;
		}
	}
	if (http_slice_equal(name, "transfer-encoding"))
		*encoded = true;
	if (!http_slice_equal(name, "content-length"))
		return true;
	if (!number_of(http_slice_trim(value), &length) ||
		(r->has_length && r->length != length))
		return false;
	r->has_length = true;
	r->length = length;
	return true;
}

int http_response_parse(const char *buf, size_t len, struct http_response *ret)
{
	struct http_slice rest = {buf, len < INT_MAX ? len : INT_MAX}, line;
	struct http_response r = {.status = 0};
	bool encoded = false;

	if (!take_line(&rest, &line))
		return 0;
	if (!line.p || !take_status(line, &r))
		return -1;
	for (;;) {
		if (!take_line(&rest, &line))
			return 0;
		if (!line.p)
			return -1;
		if (line.len == 0)
			break;
		if (!take_header(line, &r, &encoded))
			return -1;
	}
	if (encoded)
		r.has_length = false;
	*ret = r;
	return (int)(rest.p - buf);
}
