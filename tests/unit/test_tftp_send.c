/* The sender's interface; its rules are in tests/scenario/tftp-*.t. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "proto/tftp_send.h"

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))

static struct tftp_action start(struct tftp_send *s, uint32_t blksize,
	uint32_t windowsize, uint64_t size, uint64_t now_us)
{
	const struct tftp_params params = {
		.blksize = blksize, .windowsize = windowsize, .oack = true};

	return tftp_send_start(s, &params, size, now_us);
}

static struct tftp_action ack(struct tftp_send *s, uint64_t block, uint64_t now)
{
	const struct tftp_packet packet = {
		.op = TFTP_OP_ACK, .block = (uint16_t)block};

	return tftp_send_packet(s, &packet, now);
}

static const struct {
	const char *name;
	uint32_t blksize;
	uint64_t size, last_block;
	uint64_t block; /* of which the length is asked */
	uint32_t len;
} lengths[] = {
	{"empty file", 512, 0, 1, 1, 0},
	{"short file", 512, 511, 1, 1, 511},
	{"one whole block", 512, 512, 2, 1, 512},
	{"the empty one behind it", 512, 512, 2, 2, 0},
	{"one byte more", 512, 513, 2, 2, 1},
	{"no block", 512, 513, 2, 0, 0},
	{"behind the end", 512, 513, 2, 3, 0},
	{"EDK2's first", 1468, 226492416, 154287, 1, 1468},
	{"EDK2's last", 1468, 226492416, 154287, 154287, 568},
	{"smallest blocks", 8, 16, 3, 3, 0},
	{"largest blocks", 65464, 65465, 2, 2, 1},
	{"largest file", 8, UINT64_MAX, UINT64_C(0x2000000000000000),
		UINT64_C(0x2000000000000000), 7},
};

static void test_lengths(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(lengths); i++) {
		struct tftp_send s;
		uint32_t len;

		start(&s, lengths[i].blksize, 1, lengths[i].size, 0);
		if (s.last_block != lengths[i].last_block)
			fail_msg("%s: %llu blocks", lengths[i].name,
				(unsigned long long)s.last_block);
		len = tftp_send_block_len(&s, lengths[i].block);
		if (len != lengths[i].len)
			fail_msg("%s: %u bytes", lengths[i].name, len);
	}
}

/* A thousand transfers at once: 2 KiB each, with socket and file. */
static void test_size(void **state)
{
	(void)state;
	assert_true(sizeof(struct tftp_send) <= 320);
}

/* What is not for the sender, or not yet, changes nothing at all. */
static void test_untouched(void **state)
{
	static const struct {
		const char *name;
		enum tftp_op op;
		uint16_t block;
	} cases[] = {
		{"DATA", TFTP_OP_DATA, 4},
		{"OACK", TFTP_OP_OACK, 0},
		{"RRQ", TFTP_OP_RRQ, 0},
		{"WRQ", TFTP_OP_WRQ, 0},
		{"ACK of the future", TFTP_OP_ACK, 5},
		{"ACK of the past", TFTP_OP_ACK, 65535},
	};

	(void)state;
	for (size_t i = 0; i < ROWS(cases); i++) {
		const struct tftp_packet packet = {
			.op = cases[i].op, .block = cases[i].block};
		struct tftp_send s, before;
		struct tftp_action action;

		start(&s, 1468, 4, 60000, 1000);
		ack(&s, 0, 1300);
		memcpy(&before, &s, sizeof(s));
		action = tftp_send_packet(&s, &packet, 1400);
		if (action.step != TFTP_STEP_WAIT ||
			memcmp(&before, &s, sizeof(s)) != 0)
			fail_msg("%s: something happened", cases[i].name);
		action = tftp_send_tick(&s, tftp_send_deadline(&s) - 1);
		if (action.step != TFTP_STEP_WAIT ||
			memcmp(&before, &s, sizeof(s)) != 0)
			fail_msg("an early tick did something");
	}
}

/* A flood of packets does not hold up a timer that is due. */
static void test_flood(void **state)
{
	struct tftp_send s;
	uint64_t deadline;

	(void)state;
	start(&s, 1468, 4, 60000, 0);
	ack(&s, 0, 300);
	deadline = tftp_send_deadline(&s);
	for (uint64_t now = deadline; now < deadline + 1000; now++) {
		assert_int_equal(ack(&s, 9, now).step, TFTP_STEP_WAIT);
		assert_int_equal(ack(&s, 0, now).step, TFTP_STEP_WAIT);
		assert_int_equal(tftp_send_deadline(&s), deadline);
	}
	assert_int_equal(
		tftp_send_tick(&s, deadline + 1000).step, TFTP_STEP_BLOCKS);
}

