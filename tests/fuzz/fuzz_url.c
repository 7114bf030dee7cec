/* Any text as a URL. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proto/tftp.h"
#include "proto/url.h"

#define CHECK(holds)                                                           \
	do {                                                                   \
		if (!(holds))                                                  \
			abort();                                               \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	struct url url;

	CHECK(text);
	memcpy(text, data, size);
	text[size] = '\0';
	if (!url_parse(text, &url)) {
		size_t len = strnlen(url.path, sizeof(url.path));

		CHECK(len > 0 && len < sizeof(url.path));
		CHECK(*url.host);
		CHECK(strnlen(url.host, sizeof(url.host)) < sizeof(url.host));
		CHECK(url.port > 0);
		if (url.scheme == URL_SCHEME_TFTP)
			CHECK(len <= TFTP_MAX_NAME);
		else
			CHECK((url.path[0] == '/' && strstr(text, url.path)) ||
				strcmp(url.path, "/") == 0);
	}
	free(text);
	return 0;
}
