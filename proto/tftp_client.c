#include "proto/tftp_client.h"

#include <string.h>

/*
 * Seen on the wire, and read in the sources of EDK2 and iPXE; the ROM is
 * Intel's UNDI.
 */
static const struct tftp_firmware firmwares[] = {
	{.name = "edk2",
		.blksize = 1468,
		.windowsize = 4,
		.probes = true,
		.abort_code = TFTP_ERROR_OPTION,
		.abort_text = "User aborted the transfer",
		.timer_us = 4000000,
		.timer_max_us = 4000000,
		.tries = 6},
	{.name = "ipxe",
		.blksize = 1432,
		.windowsize = 1,
		.tsize = true,
		.timer_us = 250000,
		.timer_max_us = 10000000,
		.tries = 7},
	{.name = "rom",
		.blksize = 1456,
		.windowsize = 1,
		.probes = true,
		.abort_code = TFTP_ERROR_UNDEFINED,
		.abort_text = "TFTP Aborted",
		.timer_us = 4000000,
		.timer_max_us = 4000000,
		.tries = 6},
};

const struct tftp_firmware *tftp_firmware_find(const char *name)
{
	for (size_t i = 0; i < sizeof(firmwares) / sizeof(*firmwares); i++) {
		if (strcmp(firmwares[i].name, name) == 0)
			return &firmwares[i];
	}
	return NULL;
}

static void set_text(struct tftp_client *c, const char *text)
{
	size_t len = strnlen(text, sizeof(c->text) - 1);

	memcpy(c->text, text, len);
	c->text[len] = '\0';
}

static void set_timer(struct tftp_client *c, uint64_t now_us)
{
	c->tries = 0;
	c->timer_us = c->firmware->timer_us;
	c->deadline_us = now_us + c->timer_us;
}

static struct tftp_client_action nothing(void)
{
	return (struct tftp_client_action){.send = false};
}

static struct tftp_client_action send_error(
	struct tftp_client *c, enum tftp_error code, const char *text)
{
	c->packet_len =
		tftp_build_error(code, text, c->packet, sizeof(c->packet));
	return (struct tftp_client_action){.send = true};
}

/* The server is told, so that it does not send on. */
static struct tftp_client_action broken(
	struct tftp_client *c, enum tftp_error code, const char *why)
{
	c->end = TFTP_CLIENT_BROKEN;
	set_text(c, why);
	return send_error(c, code, why);
}

static struct tftp_client_action send_request(
	struct tftp_client *c, bool probe, uint64_t now_us)
{
	struct tftp_request request = {.blksize = c->firmware->blksize};
	size_t len = strnlen(c->name, TFTP_MAX_NAME);

	memcpy(request.name, c->name, len);
	request.tsize = probe || c->firmware->tsize;
	if (c->firmware->windowsize > 1)
		request.windowsize = c->firmware->windowsize;
	c->probing = probe;
	c->opened = false;
	c->blksize = TFTP_DEFAULT_BLKSIZE;
	c->windowsize = 1;
	c->expected = 1;
	c->highest = 0;
	c->received = 0;
	c->in_window = 0;
	c->packet_len =
		tftp_build_request(&request, c->packet, sizeof(c->packet));
	set_timer(c, now_us);
	return (struct tftp_client_action){.request = true};
}

struct tftp_client_action tftp_client_start(struct tftp_client *c,
	const struct tftp_firmware *firmware, const char *name, uint64_t now_us)
{
	c->firmware = firmware;
	c->name = name;
	c->end = TFTP_CLIENT_RUNNING;
	c->text[0] = '\0';
	c->has_size = false;
	return send_request(c, firmware->probes, now_us);
}

struct tftp_client_action tftp_client_load(
	struct tftp_client *c, uint64_t now_us)
{
	return send_request(c, false, now_us);
}

static struct tftp_client_action acknowledge(
	struct tftp_client *c, uint64_t now_us)
{
	c->in_window = 0;
	c->packet_len =
		tftp_build_ack(c->expected - 1, c->packet, sizeof(c->packet));
	c->deadline_us = now_us + c->timer_us;
	return (struct tftp_client_action){.send = true};
}

/* Of a block, from the expected one. */
static int distance(const struct tftp_client *c, uint16_t block)
{
	return (int16_t)(uint16_t)(block - (uint16_t)c->expected);
}

