/*
 * http_response: the head of an answer, as a client of ours reads it (RFC
 * 9110, 9112). The other side is proto/http.
 */
#ifndef PROTO_HTTP_RESPONSE_H
#define PROTO_HTTP_RESPONSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct http_response {
	unsigned status;
	bool has_length; /* Content-Length, and no Transfer-Encoding */
	uint64_t length;
	bool close; /* the server hangs up after it */
};

/*
 * Read the head at the start of buf. Returns its length, with the empty line;
 * 0 if it is incomplete so far; -1 if it is none, and ret is untouched.
 * Lines end with CRLF. Two Content-Lengths that differ are an error.
 */
int http_response_parse(const char *buf, size_t len, struct http_response *ret);

#endif
