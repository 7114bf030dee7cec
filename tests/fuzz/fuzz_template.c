/*
 * Any bytes as a template; the first two tell how much room there is. Values
 * are what stands for them, so that the result can be told from the text.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proto/template.h"

#define CHECK(holds)                                                           \
	do {                                                                   \
		if (!(holds))                                                  \
			abort();                                               \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct template_value values[] = {
	{"mac", "${mac}"}, {"a", "${a}"}, {"unknown", NULL}};

static bool has(const char *text, size_t len, const char *word)
{
	return memmem(text, len, word, strlen(word)) != NULL;
}

static bool is_ours(const char *text, size_t len)
{
	return has(text, len, "${mac}") || has(text, len, "${a}") ||
	       has(text, len, "${unknown}");
}

/* Nothing changed but that one '$' of each escaped opening went. */
static void check_made(
	const char *text, size_t len, const char *ret, size_t ret_len)
{
	size_t j = 0;

	for (size_t i = 0; i < len; i++) {
		if (j < ret_len && text[i] == ret[j])
			j++;
		else
			CHECK(text[i] == '$');
	}
	CHECK(j == ret_len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *name = NULL;
	size_t cap, len, ret_len = SIZE_MAX;
	char *text, *ret;
	enum template_result result;

	if (size < 2)
		return 0;
	cap = (size_t)(data[0] << 8 | data[1]);
	len = size - 2;
	text = malloc(len + 1); /* each of its very size, for the sanitizer */
	ret = malloc(cap + 1);
	CHECK(text && ret);
	memcpy(text + 1, data + 2, len);
	result = template_expand(text + 1, len, values,
		sizeof(values) / sizeof(*values), ret + 1, cap, &ret_len,
		&name);
	if (result == TEMPLATE_PLAIN)
		CHECK(memchr(text + 1, 0, len) || len > TEMPLATE_MAX ||
			!is_ours(text + 1, len));
	else
		CHECK(is_ours(text + 1, len));
	if (result == TEMPLATE_MADE) {
		CHECK(ret_len <= cap);
		check_made(text + 1, len, ret + 1, ret_len);
	} else if (result == TEMPLATE_UNKNOWN) {
		CHECK(strcmp(name, "unknown") == 0);
	}
	free(text);
	free(ret);
	return 0;
}
