/*
 * http_slice: the small text steps that http.c and http_answer.c share. A
 * slice is a stretch of somebody else's buffer, never NUL-terminated.
 */
#ifndef PROTO_HTTP_SLICE_H
#define PROTO_HTTP_SLICE_H

#include <stdbool.h>

#include "proto/http.h"

/* Without the spaces and tabs around it (OWS, RFC 9110 5.6.3). */
struct http_slice http_slice_trim(struct http_slice s);

/*
 * Split at the first `at`: what is before it into ret, what is behind it stays
 * in rest. False, and nothing changed, if there is no `at`.
 */
bool http_slice_cut(struct http_slice *rest, char at, struct http_slice *ret);

/*
 * Take the next element of a comma-separated list, trimmed; empty elements
 * are passed over, as RFC 9110 5.6.1.2 wants. False at the end of the list.
 * Not for lists of quoted strings: a comma may stand within quotes.
 */
bool http_slice_next(struct http_slice *list, struct http_slice *ret);

#endif
