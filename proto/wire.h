/*
 * wire: the bounded cursor through which every packet is read and written.
 *
 * A reader or writer keeps its first error and does nothing after it: failed
 * reads yield zero, failed writes write nothing. So a parser is straight-line
 * code that looks at `err` once, at its end. Nothing in this project casts a
 * packet to a struct. Multi-byte fields are big-endian unless the name says le.
 *
 * The caller owns all memory; `err` is static text.
 */
#ifndef PROTO_WIRE_H
#define PROTO_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct wire_reader {
	const uint8_t *base;
	size_t len;
	size_t at;	 /* next byte to read */
	const char *err; /* NULL while all is well */
};

void wire_reader_init(struct wire_reader *r, const void *data, size_t len);
size_t wire_left(const struct wire_reader *r);
uint8_t wire_get_u8(struct wire_reader *r);
uint16_t wire_get_u16(struct wire_reader *r);
uint32_t wire_get_u32(struct wire_reader *r);
uint16_t wire_get_le16(struct wire_reader *r);
uint32_t wire_get_le32(struct wire_reader *r);
/* The next len bytes, inside the input; NULL (and an error) if fewer remain. */
const uint8_t *wire_get_bytes(struct wire_reader *r, size_t len);
void wire_skip(struct wire_reader *r, size_t len);
/* Go to an absolute offset, 0..len. */
void wire_seek(struct wire_reader *r, size_t at);

struct wire_writer {
	uint8_t *base;
	size_t cap;
	size_t len;	 /* bytes written so far */
	const char *err; /* NULL while all is well */
};

void wire_writer_init(struct wire_writer *w, void *buf, size_t cap);
void wire_put_u8(struct wire_writer *w, uint8_t v);
void wire_put_u16(struct wire_writer *w, uint16_t v);
void wire_put_u32(struct wire_writer *w, uint32_t v);
void wire_put_le16(struct wire_writer *w, uint16_t v);
void wire_put_le32(struct wire_writer *w, uint32_t v);
void wire_put_bytes(struct wire_writer *w, const void *data, size_t len);
void wire_put_zeros(struct wire_writer *w, size_t len);
/* Text pieces, never NUL-terminated: see wire_terminate. */
void wire_put_text(struct wire_writer *w, const char *text);
void wire_put_dec(struct wire_writer *w, uint64_t v);
/* Lower-case, exactly `digits` hexadecimal digits. */
void wire_put_hex(struct wire_writer *w, uint64_t v, unsigned digits);
/* Dotted quad of an address in host order. */
void wire_put_ipv4(struct wire_writer *w, uint32_t addr);
/*
 * Put a NUL behind what was written, without counting it in `len`, and return
 * the text; NULL if anything did not fit. The way to finish a C string.
 */
char *wire_terminate(struct wire_writer *w);

#endif
