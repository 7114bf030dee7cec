/*
 * digest: a SHA-256 digest and its text forms. Computing one is not done here.
 */
#ifndef PROTO_DIGEST_H
#define PROTO_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DIGEST_LEN	32
#define DIGEST_TEXT_LEN 65 /* 64 hexadecimal digits and NUL */

struct digest {
	uint8_t b[DIGEST_LEN];
};

/*
 * 64 hexadecimal digits of either case, with or without "sha256:" before
 * them; len bytes, all of them used.
 */
bool digest_parse(const char *text, size_t len, struct digest *ret);
/* Lower case, without "sha256:": also the name of an OCI blob's file. */
void digest_format(const struct digest *digest, char ret[DIGEST_TEXT_LEN]);
bool digest_equal(const struct digest *a, const struct digest *b);

#endif
