/*
 * The sender of a transfer, driven by packets and a clock that the input
 * makes up. Five bytes choose the transfer; then each byte is an event (its
 * low three bits) with an argument (the others).
 */
#include <stdint.h>
#include <stdlib.h>

#include "proto/tftp_send.h"

#define MAX_EVENTS 4096
#define CHECK(holds)                                                           \
	do {                                                                   \
		if (!(holds))                                                  \
			abort();                                               \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct drive {
	struct tftp_send sender;
	uint64_t now;
	uint64_t sent;	  /* blocks, all */
	uint64_t top;	  /* the highest of them */
	unsigned unasked; /* sendings for packets without news since a tick */
	uint64_t again;	  /* blocks sent again after top, at this base */
	uint64_t echoes;  /* repeated ACKs that those before it explain */
};

static bool has_ended(const struct drive *d)
{
	return d->sender.ended != TFTP_STEP_WAIT;
}

static void check_blocks(struct drive *d, struct tftp_action action)
{
	const struct tftp_send *s = &d->sender;
	uint64_t last = action.first + action.count - 1;

	CHECK(action.count >= 1 && action.count <= s->params.windowsize);
	CHECK(action.first > s->base);
	CHECK(last <= s->last_block);
	/* Never more in flight than the window, and nothing left out. */
	CHECK(last <= s->base + s->params.windowsize);
	CHECK(action.first <= d->top + 1);
	CHECK(action.first == s->last_block ||
		tftp_send_block_len(s, action.first) == s->params.blksize);
	CHECK(tftp_send_block_len(s, last) <= s->params.blksize);
	d->sent += action.count;
	if (last > d->top) {
		/* Its ACK comes after all that was caused before. */
		d->top = last;
		d->again = 0;
	} else {
		d->again += action.count;
	}
	CHECK(s->top == d->top);
}

static void check(struct drive *d, struct tftp_action action)
{
	const struct tftp_send *s = &d->sender;

	switch (action.step) {
	case TFTP_STEP_WAIT:
		break;
	case TFTP_STEP_OACK:
		CHECK(s->params.oack && s->base == 0);
		CHECK(tftp_send_deadline(s) > d->now || !s->opening);
		break;
	case TFTP_STEP_BLOCKS:
		check_blocks(d, action);
		CHECK(tftp_send_deadline(s) > d->now);
		break;
	case TFTP_STEP_DONE:
		CHECK(s->base == s->last_block);
		break;
	case TFTP_STEP_ABORTED:
	case TFTP_STEP_GAVE_UP:
		break;
	}
	CHECK(has_ended(d) == (action.step == TFTP_STEP_DONE ||
				      action.step == TFTP_STEP_ABORTED ||
				      action.step == TFTP_STEP_GAVE_UP));
	CHECK(!has_ended(d) || tftp_send_deadline(s) == UINT64_MAX);
	CHECK(s->stats.blocks_sent == d->sent);
	CHECK(s->stats.resent_timer + s->stats.resent_rollback <= d->sent);
	CHECK(s->base <= s->top && s->top <= s->last_block);
	CHECK(s->top <= s->base + s->params.windowsize);
}

static void packet(struct drive *d, enum tftp_op op, uint16_t number)
{
	const struct tftp_send *s = &d->sender;
	const struct tftp_packet packet = {.op = op, .block = number};
	uint64_t base = s->base, deadline = tftp_send_deadline(s);
	uint64_t again = d->again, top = s->top;
	bool opening = s->opening;
	struct tftp_action action =
		tftp_send_packet(&d->sender, &packet, d->now);

	check(d, action);
	CHECK(s->base >= base);
	if (has_ended(d))
		return;
	if (s->base > base) {
		d->echoes = s->base == top ? again : 0;
		d->again -= d->again < again ? d->again : again;
	} else if (d->echoes > 0 && op == TFTP_OP_ACK &&
		   number == (uint16_t)base) {
		CHECK(action.step == TFTP_STEP_WAIT && !s->missed);
		d->echoes--;
	}
	CHECK(tftp_send_deadline(s) > d->now ||
		tftp_send_deadline(s) == deadline);
	if (s->base > base || opening != s->opening) {
		d->unasked = 0;
	} else if (action.step != TFTP_STEP_WAIT) {
		/* Repeated ACKs: once for each, and never in lockstep. */
		CHECK(s->params.windowsize > 1);
		CHECK(++d->unasked == 1);
	}
}

static void tick(struct drive *d)
{
	bool due = d->now >= tftp_send_deadline(&d->sender);
	struct tftp_action action = tftp_send_tick(&d->sender, d->now);

	check(d, action);
	CHECK(tftp_send_deadline(&d->sender) > d->now);
	CHECK(due || has_ended(d) || action.step == TFTP_STEP_WAIT);
	d->unasked = 0;
	if (action.step != TFTP_STEP_WAIT)
		d->echoes = 0;
}

static void tick_at_deadline(struct drive *d)
{
	if (!has_ended(d) && tftp_send_deadline(&d->sender) > d->now)
		d->now = tftp_send_deadline(&d->sender);
	tick(d);
}

static void again(struct drive *d)
{
	bool fresh = d->sender.base > 0;
	struct tftp_action action = tftp_send_again(&d->sender, d->now);

	if (fresh && !has_ended(d) && action.step != TFTP_STEP_WAIT)
		/* The transfer starts afresh. */
		d->top = d->again = d->echoes = 0;
	check(d, action);
}

static void event(struct drive *d, uint8_t byte)
{
	const struct tftp_send *s = &d->sender;
	uint8_t arg = byte >> 3;

	switch (byte & 7) {
	case 0:
		packet(d, TFTP_OP_ACK, (uint16_t)(s->base + arg));
		break;
	case 1:
		packet(d, TFTP_OP_ACK, (uint16_t)s->top);
		break;
	case 2:
		packet(d, TFTP_OP_ACK, (uint16_t)(arg * 2114));
		break;
	case 3:
		d->now += UINT64_C(1) << arg % 25;
		break;
	case 4:
		tick_at_deadline(d);
		break;
	case 5:
		tick(d);
		break;
	case 6:
		again(d);
		break;
	default:
		if (arg == 0)
			packet(d, TFTP_OP_ERROR, 0);
		else if (arg == 1)
			packet(d, TFTP_OP_DATA, 1);
		else if (arg == 2)
			tftp_send_delayed(&d->sender, d->now);
		else
			packet(d, TFTP_OP_ACK, (uint16_t)(s->base - arg));
		break;
	}
}

/* However it came there, it ends: with the file, or by giving up in time. */
static void finish(struct drive *d, bool silent)
{
	uint64_t from = d->now;
	unsigned events = 0;

	while (!has_ended(d)) {
		CHECK(++events < 1000000);
		if (silent) {
			tick_at_deadline(d);
			CHECK(has_ended(d) ||
				d->now <= from + TFTP_GIVE_UP_US + 1);
		} else {
			d->now += 100;
			packet(d, TFTP_OP_ACK, (uint16_t)d->sender.top);
			CHECK(!has_ended(d) ||
				d->sender.ended == TFTP_STEP_DONE);
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint32_t windows[] = {1, 2, 3, 4, 7, 16, 64, 65535};
	struct tftp_params params = {.blksize = 8};
	struct drive d = {.now = 1000000};
	uint64_t file;

	if (size < 5)
		return 0;
	params.windowsize = windows[data[0] & 7];
	params.oack = params.windowsize > 1 || (data[0] & 8) != 0;
	params.timeout_s = (data[0] & 16) != 0 ? data[1] : 0;
	/* Two wraps of the block number, where that does not take for ever. */
	file = data[2] | (uint32_t)data[3] << 8;
	if (params.windowsize >= 16)
		file |= (uint32_t)(data[4] & 15) << 16;
	check(&d, tftp_send_start(&d.sender, &params, file, d.now));
	for (size_t i = 5; i < size && i < MAX_EVENTS; i++)
		event(&d, data[i]);
	finish(&d, (data[0] & 32) != 0);
	return 0;
}
