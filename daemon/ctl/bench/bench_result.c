/*
 * Figures as JSON: of each target what `report` has of each group, made by the
 * same code, and what only the clients know.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "daemon/ctl/bench/bench.h"
#include "daemon/ctl/commands.h"
#include "daemon/ctl/report.h"
#include "daemon/ctl/stats.h"

/* More clients of one address than netukid serves before they answer. */
#define SHARED_MANY 8

static const struct arguments no_arguments; /* no page is asked for */

/* All rounds of a target together; the times are sorted. */
static struct bench_figures add_up(
	const struct bench_figures *rounds, unsigned n_rounds)
{
	struct bench_figures sum = {.n = 0};

	for (unsigned i = 0; i < n_rounds; i++)
		sum.room += rounds[i].n;
	sum.took_s = calloc(sum.room + 1, sizeof(*sum.took_s));
	if (!sum.took_s)
		abort();
	for (unsigned i = 0; i < n_rounds; i++) {
		const struct bench_figures *f = &rounds[i];

		if (f->n)
			memcpy(sum.took_s + sum.n, f->took_s,
				f->n * sizeof(*f->took_s));
		if (!sum.failed && f->failed)
			memcpy(sum.why, f->why, sizeof(sum.why));
		sum.n += f->n;
		sum.failed += f->failed;
		sum.seconds += f->seconds;
		sum.cpu_s += f->cpu_s;
		sum.bytes += f->bytes;
		sum.unanswered += f->unanswered;
		sum.dropped += f->dropped;
		sum.tftp.blocks += f->tftp.blocks;
		sum.tftp.again += f->tftp.again;
		sum.tftp.needless += f->tftp.needless;
		sum.tftp.timeouts += f->tftp.timeouts;
	}
	stats_sort(sum.took_s, sum.n);
	return sum;
}

static json_t *microseconds(const double *took_s, size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, json_real(took_s[i] * 1e6));
	return list;
}

/* In the daemon's form of an answer to `report`. */
static json_t *samples_of(
	const char *name, const struct bench_figures *sum, uint64_t size)
{
	json_t *speeds = json_array();

	for (size_t i = 0; size && i < sum->n; i++)
		if (sum->took_s[i] > 0)
			json_array_append_new(speeds,
				json_real((double)size / sum->took_s[i]));
	return json_pack("{s:s, s:I, s:{s:I, s:I}, s:o, s:o, s:I, s:I}", "name",
		name, "count", (json_int_t)(sum->n + sum->failed), "outcomes",
		"complete", (json_int_t)sum->n, "failed",
		(json_int_t)sum->failed, "last-byte-us",
		microseconds(sum->took_s, sum->n), "bytes-per-second", speeds,
		"blocks", (json_int_t)sum->tftp.blocks, "resent",
		(json_int_t)sum->tftp.again);
}

static void add_own(json_t *group, const struct bench_target *target,
	const struct bench_figures *sum)
{
	json_t *last = json_object_get(group, "last-byte");

	json_object_del(group, "up"); /* no guest is started */
	if (sum->n) {
		json_object_set_new(last, "min", json_real(sum->took_s[0]));
		json_object_set_new(last, "p99",
			json_real(stats_quantile(sum->took_s, sum->n, 0.99)));
		json_object_set_new(
			last, "max", json_real(sum->took_s[sum->n - 1]));
	}
	json_object_update_new(group,
		json_pack("{s:s, s:f, s:I, s:f, s:f, s:I, s:I, s:I, s:I, s:s?}",
			"address", target->address_text, "seconds",
			sum->seconds, "bytes", (json_int_t)sum->bytes,
			"together",
			sum->seconds > 0 ? (double)sum->bytes / sum->seconds
					 : 0,
			"client-cpu-seconds", sum->cpu_s, "needless",
			(json_int_t)sum->tftp.needless, "timeouts",
			(json_int_t)sum->tftp.timeouts, "unanswered",
			(json_int_t)sum->unanswered, "dropped",
			(json_int_t)sum->dropped, "failure",
			sum->failed ? sum->why : NULL));
}

/* The median of each round is one value: loads of a round are no strangers. */
static json_t *compare(const struct bench_setup *setup,
	struct bench_figures *const rounds[BENCH_TARGETS])
{
	json_t *groups = json_array(), *answer;

