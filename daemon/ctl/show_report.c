#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "daemon/ctl/commands.h"
#include "daemon/ctl/report.h"
#include "daemon/ctl/show.h"
#include "daemon/ctl/stats.h"
#include "daemon/ctl/table.h"
#include "daemon/ctl/text.h"

/* group[measure][key] in this unit; NULL if it is not known. */
static const char *cell(const json_t *group, const char *measure,
	const char *key, double unit, const char *name, char buf[40])
{
	const json_t *value =
		json_object_get(json_object_get(group, measure), key);

	if (!json_is_number(value))
		return NULL;
	snprintf(buf, 40, "%.*f%s",
		json_is_integer(value)	     ? 0
		: strcmp(name, " MB/s") == 0 ? 1
		: *name			     ? 3
					     : 6,
		json_number_value(value) / unit, name);
	return buf;
}

static const char *name_of(const char *name)
{
	return name && *name ? name : "(unknown)";
}

void report_verdict(const json_t *c, char ret[REPORT_VERDICT_MAX])
{
	const char *what =
		strcmp(word_of(c, "measure"), "up") == 0 ? "Up" : "Image whole";
	const char *a = name_of(text_of(c, "a")), *b = name_of(text_of(c, "b"));
	const char *faster = text_of(c, "faster");
	double p = real_of(c, "p-corrected");
	bool is_a = strcmp(name_of(faster), a) == 0;
	double gain = real_of(c, "difference") * (is_a ? -1 : 1);
	char chance[20];

	if (!is_true(c, "enough"))
		snprintf(ret, REPORT_VERDICT_MAX,
			"%s, %s or %s: too few boots to conclude (%d of each "
			"are the least)",
			what, a, b, STATS_ENOUGH);
	else if (!faster)
		snprintf(ret, REPORT_VERDICT_MAX,
			"%s, %s or %s: no difference shown (%s)", what, a, b,
			chance_text(p, chance, sizeof(chance)));
	else if (gain > 0)
		snprintf(ret, REPORT_VERDICT_MAX,
			"%s: %s is faster than %s, by %.3f s in the median "
			"(%s)",
			what, is_a ? a : b, is_a ? b : a, gain,
			chance_text(p, chance, sizeof(chance)));
	else
		/* The test is of all ranks, of which that is but one. */
		snprintf(ret, REPORT_VERDICT_MAX,
			"%s: %s is faster than %s in most cases, but not in "
			"the median (%s)",
			what, is_a ? a : b, is_a ? b : a,
			chance_text(p, chance, sizeof(chance)));
}

__attribute__((format(printf, 2, 3))) static void add_sentence(
	char text[REPORT_VERDICT_MAX], const char *format, ...)
{
	size_t len = strlen(text);
	va_list args;

	if (len)
		text[len++] = ' ';
	va_start(args, format);
	vsnprintf(text + len, REPORT_VERDICT_MAX - len, format, args);
	va_end(args);
}

/* How many groups have a boot that came to the last byte. */
static size_t count_complete(const json_t *report)
{
	const json_t *g;
	size_t i, n = 0;

	json_array_foreach(json_object_get(report, "groups"), i, g) n +=
		number_of(g, "completed") > 0;
	return n;
}

void report_remarks(const json_t *report, char ret[REPORT_VERDICT_MAX])
{
	bool by_image = strcmp(word_of(report, "by"), "image") == 0;
	bool by_mode = strcmp(word_of(report, "by"), "mode") == 0;
	size_t i, n = 0, complete = count_complete(report);
	bool alike = true;
	const json_t *c;

	json_array_foreach(json_object_get(report, "comparisons"), i, c)
	{
		if (!is_true(c, "enough"))
			continue;
		n++;
		alike &= by_image || is_true(c, "same-images");
	}
	*ret = '\0';
	if (complete > REPORT_COMPARED)
		add_sentence(ret,
			"Of %zu groups the %d with the most complete boots "
			"are compared.",
			complete, REPORT_COMPARED);
	if (n > 1)
		add_sentence(ret,
			"These p are for %zu comparisons together (Holm's "
			"correction).",
			n);
	if (!alike)
		add_sentence(ret, "Not all of these groups have loaded the "
				  "same images, which may be the difference.");
	/* Of machines and of their firmware that is the question itself. */
	if (n && (by_mode || by_image) &&
		number_of(report, "machines-in-several") * 2 <
			number_of(report, "machines"))
		add_sentence(ret,
			"Most machines are in one of these groups only, and "
			"may be the difference%s.",
			by_mode ? "; `netukictl mode alternate` has each boot "
				  "both ways"
				: "");
}

