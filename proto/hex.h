/*
 * hex: bytes as pairs of hexadecimal digits.
 */
#ifndef PROTO_HEX_H
#define PROTO_HEX_H

#include <stdbool.h>
#include <stdint.h>

/* 0 to 15, of either case; -1: not a hexadecimal digit. */
int hex_digit(char c);
/* The byte whose two digits stand at text. */
bool hex_get(const char text[2], uint8_t *ret);
/* Puts two lower-case digits at text; returns what follows them. No NUL. */
char *hex_put(char *text, uint8_t byte);

#endif
