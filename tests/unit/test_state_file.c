/*
 * state_file: after kill -9 at any moment the file is the old one or the new
 * one; and where it can be written at all.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/base/clock.h"
#include "daemon/policy/state_file.h"

static char directory[] = "/tmp/netuki-test-state-file-XXXXXX";
static char path[64], temp[64];

static int setup(void **state)
{
	(void)state;
	if (!mkdtemp(directory))
		return -1;
	snprintf(path, sizeof(path), "%s/state.json", directory);
	snprintf(temp, sizeof(temp), "%s/state.json.tmp", directory);
	return 0;
}

static int clear(void **state)
{
	(void)state;
	unlink(path);
	unlink(temp);
	return 0;
}

static int teardown(void **state)
{
	clear(state);
	return rmdir(directory);
}

static void test_directory(void **unused)
{
	char inner[64], file[80];
	struct state_content content = {.mode_for_all = CONFIG_MODE_LOCAL};
	char why[STATE_WHY_MAX] = "";

	(void)unused;
	snprintf(inner, sizeof(inner), "%s/inner", directory);
	snprintf(file, sizeof(file), "%s/state.json", inner);
	assert_int_equal(state_file_read(inner, &content, why), -ENOENT);
	assert_int_equal(state_file_write(inner, &content, why), 0);
	assert_int_equal(unlink(file), 0);
	assert_int_equal(rmdir(inner), 0);
	snprintf(inner, sizeof(inner), "%s/no/where", directory);
	assert_int_equal(state_file_write(inner, &content, why), -ENOENT);
	assert_non_null(strstr(why, "No such file"));
}

/* Writes n = 1, 2, ... and tells of each that is on the disk. */
static void write_for_ever(int tell)
{
	static struct state_machine machines[500];
	struct state_content content = {
		.machines = machines,
		.n_machines = 500,
	};
	char why[STATE_WHY_MAX];

	for (uint32_t n = 1;; n++) {
		/* Every entry names the write: a mixture would show. */
		for (size_t i = 0; i < content.n_machines; i++) {
			snprintf(machines[i].name, sizeof(machines[i].name),
				"m%zu", i);
			snprintf(machines[i].once_image,
				sizeof(machines[i].once_image), "n%u", n);
			machines[i].once = true;
		}
		if (state_file_write(directory, &content, why) ||
			write(tell, &n, sizeof(n)) != sizeof(n))
			_exit(1);
	}
}

/* "n17": 17 */
static uint32_t number_of(const char *text)
{
	uint32_t n = 0;

	assert_int_equal(*text++, 'n');
	assert_int_not_equal(*text, '\0');
	for (; *text; text++) {
		assert_in_range(*text, '0', '9');
		n = n * 10 + (uint32_t)(*text - '0');
	}
	return n;
}

/* The number of the write that is on the disk whole; 0: none is. */
static uint32_t number_on_disk(void)
{
	struct state_content content;
	char why[STATE_WHY_MAX];
	uint32_t n;
	int err = state_file_read(directory, &content, why);

	if (err == -ENOENT)
		return 0;
	if (err)
		fail_msg("neither old nor new: %s", why);
	assert_int_equal(content.n_machines, 500);
	for (size_t i = 1; i < content.n_machines; i++)
		assert_string_equal(content.machines[i].once_image,
			content.machines[0].once_image);
	n = number_of(content.machines[0].once_image);
	state_content_done(&content);
	return n;
}

static void test_kill(void **unused)
{
	unsigned seed = (unsigned)clock_us(), in_flight = 0;

	for (int round = 0; round < 400 && (round < 40 || in_flight < 3);
		round++) {
		uint32_t told = 0, n, found;
		int tell[2], status;
		pid_t child;

		clear(unused);
		assert_int_equal(pipe(tell), 0);
		child = fork();
		assert_true(child >= 0);
		if (child == 0) {
			close(tell[0]);
			write_for_ever(tell[1]);
		}
		close(tell[1]);
		/* It may take its time to begin. */
		assert_int_equal(
			read(tell[0], &told, sizeof(told)), sizeof(told));
		usleep((useconds_t)(2000 + rand_r(&seed) % 30000));
		assert_int_equal(kill(child, SIGKILL), 0);
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_true(WIFSIGNALED(status));
		while (read(tell[0], &n, sizeof(n)) == (ssize_t)sizeof(n))
			told = n;
		close(tell[0]);
		found = number_on_disk();
		/* The last that was told, or the one that was being written. */
		if (found != told && found != told + 1)
			fail_msg("round %d (seed %u): %u on the disk, told %u",
				round, seed, found, told);
		in_flight += access(temp, F_OK) == 0;
	}
	/* Else the kills came at harmless moments only. */
	assert_true(in_flight > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_directory, clear),
		cmocka_unit_test_teardown(test_kill, clear),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
