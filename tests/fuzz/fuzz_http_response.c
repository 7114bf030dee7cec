/* Any bytes as the head of an HTTP answer. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proto/http_response.h"

#define CHECK(holds)                                                           \
	do {                                                                   \
		if (!(holds))                                                  \
			abort();                                               \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	struct http_response r;
	int n;

	CHECK(text);
	memcpy(text, data, size);
	n = http_response_parse(text, size, &r);
	CHECK(n >= -1 && n <= (int)size);
	if (n > 0) {
		CHECK(memcmp(text + n - 2, "\r\n", 2) == 0);
		CHECK(r.status >= 100 && r.status <= 999);
		/* What follows does not matter, and less is not enough. */
		CHECK(http_response_parse(text, (size_t)n, &r) == n);
		CHECK(http_response_parse(text, (size_t)n - 1, &r) == 0);
	}
	free(text);
	return 0;
}
