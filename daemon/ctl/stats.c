#include "daemon/ctl/stats.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define EXACT_MAX 20 /* counts of arrangements stay below 2^53 */

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

void stats_sort(double *values, size_t n)
{
	if (n)
		qsort(values, n, sizeof(*values), by_value);
}

double stats_quantile(const double *sorted, size_t n, double q)
{
	double at = q * (double)(n - 1);
	size_t below = (size_t)at;

	if (below + 1 >= n)
		return sorted[n - 1];
	return sorted[below] +
	       (at - (double)below) * (sorted[below + 1] - sorted[below]);
}

/*
 * In how many arrangements of na and nb values without ties is U = 0..na*nb?
 * The coefficients of the Gaussian binomial, factor by factor:
 * (1 - x^(nb + i)) / (1 - x^i) for i = 1..na.
 */
static void count_arrangements(size_t na, size_t nb, double *ways)
{
	size_t top = na * nb;

	memset(ways, 0, (top + 1) * sizeof(*ways));
	ways[0] = 1;
	for (size_t i = 1; i <= na; i++) {
		for (size_t u = top; u >= nb + i; u--)
			ways[u] -= ways[u - nb - i];
		for (size_t u = i; u <= top; u++)
			ways[u] += ways[u - i];
	}
}

/* U and the sum of t^3 - t over the groups of t ties, by merging. */
static double count_u(const double *a, size_t na, const double *b, size_t nb,
	double *ret_ties)
{
	size_t i = 0, j = 0;
	double u = 0;

	*ret_ties = 0;
	while (i < na || j < nb) {
		double value = j >= nb || (i < na && a[i] < b[j]) ? a[i] : b[j];
		size_t from_i = i, from_j = j;
		double t;

		while (i < na && !(a[i] > value))
			i++;
		while (j < nb && !(b[j] > value))
			j++;
		u += (double)(i - from_i) *
		     ((double)from_j + (double)(j - from_j) / 2);
		t = (double)(i - from_i + j - from_j);
		*ret_ties += t * t * t - t;
	}
	return u;
}

static double exact_p(size_t na, size_t nb, double u)
{
	double ways[EXACT_MAX * EXACT_MAX + 1], all = 0, tail = 0;
	size_t top = na * nb, low = (size_t)u;

	/* The distribution is symmetrical: take the nearer tail. */
	if (low > top - low)
		low = top - low;
	count_arrangements(na, nb, ways);
	for (size_t i = 0; i <= top; i++) {
		all += ways[i];
		if (i <= low)
			tail += ways[i];
	}
	return fmin(1, 2 * tail / all);
}

/* With the correction for ties, and for continuity. */
static double normal_p(double na, double nb, double u, double ties)
{
	double n = na + nb;
	double variance = na * nb / 12 * (n + 1 - ties / (n * (n - 1)));
	double off = fabs(u - na * nb / 2) - 0.5;

	if (variance <= 0 || off <= 0)
		return 1;
	return fmin(1, erfc(off / sqrt(variance) / sqrt(2)));
}

bool stats_rank_test(const double *a, size_t na, const double *b, size_t nb,
	struct stats_rank *ret)
{
	double ties, u;

	if (!na || !nb)
		return false;
	u = count_u(a, na, b, nb, &ties);
	ret->u = u;
	ret->exact = ties <= 0 && na <= EXACT_MAX && nb <= EXACT_MAX;
	ret->p = ret->exact ? exact_p(na, nb, u)
			    : normal_p((double)na, (double)nb, u, ties);
	return true;
}

void stats_holm(const double *p, size_t n, double *ret)
{
	for (size_t i = 0; i < n; i++) {
		ret[i] = 0;
		/* None is surer than one that had a smaller p. */
		for (size_t j = 0; j < n; j++) {
			size_t left = 0;

			if (p[j] > p[i])
				continue;
			for (size_t k = 0; k < n; k++)
				left += p[k] >= p[j];
			ret[i] = fmax(ret[i], fmin(1, p[j] * (double)left));
		}
	}
}
