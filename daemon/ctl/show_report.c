/*
 * report: the samples that the daemon answers become medians and a verdict.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/ctl/commands.h"
#include "daemon/ctl/show.h"
#include "daemon/ctl/stats.h"
#include "daemon/ctl/table.h"
#include "daemon/ctl/text.h"

#define COMPARE_MAX 4 /* groups of which each pair is compared */
#define SURE	    0.05

struct sample {
	size_t n;
	double *value; /* sorted; seconds, or bytes a second */
};

struct group {
	json_t *json;
	struct sample last_byte, up, throughput;
};

struct groups {
	size_t n;
	struct group *group;
};

static struct sample sample_of(const json_t *o, const char *key, double unit)
{
	const json_t *list = json_object_get(o, key), *one;
	struct sample s = {.n = json_array_size(list)};
	size_t i;

	s.value = calloc(s.n + 1, sizeof(*s.value));
	if (!s.value)
		abort();
	json_array_foreach(list, i, one) s.value[i] =
		json_number_value(one) / unit;
	stats_sort(s.value, s.n);
	return s;
}

static json_t *summary_of(const struct sample *s)
{
	if (!s->n)
		return json_pack("{s:i, s:n, s:n}", "n", 0, "median", "p95");
	return json_pack("{s:I, s:f, s:f}", "n", (json_int_t)s->n, "median",
		stats_quantile(s->value, s->n, 0.5), "p95",
		stats_quantile(s->value, s->n, 0.95));
}

static struct groups groups_of(const json_t *answer)
{
	const json_t *list = json_object_get(answer, "groups");
	struct groups g = {.n = json_array_size(list)};

	g.group = calloc(g.n + 1, sizeof(*g.group));
	if (!g.group)
		abort();
	for (size_t i = 0; i < g.n; i++) {
		json_t *o = json_array_get(list, i);

		g.group[i] = (struct group){
			.json = o,
			.last_byte = sample_of(o, "last-byte-us", 1e6),
			.up = sample_of(o, "up-us", 1e6),
			.throughput = sample_of(o, "bytes-per-second", 1),
		};
	}
	return g;
}

static void groups_done(struct groups *g)
{
	for (size_t i = 0; i < g->n; i++) {
		free(g->group[i].last_byte.value);
		free(g->group[i].up.value);
		free(g->group[i].throughput.value);
	}
	free(g->group);
}

/* The samples' place is taken by what they say. */
static void summarise(struct group *g)
{
	const json_t *outcomes = json_object_get(g->json, "outcomes");
	long long blocks = number_of(g->json, "blocks");

	json_object_del(g->json, "last-byte-us");
	json_object_del(g->json, "up-us");
	json_object_del(g->json, "bytes-per-second");
	json_object_set_new(g->json, "completed",
		json_integer(number_of(outcomes, "complete")));
	json_object_set_new(g->json, "failures",
		json_integer(number_of(outcomes, "abandoned") +
			     number_of(outcomes, "looped") +
			     number_of(outcomes, "failed")));
	json_object_set_new(g->json, "last-byte", summary_of(&g->last_byte));
	json_object_set_new(g->json, "up", summary_of(&g->up));
	json_object_set_new(g->json, "throughput", summary_of(&g->throughput));
	json_object_set_new(g->json, "resent-share",
		blocks ? json_real((double)number_of(g->json, "resent") /
				   (double)blocks)
		       : json_null());
}

static json_t *compare(const struct group *a, const struct group *b,
	const char *measure, const struct sample *x, const struct sample *y)
{
	struct stats_rank rank;
	json_t *o =
		json_pack("{s:s, s:s, s:s, s:b}", "a", text_of(a->json, "name"),
			"b", text_of(b->json, "name"), "measure", measure,
			"enough", x->n >= STATS_ENOUGH && y->n >= STATS_ENOUGH);
	double mx, my;

	if (!stats_rank_test(x->value, x->n, y->value, y->n, &rank)) {
		json_object_set_new(o, "p", json_null());
		json_object_set_new(o, "faster", json_null());
		return o;
	}
	mx = stats_quantile(x->value, x->n, 0.5);
	my = stats_quantile(y->value, y->n, 0.5);
	json_object_set_new(o, "p", json_real(rank.p));
	json_object_set_new(o, "exact", json_boolean(rank.exact));
	json_object_set_new(o, "difference", json_real(mx - my));
	json_object_set_new(o, "faster",
		!is_true(o, "enough") || rank.p >= SURE ? json_null()
		: rank.u < (double)x->n * (double)y->n / 2
			? json_string(text_of(a->json, "name"))
			: json_string(text_of(b->json, "name")));
	return o;
}

