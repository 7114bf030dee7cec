/*
 * How long a configuration takes to load, what it costs in memory beyond its
 * own text, and how long a look-up takes, for 10 to 100,000 machines. A row
 * for each; the last column is look-ups of addresses that are not there. With
 * "bare" as argument the machines have a name and an address, otherwise an
 * image, a mode and a command line too. Each row is a process of its own, so
 * that no row inherits another's memory.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "config/config.h"

#define LOOK_UPS 1000000

static double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Private and anonymous memory: VmRSS without the program's own pages. */
static size_t rss_bytes(void)
{
	char line[256];
	size_t kb = 0;
	FILE *f = fopen("/proc/self/status", "re");

	while (f && fgets(line, sizeof(line), f)) {
		if (strncmp(line, "RssAnon:", 8) == 0)
			kb = strtoul(line + 8, NULL, 10);
	}
	if (f)
		fclose(f);
	return kb * 1024;
}

/* Spread as a rack's addresses are not: every one in another cache line. */
static struct mac mac_of(unsigned long i)
{
	return (struct mac){{0x52, 0x54, 0, (uint8_t)(i >> 16),
		(uint8_t)(i >> 8), (uint8_t)i}};
}

static char *make_text(unsigned long n, int bare, size_t *ret_len)
{
	char *text = NULL, mac_text[MAC_TEXT_LEN];
	FILE *out = open_memstream(&text, ret_len);

	if (!out)
		abort();
	fputs("machines:\n", out);
	for (unsigned long i = 0; i < n; i++) {
		struct mac mac = mac_of(i);

		mac_format(&mac, ':', mac_text);
		fprintf(out, "  - name: lab-%06lu\n    mac: %s\n", i, mac_text);
		if (!bare)
			fprintf(out,
				"    image: debian.efi\n    mode: tftp-uki\n"
				"    cmdline: console=ttyS1 rack=%lu\n",
				i % 40);
	}
	fclose(out);
	return text;
}

static double look_up_ns(const struct config *config, unsigned long n,
	unsigned long from, int want)
{
	unsigned long seed = 1, wrong = 0;
	double start = now_s();

	for (unsigned long i = 0; i < LOOK_UPS; i++) {
		struct mac mac;

		seed = seed * 6364136223846793005u + 1442695040888963407u;
		mac = mac_of(from + (seed >> 33) % n);
		wrong += (config_find(config, &mac, NULL, NULL, NULL) !=
				 NULL) != want;
	}
	if (wrong)
		abort();
	return (now_s() - start) / LOOK_UPS * 1e9;
}

static void row(unsigned long n, int bare)
{
	struct config_report report;
	struct config *config;
	size_t len, before, after;
	char *text = make_text(n, bare, &len);
	double start, load_s;

	config_report_init(&report);
	before = rss_bytes();
	start = now_s();
	config = config_load_text("/bench.yaml", text, len, &report);
	load_s = now_s() - start;
	after = rss_bytes();
	if (!config)
		abort();
	printf("%8lu %10zu %9.1f %10zu %12.0f %9.0f %9.0f\n", n, len,
		load_s * 1e3, (after - before) / 1024,
		(double)(after - before) / (double)n,
		look_up_ns(config, n, 0, 1),
		look_up_ns(config, n, 0x800000, 0));
	config_unref(config);
	config_report_done(&report);
	free(text);
}

int main(int argc, char **argv)
{
	static const unsigned long sizes[] = {10, 1000, 10000, 100000};
	int bare = argc > 1 && strcmp(argv[1], "bare") == 0;

	printf("%8s %10s %9s %10s %12s %9s %9s\n", "machines", "YAML bytes",
		"load ms", "RSS KiB", "RSS/machine", "found ns", "not ns");
	fflush(stdout);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		int status = 0;
		pid_t pid = fork();

		if (pid == 0) {
			row(sizes[i], bare);
			fflush(stdout);
			_exit(0);
		}
		if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
			return 1;
	}
	return 0;
}
