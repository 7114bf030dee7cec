/*
 * Transfers from tests/scenario/tftp-*.t, replayed against the sender with a
 * clock of their own. A line is a comment ('#') or one of:
 *
 *   start size=N [blksize=N] [windowsize=N] [timeout=N] [oack=0]
 *   [at TIME | +TIME] EVENT     at: since start; +: since the line before
 *   expect oack | wait | done | aborted | gave-up | block N | blocks N-M
 *   expect deadline MIN MAX     from now, both times
 *   expect resent N | timeouts N | rollbacks N | srtt MIN MAX
 *
 * Events: ack N, error N, data N, again (the request came again), delayed,
 * tick (without a time: at the deadline), run N (a faultless client: up to
 * the ACK of block N, 100 us after each window). Times have a unit: us, ms or
 * s. What an event answers with must be expected before the next event.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/tftp_send.h"

#define DIRECTORY   "tests/scenario"
#define MAX_WORDS   8
#define ROWS(table) (sizeof(table) / sizeof((table)[0]))

struct replay {
	const char *file;
	unsigned line;
	struct tftp_send sender;
	bool started;
	bool checked; /* the latest action was expected */
	struct tftp_action action;
	uint64_t now;
	char *words[MAX_WORDS];
	unsigned count;
};

#define FAIL(r, ...)                                                           \
	do {                                                                   \
		print_error("%s:%u: ", (r)->file, (r)->line);                  \
		fail_msg(__VA_ARGS__);                                         \
	} while (0)

static const struct {
	const char *name;
	enum tftp_step step;
} steps[] = {
	{"wait", TFTP_STEP_WAIT},
	{"oack", TFTP_STEP_OACK},
	{"done", TFTP_STEP_DONE},
	{"aborted", TFTP_STEP_ABORTED},
	{"gave-up", TFTP_STEP_GAVE_UP},
};

static const char *word(struct replay *r, unsigned i)
{
	if (i >= r->count)
		FAIL(r, "something is missing at the end");
	return r->words[i];
}

static uint64_t number(struct replay *r, const char *text, char **rest)
{
	char *end;
	uint64_t v = strtoull(text, &end, 10);

	if (end == text || (!rest && *end))
		FAIL(r, "not a number: %s", text);
	if (rest)
		*rest = end;
	return v;
}

static uint64_t duration(struct replay *r, const char *text)
{
	char *unit;
	uint64_t v = number(r, text, &unit);

	if (strcmp(unit, "us") == 0)
		return v;
	if (strcmp(unit, "ms") == 0)
		return v * 1000;
	if (strcmp(unit, "s") == 0)
		return v * 1000000;
	FAIL(r, "not a time: %s", text);
	return 0;
}

static void answered(struct replay *r, struct tftp_action action)
{
	if (action.step != TFTP_STEP_WAIT &&
		tftp_send_deadline(&r->sender) <= r->now)
		FAIL(r, "the deadline has passed already");
	r->action = action;
	r->checked = false;
}

static void start(struct replay *r)
{
	struct tftp_request request = {.name = "a"};
	struct tftp_limits limits = {TFTP_MAX_BLKSIZE, TFTP_MAX_WINDOWSIZE};
	struct tftp_params params;
	uint64_t size = 0;
	bool oack = true;

	request.blksize = 512;
	for (unsigned i = 1; i < r->count; i++) {
		char *value = strchr(r->words[i], '=');

		if (!value)
			FAIL(r, "not KEY=NUMBER: %s", r->words[i]);
		*value++ = '\0';
		if (strcmp(r->words[i], "size") == 0)
			size = number(r, value, NULL);
		else if (strcmp(r->words[i], "blksize") == 0)
			request.blksize = (uint32_t)number(r, value, NULL);
		else if (strcmp(r->words[i], "windowsize") == 0)
			request.windowsize = (uint32_t)number(r, value, NULL);
		else if (strcmp(r->words[i], "timeout") == 0)
			request.timeout_s = (uint32_t)number(r, value, NULL);
		else if (strcmp(r->words[i], "oack") == 0)
			oack = number(r, value, NULL) != 0;
		else
			FAIL(r, "unknown: %s", r->words[i]);
	}
	tftp_negotiate(&request, &limits, &params);
	params.oack = oack;
	r->started = true;
	r->now = 0;
	answered(r, tftp_send_start(&r->sender, &params, size, 0));
}

static void run(struct replay *r, uint64_t block)
{
	struct tftp_packet ack = {.op = TFTP_OP_ACK};

	while (r->sender.base < block) {
		struct tftp_action action;

		r->now += 100;
		ack.block = (uint16_t)r->sender.top;
		action = tftp_send_packet(&r->sender, &ack, r->now);
		answered(r, action);
		if (action.step != TFTP_STEP_BLOCKS &&
			action.step != TFTP_STEP_DONE)
			FAIL(r, "no blocks while acknowledging to %u",
				ack.block);
	}
	if (r->sender.base != block)
		FAIL(r, "windows do not end there");
}

