/*
 * text: words from a file or a certificate, made fit to be shown.
 */
#ifndef PROTO_TEXT_H
#define PROTO_TEXT_H

#include <stddef.h>
#include <stdint.h>

/*
 * Writes the text up to its first NUL as NUL-terminated UTF-8 (RFC 3629) into
 * ret: what is not UTF-8, and control characters (C0, DEL, C1), become '?',
 * each byte or character one. Returns the length, never more than len;
 * SIZE_MAX, and ret is "", if it does not fit into cap bytes.
 */
size_t text_clean(const uint8_t *text, size_t len, char *ret, size_t cap);

#endif
