#include "tests/unit/tftp_sim.h"

#include <stddef.h>
#include <string.h>

#define QUEUE		    1024 /* packets under way, one direction */
#define HEADERS		    (4 + 28)
#define EDK2_TIMEOUT_US	    4000000
#define EDK2_TRIES	    6
#define IPXE_TIMEOUT_US	    250000
#define IPXE_TIMEOUT_MAX_US 10000000

struct queue {
	uint64_t at[QUEUE];    /* when it is looked at */
	uint64_t block[QUEUE]; /* DATA: 1..; 0: OACK. ACK: its number */
	uint32_t first, count;
	uint64_t sent; /* in all, lost ones too */
};

struct sim {
	const struct tftp_sim_setup *setup;
	struct tftp_sim_result *ret;
	uint64_t now;
	uint64_t random;
	struct tftp_send sender;
	bool sender_ended;
	struct queue down, up;
	uint64_t held; /* the block that is overtaken; 0: none */
	uint64_t wire_free, client_free, up_free;
	/* The client. */
	uint64_t expected; /* the block it waits for */
	uint64_t last_ack;
	uint32_t counted; /* blocks since its last ACK */
	uint32_t tries;
	uint64_t timer, timeout;
	bool opened, done;
};

static uint32_t roll(struct sim *sim)
{
	/* xorshift64* */
	sim->random ^= sim->random >> 12;
	sim->random ^= sim->random << 25;
	sim->random ^= sim->random >> 27;
	return (uint32_t)(sim->random * UINT64_C(2685821657736338717) >> 32);
}

static bool chance(struct sim *sim, uint32_t ppm)
{
	return ppm > 0 && roll(sim) % 1000000 < ppm;
}

static void broken(struct sim *sim, const char *rule)
{
	if (!sim->ret->broken)
		sim->ret->broken = rule;
}

static void put(struct sim *sim, struct queue *q, uint64_t at, uint64_t block)
{
	uint32_t i = (q->first + q->count) % QUEUE;

	if (q->count == QUEUE) {
		broken(sim, "more packets under way than can be");
		return;
	}
	q->at[i] = at;
	q->block[i] = block;
	q->count++;
}

static uint64_t take(struct queue *q)
{
	uint64_t block = q->block[q->first];

	q->first = (q->first + 1) % QUEUE;
	q->count--;
	return block;
}

