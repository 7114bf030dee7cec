#include <string.h>

#include "proto/http.h"
#include "proto/http_slice.h"
#include "proto/wire.h"

/*
 * Take the next entity tag, with its quotes but without W/, from a list. False
 * at the end, and for anything that is no tag: what follows is not read.
 */
static bool tag_next(
	struct http_slice *list, struct http_slice *ret, bool *ret_weak)
{
	struct http_slice rest = *list;
	size_t end = 1;

	while (rest.len > 0 && memchr(" \t,", rest.p[0], 3)) {
		rest.p++;
		rest.len--;
	}
	*ret_weak = rest.len >= 2 && memcmp(rest.p, "W/", 2) == 0;
	if (*ret_weak) {
		rest.p += 2;
		rest.len -= 2;
	}
	if (rest.len == 0 || rest.p[0] != '"')
		return false;
	/* A tag may hold commas, but neither spaces nor tabs. */
	while (end < rest.len && rest.p[end] != '"') {
		if (rest.p[end] == ' ' || rest.p[end] == '\t')
			return false;
		end++;
	}
	if (end == rest.len)
		return false;

	*ret = (struct http_slice){rest.p, end + 1};
	rest = http_slice_trim((struct http_slice){
		rest.p + end + 1,
		rest.len - end - 1,
	});
	if (rest.len > 0 && rest.p[0] != ',')
		return false;
	*list = rest;
	return true;
}

static bool tag_is(struct http_slice tag, const char *etag)
{
	return etag && tag.len == strlen(etag) &&
	       memcmp(tag.p, etag, tag.len) == 0;
}

/*
 * Does "*" or a list of tags name the entity? Weak tags count only where the
 * comparison is weak (RFC 9110 8.8.3.2).
 */
static bool tags_match(
	struct http_slice list, const char *etag, bool weak_counts)
{
	struct http_slice tag;
	bool weak;

	if (http_slice_equal(list, "*"))
		return true;
	while (tag_next(&list, &tag, &weak)) {
		if ((!weak || weak_counts) && tag_is(tag, etag))
			return true;
	}
	return false;
}

/* The date of a field; false if it or the entity's own is not there. */
static bool read_date(
	struct http_slice value, const struct http_entity *entity, int64_t *ret)
{
	return value.p && entity->mtime >= 0 &&
	       http_parse_date(value.p, value.len, ret);
}

/* If-Match, and in its absence If-Unmodified-Since. */
static bool still_wanted(
	const struct http_request *request, const struct http_entity *entity)
{
	int64_t date;

	if (request->if_match.p)
		return tags_match(request->if_match, entity->etag, false);
	if (read_date(request->if_unmodified_since, entity, &date))
		return entity->mtime <= date;
	return true;
}

/* If-None-Match, and in its absence If-Modified-Since. */
static bool already_there(
	const struct http_request *request, const struct http_entity *entity)
{
	int64_t date;

	if (request->if_none_match.p)
		return tags_match(request->if_none_match, entity->etag, true);
	if (read_date(request->if_modified_since, entity, &date))
		return entity->mtime <= date;
	return false;
}

/* If-Range: one strong tag, or the very date of Last-Modified. */
static bool range_counts(
	const struct http_request *request, const struct http_entity *entity)
{
	int64_t date;

	if (request->method != HTTP_METHOD_GET || !request->range.p)
		return false;
	if (!request->if_range.p)
		return true;
	if (tag_is(request->if_range, entity->etag))
		return true;
	return read_date(request->if_range, entity, &date) &&
	       entity->mtime == date;
}

/*
 * A whole slice of digits; what is beyond 64 bits is UINT64_MAX, which is
 * beyond the end of every entity.
 */
static bool read_number(struct http_slice text, uint64_t *ret)
{
	uint64_t v = 0;

	for (size_t i = 0; i < text.len; i++) {
		if (text.p[i] < '0' || text.p[i] > '9')
			return false;
		uint64_t digit = (uint64_t)(text.p[i] - '0');
		if (v > (UINT64_MAX - digit) / 10)
			v = UINT64_MAX;
		else
			v = v * 10 + digit;
	}
	*ret = v;
	return text.len > 0;
}

/*
 * Apply "bytes=FIRST-LAST", "bytes=FIRST-" or "bytes=-SUFFIX" to an answer of
 * the whole entity, which it leaves alone if there is anything else in it.
 */
static void apply_range(struct http_slice range, struct http_answer *answer)
{
	struct http_slice unit, part, first_text, more;
	uint64_t size = answer->length;
	uint64_t first, last = UINT64_MAX;

	if (!http_slice_cut(&range, '=', &unit) ||
		!http_slice_equal(unit, "bytes") ||
		!http_slice_next(&range, &part) ||
		http_slice_next(&range, &more) ||
		!http_slice_cut(&part, '-', &first_text))
		return;

	if (first_text.len == 0) {
		uint64_t suffix;

		/*
		 * The last bytes of nothing could be asked for, but there is
		 * no way to write them into a Content-Range: 200.
		 */
		if (!read_number(part, &suffix) || (suffix > 0 && size == 0))
			return;
		first = suffix < size ? size - suffix : 0;
		if (suffix == 0)
			first = size;
	} else {
		if (!read_number(first_text, &first) ||
			(part.len > 0 && !read_number(part, &last)) ||
			last < first)
			return;
	}

	if (first >= size) {
		*answer = (struct http_answer){.status = 416};
		return;
	}
	if (last > size - 1)
		last = size - 1;
	answer->status = 206;
	answer->first = first;
	answer->length = last - first + 1;
}