static void show_csv(const json_t *answer)
{
	static const char *const measures[] = {"last-byte", "up", "throughput"};
	static const char *const keys[] = {"n", "median", "p95"};
	const json_t *g;
	size_t i;

	printf("%s,count,completed,failures", text_of(answer, "by"));
	for (size_t m = 0; m < 9; m++)
		printf(",%s-%s", measures[m / 3], keys[m % 3]);
	puts(",resent-share");
	json_array_foreach(json_object_get(answer, "groups"), i, g)
	{
		char buf[40];
		const char *text;

		/* RFC 4180: a quote within quotes is doubled. */
		putchar('"');
		for (const char *p = word_of(g, "name"); *p; p++)
			printf(*p == '"' ? "\"%c" : "%c", *p);
		printf("\",%lld,%lld,%lld", number_of(g, "count"),
			number_of(g, "completed"), number_of(g, "failures"));
		for (size_t m = 0; m < 9; m++) {
			text = cell(
				g, measures[m / 3], keys[m % 3], 1, "", buf);
			printf(",%s", text ? text : "");
		}
		if (json_is_number(json_object_get(g, "resent-share")))
			printf(",%.6g\n", json_number_value(json_object_get(
						  g, "resent-share")));
		else
			puts(",");
	}
}

void report_table(const json_t *answer, struct table *ret)
{
	char by[40];
	const char *const headings[] = {by, "BOOTS", "COMPLETE", "FAILED",
		"IMAGE WHOLE", "P95", "UP", "P95", "RATE", "SENT AGAIN"};
	const json_t *g;
	size_t i;

	snprintf(by, sizeof(by), "%s", text_of(answer, "by"));
	for (char *p = by; *p; p++)
		*p = (char)toupper((unsigned char)*p);
	table_init(ret, 10, headings);
	json_array_foreach(json_object_get(answer, "groups"), i, g)
	{
		char b[9][40];
		const char *cells[] = {name_of(text_of(g, "name")), b[0], b[1],
			b[2], cell(g, "last-byte", "median", 1, " s", b[3]),
			cell(g, "last-byte", "p95", 1, " s", b[4]),
			cell(g, "up", "median", 1, " s", b[5]),
			cell(g, "up", "p95", 1, " s", b[6]),
			cell(g, "throughput", "median", 1e6, " MB/s", b[7]),
			share_text(g, b[8], sizeof(b[8]))};

		snprintf(b[0], 40, "%lld", number_of(g, "count"));
		snprintf(b[1], 40, "%lld", number_of(g, "completed"));
		snprintf(b[2], 40, "%lld", number_of(g, "failures"));
		table_add(ret, cells);
	}
}

void show_report(const json_t *answer, const struct arguments *args)
{
	char verdict[REPORT_VERDICT_MAX];
	struct table table;
	const json_t *c;
	size_t i;

	if (args->csv) {
		show_csv(answer);
		return;
	}
	if (!json_array_size(json_object_get(answer, "groups"))) {
		puts(text_no_boots(args->since));
		return;
	}
	report_table(answer, &table);
	table_print(&table);
	table_done(&table);
	json_array_foreach(json_object_get(answer, "comparisons"), i, c)
	{
		report_verdict(c, verdict);
		printf("%s%s\n", i ? "" : "\n", verdict);
	}
	report_remarks(answer, verdict);
	if (*verdict)
		puts(verdict);
}
