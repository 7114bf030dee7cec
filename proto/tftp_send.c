#include "proto/tftp_send.h"

/* How long a repeated ACK waits for progress before the window goes again. */
#define MISSED_UNKNOWN_US 20000 /* no round trip measured yet */
#define MISSED_MIN_US	  2000
#define MISSED_AHEAD_US	  1000 /* from now, at least: a deadline is ahead */
/*
 * A round trip that is not measured for certain is believed up to here. In
 * lockstep the client's own time-out may have made it: iPXE's are 250 ms.
 */
#define LATE_MAX_US	     1000000
#define LATE_LOCKSTEP_MAX_US 200000
/* Silence after which a repeated request is a machine that was reset. */
#define RESET_US    1000000
#define DOUBLED_MAX 16
/*
 * Of the time-outs in a row the 3rd, 7th, ... send the window, for a client
 * that does not answer a block out of order; all others one block.
 */
#define WINDOW_AT    3
#define WINDOW_EVERY 4
/* Windows up to this size always go out in one burst. */
#define BURST_MIN    8
#define PAUSE_MIN_US 250
#define PAUSE_MAX_US 10000

static const struct tftp_action wait_action = {.step = TFTP_STEP_WAIT};

static uint64_t min_u64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t max_u64(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static uint32_t min_u32(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static struct tftp_action end(struct tftp_send *s, enum tftp_step step)
{
	s->ended = step;
	s->deadline_us = UINT64_MAX;
	return (struct tftp_action){.step = step};
}

/* One more round trip (RFC 6298 2). */
static void measure(struct tftp_send *s, uint64_t rtt_us)
{
	uint32_t rtt = (uint32_t)min_u64(max_u64(rtt_us, 1), TFTP_RTO_MAX_US);
	uint32_t srtt = s->stats.srtt_us;

	if (srtt == 0) {
		srtt = rtt;
		s->rttvar_us = rtt / 2;
	} else {
		uint32_t off = rtt > srtt ? rtt - srtt : srtt - rtt;

		s->rttvar_us = s->rttvar_us - s->rttvar_us / 4 + off / 4;
		srtt = srtt - srtt / 8 + rtt / 8;
	}
	s->stats.srtt_us = srtt > 0 ? srtt : 1;
}

/*
 * A time-out, doubled for each one before it; after a while more slowly. Where
 * one packet in twenty is lost, some of a hundred clients lose five or six in
 * a row, and doubled on and on these alone would take more than a second. Once
 * all is sent, it is the client that has left.
 */
static uint64_t doubled(const struct tftp_send *s, uint64_t us)
{
	uint64_t most = max_u64(TFTP_RTO_DOUBLED_US, 2 * us);

	/* Before the first one the progress may be newer than what was sent. */
	if (s->tries == 0)
		return us;
	most = max_u64(most, (s->sent_us - s->progress_us) / 4);
	us <<= min_u32(s->tries, DOUBLED_MAX);
	return s->top < s->last_block ? min_u64(us, most) : us;
}

/* The last answer was late: the next one will be, too. */
static uint64_t late_timeout(const struct tftp_send *s)
{
	uint64_t most =
		s->params.windowsize > 1 ? LATE_MAX_US : LATE_LOCKSTEP_MAX_US;

	return min_u64(s->late_us + s->late_us / 2, most);
}

/* How long to wait for an answer to what is sent now. */
static uint64_t timeout(const struct tftp_send *s)
{
	uint64_t us = s->stats.srtt_us + UINT64_C(4) * s->rttvar_us;
	uint64_t most = TFTP_RTO_MAX_US;

	if (s->params.timeout_s > 0)
		most = min_u64(most, s->params.timeout_s * UINT64_C(1000000));
	if (s->stats.srtt_us == 0)
		us = TFTP_RTO_FIRST_US;
	else if (s->params.windowsize > 1)
		us = max_u64(us, TFTP_PROBE_MIN_US);
	else
		us = max_u64(us, TFTP_RTO_MIN_US);
	if (s->late)
		us = max_u64(us, late_timeout(s));
	us = doubled(s, us);
	return min_u64(us, most);
}

/* The same, once a repeated ACK has told that something is missing. */
static uint64_t missed_timeout(const struct tftp_send *s)
{
	uint64_t us =
		UINT64_C(2) * s->stats.srtt_us + UINT64_C(4) * s->rttvar_us;

	if (s->stats.srtt_us == 0)
		return MISSED_UNKNOWN_US;
	return max_u64(us, MISSED_MIN_US);
}

/* Does an answer take so long here, as far as that is known? */
static bool is_usual(const struct tftp_send *s, uint64_t us)
{
	if (s->stats.srtt_us == 0)
		return us <= MISSED_UNKNOWN_US;
	return us <= max_u64(UINT64_C(2) * s->stats.srtt_us, MISSED_MIN_US);
}

static void expect_by(struct tftp_send *s, uint64_t now_us, uint64_t after_us)
{
	/* Silence is given up in time, however long the timer has become. */
	uint64_t patience = s->top == s->last_block ? TFTP_GIVE_UP_LAST_US
						    : TFTP_GIVE_UP_US;
	uint64_t at = min_u64(now_us + after_us, s->progress_us + patience);

	s->deadline_us = max_u64(at, now_us + 1);
}

static struct tftp_action send_oack(struct tftp_send *s, uint64_t now_us)
{
	s->sent_us = now_us;
	expect_by(s, now_us, timeout(s));
	return (struct tftp_action){.step = TFTP_STEP_OACK};
}

static uint64_t window_end(const struct tftp_send *s)
{
	return min_u64(s->base + s->params.windowsize, s->last_block);
}

/*
 * Shrink the burst while more than 2/5 of what is sent was sent before, let it
 * grow again below 1/8. Only a client that cannot take a whole
 * window in a row gets there: one packet in a hundred lost at random, with 64
 * blocks to the window, stays between the two.
 */
static void adapt_burst(struct tftp_send *s, uint32_t count, uint32_t again)
{
	uint32_t window = s->params.windowsize;

	s->epoch_sent += count;
	s->epoch_again += again;
	if (s->epoch_sent < 4 * window)
		return;
	if (s->epoch_again > s->epoch_sent * 2 / 5)
		s->burst = s->burst / 2 > BURST_MIN ? s->burst / 2 : BURST_MIN;
	else if (s->epoch_again < s->epoch_sent / 8)
		s->burst = min_u32(s->burst * 2, window);
	s->epoch_sent = s->epoch_again = 0;
}

static uint64_t pause_us(const struct tftp_send *s)
{
	return min_u64(max_u64(s->stats.srtt_us, PAUSE_MIN_US), PAUSE_MAX_US);
}

/* Send on from `next`, a burst at most; *resent counts what went before. */
static struct tftp_action send_burst(
	struct tftp_send *s, uint64_t now_us, uint64_t *resent)
{
	struct tftp_action action = {TFTP_STEP_BLOCKS, s->next, 0};
	uint64_t last = window_end(s);
	uint32_t again = 0;

	last = min_u64(last, s->next + s->burst - 1);
	action.count = (uint32_t)(last - s->next + 1);
	if (s->next <= s->top)
		again = (uint32_t)(min_u64(s->top, last) - s->next + 1);
	*resent += again;
	s->stats.blocks_sent += action.count;
	adapt_burst(s, action.count, again);

	if (last > s->top) {
		/*
		 * Karn: only a block that was never sent before measures
		 * anything. Its ACK comes after all that was caused before.
		 */
		s->timed = true;
		s->top_us = now_us;
		s->again = 0;
	} else {
		s->timed = s->timed && last < s->top;
		s->again += again;
	}
	s->top = max_u64(s->top, last);
	s->next = last + 1;
	s->sent_us = now_us;
	s->pausing = s->next <= window_end(s);
	if (s->pausing)
		expect_by(s, now_us, pause_us(s));
	else
		expect_by(s, now_us, timeout(s));
	return action;
}

/* Send the window again, from its beginning. */
static struct tftp_action send_window_again(
	struct tftp_send *s, uint64_t now_us, uint64_t *resent)
{
	s->redo_top = s->top;
	s->next = s->base + 1;
	s->missed = false;
	return send_burst(s, now_us, resent);
}

/* The client lacks base + 1 and has nothing behind it. */
static struct tftp_action roll_back(struct tftp_send *s, uint64_t now_us)
{
	s->rolled = true;
	s->stats.rollbacks++;
	return send_window_again(s, now_us, &s->stats.resent_rollback);
}

/* The client has all that was sent. */
static struct tftp_action acked_all(struct tftp_send *s, uint64_t now_us)
{
	s->rolled = false;
	s->next = s->top + 1;
	return send_burst(s, now_us, &s->stats.resent_rollback);
}

/* The client lacks base + 1, which was sent. */
static struct tftp_action acked_part(struct tftp_send *s, uint64_t now_us)
{
	if (s->base > s->redo_top)
		return roll_back(s, now_us);
	/*
	 * Blocks that were sent again may have caused this ACK while the rest
	 * of them is under way: send only what is new.
	 */
	s->rolled = false;
	s->redo_top = 0;
	s->next = max_u64(s->next, s->base + 1);
	if (s->pausing)
		return wait_action;
	if (s->next <= window_end(s))
		return send_burst(s, now_us, &s->stats.resent_rollback);
	expect_by(s, now_us, timeout(s));
	return wait_action;
}

/*
 * Does this repeated ACK answer the second sending, so that the one before it
 * answered the first? It follows no later than that one took; but what went
 * out then may be answered so as well, in the usual time.
 */
static bool is_echo(const struct tftp_send *s, uint64_t now_us)
{
	uint64_t us = now_us - s->progress_us;

	return us <= s->late_us && (s->late || !is_usual(s, us));
}

/* Nothing was lost. The answer to what is under way will take as long. */
static void was_late(struct tftp_send *s, uint64_t now_us)
{
	uint64_t before_us = s->deadline_us;

	measure(s, s->late_us);
	s->late_us = 0;
	s->late = false;
	if (s->pausing || before_us <= now_us)
		return;
	expect_by(s, s->sent_us, timeout(s));
	s->deadline_us = max_u64(s->deadline_us, before_us);
}

static struct tftp_action acked_again(struct tftp_send *s, uint64_t now_us)
{
	if (s->echoes > 0) {
		s->echoes--;
		if (is_echo(s, now_us))
			was_late(s, now_us);
		return wait_action;
	}
	if (s->params.windowsize == 1 || s->rolled)
		return wait_action;
	/* After a time-out nothing else is under way that could answer. */
	if (s->tries > 0)
		return is_usual(s, now_us - s->sent_us) ? roll_back(s, now_us)
							: wait_action;
	/* The window may yet arrive, or this be the network's own copy. */
	s->missed = true;
	s->deadline_us =
		min_u64(s->deadline_us, max_u64(s->sent_us + missed_timeout(s),
						now_us + MISSED_AHEAD_US));
	return wait_action;
}

/*
 * What the progress says about the path. Karn: the ACK of a block that was
 * sent twice measures nothing. But if it is no usual answer to the second
 * sending, it was the first one's and only late. To wait as long for the next
 * one lets that be measured, where the path has become slow; else this was
 * the client's own time-out, and it costs one long wait at most.
 */
static void learn(struct tftp_send *s, uint64_t now_us)
{
	s->late_us = s->echoes = 0;
	s->late = false;
	if (s->base == s->top) {
		s->echoes = s->again;
		if (s->timed) {
			measure(s, now_us - s->top_us);
		} else {
			s->late_us = min_u64(now_us - s->top_us, LATE_MAX_US);
			s->late = !is_usual(s, now_us - s->sent_us);
		}
	} else if (s->stats.srtt_us == 0 && s->timed && s->base > s->redo_top) {
		/* Of part of a window only, but better than to know nothing. */
		measure(s, now_us - s->sent_us);
	}
	s->again = 0;
}

static struct tftp_action acked(
	struct tftp_send *s, uint16_t number, uint64_t now_us)
{
	uint16_t ahead = (uint16_t)(number - (uint16_t)s->base);

	if (s->opening) {
		if (number != 0)
			return wait_action;
		s->opening = false;
	} else {
		/* Ahead of what was sent: old, or of no transfer of ours. */
		if (ahead > s->top - s->base)
			return wait_action;
		if (ahead == 0)
			return acked_again(s, now_us);
	}
	s->base += ahead;
	s->progress_us = now_us;
	s->tries = 0;
	s->missed = false;
	learn(s, now_us);
	if (s->base == s->last_block)
		return end(s, TFTP_STEP_DONE);
	return s->base == s->top ? acked_all(s, now_us) : acked_part(s, now_us);
}

struct tftp_action tftp_send_packet(
	struct tftp_send *s, const struct tftp_packet *packet, uint64_t now_us)
{
	if (s->ended != TFTP_STEP_WAIT)
		return end(s, s->ended);
	if (packet->op == TFTP_OP_ERROR)
		return end(s, TFTP_STEP_ABORTED);
	if (packet->op != TFTP_OP_ACK)
		return wait_action;
	return acked(s, packet->block, now_us);
}

static struct tftp_action send_oack_again(struct tftp_send *s, uint64_t now_us)
{
	s->timed = false;
	s->again++;
	return send_oack(s, now_us);
}

static struct tftp_action timed_out(struct tftp_send *s, uint64_t now_us)
{
	s->stats.timeouts++;
	if (s->tries < UINT8_MAX)
		s->tries++;
	/* Once a round trip is known, all under way has been answered now. */
	if (!s->late) {
		s->late_us = 0;
		if (s->stats.srtt_us > 0)
			s->echoes = 0;
	}
	s->rolled = false;
	if (s->opening)
		return send_oack_again(s, now_us);
	if (s->tries % WINDOW_EVERY == WINDOW_AT)
		return send_window_again(s, now_us, &s->stats.resent_timer);

	s->redo_top = 0;
	s->timed = false;
	s->again++;
	s->sent_us = now_us;
	s->stats.blocks_sent++;
	s->stats.resent_timer++;
	adapt_burst(s, 1, 1);
	expect_by(s, now_us, timeout(s));
	return (struct tftp_action){TFTP_STEP_BLOCKS, s->top, 1};
}

struct tftp_action tftp_send_tick(struct tftp_send *s, uint64_t now_us)
{
	uint64_t silent = now_us - s->progress_us;

	if (s->ended != TFTP_STEP_WAIT)
		return end(s, s->ended);
	if (now_us < s->deadline_us)
		return wait_action;
	if (silent >= TFTP_GIVE_UP_US ||
		(silent >= TFTP_GIVE_UP_LAST_US && s->top == s->last_block))
		return end(s, TFTP_STEP_GAVE_UP);
	if (s->missed)
		return roll_back(s, now_us);
	if (s->pausing)
		return send_burst(s, now_us, &s->stats.resent_rollback);
	return timed_out(s, now_us);
}

static struct tftp_action begin(struct tftp_send *s, uint64_t now_us)
{
	s->base = s->top = s->redo_top = 0;
	s->next = 1;
	s->epoch_sent = s->epoch_again = 0;
	s->tries = 0;
	s->again = s->echoes = 0;
	s->late_us = 0;
	s->top_us = now_us;
	s->burst = s->params.windowsize;
	s->progress_us = now_us;
	s->late = s->timed = s->missed = s->rolled = s->pausing = false;
	s->opening = s->params.oack;
	if (s->opening) {
		s->timed = true;
		return send_oack(s, now_us);
	}
	return send_burst(s, now_us, &s->stats.resent_timer);
}

struct tftp_action tftp_send_start(struct tftp_send *s,
	const struct tftp_params *params, uint64_t size, uint64_t now_us)
{
	*s = (struct tftp_send){
		.params = *params,
		.last_block = size / params->blksize + 1,
		.last_len = (uint32_t)(size % params->blksize),
		.ended = TFTP_STEP_WAIT,
	};
	return begin(s, now_us);
}

struct tftp_action tftp_send_again(struct tftp_send *s, uint64_t now_us)
{
	if (s->ended != TFTP_STEP_WAIT)
		return end(s, s->ended);
	if (s->base > 0) {
		if (now_us - s->progress_us < RESET_US)
			return wait_action;
		return begin(s, now_us);
	}
	if (!s->params.oack)
		return send_window_again(s, now_us, &s->stats.resent_timer);
	if (s->opening)
		return send_oack_again(s, now_us);
	return (struct tftp_action){.step = TFTP_STEP_OACK};
}

void tftp_send_delayed(struct tftp_send *s, uint64_t now_us)
{
	if (s->ended != TFTP_STEP_WAIT)
		return;
	s->deadline_us = now_us + (s->deadline_us - s->sent_us);
	/* Progress may have been made since what is sent only now. */
	s->progress_us =
		min_u64(s->progress_us + (now_us - s->sent_us), now_us);
	if (s->top_us == s->sent_us)
		s->top_us = now_us;
	s->sent_us = now_us;
}

uint64_t tftp_send_deadline(const struct tftp_send *s)
{
	return s->deadline_us;
}

uint32_t tftp_send_block_len(const struct tftp_send *s, uint64_t block)
{
	if (block == 0 || block > s->last_block)
		return 0;
	return block == s->last_block ? s->last_len : s->params.blksize;
}
