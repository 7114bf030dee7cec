#include "proto/hex.h"

int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

bool hex_get(const char text[2], uint8_t *ret)
{
	int high = hex_digit(text[0]);
	int low = hex_digit(text[1]);

	if (high < 0 || low < 0)
		return false;
	*ret = (uint8_t)(high << 4 | low);
	return true;
}

char *hex_put(char *text, uint8_t byte)
{
	static const char digits[] = "0123456789abcdef";

	*text++ = digits[byte >> 4];
	*text++ = digits[byte & 15];
	return text;
}
