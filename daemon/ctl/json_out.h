/*
 * json_out: JSON as it is printed and kept: numbers as short as they can be
 * without becoming others, where jansson writes seventeen digits.
 */
#ifndef DAEMON_CTL_JSON_OUT_H
#define DAEMON_CTL_JSON_OUT_H

#include <jansson.h>
#include <stddef.h>
#include <stdio.h>

/* json_dumps(), of an object or a list; the caller frees. Never NULL. */
char *json_out_text(const json_t *value, size_t flags);
/* That, and the end of the line. */
void json_out(const json_t *value, size_t flags, FILE *out);

#endif
