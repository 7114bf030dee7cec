/*
 * Any bytes as what a server tells a machine that `netukictl bench` boots: as
 * its answer by DHCP and as its script.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/ctl/bench/bench_boot.h"

#define CHECK(holds)                                                           \
	do {                                                                   \
		if (!(holds))                                                  \
			abort();                                               \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Each is a part of the script, in their order. */
static void run_script(const struct bench_self *self, const char *text)
{
	char url[URL_MAX], expanded[URL_MAX];
	const char *at = text, *last = text;

	while (bench_script_next(&at, url)) {
		const char *there = strstr(last, url);

		CHECK(at > last && strstr(url, "://") && there && there < at);
		last = at;
		bench_script_expand(self, url, expanded);
		CHECK(strnlen(expanded, URL_MAX) < URL_MAX);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bench_self self = {.xid = 1, .arch = 7};
	char *text = malloc(size + 1);
	struct bench_answer answer;

	CHECK(text);
	memcpy(text, data, size);
	text[size] = '\0';
	run_script(&self, text);
	free(text);
	/* Most would be another's: it takes what is there for its own. */
	if (size >= 34) {
		self.xid = (uint32_t)data[4] << 24 | (uint32_t)data[5] << 16 |
			   (uint32_t)data[6] << 8 | data[7];
		memcpy(self.mac.b, data + 28, sizeof(self.mac.b));
	}
	for (int i = 0; i < 4; i++) {
		self.http_client = i & 1;
		if (bench_dhcp_read(&self, i & 2, data, size, &answer))
			CHECK(strnlen(answer.file, URL_MAX) < URL_MAX &&
				!(answer.ask_there && (i & 2)));
	}
	return 0;
}
