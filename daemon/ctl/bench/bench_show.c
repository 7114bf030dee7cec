/*
 * Figures of `bench` for people.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "daemon/ctl/bench/bench.h"
#include "daemon/ctl/commands.h"
#include "daemon/ctl/json_out.h"
#include "daemon/ctl/show.h"
#include "daemon/ctl/stats.h"
#include "daemon/ctl/table.h"
#include "daemon/ctl/text.h"

#define CELL 40

/* o[key] as a number; a negative one if it is none. */
static double known(const json_t *o, const char *key)
{
	const json_t *value = json_object_get(o, key);

	return json_is_number(value) ? json_number_value(value) : -1;
}

/* "12.3 ms", "1.234 s"; NULL if it is not known. */
static const char *time_text(double s, char buf[CELL])
{
	if (s < 0)
		return NULL;
	if (s < 0.001)
		snprintf(buf, CELL, "%.0f us", s * 1e6);
	else if (s < 1)
		snprintf(buf, CELL, "%.1f ms", s * 1e3);
	else
		snprintf(buf, CELL, "%.3f s", s);
	return buf;
}

static const char *speed_text(double bytes_per_s, char buf[CELL])
{
	if (bytes_per_s <= 0)
		return NULL;
	snprintf(buf, CELL, "%.1f MB/s", bytes_per_s / 1e6);
	return buf;
}

static const char *number_text(const json_t *o, const char *key, char buf[CELL])
{
	snprintf(buf, CELL, "%lld", number_of(o, key));
	return buf;
}

/* "edk2", "edk2 (blksize 1468, window 16)" */
static const char *as_text(const json_t *run, char buf[CELL])
{
	if (!json_object_get(run, "windowsize"))
		return text_of(run, "as");
	snprintf(buf, CELL, "%.9s (blksize %lld, window %lld)",
		text_of(run, "as"), number_of(run, "blksize"),
		number_of(run, "windowsize"));
	return buf;
}

static bool has_http(const json_t *result)
{
	const json_t *g;
	size_t i;

	json_array_foreach(json_object_get(result, "groups"), i, g)
	{
		if (strncmp(text_of(g, "name"), "http:", 5) == 0)
			return true;
	}
	return false;
}

/* "edk2, 50 machines at once, 2 loads each, 5 rounds, 1 % lost each way" */
static void show_head(const json_t *r)
{
	long long clients = number_of(r, "clients");
	long long loads = number_of(r, "loads");
	long long rounds = number_of(r, "rounds");
	double loss = known(r, "loss"), delay = known(r, "delay");
	const char *digest = text_of(r, "sha256");
	char buf[CELL];

	printf("%s, %lld machine%s", as_text(r, buf), clients,
		clients > 1 ? "s at once" : "");
	if (loads > 1)
		printf(", %lld loads each", loads);
	if (rounds > 1)
		printf(", %lld rounds", rounds);
	if (loss > 0)
		printf(", %g %% lost%s", loss * 100,
			has_http(r) ? "" : " each way");
	if (delay > 0)
		printf(", %s of delay each way", time_text(delay, buf));
	puts("");
	if (digest)
		printf("%s, SHA-256 %s\n",
			size_text(number_of(r, "size"), buf, CELL), digest);
	puts("");
}

static void show_groups(const json_t *result)
{
	bool boots = json_object_get(result, "mac");
	const char *const headings[] = {"TARGET", boots ? "BOOTS" : "LOADS",
		"FAILED", boots ? "IMAGE WHOLE" : "FILE WHOLE", "P95", "RATE",
		"TOGETHER", "SENT AGAIN", "TIME-OUTS"};
	const json_t *g;
	struct table table;
	size_t i;

	table_init(&table, sizeof(headings) / sizeof(*headings), headings);
	json_array_foreach(json_object_get(result, "groups"), i, g)
	{
		const json_t *last = json_object_get(g, "last-byte");
		char b[8][CELL];
		const char *cells[] = {text_of(g, "name"),
			number_text(g, "count", b[0]),
			number_text(g, "failures", b[1]),
			time_text(known(last, "median"), b[2]),
			time_text(known(last, "p95"), b[3]),
			speed_text(known(json_object_get(g, "throughput"),
					   "median"),
				b[4]),
			speed_text(known(g, "together"), b[5]),
			share_text(g, b[6], CELL),
			number_text(g, "timeouts", b[7])};

		table_add(&table, cells);
	}
	table_print(&table);
	table_done(&table);
}

