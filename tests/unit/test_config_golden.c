/*
 * Every directory of tests/config is a case: in.yaml is loaded, and what
 * comes of it must be what stands beside it: expected.yaml, the dump, or
 * error.txt, the messages; warning.txt beside a dump. What was dumped is
 * loaded and dumped again and must be the same.
 *
 * NETUKI_CONFIG_CASES names another directory; UPDATE=1 rewrites the files,
 * for review. @DIR@ stands for the directory of the case.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/config.h"
#include "config/dump.h"

static unsigned n_good, n_bad, n_failed;

static char *read_text(const char *name)
{
	FILE *file = fopen(name, "rbe");
	char *text = NULL;
	size_t cap = 0;

	if (!file)
		return NULL;
	if (getdelim(&text, &cap, '\0', file) < 0 && text)
		text[0] = '\0';
	fclose(file);
	return text;
}

/* A copy of text with each old replaced. */
static char *replace(const char *text, const char *old, const char *new)
{
	char *ret = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&ret, &len);
	const char *hit;

	assert_non_null(out);
	while ((hit = strstr(text, old))) {
		fwrite(text, 1, (size_t)(hit - text), out);
		fputs(new, out);
		text = hit + strlen(old);
	}
	fputs(text, out);
	assert_int_equal(fclose(out), 0);
	return ret;
}

/* The messages, one a line; NULL if there are none. */
static char *report_text(const struct config_report *report)
{
	char *ret = NULL;
	size_t len = 0;
	FILE *out;

	if (report->n == 0)
		return NULL;
	out = open_memstream(&ret, &len);
	assert_non_null(out);
	for (size_t i = 0; i < report->n; i++)
		fprintf(out, "%s%s\n",
			report->messages[i].warning ? "warning: " : "",
			report->messages[i].text);
	assert_int_equal(fclose(out), 0);
	return ret;
}

/* text: what there is, NULL if nothing; the file must hold the same. */
static void compare(const char *name, const char *file, const char *text)
{
	char *wanted;

	if (getenv("UPDATE")) {
		FILE *out = text ? fopen(file, "wbe") : NULL;

		if (!text) {
			unlink(file);
		} else {
			assert_non_null(out);
			fputs(text, out);
			fclose(out);
		}
		return;
	}
	wanted = read_text(file);
	if ((wanted != NULL) != (text != NULL) ||
		(text && strcmp(wanted, text) != 0)) {
		print_error("%s/%s\n--- wanted\n%s--- is\n%s", name, file,
			wanted ? wanted : "(no file)\n",
			text ? text : "(nothing)\n");
		n_failed++;
	}
	free(wanted);
}

static bool text_equal(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

static bool resolved_equal(const struct config *a, const struct config *b,
	const struct config_machine *machine_a,
	const struct config_machine *machine_b)
{
	struct config_resolved x, y;

	config_resolve(a, machine_a, &x);
	config_resolve(b, machine_b, &y);
	for (int i = 0; i < ARCH_MAX; i++) {
		if (!text_equal(x.loader[i], y.loader[i]))
			return false;
	}
	return text_equal(x.image, y.image) &&
	       text_equal(x.cmdline, y.cmdline) &&
	       text_equal(x.sha256, y.sha256) && x.mode == y.mode &&
	       x.offer == y.offer;
}

/* A loaded dump is the same configuration. */
static void round_trip(
	const char *name, const struct config *config, const char *dump)
{
	struct config_report report;
	struct config *again;
	char *dump_again = NULL;
	bool same = false;

	config_report_init(&report);
	again = config_load_text("/dump.yaml", dump, strlen(dump), &report);
	if (again) {
		dump_again = config_dump(again);
		same = text_equal(dump, dump_again) &&
		       again->n_machines == config->n_machines &&
		       resolved_equal(config, again, NULL, NULL);
		for (size_t i = 0; same && i < config->n_machines; i++)
			same = resolved_equal(config, again,
				&config->machines[i], &again->machines[i]);
	}
	if (!same) {
		print_error("%s: the dump makes another configuration: %s\n%s",
			name, report.n ? report.messages[0].text : "",
			dump_again ? dump_again : "");
		n_failed++;
	}
	free(dump_again);
	config_unref(again);
	config_report_done(&report);
}

static void run_case(const char *name)
{
	struct config_report report;
	char dir[PATH_MAX], *messages;
	struct config *config;

	config_report_init(&report);
	config = config_load("in.yaml", &report);
	messages = report_text(&report);
	if ((config != NULL) != (report.n_errors == 0)) {
		print_error("%s: %zu errors do not fit the result\n", name,
			report.n_errors);
		n_failed++;
	}
	assert_non_null(getcwd(dir, sizeof(dir)));
	if (config) {
		char *dump = config_dump(config), *text;

		assert_non_null(dump);
		text = replace(dump, dir, "@DIR@");
		compare(name, "expected.yaml", text);
		compare(name, "warning.txt", messages);
		compare(name, "error.txt", NULL);
		round_trip(name, config, dump);
		free(text);
		free(dump);
		n_good++;
	} else {
		compare(name, "error.txt", messages);
		compare(name, "expected.yaml", NULL);
		compare(name, "warning.txt", NULL);
		n_bad++;
	}
	free(messages);
	config_unref(config);
	config_report_done(&report);
}

static int is_case(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static void test_cases(void **state)
{
	const char *dir = getenv("NETUKI_CONFIG_CASES");
	struct dirent **entries;
	int n;

	(void)state;
	if (chdir(dir ? dir : "tests/config") < 0)
		fail_msg("%s: no such directory", dir ? dir : "tests/config");
	n = scandir(".", &entries, is_case, alphasort);
	assert_true(n > 0);
	for (int i = 0; i < n; i++) {
		if (chdir(entries[i]->d_name) == 0) {
			run_case(entries[i]->d_name);
			assert_int_equal(chdir(".."), 0);
		}
		free(entries[i]);
	}
	free(entries);
	print_message("%u good and %u bad configurations\n", n_good, n_bad);
	/* Not a directory that somebody has emptied. */
	assert_true(n_good >= 10 && n_bad >= 45);
	assert_int_equal(n_failed, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_cases)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
