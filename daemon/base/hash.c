#include "daemon/base/hash.h"

#include <stdint.h>
#include <string.h>
#include <sys/auxv.h>

/* The kernel gives each process 16 random bytes: no call can fail here. */
static uint64_t key_part(size_t at)
{
	const void *random = (const void *)getauxval(AT_RANDOM);
	uint64_t key = 0;

	if (random)
		memcpy(&key, (const uint8_t *)random + at, sizeof(key));
	return key;
}

size_t hash_bucket(const void *data, size_t len, size_t buckets)
{
	const uint8_t *p = data;
	uint64_t odd = key_part(8) | 1;
	uint64_t h = key_part(0);

	while (len--) {
		h = (h ^ *p++) * odd;
		h ^= h >> 32;
	}
	return (size_t)(h % buckets);
}