/* The timer follows what is measured, within its bounds (RFC 6298). */
static void test_timer(void **state)
{
	static const struct {
		const char *name;
		uint32_t windowsize;
		uint64_t rtt_us, other_us; /* in turns */
		uint64_t min_us, max_us;   /* of the timer */
	} cases[] = {
		{"fast, window", 4, 100, 100, 5000, 5000},
		{"fast, lockstep", 1, 100, 100, 20000, 20000},
		{"no time at all", 4, 0, 0, 5000, 5000},
		{"slow", 4, 50000, 50000, 50000, 55000},
		{"slow, lockstep", 1, 50000, 50000, 50000, 55000},
		{"uneven", 4, 10000, 30000, 50000, 75000},
		{"endless", 4, 9000000, 9000000, 4000000, 4000000},
	};

	(void)state;
	for (size_t i = 0; i < ROWS(cases); i++) {
		uint32_t window = cases[i].windowsize;
		uint64_t now = 5000000, us = 0;
		struct tftp_send s;

		start(&s, 1468, window, 1000000000, now);
		now += cases[i].rtt_us;
		ack(&s, 0, now);
		/* Half of the first counts as its variation. */
		us = tftp_send_deadline(&s) - now;
		if (us < 3 * cases[i].rtt_us && us < 4000000)
			fail_msg("%s: %llu us at first", cases[i].name,
				(unsigned long long)us);
		for (uint64_t n = 1; n <= 100; n++) {
			now += n % 2 ? cases[i].rtt_us : cases[i].other_us;
			assert_int_equal(ack(&s, n * window, now).step,
				TFTP_STEP_BLOCKS);
			us = tftp_send_deadline(&s) - now;
		}
		if (us < cases[i].min_us || us > cases[i].max_us)
			fail_msg("%s: %llu us", cases[i].name,
				(unsigned long long)us);
	}
}

/*
 * Each time-out doubles the wait, up to 200 ms; then it is a quarter of the
 * silence, up to 4 s; and in 30 s it is over.
 */
static void test_backoff(void **state)
{
	static const uint32_t windows[] = {1, 4};

	(void)state;
	for (size_t i = 0; i < ROWS(windows); i++) {
		uint64_t now = 300, wanted = 0;
		unsigned sendings = 0;
		struct tftp_send s;

		start(&s, 1468, windows[i], 60000, 0);
		ack(&s, 0, now);
		for (;;) {
			uint64_t at = tftp_send_deadline(&s);
			struct tftp_action action = tftp_send_tick(&s, at);

			if (action.step == TFTP_STEP_GAVE_UP)
				break;
			assert_int_equal(action.step, TFTP_STEP_BLOCKS);
			assert_true(action.count == 1 || action.first == 1);
			if (sendings && at + 4000000 < 30000000)
				assert_int_equal(at - now, wanted);
			wanted = 2 * (at - now);
			now = at;
			if (wanted > 200000)
				wanted = (now - 300) / 4;
			if (wanted < 200000 && now - 300 > 200000)
				wanted = 200000;
			if (wanted > 4000000)
				wanted = 4000000;
			sendings++;
		}
		assert_int_equal(s.ended, TFTP_STEP_GAVE_UP);
		assert_int_equal(now / 10000000, 2);
		assert_in_range(sendings, 15, 30);
		assert_true(tftp_send_deadline(&s) == UINT64_MAX);
	}
}

/* The times count from when the blocks went out, and so does the patience. */
static void test_delayed(void **state)
{
	struct tftp_send s;

	(void)state;
	start(&s, 1468, 4, 60000, 0);
	ack(&s, 0, 300);
	ack(&s, 4, 600);
	tftp_send_delayed(&s, 50000600);
	assert_true(tftp_send_deadline(&s) == 50005600);
	assert_int_equal(tftp_send_tick(&s, 50005600).step, TFTP_STEP_BLOCKS);
	/* What was sent again, too. */
	tftp_send_delayed(&s, 90005600);
	assert_true(tftp_send_deadline(&s) == 90015600);
	assert_int_equal(ack(&s, 8, 90006000).step, TFTP_STEP_BLOCKS);
	assert_in_range(s.stats.srtt_us, 300, 300);
}

/* Whatever was missed, there is a next deadline. */
static void test_overdue(void **state)
{
	struct tftp_send s;

	(void)state;
	start(&s, 1468, 4, 60000, 0);
	assert_int_equal(tftp_send_again(&s, 31000000).step, TFTP_STEP_OACK);
	assert_true(tftp_send_deadline(&s) > 31000000);
	assert_int_equal(tftp_send_tick(&s, tftp_send_deadline(&s)).step,
		TFTP_STEP_GAVE_UP);
}

/* Every ACK and time-out is counted where a log line looks for it. */
static void test_stats(void **state)
{
	struct tftp_send s;

	(void)state;
	start(&s, 1468, 4, 60000, 0);
	ack(&s, 0, 300);
	ack(&s, 2, 600);			    /* 3-6: two again */
	ack(&s, 6, 900);			    /* 7-10 */
	tftp_send_tick(&s, tftp_send_deadline(&s)); /* 10 again */
	assert_int_equal(s.stats.blocks_sent, 13);
	assert_int_equal(s.stats.resent_rollback, 2);
	assert_int_equal(s.stats.resent_timer, 1);
	assert_int_equal(s.stats.rollbacks, 1);
	assert_int_equal(s.stats.timeouts, 1);
	assert_int_equal(s.stats.srtt_us, 300);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_size),
		cmocka_unit_test(test_untouched),
		cmocka_unit_test(test_flood),
		cmocka_unit_test(test_timer),
		cmocka_unit_test(test_backoff),
		cmocka_unit_test(test_delayed),
		cmocka_unit_test(test_overdue),
		cmocka_unit_test(test_stats),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
