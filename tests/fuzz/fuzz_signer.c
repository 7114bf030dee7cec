/*
 * signer: whatever the certificate table holds, the names are UTF-8 without
 * control characters, and end within the buffer, however small.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proto/signer.h"
#include "proto/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const size_t caps[] = {1, 2, 5, 20, 64};
	char all[256], some[64], clean[256];
	size_t len = signer_names(data, size, all, sizeof(all));

	if (len >= sizeof(all) || strlen(all) != len)
		abort();
	if (text_clean((const uint8_t *)all, len, clean, sizeof(clean)) !=
			len ||
		strcmp(all, clean) != 0)
		abort();
	for (size_t i = 0; i < sizeof(caps) / sizeof(caps[0]); i++) {
		size_t n = signer_names(data, size, some, caps[i]);

		if (n >= caps[i] || strlen(some) != n)
			abort();
	}
	return 0;
}
