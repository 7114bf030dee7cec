/* Any bytes as a name; the first byte tells whether TFTP's or HTTP's. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proto/path.h"

#define CHECK(holds)                                                           \
	do {                                                                   \
		if (!(holds))                                                  \
			abort();                                               \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_component(const char *text, size_t len)
{
	CHECK(len > 0);
	CHECK(!(len == 1 && text[0] == '.'));
	CHECK(!(len == 2 && text[0] == '.' && text[1] == '.'));
}

/* Printable, without empty components, "." and "..", nor '/' at an end. */
static void check_name(const char *name)
{
	size_t begin = 0, len = strlen(name);

	CHECK(len <= PATH_MAX_LEN);
	for (size_t i = 0; i < len; i++) {
		CHECK(name[i] >= 0x20 && name[i] <= 0x7e && name[i] != '\\');
		if (name[i] == '/') {
			check_component(name + begin, i - begin);
			begin = i + 1;
		}
	}
	if (len > 0)
		check_component(name + begin, len - begin);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char name[PATH_MAX_LEN + 1], again[PATH_MAX_LEN + 1];

	if (size == 0)
		return 0;

	bool percent = data[0] & 1;
	char *text = malloc(size);
	CHECK(text);
	memcpy(text, data + 1, size - 1);
	memset(name, '#', sizeof(name));
	if (!path_normalise(text, size - 1, percent, name)) {
		for (size_t i = 0; i < sizeof(name); i++)
			CHECK(name[i] == '#');
	} else {
		check_name(name);
		/* A name stands for itself, whoever asks for it. */
		CHECK(path_normalise(name, strlen(name), false, again));
		CHECK(strcmp(name, again) == 0);
		CHECK(path_below(name, "images") != name);
		const char *below = path_below(name, "images");
		if (below && *below != '\0')
			check_name(below);
	}
	free(text);
	return 0;
}
