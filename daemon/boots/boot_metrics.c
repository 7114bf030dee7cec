#include "daemon/boots/boot_metrics.h"

/* Upper bounds in seconds: from a small image over HTTP to a long time-out. */
static const double bounds[BOOT_METRICS_BUCKETS] = {
	2.5, 5, 10, 15, 20, 30, 60, 120, 300, 600};

static void observe(struct boot_histogram *h, double seconds)
{
	size_t i = 0;

	while (i < BOOT_METRICS_BUCKETS && seconds > bounds[i])
		i++;
	h->bucket[i]++;
	h->n++;
	h->sum_s += seconds;
}

static double seconds(const struct boot *b, enum boot_at at)
{
	return (double)(b->at_us[at] - b->begin_us) / 1e6;
}

/* Has it come to this moment with the latest event? */
static bool is_now(const struct boot *b, enum boot_at at, bool gone)
{
	return !gone && b->at_us[at] && b->at_us[at] == b->last_us;
}

void boot_metrics_count(struct boot_metrics *m, const struct boot *b, bool gone)
{
	if (is_now(b, BOOT_AT_LAST_BYTE, gone)) {
		m->boots[b->mode][BOOT_OUTCOME_COMPLETE]++;
		observe(&m->last_byte[b->mode], seconds(b, BOOT_AT_LAST_BYTE));
	}
	if (is_now(b, BOOT_AT_UP, gone))
		observe(&m->up[b->mode], seconds(b, BOOT_AT_UP));
	if (gone && !b->at_us[BOOT_AT_LAST_BYTE])
		m->boots[b->mode][b->outcome]++;
}

static const char *mode_label(enum boot_mode mode)
{
	const char *name = boot_mode_name(mode);

	return name ? name : "unknown";
}

static void print_boots(const struct boot_metrics *m, FILE *out)
{
	fputs("# HELP netuki_boots_total Boots that came to the image's last "
	      "byte, or ended before.\n# TYPE netuki_boots_total counter\n",
		out);
	for (enum boot_mode mode = 0; mode < BOOT_MODE_MAX; mode++)
		for (enum boot_outcome i = 0; i < BOOT_OUTCOME_MAX; i++)
			if (i != BOOT_OUTCOME_RUNNING)
				fprintf(out,
					"netuki_boots_total{mode=\"%s\","
					"outcome=\"%s\"} %llu\n",
					mode_label(mode), boot_outcome_name(i),
					(unsigned long long)m->boots[mode][i]);
}

static void print_histogram(const struct boot_histogram *h, const char *name,
	const char *mode, FILE *out)
{
	uint64_t n = 0;

	for (size_t i = 0; i < BOOT_METRICS_BUCKETS; i++) {
		n += h->bucket[i];
		fprintf(out, "%s_bucket{mode=\"%s\",le=\"%g\"} %llu\n", name,
			mode, bounds[i], (unsigned long long)n);
	}
	fprintf(out,
		"%s_bucket{mode=\"%s\",le=\"+Inf\"} %llu\n"
		"%s_sum{mode=\"%s\"} %.6f\n%s_count{mode=\"%s\"} %llu\n",
		name, mode, (unsigned long long)h->n, name, mode, h->sum_s,
		name, mode, (unsigned long long)h->n);
}

static void print_histograms(const struct boot_histogram h[BOOT_MODE_MAX],
	const char *name, const char *help, FILE *out)
{
	fprintf(out, "# HELP %s %s\n# TYPE %s histogram\n", name, help, name);
	for (enum boot_mode mode = 0; mode < BOOT_MODE_MAX; mode++)
		print_histogram(&h[mode], name, mode_label(mode), out);
}

void boot_metrics_print(const struct boot_metrics *m, FILE *out)
{
	print_boots(m, out);
	print_histograms(m->last_byte, "netuki_boot_last_byte_seconds",
		"From a machine's first packet to the image's last byte.", out);
	print_histograms(m->up, "netuki_boot_up_seconds",
		"From a machine's first packet to its word that it is up.",
		out);
}
