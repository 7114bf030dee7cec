#include "daemon/ctl/json_out.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define DIGITS	    15 /* as many survive the way to a double and back */
#define DIGITS_MAX  17 /* so many tell all doubles apart */
#define NUMBER_TEXT 40

/* The length of the string at text, with its quotes. */
static size_t string_len(const char *text)
{
	size_t i = 1;

	while (text[i] && text[i] != '"')
		i += text[i] == '\\' && text[i + 1] ? 2 : 1;
	return text[i] ? i + 1 : i;
}

/* A number of this length to where it may lie as well; its new length. */
static size_t shorten(char *to, const char *number, size_t len)
{
	char text[NUMBER_TEXT];
	double value;
	size_t n;

	if (memchr(number, '.', len) || memchr(number, 'e', len)) {
		value = strtod(number, NULL);
		for (int digits = DIGITS; digits <= DIGITS_MAX; digits++) {
			snprintf(text, sizeof(text), "%.*g", digits, value);
			if (strtod(text, NULL) == value)
				break;
		}
		/* Or it would be read as an integer. */
		if (!strpbrk(text, ".e"))
			strcat(text, ".0");
		n = strlen(text);
		if (n < len) {
			memcpy(to, text, n);
			return n;
		}
	}
	memmove(to, number, len);
	return len;
}

char *json_out_text(const json_t *value, size_t flags)
{
	char *text = json_dumps(value, flags), *to = text;
	const char *from = text;

	if (!text)
		abort();
	while (*from) {
		size_t len = strspn(from, "+-.0123456789e");

		if (*from == '"') {
			len = string_len(from);
			memmove(to, from, len);
			to += len;
		} else if (len && *from != 'e') {
			to += shorten(to, from, len);
		} else {
			len = 1; /* of a word, or between values */
			*to++ = *from;
		}
		from += len;
	}
	*to = '\0';
	return text;
}

void json_out(const json_t *value, size_t flags, FILE *out)
{
	char *text = json_out_text(value, flags);

	fprintf(out, "%s\n", text);
	free(text);
}
