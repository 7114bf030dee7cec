#include "proto/digest.h"

#include <string.h>

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

bool digest_parse(const char *text, size_t len, struct digest *ret)
{
	static const char prefix[] = "sha256:";
	struct digest digest;

	if (len > sizeof(prefix) - 1 &&
		memcmp(text, prefix, sizeof(prefix) - 1) == 0) {
		text += sizeof(prefix) - 1;
		len -= sizeof(prefix) - 1;
	}
	if (len != 2 * sizeof(digest.b))
		return false;
	for (size_t i = 0; i < sizeof(digest.b); i++) {
		int high = hex_digit(text[2 * i]);
		int low = hex_digit(text[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		digest.b[i] = (uint8_t)(high << 4 | low);
	}
	*ret = digest;
	return true;
}

void digest_format(const struct digest *digest, char ret[DIGEST_TEXT_LEN])
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < sizeof(digest->b); i++) {
		ret[2 * i] = digits[digest->b[i] >> 4];
		ret[2 * i + 1] = digits[digest->b[i] & 15];
	}
	ret[2 * sizeof(digest->b)] = '\0';
}

bool digest_equal(const struct digest *a, const struct digest *b)
{
	return memcmp(a->b, b->b, sizeof(a->b)) == 0;
}
