#include "proto/template.h"

#include <stdbool.h>
#include <string.h>

#include "proto/wire.h"

/* The value whose "{name}" begins the text; NULL: none of ours does. */
static const struct template_value *find(const char *text, size_t len,
	const struct template_value *values, size_t n_values)
{
	for (size_t i = 0; i < n_values; i++) {
		size_t n = strlen(values[i].name);

		if (len >= n + 2 && text[0] == '{' &&
			memcmp(text + 1, values[i].name, n) == 0 &&
			text[n + 1] == '}')
			return &values[i];
	}
	return NULL;
}

/* How many '$' of an opening there are: 2 is an escaped one. */
static size_t count_dollars(const char *text, size_t len)
{
	if (len < 1 || text[0] != '$')
		return 0;
	return len > 1 && text[1] == '$' ? 2 : 1;
}

enum template_result template_expand(const char *text, size_t len,
	const struct template_value *values, size_t n_values, char *ret,
	size_t cap, size_t *ret_len, const char **ret_name)
{
	struct wire_writer w;
	bool made = false;
	size_t at = 0;

	if (len > TEMPLATE_MAX || memchr(text, '\0', len))
		return TEMPLATE_PLAIN;
	wire_writer_init(&w, ret, cap);
	while (at < len) {
		size_t n = count_dollars(text + at, len - at), word_len;
		const struct template_value *value = NULL;

		if (n)
			value = find(
				text + at + n, len - at - n, values, n_values);
		if (!value) {
			wire_put_u8(&w, (uint8_t)text[at++]);
			continue;
		}
		if (n == 1 && !value->value) {
			*ret_name = value->name;
			return TEMPLATE_UNKNOWN;
		}
		word_len = strlen(value->name) + strlen("${}");
		if (n == 1)
			wire_put_text(&w, value->value);
		else
			wire_put_bytes(&w, text + at + 1, word_len);
		at += n - 1 + word_len;
		made = true;
	}
	if (!made)
		return TEMPLATE_PLAIN;
	if (w.err)
		return TEMPLATE_TOO_LONG;
	*ret_len = w.len;
	return TEMPLATE_MADE;
}
