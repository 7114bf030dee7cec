/*
 * stats: against values from elsewhere: R's example of wilcox.test (p = 0.2544
 * two-sided), scipy's of mannwhitneyu (0.1111 exact, 0.11135 by the normal
 * approximation), and all arrangements counted one by one.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "daemon/ctl/since.h"
#include "daemon/ctl/stats.h"

#define MAX 40

static const struct {
	const char *name;
	size_t na, nb;
	double a[MAX], b[MAX];
	double u, p;
	bool exact;
} rank_cases[] = {
	{"R", 10, 5,
		{0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46},
		{1.15, 0.88, 0.90, 0.74, 1.21}, 35, 0.2544122544122544, true},
	{"scipy", 5, 4, {19, 22, 16, 29, 24}, {20, 11, 17, 12}, 17,
		0.1111111111111111, true},
	{"the other way round", 4, 5, {20, 11, 17, 12}, {19, 22, 16, 29, 24}, 3,
		0.1111111111111111, true},
	{"apart", 5, 5, {1, 2, 3, 4, 5}, {6, 7, 8, 9, 10}, 0,
		0.007936507936507936, true},
	{"one each", 1, 1, {1}, {2}, 0, 1, true},
	{"ties", 7, 6, {1, 2, 2, 3, 3, 3, 4}, {3, 4, 4, 5, 5, 6}, 3.5,
		0.012999854364387314, false},
	{"all alike", 3, 3, {1, 1, 1}, {1, 1, 1}, 4.5, 1, false},
	{"thirty", 30, 30,
		{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17,
			18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29},
		{10.5, 11.5, 12.5, 13.5, 14.5, 15.5, 16.5, 17.5, 18.5, 19.5,
			20.5, 21.5, 22.5, 23.5, 24.5, 25.5, 26.5, 27.5, 28.5,
			29.5, 30.5, 31.5, 32.5, 33.5, 34.5, 35.5, 36.5, 37.5,
			38.5, 39.5},
		190, 0.00012477053789099963, false},
};

static void test_rank(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rank_cases) / sizeof(*rank_cases); i++) {
		double a[MAX], b[MAX];
		struct stats_rank rank;

		for (size_t j = 0; j < MAX; j++) {
			a[j] = rank_cases[i].a[j];
			b[j] = rank_cases[i].b[j];
		}
		stats_sort(a, rank_cases[i].na);
		stats_sort(b, rank_cases[i].nb);
		assert_true(stats_rank_test(
			a, rank_cases[i].na, b, rank_cases[i].nb, &rank));
		if (fabs(rank.u - rank_cases[i].u) > 1e-9 ||
			fabs(rank.p - rank_cases[i].p) > 1e-9 ||
			rank.exact != rank_cases[i].exact)
			fail_msg("%s: U %g p %.12g exact %d",
				rank_cases[i].name, rank.u, rank.p, rank.exact);
	}
}

static void test_rank_empty(void **state)
{
	double one = 1;
	struct stats_rank rank;

	(void)state;
	assert_false(stats_rank_test(&one, 0, &one, 1, &rank));
	assert_false(stats_rank_test(&one, 1, &one, 0, &rank));
}

/* Twenty of each: the number of arrangements, 137846528820, is still exact. */
static void test_rank_largest_exact(void **state)
{
	double a[20], b[20];
	struct stats_rank rank;

	(void)state;
	for (int i = 0; i < 20; i++) {
		a[i] = i;
		b[i] = 100 + i;
	}
	assert_true(stats_rank_test(a, 20, b, 20, &rank));
	assert_true(rank.exact);
	assert_true(fabs(rank.p * 137846528820.0 - 2) < 1e-6);
}

/* As R's p.adjust(p, "holm") has them. */
static const struct {
	const char *name;
	size_t n;
	double p[4], want[4];
} holm_cases[] = {
	{"none", 0, {0}, {0}},
	{"one", 1, {0.03}, {0.03}},
	{"four", 4, {0.01, 0.02, 0.03, 0.04}, {0.04, 0.06, 0.06, 0.06}},
	{"in any order", 4, {0.01, 0.04, 0.03, 0.005},
		{0.03, 0.06, 0.06, 0.02}},
	{"alike", 3, {0.02, 0.01, 0.02}, {0.04, 0.03, 0.04}},
	{"no more than 1", 2, {0.5, 0.6}, {1, 1}},
};

static void test_holm(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(holm_cases) / sizeof(*holm_cases); i++) {
		double got[4];

		stats_holm(holm_cases[i].p, holm_cases[i].n, got);
		for (size_t j = 0; j < holm_cases[i].n; j++)
			if (fabs(got[j] - holm_cases[i].want[j]) > 1e-12)
				fail_msg("%s, %zu: %g", holm_cases[i].name, j,
					got[j]);
	}
}

static const struct {
	const char *name;
	size_t n;
	double values[6], q, want;
} quantile_cases[] = {
	{"median of one", 1, {7}, 0.5, 7},
	{"median of an even number", 4, {1, 2, 3, 10}, 0.5, 2.5},
	{"median of an odd number", 5, {1, 2, 3, 10, 20}, 0.5, 3},
	{"p95", 5, {1, 2, 3, 10, 20}, 0.95, 18},
	{"least", 3, {1, 2, 3}, 0, 1},
	{"greatest", 3, {1, 2, 3}, 1, 3},
};

static void test_quantile(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(quantile_cases) / sizeof(*quantile_cases);
		i++) {
		double got = stats_quantile(quantile_cases[i].values,
			quantile_cases[i].n, quantile_cases[i].q);

		if (fabs(got - quantile_cases[i].want) > 1e-9)
			fail_msg("%s: %g", quantile_cases[i].name, got);
	}
}

static const struct {
	const char *text;
	double want; /* 0: it is no time */
} since_cases[] = {
	{"10s", 999990},
	{"2min", 999880},
	{"3h", 989200},
	{"1d", 913600},
	{"1w", 395200},
	{"@12345", 12345},
	{"1970-01-02", 86400},
	{"1970-01-02 00:01", 86460},
	{"1970-01-02 00:01:01", 86461},
	{"", 0},
	{"d", 0},
	{"5", 0},
	{"5x", 0},
	{"-5d", 0},
	{"1970-13-02", 0},
	{"1970-01-02 x", 0},
	{"24-12-31", 0},
	{"1969-12-31", 0},
	{"99999999999999999999d", 0},
};

static void test_since(void **state)
{
	(void)state;
	setenv("TZ", "UTC", 1);
	for (size_t i = 0; i < sizeof(since_cases) / sizeof(*since_cases);
		i++) {
		double got = 0;

		if (since_parse(since_cases[i].text, 1000000, &got) !=
				(since_cases[i].want > 0) ||
			fabs(got - since_cases[i].want) > 1e-6)
			fail_msg("'%s': %g", since_cases[i].text, got);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rank),
		cmocka_unit_test(test_rank_empty),
		cmocka_unit_test(test_rank_largest_exact),
		cmocka_unit_test(test_holm),
		cmocka_unit_test(test_quantile),
		cmocka_unit_test(test_since),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
