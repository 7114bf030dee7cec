/*
 * The TFTP client against a server that the input makes up. The first byte
 * chooses the firmware; then each byte is an event (its low three bits) with
 * an argument (the others); a packet's own bytes may follow.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proto/tftp_client.h"

#define CHECK(holds)                                                           \
	do {                                                                   \
		if (!(holds))                                                  \
			abort();                                               \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct drive {
	struct tftp_client client;
	uint64_t now, taken;
	bool closed; /* its port, since it knows the size */
};

static void check(struct drive *d, struct tftp_client_action action)
{
	const struct tftp_client *c = &d->client;
	const struct tftp_client_stats *stats = &c->stats;
	struct tftp_request request;
	struct tftp_packet packet;
	const char *why;

	CHECK(c->packet_len > 0 && c->packet_len <= sizeof(c->packet));
	CHECK(!(action.send && action.request));
	if (action.request)
		CHECK(tftp_parse_request(c->packet, c->packet_len, &request,
			      &why) == TFTP_ERROR_NONE);
	if (action.send)
		CHECK(tftp_parse_packet(c->packet, c->packet_len, &packet));
	/* The file comes whole and in order, whatever the server does. */
	if (action.len > 0)
		CHECK(action.at == d->taken);
	d->taken += action.len;
	CHECK(stats->again <= stats->blocks);
	CHECK(c->blksize <= TFTP_MAX_BLKSIZE && c->windowsize >= 1);
	CHECK(c->windowsize <= c->firmware->windowsize);
	CHECK(c->in_window < c->windowsize || c->end != TFTP_CLIENT_RUNNING);
	CHECK(strnlen(c->text, sizeof(c->text)) < sizeof(c->text));
	/* After `probed` it is the next request that has a new deadline. */
	if (c->end == TFTP_CLIENT_RUNNING)
		CHECK(tftp_client_deadline(c) > d->now || action.probed ||
			(!action.send && !action.request));
	else
		CHECK(tftp_client_deadline(c) == UINT64_MAX);
	if (action.probed) {
		CHECK(d->taken == 0 && action.send);
		check(d, tftp_client_load(&d->client, d->now));
	}
}

static void receive(struct drive *d, const uint8_t *data, size_t len)
{
	struct tftp_packet packet;

	if (!tftp_parse_packet(data, len, &packet))
		return;
	tftp_client_saw(&d->client, &packet);
	check(d, tftp_client_packet(&d->client, &packet, d->now));
}

static void receive_block(struct drive *d, uint64_t block, bool last)
{
	static uint8_t packet[TFTP_DATA_HEADER + TFTP_MAX_BLKSIZE];
	size_t len = d->client.blksize - last;

	tftp_build_data_header(block, packet);
	receive(d, packet, TFTP_DATA_HEADER + len);
}

/* The bytes of the input that it used. */
static size_t event(struct drive *d, const uint8_t *data, size_t size)
{
	uint8_t arg = data[0] >> 3;
	size_t len = 0;

	switch (data[0] & 7) {
	case 0:
		receive_block(d, d->client.expected, false);
		break;
	case 1:
		receive_block(d, d->client.expected + arg - 16u, false);
		break;
	case 2:
		receive_block(d, arg * 2114u, arg == 31);
		break;
	case 3:
		d->now += UINT64_C(1) << arg % 25;
		break;
	case 4:
	case 5:
		if ((data[0] & 7) == 4 &&
			d->client.end == TFTP_CLIENT_RUNNING &&
			d->now < tftp_client_deadline(&d->client))
			d->now = tftp_client_deadline(&d->client);
		check(d, tftp_client_tick(&d->client, d->now));
		break;
	default:
		len = arg < size - 1 ? arg : size - 1;
		receive(d, data + 1, len);
		break;
	}
	return 1 + len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const names[] = {"edk2", "ipxe", "rom", "edk2"};
	struct drive d = {.now = 1};
	unsigned ticks = 0;

	if (size == 0)
		return 0;
	check(&d, tftp_client_start(&d.client,
			  tftp_firmware_find(names[data[0] & 3]), "x", d.now));
	for (size_t at = 1; at < size;)
		at += event(&d, data + at, size - at);
	/* When nothing comes any more, it ends. */
	while (d.client.end == TFTP_CLIENT_RUNNING) {
		CHECK(++ticks <= d.client.firmware->tries);
		d.now = tftp_client_deadline(&d.client);
		check(&d, tftp_client_tick(&d.client, d.now));
	}
	return 0;
}
