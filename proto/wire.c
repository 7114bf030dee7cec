#include "proto/wire.h"

#include <string.h>

#define WIRE_MAX_DEC 20 /* digits of 2^64 - 1 */

void wire_reader_init(struct wire_reader *r, const void *data, size_t len)
{
	r->base = data;
	r->len = len;
	r->at = 0;
	r->err = NULL;
}

/* Nothing is left after an error, so that a loop over the rest ends. */
size_t wire_left(const struct wire_reader *r)
{
	return r->err ? 0 : r->len - r->at;
}

const uint8_t *wire_get_bytes(struct wire_reader *r, size_t len)
{
	const uint8_t *p;

	if (r->err)
		return NULL;
	if (len > r->len - r->at) {
		r->err = "cut short";
		return NULL;
	}
	if (!r->base)
		return NULL;
	p = r->base + r->at;
	r->at += len;
	return p;
}

uint8_t wire_get_u8(struct wire_reader *r)
{
	const uint8_t *p = wire_get_bytes(r, 1);

	return p ? p[0] : 0;
}

uint16_t wire_get_u16(struct wire_reader *r)
{
	const uint8_t *p = wire_get_bytes(r, 2);

	return p ? (uint16_t)((uint32_t)p[0] << 8 | p[1]) : 0;
}

uint32_t wire_get_u32(struct wire_reader *r)
{
	const uint8_t *p = wire_get_bytes(r, 4);

	return p ? (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
			       (uint32_t)p[2] << 8 | p[3]
		 : 0;
}

uint16_t wire_get_le16(struct wire_reader *r)
{
	const uint8_t *p = wire_get_bytes(r, 2);

	return p ? (uint16_t)((uint32_t)p[1] << 8 | p[0]) : 0;
}

uint32_t wire_get_le32(struct wire_reader *r)
{
	const uint8_t *p = wire_get_bytes(r, 4);

	return p ? (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 |
			       (uint32_t)p[1] << 8 | p[0]
		 : 0;
}

void wire_skip(struct wire_reader *r, size_t len)
{
	(void)wire_get_bytes(r, len);
}

void wire_seek(struct wire_reader *r, size_t at)
{
	if (r->err)
		return;
	if (at > r->len) {
		r->err = "offset past the end";
		return;
	}
	r->at = at;
}

void wire_writer_init(struct wire_writer *w, void *buf, size_t cap)
{
	w->base = buf;
	w->cap = cap;
	w->len = 0;
	w->err = NULL;
}

/* Room for len more bytes, already counted; NULL (and an error) if none. */
static uint8_t *reserve(struct wire_writer *w, size_t len)
{
	uint8_t *p;

	if (w->err)
		return NULL;
	if (len > w->cap - w->len) {
		w->err = "does not fit";
		return NULL;
	}
	if (!w->base)
		return NULL;
	p = w->base + w->len;
	w->len += len;
	return p;
}

void wire_put_bytes(struct wire_writer *w, const void *data, size_t len)
{
	uint8_t *p = reserve(w, len);

	/* memcpy wants a valid pointer even for nothing. */
	if (p && len > 0)
		memcpy(p, data, len);
}

void wire_put_zeros(struct wire_writer *w, size_t len)
{
	uint8_t *p = reserve(w, len);

	if (p)
		memset(p, 0, len);
}

void wire_put_u8(struct wire_writer *w, uint8_t v)
{
	wire_put_bytes(w, &v, 1);
}

void wire_put_u16(struct wire_writer *w, uint16_t v)
{
	const uint8_t b[] = {(uint8_t)(v >> 8), (uint8_t)v};

	wire_put_bytes(w, b, sizeof(b));
}

void wire_put_u32(struct wire_writer *w, uint32_t v)
{
	const uint8_t b[] = {(uint8_t)(v >> 24), (uint8_t)(v >> 16),
		(uint8_t)(v >> 8), (uint8_t)v};

	wire_put_bytes(w, b, sizeof(b));
}

void wire_put_le16(struct wire_writer *w, uint16_t v)
{
	const uint8_t b[] = {(uint8_t)v, (uint8_t)(v >> 8)};

	wire_put_bytes(w, b, sizeof(b));
}

void wire_put_le32(struct wire_writer *w, uint32_t v)
{
	const uint8_t b[] = {(uint8_t)v, (uint8_t)(v >> 8), (uint8_t)(v >> 16),
		(uint8_t)(v >> 24)};

	wire_put_bytes(w, b, sizeof(b));
}

void wire_put_text(struct wire_writer *w, const char *text)
{
	wire_put_bytes(w, text, strlen(text));
}

/* Write v's digits so that they end before `end`; returns the first one. */
static char *format_dec(char *end, uint64_t v)
{
	do {
		*--end = (char)('0' + v % 10);
		v /= 10;
	} while (v > 0);
	return end;
}

void wire_put_dec(struct wire_writer *w, uint64_t v)
{
	char text[WIRE_MAX_DEC];
	char *end = text + sizeof(text);
	char *start = format_dec(end, v);

	wire_put_bytes(w, start, (size_t)(end - start));
}

void wire_put_hex(struct wire_writer *w, uint64_t v, unsigned digits)
{
	static const char hex[] = "0123456789abcdef";
	uint8_t *p = reserve(w, digits);

	if (!p)
		return;
	while (digits > 0) {
		p[--digits] = (uint8_t)hex[v & 15];
		v >>= 4;
	}
}

void wire_put_ipv4(struct wire_writer *w, uint32_t addr)
{
	char text[sizeof("255.255.255.255")];
	char *end = text + sizeof(text);
	char *start = end;
	unsigned shift;

	/* From the last number to the first, and then in one piece. */
	for (shift = 0; shift < 32; shift += 8) {
		if (shift > 0)
			*--start = '.';
		start = format_dec(start, addr >> shift & 255);
	}
	wire_put_bytes(w, start, (size_t)(end - start));
}

char *wire_terminate(struct wire_writer *w)
{
	uint8_t *p = reserve(w, 1);

	if (!p)
		return NULL;
	*p = 0;
	w->len--;
	return (char *)w->base;
}
