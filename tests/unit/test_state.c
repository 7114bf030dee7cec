/*
 * state: what is remembered, and when it is saved: real files in a directory
 * of this test's own, and a disk that is full.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/base/clock.h"
#include "daemon/base/worker.h"
#include "daemon/policy/state.h"
#include "daemon/policy/state_file.h"

static char directory[] = "/tmp/netuki-test-state-XXXXXX";
static char path[64], temp[64], bad[64];

/* A loop with a worker and a state. */
struct rig {
	struct event_base *base;
	struct worker *worker;
	struct state *state;
};

static void rig_init(struct rig *rig)
{
	rig->base = event_base_new();
	assert_non_null(rig->base);
	rig->worker = worker_new(rig->base);
	assert_non_null(rig->worker);
	assert_int_equal(worker_run(rig->worker), 0);
	assert_int_equal(
		state_new(rig->base, rig->worker, directory, &rig->state), 0);
}

static void rig_done(struct rig *rig)
{
	worker_free(rig->worker);
	state_free(rig->state);
	event_base_free(rig->base);
}

static void on_saved(void *arg)
{
	++*(int *)arg;
}

/* Until all is saved or could not be; fails after ten seconds. */
static void wait_saved(struct rig *rig)
{
	uint64_t deadline = clock_us() + 10000000;
	struct state_waiter waiter;
	int saved = 0;

	state_when_saved(rig->state, &waiter, on_saved, &saved);
	while (!saved) {
		event_base_loop(rig->base, EVLOOP_ONCE);
		if (clock_us() > deadline)
			fail_msg("not saved within ten seconds");
	}
	assert_int_equal(saved, 1);
}

static int setup(void **state)
{
	(void)state;
	if (!mkdtemp(directory))
		return -1;
	snprintf(path, sizeof(path), "%s/state.json", directory);
	snprintf(temp, sizeof(temp), "%s/state.json.tmp", directory);
	snprintf(bad, sizeof(bad), "%s/state.json.bad", directory);
	signal(SIGXFSZ, SIG_IGN);
	return 0;
}

static int clear(void **state)
{
	(void)state;
	unlink(path);
	unlink(temp);
	unlink(bad);
	return 0;
}

static int teardown(void **state)
{
	clear(state);
	return rmdir(directory);
}

