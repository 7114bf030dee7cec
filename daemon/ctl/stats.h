/*
 * stats: medians, quantiles, and whether one sample's values tend to be
 * smaller than another's. Pure.
 */
#ifndef DAEMON_CTL_STATS_H
#define DAEMON_CTL_STATS_H

#include <stdbool.h>
#include <stddef.h>

/* With fewer than so many values in either sample nothing is concluded. */
#define STATS_ENOUGH 5

void stats_sort(double *values, size_t n);
/*
 * The value below which the share q (0..1) of the sorted values lies, linear
 * between two of them (Hyndman and Fan's type 7). n is not 0.
 */
double stats_quantile(const double *sorted, size_t n, double q);

struct stats_rank {
	double u;   /* pairs in which a's value is the greater; ties: half */
	double p;   /* two-sided */
	bool exact; /* else by the normal approximation */
};

/*
 * Mann and Whitney's rank test of two sorted samples: how likely are ranks as
 * uneven as these if both come from one distribution? It asks nothing of that
 * distribution, which boot times with their time-outs need. Exact up to 20
 * values each without ties. False: a sample is empty.
 */
bool stats_rank_test(const double *a, size_t na, const double *b, size_t nb,
	struct stats_rank *ret);

/*
 * Of many comparisons some look sure by chance: their p, as Holm's method
 * corrects them, in the same order. The chance that even one of those below a
 * limit is none stays below it.
 */
void stats_holm(const double *p, size_t n, double *ret);

#endif
