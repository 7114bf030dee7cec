/* Any bytes as a datagram to the service port, and to a running transfer. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proto/tftp.h"

#define CHECK(holds)                                                           \
	do {                                                                   \
		if (!(holds))                                                  \
			abort();                                               \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_printable(const char *text, size_t max)
{
	size_t len = strnlen(text, max + 1);

	CHECK(len <= max);
	for (size_t i = 0; i < len; i++)
		CHECK(text[i] >= 0x20 && text[i] <= 0x7e);
}

/* What is granted is what the OACK says, and what was asked at most. */
static void check_negotiation(const struct tftp_request *request)
{
	const struct tftp_limits limits = {1468, 64};
	struct tftp_params params;
	struct tftp_packet packet;
	struct tftp_oack oack;
	uint8_t out[128];
	size_t len;

	tftp_negotiate(request, &limits, &params);
	CHECK(params.blksize >= TFTP_MIN_BLKSIZE && params.blksize <= 1468);
	CHECK(params.windowsize >= 1 && params.windowsize <= 64);
	CHECK(request->blksize == 0 || params.blksize <= request->blksize);
	CHECK(request->windowsize == 0 ||
		params.windowsize <= request->windowsize);
	len = tftp_build_oack(&params, UINT64_MAX, out, sizeof(out));
	CHECK(len > 0);
	CHECK(tftp_parse_packet(out, len, &packet));
	CHECK(tftp_parse_oack(&packet, &oack));
	CHECK(params.oack == (len > 2));
	CHECK(oack.blksize == (params.oack_blksize ? params.blksize : 0));
	CHECK(oack.windowsize ==
		(params.oack_windowsize ? params.windowsize : 0));
	CHECK(oack.timeout_s == request->timeout_s);
	CHECK(oack.has_tsize == request->tsize);
}

static void check_request(const uint8_t *data, size_t size)
{
	struct tftp_request request, again;
	const char *why = NULL;
	uint8_t out[512];
	size_t len;

	if (tftp_parse_request(data, size, &request, &why) != TFTP_ERROR_NONE) {
		if (why)
			check_printable(why, 64);
		return;
	}
	CHECK(*request.name && *request.name != '/');
	check_printable(request.name, TFTP_MAX_NAME);
	CHECK(request.blksize == 0 || request.blksize >= TFTP_MIN_BLKSIZE);
	CHECK(request.windowsize <= TFTP_MAX_WINDOWSIZE);
	CHECK(request.timeout_s <= 255);
	check_negotiation(&request);

	len = tftp_build_request(&request, out, sizeof(out));
	CHECK(len > 0);
	CHECK(tftp_parse_request(out, len, &again, &why) == TFTP_ERROR_NONE);
	CHECK(strcmp(again.name, request.name) == 0);
	CHECK(again.blksize == request.blksize);
	CHECK(again.windowsize == request.windowsize);
	CHECK(again.timeout_s == request.timeout_s);
	CHECK(again.tsize == request.tsize);
}

static void check_packet(const uint8_t *data, size_t size)
{
	struct tftp_packet packet;
	struct tftp_oack oack;
	uint8_t out[TFTP_DATA_HEADER];

	if (!tftp_parse_packet(data, size, &packet))
		return;
	CHECK(packet.op >= TFTP_OP_DATA && packet.op <= TFTP_OP_OACK);
	check_printable(packet.text, sizeof(packet.text) - 1);
	if (packet.op == TFTP_OP_DATA) {
		CHECK(packet.len == size - TFTP_DATA_HEADER);
		tftp_build_data_header(packet.block, out);
		CHECK(memcmp(out, data, sizeof(out)) == 0);
	} else if (packet.op == TFTP_OP_ACK) {
		CHECK(tftp_build_ack(packet.block, out, sizeof(out)) == 4);
		CHECK(memcmp(out, data, sizeof(out)) == 0);
	}
	if (tftp_parse_oack(&packet, &oack)) {
		CHECK(packet.op == TFTP_OP_OACK);
		CHECK(oack.windowsize <= TFTP_MAX_WINDOWSIZE);
		CHECK(oack.has_tsize || oack.tsize == 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* A copy of the exact size: reading past its end is seen. */
	uint8_t *copy = malloc(size > 0 ? size : 1);

	CHECK(copy);
	if (size > 0)
		memcpy(copy, data, size);
	check_request(copy, size);
	check_packet(copy, size);
	free(copy);
	return 0;
}
