#include "daemon/ctl/bench/bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "daemon/ctl/bench/bench_loop.h"
#include "daemon/ctl/commands.h"
#include "daemon/ctl/show.h"

#define SPARE_FILES 32

/*
 * A descriptor for each client. With a delay another: of a timer, or of a
 * socket that a packet is still held for; and a machine's part has its own.
 */
static bool raise_limit(const struct bench_setup *setup)
{
	unsigned each = !setup->delay_ns ? 1 : setup->boots ? 4 : 2;
	unsigned files = setup->clients * each;
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return true;
	if (limit.rlim_cur >= files + SPARE_FILES)
		return true;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_cur >= files + SPARE_FILES)
		return true;
	fprintf(stderr,
		"netukictl: %u clients need %u open files, of which %llu "
		"are allowed: see `ulimit -n`\n",
		setup->clients, files, (unsigned long long)limit.rlim_cur);
	return false;
}

static bool resolve(struct bench_setup *setup)
{
	for (size_t i = 0; i < setup->n_targets; i++)
		if (!bench_resolve(&setup->target[i]))
			return false;
	return true;
}

/*
 * One machine loads it, with nothing lost: what it gets is what the others are
 * measured by. That also says early, and once, what is wrong.
 */
static bool look_first(const struct bench_setup *setup, struct bench_file *file)
{
	struct bench_setup plain = *setup;
	struct bench_figures figures = {.failed = 0};
	struct bench_loop loop = {
		.setup = &plain,
		.target = &setup->target[0],
		.file = file,
		.figures = &figures,
		.label = isatty(STDERR_FILENO) ? "a first load" : NULL,
	};
	bool done;

	plain.delay_ns = 0;
	plain.twice = false;
	file->use = BENCH_USE_COLLECT;
	done = bench_loop_run(&loop, 1, 1);
	if (done && figures.failed)
		fprintf(stderr, "netukictl: %s (%s): %s\n",
			setup->target[0].text, setup->target[0].address_text,
			figures.why);
	bench_figures_done(&figures);
	if (!done || figures.failed)
		return false;
	return bench_file_keep(file);
}

static bool know_file(const struct bench_setup *setup, struct bench_file *file)
{
	char text[DIGEST_TEXT_LEN];

	if (setup->unchecked || setup->missing)
		return true;
	if (setup->file ? !bench_file_map(file, setup->file)
			: !look_first(setup, file))
		return false;
	if (!setup->has_digest || digest_equal(&file->digest, &setup->digest))
		return true;
	digest_format(&file->digest, text);
	fprintf(stderr, "netukictl: %s: its SHA-256 is %s\n",
		setup->file ? setup->file : setup->target[0].text, text);
	return false;
}

/* The targets in turns: what changes here meanwhile, changes for both. */
static bool run_rounds(const struct bench_setup *setup, struct bench_file *file,
	struct bench_figures *const rounds[BENCH_TARGETS])
{
	for (unsigned i = 0; i < setup->rounds; i++) {
		for (size_t t = 0; t < setup->n_targets; t++) {
			char label[200];
			struct bench_loop loop = {
				.setup = setup,
				.target = &setup->target[t],
				.file = file,
				.figures = &rounds[t][i],
				.label = isatty(STDERR_FILENO) ? label : NULL,
				.random = 1 + i + (setup->seed << 16),
				.loss = (uint64_t)(setup->loss_percent / 100 *
						   4294967296.0),
			};

			snprintf(label, sizeof(label), "%u/%u %.100s", i + 1,
				setup->rounds, setup->target[t].text);
			if (!bench_loop_run(
				    &loop, setup->clients, setup->loads))
				return false;
		}
	}
	return true;
}

static bool has_failures(const struct bench_setup *setup,
	struct bench_figures *const rounds[BENCH_TARGETS])
{
	for (size_t t = 0; t < setup->n_targets; t++)
		for (unsigned i = 0; i < setup->rounds; i++)
			if (rounds[t][i].failed)
				return true;
	return false;
}

static int run(const struct bench_setup *setup, struct bench_file *file,
	const struct arguments *args)
{
	struct bench_figures *rounds[BENCH_TARGETS];
	int status = EXIT_FAILURE;
	json_t *result;

	for (size_t t = 0; t < BENCH_TARGETS; t++) {
		rounds[t] = calloc(setup->rounds, sizeof(*rounds[t]));
		if (!rounds[t])
			abort();
	}
	if (run_rounds(setup, file, rounds)) {
		result = bench_result(setup, file, rounds);
		if (!has_failures(setup, rounds))
			status = EXIT_SUCCESS;
		if (!bench_save(result, args))
			status = EXIT_FAILURE;
		if (!args->json)
			show_clean(result);
		bench_show(result, args);
		json_decref(result);
	}
	for (size_t t = 0; t < BENCH_TARGETS; t++) {
		for (unsigned i = 0; i < setup->rounds; i++)
			bench_figures_done(&rounds[t][i]);
		free(rounds[t]);
	}
	return status;
}

int bench_run(const struct arguments *args, const char **ret_nonsense)
{
	struct bench_file file = {.use = BENCH_USE_COUNT};
	int status = EXIT_FAILURE;
	struct bench_setup setup;

	if (args->saved)
		return bench_saved(args, ret_nonsense);
	*ret_nonsense = bench_setup(args, &setup);
	if (*ret_nonsense)
		return EXIT_FAILURE;
	if (resolve(&setup) && raise_limit(&setup) && know_file(&setup, &file))
		status = run(&setup, &file, args);
	bench_file_done(&file);
	return status;
}