static uint64_t max_u64(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static uint64_t delay(const struct sim *sim)
{
	const struct tftp_sim_setup *setup = sim->setup;

	if (setup->jump_us > 0 && sim->now >= setup->jump_us)
		return setup->jump_delay_us;
	return setup->delay_us;
}

/* A packet goes down to the client, DATA or (block 0) the OACK. */
static void send_down(struct sim *sim, uint64_t block)
{
	const struct tftp_sim_setup *setup = sim->setup;
	struct queue *q = &sim->down;
	uint64_t arrives;
	uint32_t waiting = 0;

	sim->wire_free = max_u64(sim->wire_free, sim->now) + setup->wire_us;
	arrives = sim->wire_free + delay(sim);
	q->sent++;
	if (q->sent == setup->lose_down || chance(sim, setup->loss_ppm))
		return;
	for (uint32_t i = 0; i < q->count; i++)
		waiting += q->at[(q->first + i) % QUEUE] > arrives;
	if (setup->ring > 0 && waiting >= setup->ring)
		return;
	sim->client_free = max_u64(sim->client_free, arrives) + setup->turn_us;
	if (chance(sim, setup->pause_ppm))
		sim->client_free += setup->pause_us;
	if (q->sent == setup->swap_down) {
		sim->held = block;
		return;
	}
	put(sim, q, sim->client_free, block);
	if (sim->held > 0)
		put(sim, q, sim->client_free + 1, sim->held);
	sim->held = 0;
}

static void send_up(struct sim *sim, uint64_t block)
{
	const struct tftp_sim_setup *setup = sim->setup;
	struct queue *q = &sim->up;

	sim->up_free = max_u64(sim->up_free, sim->now + delay(sim));
	q->sent++;
	if (q->sent == setup->lose_up || chance(sim, setup->loss_ppm))
		return;
	put(sim, q, sim->up_free, block);
	if (setup->double_acks)
		put(sim, q, sim->up_free + 5, block);
}

static void client_ack(struct sim *sim)
{
	sim->last_ack = sim->expected - 1;
	sim->counted = 0;
	sim->tries = 0;
	if (sim->setup->kind == TFTP_SIM_IPXE)
		sim->timeout = IPXE_TIMEOUT_US;
	sim->timer = sim->now + sim->timeout;
	send_up(sim, sim->last_ack);
}

static void client_gets(struct sim *sim, uint64_t block)
{
	uint32_t window =
		sim->setup->windowsize > 0 ? sim->setup->windowsize : 1;

	if (sim->done)
		return;
	if (block == 0) {
		/* Once data has come, an OACK is nothing to EDK2. */
		if (sim->expected == 1 || sim->setup->kind == TFTP_SIM_IPXE)
			client_ack(sim);
		sim->opened = true;
		return;
	}
	if (block != sim->expected) {
		client_ack(sim);
		return;
	}
	sim->opened = true;
	sim->expected++;
	sim->counted++;
	if (block == sim->sender.last_block) {
		sim->done = true;
		sim->ret->completed = true;
		sim->ret->us = sim->now;
	}
	if (sim->done || sim->counted == window)
		client_ack(sim);
}

static void client_times_out(struct sim *sim)
{
	sim->ret->client_timeouts++;
	if (++sim->tries >= EDK2_TRIES) {
		sim->timer = UINT64_MAX;
		return;
	}
	if (sim->setup->kind == TFTP_SIM_IPXE &&
		sim->timeout < IPXE_TIMEOUT_MAX_US)
		sim->timeout *= 2;
	sim->timer = sim->now + sim->timeout;
	send_up(sim, sim->last_ack);
}

static void act(struct sim *sim, struct tftp_action action)
{
	const struct tftp_send *s = &sim->sender;

	switch (action.step) {
	case TFTP_STEP_WAIT:
		break;
	case TFTP_STEP_OACK:
		send_down(sim, 0);
		break;
	case TFTP_STEP_BLOCKS:
		if (action.count == 0 || action.first == 0 ||
			action.first + action.count - 1 > s->last_block)
			broken(sim, "a block that is not there");
		if (action.first + action.count - 1 >
			s->base + s->params.windowsize)
			broken(sim, "more in flight than the window");
		for (uint32_t i = 0; i < action.count; i++) {
			sim->ret->wire_bytes +=
				tftp_send_block_len(s, action.first + i) +
				HEADERS;
			send_down(sim, action.first + i);
		}
		break;
	case TFTP_STEP_DONE:
	case TFTP_STEP_ABORTED:
	case TFTP_STEP_GAVE_UP:
		sim->sender_ended = true;
		sim->ret->end = action.step;
		return;
	}
	if (action.step != TFTP_STEP_WAIT && tftp_send_deadline(s) <= sim->now)
		broken(sim, "a deadline that has passed");
}

static uint64_t sender_wakes(const struct sim *sim)
{
	uint64_t at = tftp_send_deadline(&sim->sender);
	uint64_t grain = sim->setup->grain_us;

	if (sim->sender_ended)
		return UINT64_MAX;
	return grain > 0 ? (at + grain - 1) / grain * grain : at;
}

/* The next thing that happens; false once nothing will. */
static bool happen(struct sim *sim)
{
	uint64_t down = sim->down.count > 0 ? sim->down.at[sim->down.first]
					    : UINT64_MAX;
	uint64_t up =
		sim->up.count > 0 ? sim->up.at[sim->up.first] : UINT64_MAX;
	uint64_t tick = sender_wakes(sim);
	uint64_t timer = sim->opened && !sim->done ? sim->timer : UINT64_MAX;
	uint64_t when = down;

	when = up < when ? up : when;
	when = tick < when ? tick : when;
	when = timer < when ? timer : when;
	if (when == UINT64_MAX || sim->sender_ended)
		return false;
	sim->now = max_u64(sim->now, when);
	if (when == down) {
		client_gets(sim, take(&sim->down));
	} else if (when == up) {
		struct tftp_packet packet = {.op = TFTP_OP_ACK};

		packet.block = (uint16_t)take(&sim->up);
		act(sim, tftp_send_packet(&sim->sender, &packet, sim->now));
	} else if (when == tick) {
		act(sim, tftp_send_tick(&sim->sender, sim->now));
	} else {
		client_times_out(sim);
	}
	return true;
}

void tftp_sim_run(
	const struct tftp_sim_setup *setup, struct tftp_sim_result *ret)
{
	struct tftp_params params = {
		.blksize = setup->blksize,
		.windowsize = setup->windowsize > 0 ? setup->windowsize : 1,
		.oack = true,
		.oack_blksize = true,
		.oack_windowsize = setup->windowsize > 0,
	};
	struct sim sim = {
		.setup = setup,
		.ret = ret,
		.random = setup->seed * UINT64_C(0x9e3779b97f4a7c15) + 1,
		.expected = 1,
		.timeout = setup->kind == TFTP_SIM_EDK2 ? EDK2_TIMEOUT_US
							: IPXE_TIMEOUT_US,
	};

	memset(ret, 0, sizeof(*ret));
	act(&sim, tftp_send_start(&sim.sender, &params, setup->size, 0));
	while (happen(&sim))
		;
	ret->stats = sim.sender.stats;
	ret->blocks = sim.sender.last_block;
}
