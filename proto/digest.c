#include "proto/digest.h"

#include <string.h>

#include "proto/hex.h"

bool digest_parse(const char *text, size_t len, struct digest *ret)
{
	static const char prefix[] = "sha256:";
	struct digest digest;

	if (len > sizeof(prefix) - 1 &&
		memcmp(text, prefix, sizeof(prefix) - 1) == 0) {
		text += sizeof(prefix) - 1;
		len -= sizeof(prefix) - 1;
	}
	if (len != 2 * sizeof(digest.b))
		return false;
	for (size_t i = 0; i < sizeof(digest.b); i++)
		if (!hex_get(text + 2 * i, &digest.b[i]))
			return false;
	*ret = digest;
	return true;
}

void digest_format(const struct digest *digest, char ret[DIGEST_TEXT_LEN])
{
	char *p = ret;

	for (size_t i = 0; i < sizeof(digest->b); i++)
		p = hex_put(p, digest->b[i]);
	*p = '\0';
}

bool digest_equal(const struct digest *a, const struct digest *b)
{
	return memcmp(a->b, b->b, sizeof(a->b)) == 0;
}
