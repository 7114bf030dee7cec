/*
 * tftp: the messages of TFTP, parsed and built (RFC 1350; options: RFC 2347,
 * 2348 blksize, 2349 timeout and tsize, 7440 windowsize), and what of a
 * request's options is granted. The transfer itself is proto/tftp_send.
 */
#ifndef PROTO_TFTP_H
#define PROTO_TFTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/wire.h"

#define TFTP_DATA_HEADER     4 /* opcode and block number before the data */
#define TFTP_DEFAULT_BLKSIZE 512
#define TFTP_MIN_BLKSIZE     8
#define TFTP_MAX_BLKSIZE     65464
#define TFTP_MAX_WINDOWSIZE  65535
#define TFTP_MAX_NAME	     255

enum tftp_op {
	TFTP_OP_RRQ = 1,
	TFTP_OP_WRQ = 2,
	TFTP_OP_DATA = 3,
	TFTP_OP_ACK = 4,
	TFTP_OP_ERROR = 5,
	TFTP_OP_OACK = 6
};

enum tftp_error {
	TFTP_ERROR_UNDEFINED = 0,
	TFTP_ERROR_NOT_FOUND = 1,
	TFTP_ERROR_ACCESS = 2,
	TFTP_ERROR_DISK_FULL = 3,
	TFTP_ERROR_ILLEGAL = 4,
	TFTP_ERROR_UNKNOWN_TID = 5,
	TFTP_ERROR_EXISTS = 6,
	TFTP_ERROR_NO_USER = 7,
	TFTP_ERROR_OPTION = 8,
	TFTP_ERROR_NONE = -1
};

struct tftp_request {
	/*
	 * As proto/path normalises it ('\\' made '/', no leading '/'), less
	 * trailing bytes >= 0x80: old Intel and Lenovo ROMs append the DHCP
	 * END option. Never empty.
	 */
	char name[TFTP_MAX_NAME + 1];
	/* Option values; 0 (false for tsize): not asked, or absurd. */
	uint32_t blksize;    /* 8..2^32-1 */
	uint32_t windowsize; /* 1..65535 */
	uint32_t timeout_s;  /* 1..255 */
	bool tsize;
};

/*
 * Read a datagram that came to the service port. Returns TFTP_ERROR_NONE and
 * fills ret for a read request that can be served; otherwise the error to
 * answer with and *ret_why, its text; *ret_why NULL: answer nothing at all
 * (an ERROR packet, or too short to be anything).
 * WRQ: error 2. Other modes than octet (any case): error 4. A name with ".."
 * as a component, an inner NUL, control characters or bytes >= 0x80 (after
 * the mending above): error 2. Unterminated strings, an empty name, unknown
 * opcodes: error 4. DATA, ACK and OACK belong to a transfer: error 5.
 * Of an option given twice the first counts (RFC 2347); malformed values are
 * as if not asked.
 */
enum tftp_error tftp_parse_request(const void *data, size_t len,
	struct tftp_request *ret, const char **ret_why);

struct tftp_limits {
	uint32_t max_blksize;	 /* what the path carries without fragments */
	uint32_t max_windowsize; /* 1..65535 */
};

/* What a transfer goes by. */
struct tftp_params {
	uint32_t blksize;
	uint32_t windowsize;
	uint32_t timeout_s; /* 0: not asked */
	bool oack;	    /* any option was granted: begin with an OACK */
	bool oack_blksize, oack_windowsize, oack_timeout, oack_tsize;
};

void tftp_negotiate(const struct tftp_request *request,
	const struct tftp_limits *limits, struct tftp_params *ret);

/* Builders return the packet's length, 0 if cap is too small. */
size_t tftp_build_oack(const struct tftp_params *params, uint64_t file_size,
	uint8_t *out, size_t cap);
size_t tftp_build_error(
	enum tftp_error code, const char *text, uint8_t *out, size_t cap);
/* The four bytes in front of a block's data. */
void tftp_build_data_header(uint64_t block, uint8_t ret[TFTP_DATA_HEADER]);
/* A client's packets, for the bench client and the tests. */
size_t tftp_build_request(
	const struct tftp_request *request, uint8_t *out, size_t cap);
size_t tftp_build_ack(uint64_t block, uint8_t *out, size_t cap);

/* A packet of a running transfer, from either side. */
struct tftp_packet {
	enum tftp_op op;      /* DATA, ACK, ERROR or OACK */
	uint16_t block;	      /* DATA, ACK */
	enum tftp_error code; /* ERROR; the number as sent, may be unknown */
	char text[65];	      /* ERROR: printable part of the message */
	const uint8_t *data;  /* DATA: the block; OACK: the options */
	size_t len;
};

/* False: not a packet of a transfer, or cut short. */
bool tftp_parse_packet(const void *data, size_t len, struct tftp_packet *ret);

/* An OACK's options, as tftp_request has them; false if malformed. */
struct tftp_oack {
	uint32_t blksize, windowsize, timeout_s;
	bool has_tsize;
	uint64_t tsize;
};
bool tftp_parse_oack(const struct tftp_packet *packet, struct tftp_oack *ret);

#endif
