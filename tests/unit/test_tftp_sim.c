/*
 * Whole transfers over a simulated link (tests/unit/tftp_sim.h): the goals for
 * lossy networks, and that one loss costs what it must and no more.
 *
 * OVMF is the EDK2 of the first rows: 0.1 ms of path and 60 us of work on a
 * block give the 1.0 s that OVMF under TCG needs for a UKI of 16.7 MB. The
 * server's timers have a grain of a millisecond, as epoll's have.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "tests/unit/tftp_sim.h"

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))
#define SMALL	    UINT64_C(16700000)
#define BIG	    UINT64_C(226400000)
#define IPXE_EFI    UINT64_C(174000)
#define PERCENT	    10000 /* ppm */
#define MS	    UINT64_C(1000)
/* Times in us: each way, of a block on the wire, of the client's work on it. */
#define EDK2(window, way, wire, turn)                                          \
	.kind = TFTP_SIM_EDK2, .blksize = 1468, .windowsize = (window),        \
	.delay_us = (way), .wire_us = (wire), .turn_us = (turn),               \
	.grain_us = 1000
#define OVMF	  EDK2(4, 50, 1, 60)
#define LAN_EDK2  EDK2(4, 150, 12, 10)
#define SLOW_EDK2 EDK2(4, 500, 12, 200)
#define LAN_IPXE                                                               \
	.kind = TFTP_SIM_IPXE, .blksize = 1432, .delay_us = 150,               \
	.wire_us = 12, .turn_us = 100, .grain_us = 1000