/* What each phase of machines that boot took. */
static void show_phases(const json_t *result)
{
	static const char *const headings[] = {
		"TARGET", "PHASE", "TIMES", "MEDIAN", "P95", "P99"};
	const json_t *g, *phase;
	struct table table;
	size_t i, j;

	table_init(&table, sizeof(headings) / sizeof(*headings), headings);
	json_array_foreach(json_object_get(result, "groups"), i, g)
	{
		json_array_foreach(json_object_get(g, "phases"), j, phase)
		{
			char b[4][CELL];
			const char *cells[] = {text_of(g, "name"),
				text_of(phase, "phase"),
				number_text(phase, "n", b[0]),
				time_text(known(phase, "median"), b[1]),
				time_text(known(phase, "p95"), b[2]),
				time_text(known(phase, "p99"), b[3])};

			table_add(&table, cells);
		}
	}
	if (table.n_rows > 1) {
		puts("");
		table_print(&table);
	}
	table_done(&table);
}

static double median_of(const json_t *result, const char *name)
{
	const json_t *g;
	size_t i;

	json_array_foreach(json_object_get(result, "groups"), i, g)
	{
		if (strcmp(word_of(g, "name"), name) == 0)
			return known(json_object_get(g, "last-byte"), "median");
	}
	return -1;
}

static void show_verdict(const json_t *result, const json_t *c)
{
	const char *a = text_of(c, "a"), *b = text_of(c, "b");
	const char *faster = text_of(c, "faster"), *chance;
	char buf[20];
	double ratio;

	if (!is_true(c, "enough")) {
		printf("Too few rounds to conclude: %d are the least.\n",
			STATS_ENOUGH);
		return;
	}
	chance = chance_text(known(c, "p"), buf, sizeof(buf));
	if (!faster) {
		printf("No difference shown (%s).\n", chance);
		return;
	}
	/* Of all loads, which the test is not: it is of the rounds. */
	ratio = median_of(result, strcmp(faster, a) == 0 ? b : a) /
		median_of(result, faster);
	if (ratio > 1)
		printf("%s is faster: the other takes %.2f times as long "
		       "(%s).\n",
			faster, ratio, chance);
	else
		printf("%s is faster in most rounds, but not in the median of "
		       "all loads (%s).\n",
			faster, chance);
}

/* To standard error; in JSON they are among the rest. */
static void show_failures(const json_t *result)
{
	const json_t *g, *one;
	size_t i;

	json_array_foreach(json_object_get(result, "groups"), i, g)
	{
		if (text_of(g, "failure"))
			fprintf(stderr, "netukictl: %s: %lld failed: %s\n",
				text_of(g, "name"), number_of(g, "failures"),
				text_of(g, "failure"));
	}
	json_array_foreach(json_object_get(result, "notes"), i, one)
		fprintf(stderr, "netukictl: %s\n", json_string_value(one));
}

void bench_show(const json_t *result, const struct arguments *args)
{
	const json_t *c;
	size_t i;

	if (args->json) {
		json_out(result, JSON_INDENT(2), stdout);
	} else if (args->csv) {
		show_report(result, args);
	} else {
		show_head(result);
		show_groups(result);
		show_phases(result);
		json_array_foreach(json_object_get(result, "comparisons"), i, c)
		{
			puts("");
			show_verdict(result, c);
		}
	}
	fflush(stdout);
	if (!args->json)
		show_failures(result);
}

static void add_saved(struct table *table, const json_t *run, const json_t *g)
{
	const json_t *last = json_object_get(g, "last-byte");
	time_t when = (time_t)known(run, "time");
	double loss = known(run, "loss"), delay = known(run, "delay");
	char b[10][CELL];
	const char *cells[] = {b[0], text_of(g, "name"), as_text(run, b[8]),
		number_text(run, "clients", b[1]), loss > 0 ? b[2] : NULL,
		delay > 0 ? time_text(delay, b[9]) : NULL,
		number_text(g, "failures", b[3]),
		time_text(known(last, "median"), b[4]),
		time_text(known(last, "p95"), b[5]),
		speed_text(known(g, "together"), b[6]),
		share_text(g, b[7], CELL)};
	struct tm tm;

	if (!localtime_r(&when, &tm) ||
		!strftime(b[0], CELL, "%Y-%m-%d %H:%M", &tm))
		strcpy(b[0], "?");
	snprintf(b[2], CELL, "%g %%", loss * 100);
	table_add(table, cells);
}

void bench_show_saved(const json_t *runs, bool since)
{
	static const char *const headings[] = {"WHEN", "TARGET", "AS",
		"MACHINES", "LOST", "DELAY", "FAILED", "FILE WHOLE", "P95",
		"TOGETHER", "SENT AGAIN"};
	const json_t *run, *g;
	struct table table;
	size_t i, j;

	if (!json_array_size(runs)) {
		puts(since ? "No figures since then; without --since there may "
			     "be earlier ones."
			   : "No figures are kept yet: each `netukictl bench "
			     "URL` adds its own.");
		return;
	}
	table_init(&table, sizeof(headings) / sizeof(*headings), headings);
	json_array_foreach(runs, i, run)
	{
		json_array_foreach(json_object_get(run, "groups"), j, g)
			add_saved(&table, run, g);
	}
	table_print(&table);
	table_done(&table);
}