	for (size_t t = 0; t < setup->n_targets; t++) {
		struct bench_figures medians = {.n = 0};

		medians.took_s = calloc(setup->rounds, sizeof(double));
		if (!medians.took_s)
			abort();
		for (unsigned i = 0; i < setup->rounds; i++) {
			struct bench_figures f = add_up(&rounds[t][i], 1);

			if (f.n)
				medians.took_s[medians.n++] =
					stats_quantile(f.took_s, f.n, 0.5);
			free(f.took_s);
		}
		json_array_append_new(
			groups, samples_of(setup->target[t].text, &medians, 0));
		free(medians.took_s);
	}
	answer = json_pack("{s:o}", "groups", groups);
	refine_report(answer, &no_arguments);
	groups = json_incref(json_object_get(answer, "comparisons"));
	json_decref(answer);
	return groups;
}

__attribute__((format(printf, 2, 3))) static void note(
	json_t *notes, const char *format, ...)
{
	char text[300];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	json_array_append_new(notes, json_string(text));
}

/* What these figures are figures of, perhaps. */
static void add_notes(json_t *notes, const struct bench_setup *setup,
	const struct bench_target *target, const struct bench_figures *sum)
{
	unsigned shared = bench_clients_per_address(setup, target);

	/* The end of a question of size may be read after the next request. */
	if (target->url.scheme == URL_SCHEME_TFTP && sum->unanswered &&
		shared * (setup->firmware.probes ? 2 : 1) > SHARED_MANY)
		note(notes,
			"%s: %llu requests had no answer in time, and %u "
			"clients share an address, of which a server may serve "
			"only so many at once (netukid: 16, and 8 that have "
			"not answered yet). --from gives them their own.",
			target->text, (unsigned long long)sum->unanswered,
			shared);
	if (sum->seconds > 0.5 && sum->cpu_s > 0.95 * sum->seconds)
		note(notes,
			"%s: these clients had no time left: they may be what "
			"was measured%s.",
			target->text,
			target->url.scheme == URL_SCHEME_HTTP &&
					!setup->unchecked
				? "; see --no-check"
			: target->url.scheme == URL_SCHEME_TFTP && !setup->gro
				? "; see --gro"
				: "");
}

static json_t *what_was_done(
	const struct bench_setup *setup, const struct bench_file *file)
{
	char digest[DIGEST_TEXT_LEN], host[80] = "";
	bool has_digest = file->use == BENCH_USE_COMPARE;
	json_t *o;

	gethostname(host, sizeof(host) - 1);
	if (has_digest)
		digest_format(&file->digest, digest);
	o = json_pack("{s:f, s:s, s:s, s:I, s:I, s:I, s:f, s:f, s:f, s:s?}",
		"time", (double)time(NULL), "host", host, "as", setup->as,
		"clients", (json_int_t)setup->clients, "loads",
		(json_int_t)setup->loads, "rounds", (json_int_t)setup->rounds,
		"loss", setup->loss_percent / 100, "delay",
		(double)setup->delay_ns / 1e9, "pause",
		(double)setup->pause_ns / 1e9, "sha256",
		has_digest ? digest : NULL);
	json_object_set_new(o, "size",
		file->is_known ? json_integer((json_int_t)file->size)
			       : json_null());
	if (setup->own_sizes) {
		json_object_set_new(
			o, "blksize", json_integer(setup->firmware.blksize));
		json_object_set_new(o, "windowsize",
			json_integer(setup->firmware.windowsize));
	}
	return o;
}

json_t *bench_result(const struct bench_setup *setup,
	const struct bench_file *file,
	struct bench_figures *const rounds[BENCH_TARGETS])
{
	json_t *result = what_was_done(setup, file), *notes = json_array();
	json_t *groups = json_array();
	struct bench_figures sum[BENCH_TARGETS];
	uint64_t size = setup->missing ? 0 : file->size;

	for (size_t t = 0; t < setup->n_targets; t++) {
		sum[t] = add_up(rounds[t], setup->rounds);
		json_array_append_new(groups,
			samples_of(setup->target[t].text, &sum[t], size));
	}
	json_object_set_new(result, "by", json_string("target"));
	json_object_set_new(result, "groups", groups);
	refine_report(result, &no_arguments);
	for (size_t t = 0; t < setup->n_targets; t++) {
		add_own(json_array_get(groups, t), &setup->target[t], &sum[t]);
		add_notes(notes, setup, &setup->target[t], &sum[t]);
		free(sum[t].took_s);
	}
	json_object_set_new(result, "comparisons", compare(setup, rounds));
	json_object_set_new(result, "notes", notes);
	return result;
}
