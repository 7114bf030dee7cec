/*
 * What the arguments of `bench` say.
 */
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/ctl/bench/bench_loop.h"
#include "daemon/ctl/commands.h"

static char why[200];

/* "1.5" and what follows it; false if it does not begin with a digit. */
static bool take_decimal(const char *text, double *ret, const char **ret_rest)
{
	char *end;

	if (!isdigit((unsigned char)*text) || tolower(text[1]) == 'x')
		return false;
	*ret = strtod(text, &end);
	*ret_rest = end;
	return isfinite(*ret);
}

static const char *take_number(const char *option, const char *text,
	uint64_t min, uint64_t max, uint64_t *ret)
{
	const char *rest = "";
	double n;

	if (!text)
		return NULL;
	if (take_decimal(text, &n, &rest) && !*rest && n >= (double)min &&
		n <= (double)max && n == floor(n)) {
		*ret = (uint64_t)n;
		return NULL;
	}
	snprintf(why, sizeof(why), "--%s takes a number from %llu to %llu",
		option, (unsigned long long)min, (unsigned long long)max);
	return why;
}

static const char *take_count(
	const char *option, const char *text, unsigned max, unsigned *ret)
{
	uint64_t n = *ret;
	const char *wrong = take_number(option, text, 1, max, &n);

	*ret = (unsigned)n;
	return wrong;
}

static const char *take_time(
	const char *option, const char *text, uint64_t *ret_ns)
{
	static const struct {
		const char *name;
		double ns;
	} units[] = {{"us", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"min", 60e9}};
	const char *unit = "";
	double n = 0;

	if (!text)
		return NULL;
	if (take_decimal(text, &n, &unit) && n <= 1e6)
		for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++)
			if (strcmp(unit, units[i].name) == 0) {
				*ret_ns = (uint64_t)(n * units[i].ns);
				return NULL;
			}
	snprintf(why, sizeof(why),
		"--%s takes a time such as 500us, 2ms, 1.5s or 10min", option);
	return why;
}

static const char *take_loss(const char *text, double *ret)
{
	const char *rest;

	if (!text)
		return NULL;
	if (take_decimal(text, ret, &rest) && *ret <= 100 &&
		(!*rest || strcmp(rest, "%") == 0))
		return NULL;
	return "--loss takes a percentage, such as 1 or 0.5";
}

static const char *take_target(const char *text, struct bench_setup *s)
{
	struct bench_target *target = &s->target[s->n_targets];
	const char *wrong;

	if (!text)
		return NULL;
	target->text = text;
	wrong = url_parse(text, &target->url);
	if (wrong) {
		snprintf(why, sizeof(why), "%.100s: %s", text, wrong);
		return why;
	}
	s->n_targets++;
	return NULL;
}

static bool has_scheme(const struct bench_setup *s, enum url_scheme scheme)
{
	for (size_t i = 0; i < s->n_targets; i++)
		if (s->target[i].url.scheme == scheme)
			return true;
	return false;
}

#define LOW_MACS 0x1000000 /* of the half of an address that counts */

/* Machines that are real are not to be played: their boots would be theirs. */
static const char *take_mac(const char *text, struct bench_setup *s)
{
	uint32_t low;

	if (!text)
		text = "02:00:00:00:00:01";
	if (!mac_parse(text, strlen(text), &s->first_mac) ||
		!mac_is_unicast(&s->first_mac) || !(s->first_mac.b[0] & 2))
		return "--mac takes a MAC address that is locally administered "
		       "(its second digit is 2, 6, a or e)";
	low = (uint32_t)s->first_mac.b[3] << 16 |
	      (uint32_t)s->first_mac.b[4] << 8 | s->first_mac.b[5];
	if (s->clients > LOW_MACS - low)
		return "--mac: there are not enough addresses above it";
	return NULL;
}

/* What whole machines take; the rest is of those who load a file. */
static const char *take_boots(
	const struct arguments *args, struct bench_setup *s)
{
	for (size_t i = 0; i < s->n_targets; i++)
		s->boots |= s->target[i].url.scheme == URL_SCHEME_DHCP;
	if (!s->boots)
		return args->mac ? "--mac is for dhcp://" : NULL;
	for (size_t i = 0; i < s->n_targets; i++)
		if (s->target[i].url.scheme != URL_SCHEME_DHCP)
			return "boots are compared with boots: dhcp:// with "
			       "dhcp://";
	if (s->missing || s->keep_alive || s->unchecked || args->file ||
		args->sha256)
		return "--missing, --keep-alive, --no-check, --file and "
		       "--sha256 are for one file, not for boots";
	s->unchecked = true; /* each machine may get another */
	return take_mac(args->mac, s);
}

