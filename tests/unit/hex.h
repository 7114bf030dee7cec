/*
 * hex: bytes for tests, from hexadecimal text: inline, or from a file of
 * tests/packets. A line of a file is an offset and bytes ("0010  63 82 53"),
 * as text2pcap reads them; what follows '#' is a comment, and an offset that
 * does not match fails the test.
 *
 * To be included after cmocka.h. Tests run in the repository's root.
 */
#ifndef TESTS_UNIT_HEX_H
#define TESTS_UNIT_HEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#ifndef HEX_DIR
#define HEX_DIR "tests/packets"
#endif

#define HEX_MAX 2048 /* enough for every fixture */

static inline int hex_digit(int c)
{
	const char *digits = "0123456789abcdef";
	const char *p = c ? strchr(digits, c | 0x20) : NULL;

	return p ? (int)(p - digits) : -1;
}

/*
 * Append the bytes of a line's pairs of digits to ret. False if there is
 * anything else, or too much of it.
 */
static inline bool hex_line(
	const char *text, uint8_t *ret, size_t cap, size_t *len)
{
	for (; *text && *text != '#' && *text != '\n'; text++) {
		int high = hex_digit((unsigned char)text[0]);

		if (*text == ' ' || *text == '\t')
			continue;
		if (high < 0 || *len == cap)
			return false;
		text++;
		if (hex_digit((unsigned char)*text) < 0)
			return false;
		ret[(*len)++] =
			(uint8_t)(high << 4 | hex_digit((unsigned char)*text));
	}
	return true;
}

/* "63 82 53 63" to bytes; returns their count. */
static inline size_t hex_text(const char *text, uint8_t *ret, size_t cap)
{
	size_t len = 0;

	if (!hex_line(text, ret, cap, &len))
		fail_msg("not hexadecimal, or too long: \"%s\"", text);
	return len;
}

/* The packet in HEX_DIR/name.hex; returns its length. */
static inline size_t hex_load(const char *name, uint8_t *ret, size_t cap)
{
	char path[256], line[256];
	size_t len = 0;
	unsigned number = 0;
	FILE *file;

	(void)snprintf(path, sizeof(path), HEX_DIR "/%s.hex", name);
	file = fopen(path, "r");
	if (!file)
		fail_msg("%s: cannot be opened", path);
	while (fgets(line, sizeof(line), file)) {
		size_t at = 0;
		int used = 0;

		number++;
		if (line[0] == '#' || line[0] == '\n')
			continue;
		if (sscanf(line, "%4zx%n", &at, &used) != 1 || at != len ||
			!hex_line(line + used, ret, cap, &len))
			fail_msg("%s:%u: bad line", path, number);
	}
	(void)fclose(file);
	assert_true(len > 0);
	return len;
}

/* Fail with the row's name and the first differing byte. */
static inline void hex_assert_equal(const char *name, const uint8_t *got,
	size_t got_len, const uint8_t *want, size_t want_len)
{
	size_t i;

	for (i = 0; i < got_len && i < want_len; i++)
		if (got[i] != want[i])
			fail_msg("%s: byte %zu (0x%04zx) is %02x, not %02x",
				name, i, i, got[i], want[i]);
	if (got_len != want_len)
		fail_msg("%s: %zu bytes, not %zu", name, got_len, want_len);
}

#endif