static void event(struct replay *r, unsigned at, bool timed)
{
	struct tftp_send *s = &r->sender;
	const char *what = word(r, at);
	struct tftp_packet packet = {.block = 0};

	if (!r->checked)
		FAIL(r, "what was answered before is not expected yet");
	if (strcmp(what, "tick") == 0) {
		if (!timed && tftp_send_deadline(s) != UINT64_MAX)
			r->now = tftp_send_deadline(s);
		answered(r, tftp_send_tick(s, r->now));
		return;
	}
	if (strcmp(what, "again") == 0) {
		answered(r, tftp_send_again(s, r->now));
		return;
	}
	if (strcmp(what, "delayed") == 0) {
		tftp_send_delayed(s, r->now);
		return;
	}
	if (strcmp(what, "run") == 0) {
		run(r, number(r, word(r, at + 1), NULL));
		return;
	}
	packet.block = (uint16_t)number(r, word(r, at + 1), NULL);
	if (strcmp(what, "ack") == 0)
		packet.op = TFTP_OP_ACK;
	else if (strcmp(what, "data") == 0)
		packet.op = TFTP_OP_DATA;
	else if (strcmp(what, "error") == 0)
		packet.op = TFTP_OP_ERROR;
	else
		FAIL(r, "unknown event: %s", what);
	answered(r, tftp_send_packet(s, &packet, r->now));
}

static void describe(struct tftp_action action, char *ret, size_t cap)
{
	for (size_t i = 0; i < ROWS(steps); i++) {
		if (steps[i].step == action.step)
			(void)snprintf(ret, cap, "%s", steps[i].name);
	}
	if (action.step == TFTP_STEP_BLOCKS && action.count == 1)
		(void)snprintf(ret, cap, "block %llu",
			(unsigned long long)action.first);
	else if (action.step == TFTP_STEP_BLOCKS)
		(void)snprintf(ret, cap, "blocks %llu-%llu",
			(unsigned long long)action.first,
			(unsigned long long)(action.first + action.count - 1));
}

static void expect_between(struct replay *r, const char *what, uint64_t got,
	uint64_t min, uint64_t max)
{
	if (got < min || got > max)
		FAIL(r, "%s is %llu", what, (unsigned long long)got);
}

static void expect(struct replay *r)
{
	const struct tftp_send_stats *stats = &r->sender.stats;
	const char *what = word(r, 1);
	char got[64] = "", want[64];

	if (strcmp(what, "deadline") == 0) {
		expect_between(r, what, tftp_send_deadline(&r->sender) - r->now,
			duration(r, word(r, 2)), duration(r, word(r, 3)));
	} else if (strcmp(what, "srtt") == 0) {
		expect_between(r, what, stats->srtt_us, duration(r, word(r, 2)),
			duration(r, word(r, 3)));
	} else if (strcmp(what, "resent") == 0) {
		uint64_t n = number(r, word(r, 2), NULL);

		expect_between(r, what,
			stats->resent_timer + stats->resent_rollback, n, n);
	} else if (strcmp(what, "timeouts") == 0) {
		uint64_t n = number(r, word(r, 2), NULL);

		expect_between(r, what, stats->timeouts, n, n);
	} else if (strcmp(what, "rollbacks") == 0) {
		uint64_t n = number(r, word(r, 2), NULL);

		expect_between(r, what, stats->rollbacks, n, n);
	} else {
		(void)snprintf(want, sizeof(want), "%s%s%s", what,
			r->count > 2 ? " " : "",
			r->count > 2 ? r->words[2] : "");
		describe(r->action, got, sizeof(got));
		if (strcmp(got, want) != 0)
			FAIL(r, "answered with %s", got);
		r->checked = true;
	}
}

static void replay_line(struct replay *r, char *line)
{
	char *save = NULL;

	line[strcspn(line, "#\n")] = '\0';
	r->count = 0;
	for (char *w = strtok_r(line, " \t", &save); w && r->count < MAX_WORDS;
		w = strtok_r(NULL, " \t", &save))
		r->words[r->count++] = w;
	if (r->count == 0)
		return;
	if (strcmp(r->words[0], "start") == 0) {
		if (r->started && !r->checked)
			FAIL(r, "what was answered before is not expected yet");
		start(r);
		return;
	}
	if (!r->started)
		FAIL(r, "nothing has started");
	if (strcmp(r->words[0], "expect") == 0) {
		expect(r);
	} else if (strcmp(r->words[0], "at") == 0) {
		uint64_t at = duration(r, word(r, 1));

		if (at < r->now)
			FAIL(r, "time runs backwards");
		r->now = at;
		event(r, 2, true);
	} else if (r->words[0][0] == '+') {
		r->now += duration(r, r->words[0] + 1);
		event(r, 1, true);
	} else {
		event(r, 0, false);
	}
}

static void replay_file(const char *path)
{
	struct replay r = {.file = path, .checked = true};
	char line[256];
	FILE *file = fopen(path, "r");

	if (!file)
		FAIL(&r, "cannot be opened");
	while (fgets(line, sizeof(line), file)) {
		r.line++;
		replay_line(&r, line);
	}
	(void)fclose(file);
	if (!r.started || !r.checked)
		FAIL(&r, "ends before its last answer is expected");
}

static int is_scenario(const struct dirent *entry)
{
	size_t len = strlen(entry->d_name);

	return strncmp(entry->d_name, "tftp-", 5) == 0 && len > 2 &&
	       strcmp(entry->d_name + len - 2, ".t") == 0;
}

static void test_scenarios(void **state)
{
	struct dirent **found;
	int count = scandir(DIRECTORY, &found, is_scenario, alphasort);

	(void)state;
	assert_true(count > 0);
	for (int i = 0; i < count; i++) {
		char path[sizeof(DIRECTORY) + 256];

		(void)snprintf(
			path, sizeof(path), DIRECTORY "/%s", found[i]->d_name);
		free(found[i]);
		replay_file(path);
	}
	free(found);
	print_message("%d scenarios\n", count);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_scenarios),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