static const struct {
	const char *name;
	struct tftp_sim_setup setup;
	unsigned seeds;
	/* What they may need, of all seeds; 0: not asked. */
	uint64_t p50_us, p99_us, max_us;
	/* The mean: the file on the wire; blocks sent again. */
	double wire, resent_percent;
	bool client_waits; /* it may have to help itself */
} cases[] = {
	/* The goals. */
	{"small, no loss", {OVMF, .size = SMALL}, 1, 0, 0, 1000 * MS, 1.03, 0,
		false},
	{"small, 1 %", {OVMF, .size = SMALL, .loss_ppm = 1 * PERCENT}, 40, 0, 0,
		2500 * MS, 1.06, 3.0, false},
	{"small, 5 %", {OVMF, .size = SMALL, .loss_ppm = 5 * PERCENT}, 40, 0, 0,
		5000 * MS, 1.2, 17.0, false},
	{"big, no loss", {OVMF, .size = BIG}, 1, 0, 0, 14000 * MS, 1.03, 0,
		false},
	{"big, 1 %", {OVMF, .size = BIG, .loss_ppm = 1 * PERCENT}, 4, 0, 0,
		25000 * MS, 1.06, 3.0, false},
	{"174 kB, window 4, 1 %",
		{LAN_EDK2, .size = IPXE_EFI, .loss_ppm = 1 * PERCENT}, 10000,
		30 * MS, 150 * MS, 0, 1.06, 3.0, false},
	{"174 kB, window 4, 5 %",
		{LAN_EDK2, .size = IPXE_EFI, .loss_ppm = 5 * PERCENT}, 10000,
		60 * MS, 1000 * MS, 0, 1.2, 17.0, true},
	{"174 kB, lockstep, 1 %",
		{LAN_IPXE, .size = IPXE_EFI, .loss_ppm = 1 * PERCENT}, 10000,
		150 * MS, 500 * MS, 0, 1.05, 2.5, false},
	{"174 kB, lockstep, 5 %",
		{LAN_IPXE, .size = IPXE_EFI, .loss_ppm = 5 * PERCENT}, 10000,
		500 * MS, 1500 * MS, 0, 1.15, 12.0, true},

	/* Other paths and clients. */
	{"slow client, no loss", {SLOW_EDK2, .size = SMALL}, 1, 0, 0, 5500 * MS,
		1.03, 0, false},
	{"slow client, 1 %",
		{SLOW_EDK2, .size = SMALL, .loss_ppm = 1 * PERCENT}, 20, 0, 0,
		6200 * MS, 1.06, 3.0, false},
	{"slow client, 5 %",
		{SLOW_EDK2, .size = SMALL, .loss_ppm = 5 * PERCENT}, 20, 0, 0,
		9000 * MS, 1.2, 17.0, false},
	{"client that looks away for 10 ms",
		{OVMF, .size = SMALL, .pause_ppm = 5000, .pause_us = 10000}, 20,
		0, 0, 1800 * MS, 1.04, 1.0, false},
	{"client that looks away for 100 ms",
		{OVMF, .size = SMALL, .pause_ppm = 500, .pause_us = 100000}, 20,
		0, 0, 2500 * MS, 1.04, 1.0, false},
	{"150 ms of path", {EDK2(4, 75000, 1, 60), .size = 1000000}, 1, 0, 0,
		27000 * MS, 1.05, 1.0, false},
	{"path that becomes slower",
		{OVMF, .size = 1740000, .jump_us = 20000,
			.jump_delay_us = 25000},
		1, 0, 0, 16000 * MS, 1.07, 4.0, false},
	{"lockstep, path that becomes slower",
		{LAN_IPXE, .size = IPXE_EFI, .jump_us = 20000,
			.jump_delay_us = 25000},
		1, 0, 0, 6000 * MS, 1.13, 10.0, false},
	{"lockstep, path that becomes slow",
		{LAN_IPXE, .size = IPXE_EFI, .jump_us = 20000,
			.jump_delay_us = 300000},
		1, 0, 0, 0, 1.15, 10.0, true},
	/* As under a load: nothing is lost, and little may go twice. */
	{"lockstep, client that is held up",
		{LAN_IPXE, .size = IPXE_EFI, .pause_ppm = 200000,
			.pause_us = 200000},
		10, 0, 0, 0, 1.2, 15.0, true},
	{"client that is held up",
		{LAN_EDK2, .size = 1740000, .pause_ppm = 200000,
			.pause_us = 100000},
		10, 0, 0, 0, 1.1, 5.0, false},
	{"window 64, client that is held up",
		{EDK2(64, 150, 12, 10), .size = SMALL, .pause_ppm = 200000,
			.pause_us = 10000},
		10, 0, 0, 0, 1.1, 2.0, false},
	{"window 2, 5 %",
		{EDK2(2, 50, 1, 60), .size = SMALL, .loss_ppm = 5 * PERCENT},
		10, 0, 0, 8000 * MS, 1.2, 13.0, false},
	{"window 16, 1 %",
		{EDK2(16, 50, 1, 10), .size = SMALL, .loss_ppm = 1 * PERCENT},
		20, 0, 0, 600 * MS, 1.2, 11.0, false},
	{"window 64, 1 %",
		{EDK2(64, 50, 1, 10), .size = SMALL, .loss_ppm = 1 * PERCENT},
		20, 0, 0, 600 * MS, 1.5, 40.0, false},
	{"window 64, room for 16",
		{EDK2(64, 50, 1, 20), .ring = 16, .size = SMALL}, 1, 0, 0,
		1000 * MS, 1.6, 50.0, false},
	{"a fifth lost each way",
		{OVMF, .size = 1740000, .loss_ppm = 20 * PERCENT}, 200, 0, 0, 0,
		2.2, 120.0, true},
	{"a fifth lost each way, lockstep",
		{LAN_IPXE, .size = IPXE_EFI, .loss_ppm = 20 * PERCENT}, 200, 0,
		0, 0, 2.0, 100.0, true},
	{"ACKs twice, lockstep", {LAN_IPXE, .size = SMALL, .double_acks = true},
		1, 0, 0, 0, 1.03, 0, false},
	{"ACKs twice, window", {OVMF, .size = SMALL, .double_acks = true}, 1, 0,
		0, 0, 1.03, 0, false},
	{"ACKs twice, window, 1 %",
		{OVMF, .size = SMALL, .double_acks = true,
			.loss_ppm = 1 * PERCENT},
		20, 0, 0, 2500 * MS, 1.1, 6.0, false},
};

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void check_time(
	const char *row, const char *what, uint64_t got, uint64_t limit)
{
	if (limit > 0 && got > limit)
		fail_msg("%s: %s %.1f ms, not %.1f", row, what,
			(double)got / 1000, (double)limit / 1000);
}