void tftp_client_saw(struct tftp_client *c, const struct tftp_packet *packet)
{
	int off = distance(c, packet->block);
	uint64_t block;

	if (packet->op != TFTP_OP_DATA || c->probing)
		return;
	c->stats.blocks++;
	/* Before the first block there is none. */
	if (off < 0 && (uint64_t)-off >= c->expected)
		return;
	block = c->expected + (uint64_t)off;
	if (block <= c->highest)
		c->stats.again++;
	else
		c->highest = block;
}

static struct tftp_client_action take_block(struct tftp_client *c,
	const struct tftp_packet *packet, uint64_t now_us)
{
	int off = distance(c, packet->block);
	struct tftp_client_action action;

	if (c->probing)
		return broken(c, TFTP_ERROR_OPTION,
			"the server does not tell the size");
	if (packet->len > c->blksize)
		return broken(
			c, TFTP_ERROR_ILLEGAL, "a block is longer than agreed");
	c->opened = true;
	if (off != 0) {
		c->stats.needless += off < 0;
		return acknowledge(c, now_us);
	}
	action = (struct tftp_client_action){
		.at = c->received,
		.data = packet->data,
		.len = packet->len,
	};
	set_timer(c, now_us);
	c->received += packet->len;
	c->expected++;
	c->in_window++;
	if (packet->len < c->blksize)
		c->end = TFTP_CLIENT_COMPLETE;
	if (c->end != TFTP_CLIENT_RUNNING || c->in_window == c->windowsize)
		action.send = acknowledge(c, now_us).send;
	return action;
}

/* Only what was asked for, and no more of it: EDK2 refuses anything else. */
static bool is_granted(
	const struct tftp_client *c, const struct tftp_oack *oack)
{
	const struct tftp_firmware *firmware = c->firmware;

	return oack->blksize <= firmware->blksize &&
	       oack->windowsize <=
		       (firmware->windowsize > 1 ? firmware->windowsize : 0) &&
	       !oack->timeout_s &&
	       (!oack->has_tsize || c->probing || firmware->tsize);
}

static struct tftp_client_action take_oack(struct tftp_client *c,
	const struct tftp_packet *packet, uint64_t now_us)
{
	struct tftp_client_action action;
	struct tftp_oack oack;

	if (c->opened) {
		/* It came again, since the first ACK was lost. */
		return c->expected == 1 ? acknowledge(c, now_us) : nothing();
	}
	if (!tftp_parse_oack(packet, &oack) || !is_granted(c, &oack))
		return broken(
			c, TFTP_ERROR_ILLEGAL, "Malformatted OACK packet");
	if (oack.has_tsize) {
		c->has_size = true;
		c->size = oack.tsize;
	}
	if (c->probing) {
		if (!oack.has_tsize)
			return broken(c, TFTP_ERROR_OPTION,
				"the server does not tell the size");
		action = send_error(
			c, c->firmware->abort_code, c->firmware->abort_text);
		action.probed = true;
		return action;
	}
	if (oack.blksize > 0)
		c->blksize = oack.blksize;
	if (oack.windowsize > 0)
		c->windowsize = oack.windowsize;
	c->opened = true;
	set_timer(c, now_us);
	return acknowledge(c, now_us);
}

struct tftp_client_action tftp_client_packet(struct tftp_client *c,
	const struct tftp_packet *packet, uint64_t now_us)
{
	if (c->end != TFTP_CLIENT_RUNNING)
		return nothing();
	if (packet->op == TFTP_OP_DATA)
		return take_block(c, packet, now_us);
	if (packet->op == TFTP_OP_OACK)
		return take_oack(c, packet, now_us);
	if (packet->op == TFTP_OP_ERROR) {
		c->end = TFTP_CLIENT_REFUSED;
		c->code = packet->code;
		set_text(c, packet->text);
	}
	return nothing();
}

struct tftp_client_action tftp_client_tick(
	struct tftp_client *c, uint64_t now_us)
{
	uint64_t max = c->firmware->timer_max_us;

	if (now_us < tftp_client_deadline(c))
		return nothing();
	c->stats.timeouts++;
	if (++c->tries >= c->firmware->tries) {
		c->end = TFTP_CLIENT_SILENT;
		return nothing();
	}
	c->timer_us = c->timer_us < max / 2 ? 2 * c->timer_us : max;
	c->deadline_us = now_us + c->timer_us;
	return (struct tftp_client_action){
		.send = c->opened,
		.request = !c->opened,
	};
}

uint64_t tftp_client_deadline(const struct tftp_client *c)
{
	return c->end == TFTP_CLIENT_RUNNING ? c->deadline_us : UINT64_MAX;
}