static void write_text(const char *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static struct state_machine machine_of(const char *name, enum config_mode mode)
{
	struct state_machine m = {.mode = mode};

	strcpy(m.name, name);
	return m;
}

static void test_tables(void **unused)
{
	struct state *state;
	struct state_machine m = machine_of("a", CONFIG_MODE_LOCAL);

	(void)unused;
	assert_int_equal(state_new(NULL, NULL, NULL, &state), 0);
	assert_null(state_find(state, "a"));
	assert_null(state_find(NULL, "a"));
	assert_int_equal(state_mode_for_all(NULL), CONFIG_MODE_UNSET);
	assert_true(state_put(state, &m));
	assert_int_equal(state_find(state, "a")->mode, CONFIG_MODE_LOCAL);
	m = machine_of("b", CONFIG_MODE_UNSET);
	m.once = true;
	strcpy(m.once_image, "x.efi");
	assert_true(state_put(state, &m));
	assert_int_equal(state_count(state), 2);
	/* What says nothing any more is dropped; the other one stays. */
	m = machine_of("a", CONFIG_MODE_UNSET);
	assert_true(state_put(state, &m));
	assert_null(state_find(state, "a"));
	assert_int_equal(state_count(state), 1);
	assert_string_equal(state_at(state, 0)->name, "b");
	/* Its own entry may be handed in. */
	assert_true(state_put(state, state_find(state, "b")));
	/* Without `once` its wishes are gone, too. */
	m = state_get(state, "b");
	m.once = false;
	m.last_mode = CONFIG_MODE_IPXE;
	assert_true(state_put(state, &m));
	assert_string_equal(state_find(state, "b")->once_image, "");
	assert_int_equal(state_get(state, "c").mode, CONFIG_MODE_UNSET);
	assert_string_equal(state_get(state, "c").name, "c");
	state_free(state);
}

static void test_too_long_a_name(void **unused)
{
	char name[STATE_NAME_MAX + 2];
	struct state_machine m;
	struct state *state;

	(void)unused;
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(state_new(NULL, NULL, NULL, &state), 0);
	m = state_get(state, name);
	m.mode = CONFIG_MODE_LOCAL;
	assert_false(state_put(state, &m));
	m = state_get(state, name + 1);
	m.mode = CONFIG_MODE_LOCAL;
	assert_true(state_put(state, &m));
	state_free(state);
}

static void test_full_table(void **unused)
{
	struct state_machine m = {.mode = CONFIG_MODE_LOCAL};
	struct state *state;

	(void)unused;
	assert_int_equal(state_new(NULL, NULL, NULL, &state), 0);
	for (unsigned i = 0; i < STATE_MAX_MACHINES; i++) {
		snprintf(m.name, sizeof(m.name), "m%u", i);
		if (!state_put(state, &m))
			fail_msg("full at %u", i);
	}
	strcpy(m.name, "one-more");
	assert_false(state_put(state, &m));
	strcpy(m.name, "m77");
	m.mode = CONFIG_MODE_IPXE;
	assert_true(state_put(state, &m));
	m.mode = CONFIG_MODE_UNSET;
	assert_true(state_put(state, &m));
	strcpy(m.name, "one-more");
	m.mode = CONFIG_MODE_LOCAL;
	assert_true(state_put(state, &m));
	assert_non_null(state_find(state, "m131071"));
	state_free(state);
}

static struct mac mac_of(unsigned i)
{
	return (struct mac){{0x52, 0x54, 0, (uint8_t)(i >> 16),
		(uint8_t)(i >> 8), (uint8_t)i}};
}

static void test_forms(void **unused)
{
	struct mac mac = mac_of(1), last = mac_of(STATE_MAX_FORMS);
	struct state *state;

	(void)unused;
	assert_int_equal(state_form(NULL, &mac), CONFIG_OFFER_UNSET);
	assert_int_equal(state_new(NULL, NULL, NULL, &state), 0);
	for (unsigned i = 0; i < STATE_MAX_FORMS; i++) {
		mac = mac_of(i);
		state_set_form(state, &mac, CONFIG_OFFER_DIRECT);
	}
	mac = mac_of(0);
	state_set_form(state, &mac, CONFIG_OFFER_PXE_PORT);
	/* The oldest is not the first one now, but the second. */
	state_set_form(state, &last, CONFIG_OFFER_DIRECT);
	assert_int_equal(state_form(state, &mac), CONFIG_OFFER_PXE_PORT);
	assert_int_equal(state_form(state, &last), CONFIG_OFFER_DIRECT);
	mac = mac_of(1);
	assert_int_equal(state_form(state, &mac), CONFIG_OFFER_UNSET);
	state_set_form(state, &last, CONFIG_OFFER_UNSET);
	assert_int_equal(state_form(state, &last), CONFIG_OFFER_UNSET);
	state_free(state);
}

static void fill(struct state *state)
{
	struct state_machine m = machine_of("lab-01", CONFIG_MODE_TFTP_UKI);
	struct mac mac = mac_of(7);

	m.last_mode = CONFIG_MODE_IPXE;
	assert_true(state_put(state, &m));
	m = machine_of("serial \"\xc3\xa4\"\n", CONFIG_MODE_UNSET);
	m.once = true;
	m.once_mode = CONFIG_MODE_IPXE;
	strcpy(m.once_image, "install.efi");
	assert_true(state_put(state, &m));
	state_set_mode_for_all(state, CONFIG_MODE_LOCAL, true);
	state_set_form(state, &mac, CONFIG_OFFER_PXE_PORT);
}

static void check_filled(const struct state *state)
{
	const struct state_machine *m = state_find(state, "lab-01");
	struct mac mac = mac_of(7);

	assert_int_equal(state_count(state), 2);
	assert_non_null(m);
	assert_int_equal(m->mode, CONFIG_MODE_TFTP_UKI);
	assert_int_equal(m->last_mode, CONFIG_MODE_IPXE);
	assert_false(m->once);
	m = state_find(state, "serial \"\xc3\xa4\"\n");
	assert_non_null(m);
	assert_true(m->once);
	assert_int_equal(m->mode, CONFIG_MODE_UNSET);
	assert_int_equal(m->once_mode, CONFIG_MODE_IPXE);
	assert_string_equal(m->once_image, "install.efi");
	assert_int_equal(state_mode_for_all(state), CONFIG_MODE_LOCAL);
	assert_true(state_all_includes_local(state));
	assert_int_equal(state_form(state, &mac), CONFIG_OFFER_PXE_PORT);
}

static void test_across_restarts(void **unused)
{
	struct rig rig;
	struct stat st;

	(void)unused;
	rig_init(&rig);
	fill(rig.state);
	wait_saved(&rig);
	assert_null(state_problem(rig.state));
	rig_done(&rig);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_not_equal(stat(temp, &st), 0);
	rig_init(&rig);
	check_filled(rig.state);
	rig_done(&rig);
}

/* What nobody has waited for is saved at the end. */
static void test_saved_at_the_end(void **unused)
{
	struct rig rig;

	(void)unused;
	rig_init(&rig);
	fill(rig.state);
	rig_done(&rig);
	rig_init(&rig);
	check_filled(rig.state);
	rig_done(&rig);
}

static void test_nothing_to_save(void **unused)
{
	struct rig rig;
	struct stat st;
	struct state_waiter waiter;
	int saved = 0;

	(void)unused;
	rig_init(&rig);
	state_when_saved(rig.state, &waiter, on_saved, &saved);
	assert_int_equal(saved, 1);
	state_set_mode_for_all(rig.state, CONFIG_MODE_UNSET, false);
	rig_done(&rig);
	assert_int_not_equal(stat(path, &st), 0);
}

static void test_forget_wait(void **unused)
{
	struct rig rig;
	struct state_waiter one, two;
	int saved = 0, other = 0;

	(void)unused;
	rig_init(&rig);
	fill(rig.state);
	state_when_saved(rig.state, &one, on_saved, &saved);
	state_when_saved(rig.state, &two, on_saved, &other);
	state_forget_wait(rig.state, &one);
	wait_saved(&rig);
	assert_int_equal(saved, 0);
	assert_int_equal(other, 1);
	rig_done(&rig);
}

/* A thousand changes, each waited for, are a few saves: seen by the inode. */
static void test_burst(void **unused)
{
	struct rig rig;
	static struct state_waiter waiter[1000];
	struct state_machine m;
	struct stat st;
	unsigned files = 0;
	ino_t last = 0;
	int saved = 0;

	(void)unused;
	rig_init(&rig);
	for (unsigned i = 0; i < 1000; i++) {
		char name[20];

		snprintf(name, sizeof(name), "m%u", i);
		m = machine_of(name, CONFIG_MODE_LOCAL);
		assert_true(state_put(rig.state, &m));
		state_when_saved(rig.state, &waiter[i], on_saved, &saved);
	}
	while (saved < 1000) {
		event_base_loop(rig.base, EVLOOP_ONCE);
		if (stat(path, &st) == 0 && st.st_ino != last) {
			last = st.st_ino;
			files++;
		}
	}
	assert_in_range(files, 1, 3);
	rig_done(&rig);
}

/* What belongs together reaches the disk together. */
static void test_hold(void **unused)
{
	struct state_machine m = {.name = "lab-01", .mode = CONFIG_MODE_LOCAL};
	struct timeval soon = {0, 50000};
	struct rig rig;

	(void)unused;
	rig_init(&rig);
	state_hold(rig.state);
	state_hold(rig.state);
	assert_true(state_put(rig.state, &m));
	for (int i = 0; i < 2; i++) {
		event_base_loopexit(rig.base, &soon);
		event_base_dispatch(rig.base);
		assert_int_equal(access(path, F_OK), -1);
		state_release(rig.state);
	}
	wait_saved(&rig);
	assert_int_equal(access(path, F_OK), 0);
	rig_done(&rig);
}

static void test_corrupt(void **unused)
{
	static const struct {
		const char *name, *text;
		bool aside;	 /* else it is an empty state, or a part */
		size_t machines; /* of which something is known */
	} cases[] = {
		{"no JSON", "mode: ipxe\n", true, 0},
		{"empty", "", true, 0},
		{"cut short", "{\"version\": 1, \"machines\": {\"a\"", true, 0},
		{"a list", "[1]", true, 0},
		{"another version", "{\"version\": 2}", true, 0},
		{"no version", "{\"machines\": {}}", true, 0},
		{"a key twice", "{\"version\": 1, \"version\": 1}", true, 0},
		{"machines are a list", "{\"version\": 1, \"machines\": []}",
			true, 0},
		{"no such mode", "{\"version\": 1, \"mode\": \"disk\"}", true,
			0},
		{"no UTF-8", "{\"version\": 1, \"machines\": {\"\xff\": {}}}",
			true, 0},
		{"nothing set", "{\"version\": 1}", false, 0},
		{"one entry of two",
			"{\"version\": 1, \"machines\": {\"a\": {\"mode\": 5},"
			" \"b\": {\"mode\": \"local\"}}}",
			false, 1},
		{"an unknown mode in an entry",
			"{\"version\": 1, \"machines\": {\"a\": {\"mode\":"
			" \"disk\"}, \"b\": {\"once\": {}}}}",
			false, 1},
		{"an offer that is none",
			"{\"version\": 1, \"offers\": {\"x\": \"direct\","
			" \"52:54:00:00:00:01\": \"auto\"}}",
			false, 0},
		{"what a later version may add",
			"{\"version\": 1, \"more\": 1, \"machines\": {\"a\":"
			" {\"mode\": \"ipxe\", \"more\": [2]}}}",
			false, 1},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct rig rig;
		struct stat st;

		clear(unused);
		write_text(cases[i].text);
		rig_init(&rig);
		if ((stat(bad, &st) == 0) != cases[i].aside)
			fail_msg("%s: set aside or not", cases[i].name);
		if ((stat(path, &st) == 0) == cases[i].aside)
			fail_msg("%s: there or not", cases[i].name);
		if (state_count(rig.state) != cases[i].machines)
			fail_msg("%s: %zu machines", cases[i].name,
				state_count(rig.state));
		/* And it works. */
		fill(rig.state);
		wait_saved(&rig);
		assert_null(state_problem(rig.state));
		rig_done(&rig);
	}
}

static void test_too_long_an_image(void **unused)
{
	char text[1000];
	struct rig rig;

	(void)unused;
	snprintf(text, sizeof(text),
		"{\"version\": 1, \"machines\": {\"a\": {\"once\": {\"image\":"
		" \"%0*d\"}}, \"b\": {\"once\": {\"image\": \"%0*d\"}}}}",
		STATE_IMAGE_MAX + 1, 0, STATE_IMAGE_MAX, 0);
	write_text(text);
	rig_init(&rig);
	assert_null(state_find(rig.state, "a"));
	assert_non_null(state_find(rig.state, "b"));
	rig_done(&rig);
}

static void limit_files(rlim_t bytes)
{
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = bytes;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* No byte can be written: the old file stays, and it is said and retried. */
static void test_full_disk(void **unused)
{
	struct rig rig;
	struct stat st;
	struct state_content content;
	char why[STATE_WHY_MAX];
	uint64_t deadline;

	(void)unused;
	rig_init(&rig);
	state_set_mode_for_all(rig.state, CONFIG_MODE_IPXE, false);
	wait_saved(&rig);
	fill(rig.state);
	limit_files(5);
	wait_saved(&rig);
	assert_non_null(state_problem(rig.state));
	assert_non_null(strstr(state_problem(rig.state), "state.json.tmp: "));
	assert_int_not_equal(stat(temp, &st), 0);
	/* The old one is there, the new one in force. */
	assert_int_equal(state_file_read(directory, &content, why), 0);
	assert_int_equal(content.mode_for_all, CONFIG_MODE_IPXE);
	assert_int_equal(content.n_machines, 0);
	state_content_done(&content);
	check_filled(rig.state);
	limit_files(RLIM_INFINITY);
	/* By itself, some seconds later. */
	deadline = clock_us() + 9000000;
	while (state_problem(rig.state) && clock_us() < deadline)
		event_base_loop(rig.base, EVLOOP_ONCE);
	assert_null(state_problem(rig.state));
	rig_done(&rig);
	rig_init(&rig);
	check_filled(rig.state);
	rig_done(&rig);
}

/* Who waits while nothing can be saved gets an answer at once, each time. */
static void test_answers_while_full(void **unused)
{
	struct rig rig;
	uint64_t begin = clock_us();

	(void)unused;
	rig_init(&rig);
	limit_files(5);
	for (int i = 0; i < 5; i++) {
		state_set_mode_for_all(rig.state,
			i % 2 ? CONFIG_MODE_IPXE : CONFIG_MODE_LOCAL, false);
		wait_saved(&rig);
		assert_non_null(state_problem(rig.state));
	}
	assert_true(clock_us() - begin < 2000000);
	limit_files(RLIM_INFINITY);
	wait_saved(&rig);
	assert_null(state_problem(rig.state));
	rig_done(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tables),
		cmocka_unit_test(test_too_long_a_name),
		cmocka_unit_test(test_full_table),
		cmocka_unit_test(test_forms),
		cmocka_unit_test_teardown(test_across_restarts, clear),
		cmocka_unit_test_teardown(test_saved_at_the_end, clear),
		cmocka_unit_test_teardown(test_nothing_to_save, clear),
		cmocka_unit_test_teardown(test_forget_wait, clear),
		cmocka_unit_test_teardown(test_burst, clear),
		cmocka_unit_test_teardown(test_hold, clear),
		cmocka_unit_test_teardown(test_corrupt, clear),
		cmocka_unit_test_teardown(test_too_long_an_image, clear),
		cmocka_unit_test_teardown(test_full_disk, clear),
		cmocka_unit_test_teardown(test_answers_while_full, clear),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
