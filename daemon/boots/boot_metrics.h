/*
 * boot_metrics: boots counted by mode and outcome, and how long they took, in
 * the text form of Prometheus. The labels are of fixed sets: no machine and no
 * image makes another time series.
 */
#ifndef DAEMON_BOOTS_BOOT_METRICS_H
#define DAEMON_BOOTS_BOOT_METRICS_H

#include <stdio.h>

#include "daemon/boots/boots.h"

#define BOOT_METRICS_BUCKETS 10

struct boot_histogram {
	uint64_t bucket[BOOT_METRICS_BUCKETS + 1]; /* the last: all longer */
	uint64_t n;
	double sum_s;
};

struct boot_metrics {
	uint64_t boots[BOOT_MODE_MAX][BOOT_OUTCOME_MAX];
	struct boot_histogram last_byte[BOOT_MODE_MAX], up[BOOT_MODE_MAX];
};

/*
 * As of the hook `changed` of boots: each boot is counted once, as complete
 * when the image's last byte is taken, else with its end.
 */
void boot_metrics_count(
	struct boot_metrics *metrics, const struct boot *boot, bool gone);
void boot_metrics_print(const struct boot_metrics *metrics, FILE *out);

#endif