static void test_case(size_t row)
{
	const char *name = cases[row].name;
	unsigned seeds = cases[row].seeds, client_timeouts = 0;
	uint64_t *us = calloc(seeds, sizeof(*us));
	double wire = 0, resent = 0, blocks = 0;

	assert_non_null(us);
	for (unsigned i = 0; i < seeds; i++) {
		struct tftp_sim_setup setup = cases[row].setup;
		struct tftp_sim_result r;

		setup.seed = i + 1;
		tftp_sim_run(&setup, &r);
		if (r.broken || !r.completed)
			fail_msg("%s: seed %u: %s", name, i + 1,
				r.broken ? r.broken : "not completed");
		us[i] = r.us;
		wire += (double)r.wire_bytes / (double)setup.size;
		resent += (double)(r.stats.resent_timer +
				   r.stats.resent_rollback);
		blocks += (double)r.blocks;
		client_timeouts += r.client_timeouts;
	}
	qsort(us, seeds, sizeof(*us), compare);
	wire /= seeds;
	resent = 100 * resent / blocks;
	print_message("%-35s p50 %8.1f p99 %8.1f max %8.1f ms, "
		      "wire %.3f, resent %.2f %%\n",
		name, (double)us[seeds / 2] / 1000,
		(double)us[(uint64_t)seeds * 99 / 100] / 1000,
		(double)us[seeds - 1] / 1000, wire, resent);

	check_time(name, "p50", us[seeds / 2], cases[row].p50_us);
	check_time(
		name, "p99", us[(uint64_t)seeds * 99 / 100], cases[row].p99_us);
	check_time(name, "max", us[seeds - 1], cases[row].max_us);
	free(us);
	if (wire > cases[row].wire)
		fail_msg("%s: %.3f times the file on the wire", name, wire);
	if (resent > cases[row].resent_percent)
		fail_msg("%s: %.2f %% of the blocks resent", name, resent);
	if (client_timeouts > 0 && !cases[row].client_waits)
		fail_msg("%s: the client timed out", name);
}

static void test_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(cases); i++)
		test_case(i);
}

/* One accident in an otherwise perfect transfer of 41 blocks. */
static uint64_t accident(const struct tftp_sim_setup *setup, const char *what,
	uint64_t which, uint64_t max_resent)
{
	struct tftp_sim_result r;
	uint64_t resent;

	tftp_sim_run(setup, &r);
	resent = r.stats.resent_timer + r.stats.resent_rollback;
	if (r.broken || !r.completed || r.client_timeouts > 0)
		fail_msg("%s %u: %s", what, (unsigned)which,
			r.broken ? r.broken : "not well completed");
	if (resent > max_resent)
		fail_msg("%s %u: %u blocks sent again", what, (unsigned)which,
			(unsigned)resent);
	return r.us;
}

/*
 * Each later window goes out once: no loss, delay or disorder of a single
 * packet puts the client out of step. Packet 1 down is the OACK.
 */
static void test_accidents(void **state)
{
	static const uint32_t windows[] = {0, 2, 3, 4, 8, 16};

	(void)state;
	for (size_t i = 0; i < ROWS(windows); i++) {
		const struct tftp_sim_setup setup = {.kind = TFTP_SIM_EDK2,
			.blksize = 1468,
			.windowsize = windows[i],
			.delay_us = 50,
			.turn_us = 60,
			.size = 40 * 1468 + 1};
		uint64_t window = windows[i] > 0 ? windows[i] : 1;
		/* A time-out's block, or the window from the lost block on. */
		uint64_t most = window > 1 ? window : 1;
		struct tftp_sim_result clean;

		tftp_sim_run(&setup, &clean);
		assert_true(clean.completed);
		for (uint64_t n = 1; n <= clean.blocks + 1; n++) {
			struct tftp_sim_setup s = setup;
			uint64_t us;

			s.lose_down = n;
			us = accident(&s, "lost", n, most);
			if (n > 1 && us > clean.us + 25000)
				fail_msg("lost %u: %u us later", (unsigned)n,
					(unsigned)(us - clean.us));
			s.lose_down = 0;
			s.lose_up = n;
			/* The last ACK is nothing to the client. */
			if (n <= (clean.blocks + window - 1) / window)
				accident(&s, "lost ACK", n, 1);
			s.lose_up = 0;
			s.swap_down = n;
			accident(&s, "overtaken", n, most);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_accidents),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