void http_evaluate(const struct http_request *request,
	const struct http_entity *entity, struct http_answer *ret)
{
	struct http_answer answer = {.status = 200, .length = entity->size};

	if (!still_wanted(request, entity))
		answer = (struct http_answer){.status = 412};
	else if (already_there(request, entity))
		answer = (struct http_answer){.status = 304};
	else if (range_counts(request, entity))
		apply_range(request->range, &answer);
	*ret = answer;
}

/* No redirect is among them: UEFI HTTP Boot fails on one. */
static const struct {
	unsigned status;
	const char *text;
} status_rows[] = {
	{200, "OK"},
	{206, "Partial Content"},
	{304, "Not Modified"},
	{400, "Bad Request"},
	{403, "Forbidden"},
	{404, "Not Found"},
	{405, "Method Not Allowed"},
	{408, "Request Timeout"},
	{410, "Gone"},
	{412, "Precondition Failed"},
	{413, "Content Too Large"},
	{414, "URI Too Long"},
	{416, "Range Not Satisfiable"},
	{429, "Too Many Requests"},
	{431, "Request Header Fields Too Large"},
	{500, "Internal Server Error"},
	{501, "Not Implemented"},
	{503, "Service Unavailable"},
	{505, "HTTP Version Not Supported"},
};

static const char *find_status(unsigned status)
{
	size_t rows = sizeof(status_rows) / sizeof(status_rows[0]);

	for (size_t i = 0; i < rows; i++) {
		if (status_rows[i].status == status)
			return status_rows[i].text;
	}
	return NULL;
}

const char *http_status_text(unsigned status)
{
	const char *text = find_status(status);

	return text ? text : "Unknown";
}

/* A field, if there is text for it; never one that would be two. */
static void put_field(struct wire_writer *w, const char *name, const char *text)
{
	if (!text)
		return;
	for (const char *p = text; *p != '\0'; p++) {
		unsigned char c = (unsigned char)*p;

		if (c < 0x20 || c == 0x7f)
			w->err = "a control character in a header field";
	}
	wire_put_text(w, name);
	wire_put_text(w, ": ");
	wire_put_text(w, text);
	wire_put_text(w, "\r\n");
}

static void put_number(struct wire_writer *w, const char *name, uint64_t v)
{
	wire_put_text(w, name);
	wire_put_text(w, ": ");
	wire_put_dec(w, v);
	wire_put_text(w, "\r\n");
}

static void put_date(struct wire_writer *w, const char *name, int64_t t)
{
	char text[HTTP_DATE_LEN];

	http_format_date(t, text);
	put_field(w, name, text);
}

static void put_content_range(
	struct wire_writer *w, const struct http_head *head)
{
	uint64_t first = head->range_first, length = head->range_length;

	if (head->status == 416) {
		wire_put_text(w, "Content-Range: bytes */");
		wire_put_dec(w, length);
		wire_put_text(w, "\r\n");
		return;
	}
	if (!head->entity || length == 0 || first >= head->entity->size ||
		length > head->entity->size - first ||
		length != head->content_length) {
		w->err = "no such range";
		return;
	}
	wire_put_text(w, "Content-Range: bytes ");
	wire_put_dec(w, first);
	wire_put_text(w, "-");
	wire_put_dec(w, first + (length - 1));
	wire_put_text(w, "/");
	wire_put_dec(w, head->entity->size);
	wire_put_text(w, "\r\n");
}

/*
 * What is said of the entity. A 304 tells only what a cache needs to know
 * (RFC 9110 15.4.5): the tag, or else the date.
 */
static void put_entity(struct wire_writer *w, const struct http_head *head)
{
	const struct http_entity *entity = head->entity;
	bool brief = head->status == 304;
	bool future = head->date >= 0 && entity->mtime > head->date;

	if (!brief) {
		put_field(w, "Content-Type", entity->type);
		put_field(w, "Accept-Ranges", "bytes");
	}
	put_field(w, "ETag", entity->etag);
	if (entity->mtime >= 0 && !future && !(brief && entity->etag))
		put_date(w, "Last-Modified", entity->mtime);
}

size_t http_build_head(const struct http_head *head, char *out, size_t cap)
{
	const char *text = find_status(head->status);
	bool good = head->status == 200 || head->status == 206;
	struct wire_writer w;

	if (!text)
		return 0;

	/* iPXE wants the space behind the code, whatever the text. */
	wire_writer_init(&w, out, cap);
	wire_put_text(&w, "HTTP/1.1 ");
	wire_put_dec(&w, head->status);
	wire_put_text(&w, " ");
	wire_put_text(&w, text);
	wire_put_text(&w, "\r\n");

	if (head->date >= 0)
		put_date(&w, "Date", head->date);
	if (head->status != 304)
		put_number(&w, "Content-Length", head->content_length);
	if (head->entity && (good || head->status == 304))
		put_entity(&w, head);
	else if (head->content_length > 0 && head->status != 304)
		put_field(&w, "Content-Type", "text/plain; charset=utf-8");
	if (head->status == 206 || head->status == 416)
		put_content_range(&w, head);
	if (head->retry_after > 0)
		put_number(&w, "Retry-After", head->retry_after);
	put_field(&w, "Allow", head->allow);
	put_field(&w, "Connection", head->close ? "close" : "keep-alive");
	wire_put_text(&w, "\r\n");
	return w.err ? 0 : w.len;
}
