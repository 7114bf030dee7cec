#include "daemon/ctl/report.h"

#include <stdlib.h>

#include "daemon/ctl/commands.h"
#include "daemon/ctl/page.h"
#include "daemon/ctl/stats.h"
#include "daemon/ctl/text.h"

#define SURE 0.05

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
	static const struct {
		const char *name;
		double share;
	} quantiles[] = {{"p5", 0.05}, {"p25", 0.25}, {"median", 0.5},
		{"p75", 0.75}, {"p95", 0.95}};
	json_t *o = json_pack("{s:I}", "n", (json_int_t)s->n);

	for (size_t i = 0; i < sizeof(quantiles) / sizeof(*quantiles); i++)
		json_object_set_new(o, quantiles[i].name,
			s->n ? json_real(stats_quantile(
				       s->value, s->n, quantiles[i].share))
			     : json_null());
	return o;
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

/* Did both load the same? Where that is not known, yes. */
static bool same_images(const struct group *a, const struct group *b)
{
	const json_t *x = json_object_get(a->json, "images");
	const json_t *y = json_object_get(b->json, "images");

	return !json_array_size(x) || !json_array_size(y) || json_equal(x, y);
}

static json_t *compare(const struct group *a, const struct group *b,
	const char *measure, const struct sample *x, const struct sample *y)
{
	struct stats_rank rank;
	json_t *o = json_pack("{s:s, s:s, s:s, s:b, s:b}", "a",
		text_of(a->json, "name"), "b", text_of(b->json, "name"),
		"measure", measure, "same-images", same_images(a, b), "enough",
		x->n >= STATS_ENOUGH && y->n >= STATS_ENOUGH);
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
		rank.u < (double)x->n * (double)y->n / 2
			? json_string(text_of(a->json, "name"))
			: json_string(text_of(b->json, "name")));
	return o;
}

/* Of those that have enough boots, which are sure, all together? */
static void judge(json_t *comparisons)
{
	size_t i, n = 0, room = json_array_size(comparisons) + 1;
	double *p = calloc(2 * room, sizeof(*p)), *corrected;
	json_t *c;

	if (!p)
		abort();
	corrected = p + room;
	json_array_foreach(comparisons, i, c)
	{
		if (is_true(c, "enough"))
			p[n++] = real_of(c, "p");
	}
	stats_holm(p, n, corrected);
	n = 0;
	json_array_foreach(comparisons, i, c)
	{
		bool enough = is_true(c, "enough");
		double sure = enough ? corrected[n++] : 1;

		json_object_set_new(c, "p-corrected",
			enough ? json_real(sure) : json_null());
		if (sure >= SURE)
			json_object_set_new(c, "faster", json_null());
	}
	free(p);
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
	while (n < g->n && n < REPORT_COMPARED && g->group[n].last_byte.n)
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
	judge(list);
	return list;
}

/* Single boots are for the page alone. */
static void forget_points(json_t *answer)
{
	json_t *list = json_object_get(answer, "groups"), *g;
	size_t i;

	json_object_del(answer, "point");
	json_array_foreach(list, i, g)
	{
		json_object_del(g, "points");
		json_object_del(g, "every");
	}
}

bool refine_report(json_t *answer, const struct arguments *args)
{
	struct groups g = groups_of(answer);
	bool ok;

	for (size_t i = 0; i < g.n; i++)
		summarise(&g.group[i]);
	json_object_set_new(answer, "comparisons", compare_all(&g));
	groups_done(&g);
	ok = !args->html || page_write(args->html, answer);
	forget_points(answer);
	return ok;
}