static int by_size(const void *a, const void *b)
{
	size_t x = ((const struct group *)a)->last_byte.n;
	size_t y = ((const struct group *)b)->last_byte.n;

	return (x < y) - (x > y);
}

/* Of many groups the largest. */
static json_t *compare_all(struct groups *g)
{
	json_t *list = json_array();
	size_t n = 0;

	qsort(g->group, g->n, sizeof(*g->group), by_size);
	while (n < g->n && n < COMPARE_MAX && g->group[n].last_byte.n)
		n++;
	for (size_t i = 0; i < n; i++) {
		for (size_t j = i + 1; j < n; j++) {
			const struct group *a = &g->group[i], *b = a + (j - i);

			json_array_append_new(
				list, compare(a, b, "last-byte", &a->last_byte,
					      &b->last_byte));
			if (a->up.n && b->up.n)
				json_array_append_new(list,
					compare(a, b, "up", &a->up, &b->up));
		}
	}
	return list;
}

void refine_report(json_t *answer)
{
	struct groups g = groups_of(answer);

	for (size_t i = 0; i < g.n; i++)
		summarise(&g.group[i]);
	json_object_set_new(answer, "comparisons", compare_all(&g));
	groups_done(&g);
}

/* group[measure][key] in this unit; NULL if it is not known. */
static const char *cell(const json_t *group, const char *measure,
	const char *key, double unit, const char *name, char buf[40])
{
	const json_t *value =
		json_object_get(json_object_get(group, measure), key);

	if (!json_is_number(value))
		return NULL;
	snprintf(buf, 40, "%.*f%s",
		json_is_integer(value) ? 0
		: *name		       ? 3
				       : 6,
		json_number_value(value) / unit, name);
	return buf;
}

static void show_verdict(const json_t *c)
{
	const char *what = strcmp(text_of(c, "measure"), "up") == 0
				   ? "up"
				   : "the image whole";
	const char *a = text_of(c, "a"), *b = text_of(c, "b");
	const char *faster = text_of(c, "faster");
	double p = json_number_value(json_object_get(c, "p"));
	double off = json_number_value(json_object_get(c, "difference"));

	if (!is_true(c, "enough"))
		printf("%s, %s or %s: too few boots to conclude (%d of each "
		       "are the least)\n",
			what, a, b, STATS_ENOUGH);
	else if (!faster)
		printf("%s, %s or %s: no difference shown (p = %.3g)\n", what,
			a, b, p);
	else
		printf("%s: %s is faster than %s, by %.3f s in the median (p = "
		       "%.2g)\n",
			what, faster, strcmp(faster, a) == 0 ? b : a,
			off < 0 ? -off : off, p);
}

static const char *name_of(const json_t *group)
{
	const char *name = text_of(group, "name");

	return name && *name ? name : "(unknown)";
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
		for (const char *p = text_of(g, "name"); *p; p++)
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

void show_report(const json_t *answer, const struct arguments *args)
{
	const char *const headings[] = {text_of(answer, "by"), "BOOTS",
		"COMPLETE", "FAILED", "IMAGE WHOLE", "P95", "UP", "P95", "RATE",
		"SENT AGAIN"};
	const json_t *g;
	struct table table;
	size_t i;

	if (args->csv) {
		show_csv(answer);
		return;
	}
	table_init(&table, 10, headings);
	json_array_foreach(json_object_get(answer, "groups"), i, g)
	{
		const json_t *share = json_object_get(g, "resent-share");
		char b[9][40];
		const char *cells[] = {name_of(g), b[0], b[1], b[2],
			cell(g, "last-byte", "median", 1, " s", b[3]),
			cell(g, "last-byte", "p95", 1, " s", b[4]),
			cell(g, "up", "median", 1, " s", b[5]),
			cell(g, "up", "p95", 1, " s", b[6]),
			cell(g, "throughput", "median", 1e6, " MB/s", b[7]),
			json_is_number(share) ? b[8] : NULL};

		snprintf(b[0], 40, "%lld", number_of(g, "count"));
		snprintf(b[1], 40, "%lld", number_of(g, "completed"));
		snprintf(b[2], 40, "%lld", number_of(g, "failures"));
		snprintf(b[8], 40, "%.3f %%", json_number_value(share) * 100);
		table_add(&table, cells);
	}
	table_print(&table);
	table_done(&table);
	puts("");
	json_array_foreach(json_object_get(answer, "comparisons"), i, g)
		show_verdict(g);
}
