#include "proto/text.h"

#include <stdbool.h>
#include <string.h>

/*
 * Bytes of the UTF-8 character at text, of `left` bytes; 0 if it is none. The
 * second byte's range keeps out overlong forms, surrogates and what lies above
 * U+10FFFF.
 */
static size_t char_len(const uint8_t *text, size_t left)
{
	uint8_t first = text[0], low = 0x80, high = 0xbf;
	size_t n;

	if (first < 0x80)
		return 1;
	if (first >= 0xc2 && first <= 0xdf)
		n = 2;
	else if (first >= 0xe0 && first <= 0xef)
		n = 3;
	else if (first >= 0xf0 && first <= 0xf4)
		n = 4;
	else
		return 0;
	if (first == 0xe0)
		low = 0xa0;
	else if (first == 0xed)
		high = 0x9f;
	else if (first == 0xf0)
		low = 0x90;
	else if (first == 0xf4)
		high = 0x8f;
	if (left < n || text[1] < low || text[1] > high)
		return 0;
	for (size_t i = 2; i < n; i++)
		if ((text[i] & 0xc0) != 0x80)
			return 0;
	return n;
}

/* Terminals obey these, C1 too. */
static bool is_control(const uint8_t *text, size_t n)
{
	return (n == 1 && (text[0] < 0x20 || text[0] == 0x7f)) ||
	       (n == 2 && text[0] == 0xc2 && text[1] < 0xa0);
}

size_t text_clean(const uint8_t *text, size_t len, char *ret, size_t cap)
{
	size_t out = 0;

	if (!cap)
		return SIZE_MAX;
	for (size_t at = 0; at < len && text[at] != 0;) {
		size_t n = char_len(text + at, len - at);
		size_t taken = n ? n : 1;
		size_t put = !n || is_control(text + at, n) ? 1 : n;

		if (put >= cap - out) {
			ret[0] = '\0';
			return SIZE_MAX;
		}
		if (!n || is_control(text + at, n))
			ret[out] = '?';
		else
			memcpy(ret + out, text + at, n);
		out += put;
		at += taken;
	}
	ret[out] = '\0';
	return out;
}
