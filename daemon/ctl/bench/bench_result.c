/*
 * Figures as JSON: of each target what `report` has of each group, made by the
 * same code, and what only the clients know.
 */
#include <errno.h>
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

const char *bench_phase_name(enum bench_phase phase)
{
	static const char *const names[] = {
		"dhcp", "request", "loader", "ipxe", "script", "image"};

	return names[phase];
}

void bench_times_add(struct bench_times *times, double s)
{
	if (times->n == times->room) {
		times->room = times->room * 2 + 64;
		times->s = realloc(times->s, times->room * sizeof(*times->s));
		if (!times->s)
			abort();
	}
	times->s[times->n++] = s;
}

void bench_figures_done(struct bench_figures *figures)
{
	free(figures->took.s);
	for (size_t i = 0; i < BENCH_PHASE_MAX; i++)
		free(figures->phase[i].s);
}

static void add_times(struct bench_times *sum, const struct bench_times *more)
{
	for (size_t i = 0; i < more->n; i++)
		bench_times_add(sum, more->s[i]);
}

/* All rounds of a target together; the times are sorted. */
static struct bench_figures add_up(
	const struct bench_figures *rounds, unsigned n_rounds)
{
	struct bench_figures sum = {.failed = 0};

	for (unsigned i = 0; i < n_rounds; i++) {
		const struct bench_figures *f = &rounds[i];

		add_times(&sum.took, &f->took);
		for (size_t p = 0; p < BENCH_PHASE_MAX; p++)
			add_times(&sum.phase[p], &f->phase[p]);
		if (!sum.failed && f->failed)
			memcpy(sum.why, f->why, sizeof(sum.why));
		sum.failed += f->failed;
		sum.seconds += f->seconds;
		sum.cpu_s += f->cpu_s;
		sum.bytes += f->bytes;
		sum.unanswered += f->unanswered;
		sum.dropped += f->dropped;
		if (f->deaf)
			sum.deaf = f->deaf;
		sum.tftp.blocks += f->tftp.blocks;
		sum.tftp.again += f->tftp.again;
		sum.tftp.needless += f->tftp.needless;
		sum.tftp.timeouts += f->tftp.timeouts;
	}
	stats_sort(sum.took.s, sum.took.n);
	for (size_t p = 0; p < BENCH_PHASE_MAX; p++)
		stats_sort(sum.phase[p].s, sum.phase[p].n);
	return sum;
}

static json_t *microseconds(const struct bench_times *times)
{
	json_t *list = json_array();

	for (size_t i = 0; i < times->n; i++)
		json_array_append_new(list, json_real(times->s[i] * 1e6));
	return list;
}

/* In the daemon's form of an answer to `report`. */
static json_t *samples_of(
	const char *name, const struct bench_figures *sum, uint64_t size)
{
	json_t *speeds = json_array();

	for (size_t i = 0; size && i < sum->took.n; i++)
		if (sum->took.s[i] > 0)
			json_array_append_new(speeds,
				json_real((double)size / sum->took.s[i]));
	return json_pack("{s:s, s:I, s:{s:I, s:I}, s:o, s:o, s:I, s:I}", "name",
		name, "count", (json_int_t)(sum->took.n + sum->failed),
		"outcomes", "complete", (json_int_t)sum->took.n, "failed",
		(json_int_t)sum->failed, "last-byte-us",
		microseconds(&sum->took), "bytes-per-second", speeds, "blocks",
		(json_int_t)sum->tftp.blocks, "resent",
		(json_int_t)sum->tftp.again);
}

/* Those that the machines went through; those of failed ones, too. */
static json_t *phases_of(const struct bench_figures *sum)
{
	json_t *list = json_array();

	for (enum bench_phase i = 0; i < BENCH_PHASE_MAX; i++) {
		const struct bench_times *t = &sum->phase[i];

		if (t->n)
			json_array_append_new(list,
				json_pack("{s:s, s:I, s:f, s:f, s:f}", "phase",
					bench_phase_name(i), "n",
					(json_int_t)t->n, "median",
					stats_quantile(t->s, t->n, 0.5), "p95",
					stats_quantile(t->s, t->n, 0.95), "p99",
					stats_quantile(t->s, t->n, 0.99)));
	}
	return list;
}

static void add_own(json_t *group, const struct bench_target *target,
	const struct bench_figures *sum)
{
	json_t *last = json_object_get(group, "last-byte");

	json_object_del(group, "up"); /* no guest is started */
	if (sum->took.n) {
		json_object_set_new(last, "min", json_real(sum->took.s[0]));
		json_object_set_new(last, "p99",
			json_real(stats_quantile(
				sum->took.s, sum->took.n, 0.99)));
		json_object_set_new(
			last, "max", json_real(sum->took.s[sum->took.n - 1]));
	}
	if (target->url.scheme == URL_SCHEME_DHCP)
		json_object_set_new(group, "phases", phases_of(sum));
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
		struct bench_figures medians = {.failed = 0};

		for (unsigned i = 0; i < setup->rounds; i++) {
			struct bench_figures f = add_up(&rounds[t][i], 1);

			if (f.took.n)
				bench_times_add(
					&medians.took, stats_quantile(f.took.s,
							       f.took.n, 0.5));
			bench_figures_done(&f);
		}
		json_array_append_new(
			groups, samples_of(setup->target[t].text, &medians, 0));
		bench_figures_done(&medians);
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
	if (setup->boots && shared > 1)
		note(notes,
			"%s: %u machines share an address, by which a server "
			"may tell them apart. --from gives them their own.",
			target->text, shared);
	if (sum->deaf && sum->failed)
		note(notes,
			"%s: answers that are broadcast, as dnsmasq's are, "
			"were not heard: port 68: %s%s.",
			target->text, strerror(sum->deaf),
			sum->deaf == EACCES
				? ": this takes root, or CAP_NET_BIND_SERVICE"
				: "");
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
	if (setup->boots) {
		char mac[MAC_TEXT_LEN];

		mac_format(&setup->first_mac, ':', mac);
		json_object_set_new(o, "mac", json_string(mac));
	}
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
		bench_figures_done(&sum[t]);
	}
	json_object_set_new(result, "comparisons", compare(setup, rounds));
	json_object_set_new(result, "notes", notes);
	return result;
}
