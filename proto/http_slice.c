#include "proto/http_slice.h"

#include <string.h>

static bool is_ows(char c)
{
	return c == ' ' || c == '\t';
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

struct http_slice http_slice_trim(struct http_slice s)
{
	while (s.len > 0 && is_ows(s.p[0])) {
		s.p++;
		s.len--;
	}
	while (s.len > 0 && is_ows(s.p[s.len - 1]))
		s.len--;
	return s;
}

bool http_slice_equal(struct http_slice s, const char *text)
{
	if (!s.p || s.len != strlen(text))
		return false;
	for (size_t i = 0; i < s.len; i++) {
		if (lower(s.p[i]) != lower(text[i]))
			return false;
	}
	return true;
}

bool http_slice_cut(struct http_slice *rest, char at, struct http_slice *ret)
{
	const char *found = NULL;

	if (rest->len > 0)
		found = memchr(rest->p, at, rest->len);
	if (!found)
		return false;

	size_t len = (size_t)(found - rest->p);
	*ret = (struct http_slice){rest->p, len};
	*rest = (struct http_slice){found + 1, rest->len - len - 1};
	return true;
}

bool http_slice_next(struct http_slice *list, struct http_slice *ret)
{
	while (list->len > 0) {
		struct http_slice element;

		if (!http_slice_cut(list, ',', &element)) {
			element = *list;
			*list = (struct http_slice){
				list->p + list->len,
				0,
			};
		}
		element = http_slice_trim(element);
		if (element.len > 0) {
			*ret = element;
			return true;
		}
	}
	return false;
}