/* Who plays; and what only TFTP has is not for HTTP. */
static const char *take_firmware(
	const struct arguments *args, struct bench_setup *s)
{
	const struct tftp_firmware *firmware;
	bool has_http = has_scheme(s, URL_SCHEME_HTTP);
	uint64_t blksize, window;
	const char *wrong;

	s->as = args->as ? args->as : "edk2";
	firmware = s->boots ? bench_boot_firmware(s->as)
			    : tftp_firmware_find(s->as);
	if (!firmware)
		return s->boots ? "--as takes edk2, http-boot, ipxe or rom"
				: "--as takes edk2, ipxe or rom";
	if (has_http && !bench_http_plays(s->as))
		return "a ROM knows no HTTP: --as edk2 or ipxe";
	s->firmware = *firmware;
	blksize = firmware->blksize;
	window = firmware->windowsize;
	wrong = take_number("blksize", args->blksize, TFTP_MIN_BLKSIZE,
		TFTP_MAX_BLKSIZE, &blksize);
	if (!wrong)
		wrong = take_number("window", args->window, 1,
			TFTP_MAX_WINDOWSIZE, &window);
	s->firmware.blksize = (uint32_t)blksize;
	s->firmware.windowsize = (uint32_t)window;
	s->own_sizes = args->blksize || args->window;
	if (wrong)
		return wrong;
	if (has_http && !has_scheme(s, URL_SCHEME_TFTP) &&
		(s->own_sizes || s->twice || s->gro))
		return "--blksize, --window, --double and --gro are for TFTP";
	if (!has_http && s->keep_alive)
		return "--keep-alive is for HTTP";
	return NULL;
}

static const char *take_content(
	const struct arguments *args, struct bench_setup *s)
{
	s->file = args->file;
	s->has_digest = args->sha256;
	if (args->sha256 &&
		!digest_parse(args->sha256, strlen(args->sha256), &s->digest))
		return "--sha256 takes 64 hexadecimal digits";
	if (s->unchecked && (s->file || s->has_digest))
		return "--no-check looks at no --file and no --sha256";
	if (s->missing && (s->file || s->has_digest || s->unchecked))
		return "--missing has nothing to check";
	return NULL;
}

static const char *take_amounts(
	const struct arguments *args, struct bench_setup *s)
{
	const char *wrong = take_count(
		"clients", args->clients, BENCH_MAX_CLIENTS, &s->clients);

	if (!wrong)
		wrong = take_count("loads", args->loads,
			BENCH_MAX_LOADS / s->clients, &s->loads);
	if (!wrong)
		wrong = take_count(
			"rounds", args->rounds, BENCH_MAX_ROUNDS, &s->rounds);
	if (!wrong)
		wrong = take_number(
			"seed", args->seed, 0, UINT32_MAX, &s->seed);
	if (!wrong)
		wrong = take_loss(args->loss, &s->loss_percent);
	if (!wrong)
		wrong = take_time("delay", args->delay, &s->delay_ns);
	if (!wrong)
		wrong = take_time("pause", args->pause, &s->pause_ns);
	if (!wrong)
		wrong = take_time("time-limit", args->time_limit, &s->limit_ns);
	return wrong;
}

const char *bench_setup(const struct arguments *args, struct bench_setup *ret)
{
	struct bench_setup s = {
		.clients = 1,
		.loads = 1,
		.rounds = args->compare ? 5 : 1,
		.seed = 1,
		.limit_ns = UINT64_C(600000000000),
		.twice = args->twice,
		.gro = args->gro,
		.missing = args->missing,
		.keep_alive = args->keep_alive,
		.unchecked = args->no_check,
	};
	const char *wrong;

	if (!args->n_operands)
		return "what is to be loaded? tftp://HOST/FILE or "
		       "http://HOST/FILE; or dhcp://SERVER, to boot";
	if (args->since || args->limit)
		return "--since and --limit are for --saved";
	if (args->csv && args->json)
		return "--csv or --json: not both";
	if (args->save && args->no_save)
		return "--save or --no-save: not both";
	wrong = take_target(args->operand[0], &s);
	if (!wrong)
		wrong = take_target(args->compare, &s);
	if (!wrong)
		wrong = take_amounts(args, &s);
	if (!wrong)
		wrong = take_boots(args, &s);
	if (!wrong)
		wrong = take_firmware(args, &s);
	if (!wrong)
		wrong = take_content(args, &s);
	if (!wrong && args->from)
		wrong = bench_sources_parse(args->from, &s.sources);
	if (!wrong)
		*ret = s;
	return wrong;
}
