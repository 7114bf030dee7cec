/* What the arguments of `netukictl bench` say; and files that are compared. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "daemon/ctl/bench/bench.h"
#include "daemon/ctl/commands.h"

#define N(array) (sizeof(array) / sizeof((array)[0]))
#define URL	 "tftp://10.0.0.1/f"
#define WEB	 "http://10.0.0.1/f"
#define DHCP	 "dhcp://10.0.0.1"
#define DIGEST                                                                 \
	"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

static const struct {
	const char *name, *url;
	struct arguments args;
	const char *wrong; /* part of it; NULL: it makes sense */
} cases[] = {
	{"nothing", NULL, {.json = false}, "what is to be loaded"},
	{"a URL", URL, {.json = false}, NULL},
	{"HTTP", WEB, {.as = "ipxe", .keep_alive = true}, NULL},
	{"both", URL, {.compare = WEB, .as = "ipxe"}, NULL},
	{"no URL", "10.0.0.1", {.json = false}, "10.0.0.1: a URL begins"},
	{"no URL to compare with", URL, {.compare = "x"}, "x: a URL begins"},
	{"no firmware", URL, {.as = "grub"}, "--as takes"},
	{"a ROM and HTTP", WEB, {.as = "rom"}, "a ROM knows no HTTP"},
	{"a ROM and both", URL, {.compare = WEB, .as = "rom"}, "a ROM"},
	{"loss of TCP", URL, {.compare = WEB, .loss = "1"}, NULL},
	{"delay of TCP", WEB, {.delay = "1ms"}, NULL},
	{"windows of HTTP", WEB, {.window = "4"}, "for TFTP"},
	{"a window where one is TFTP", URL, {.compare = WEB, .window = "4"},
		NULL},
	{"keep-alive of TFTP", URL, {.keep_alive = true}, "for HTTP"},
	{"clients", URL, {.clients = "10000"}, NULL},
	{"no clients", URL, {.clients = "0"}, "--clients takes a number"},
	{"too many clients", URL, {.clients = "10001"}, "from 1 to 10000"},
	{"clients that are none", URL, {.clients = "1x"}, "--clients"},
	{"half a client", URL, {.clients = "1.5"}, "--clients"},
	{"minus a client", URL, {.clients = "-1"}, "--clients"},
	{"empty", URL, {.clients = ""}, "--clients"},
	{"hexadecimal", URL, {.clients = "0x10"}, "--clients"},
	{"loads of all clients", URL, {.clients = "1000", .loads = "1001"},
		"from 1 to 1000"},
	{"rounds", URL, {.rounds = "1001"}, "from 1 to 1000"},
	{"loss", URL, {.loss = "0.5%"}, NULL},
	{"loss of more than all", URL, {.loss = "101"}, "a percentage"},
	{"loss of nothing", URL, {.loss = "%"}, "a percentage"},
	{"loss, not a number", URL, {.loss = "nan"}, "a percentage"},
	{"loss, infinite", URL, {.loss = "1e999"}, "a percentage"},
	{"delay", URL, {.delay = "1.5ms"}, NULL},
	{"delay without a unit", URL, {.delay = "2"}, "--delay takes a time"},
	{"delay of another unit", URL, {.delay = "2h"}, "--delay"},
	{"endless", URL, {.time_limit = "9999999min"}, "--time-limit"},
	{"block", URL, {.blksize = "7"}, "from 8 to 65464"},
	{"window", URL, {.window = "65536"}, "from 1 to 65535"},
	{"digest", URL, {.sha256 = DIGEST}, NULL},
	{"short digest", URL, {.sha256 = "ba78"}, "64 hexadecimal"},
	{"digest unchecked", URL, {.sha256 = DIGEST, .no_check = true},
		"--no-check"},
	{"file unchecked", URL, {.file = "f", .no_check = true}, "--no-check"},
	{"missing, checked", URL, {.missing = true, .file = "f"}, "--missing"},
	{"two forms", URL, {.csv = true, .json = true}, "not both"},
	{"kept and not", URL, {.save = "f", .no_save = true}, "not both"},
	{"since", URL, {.since = "1d"}, "for --saved"},
	{"boots", DHCP, {.as = "http-boot", .mac = "02:00:00:00:00:01"}, NULL},
	{"boots of a file", URL, {.mac = "02:00:00:00:00:01"}, "for dhcp://"},
	{"boots as nobody", DHCP, {.as = "grub"}, "http-boot"},
	{"a file as HTTP Boot", WEB, {.as = "http-boot"}, "--as takes"},
	{"a real machine", DHCP, {.mac = "00:1b:21:00:00:01"}, "locally"},
	{"a group of machines", DHCP, {.mac = "03:00:00:00:00:01"}, "locally"},
	{"no MAC", DHCP, {.mac = "x"}, "--mac"},
	{"too few above it", DHCP, {.mac = "02:00:00:ff:ff:ff", .clients = "2"},
		"not enough"},
	{"just enough", DHCP, {.mac = "02:00:00:ff:ff:ff"}, NULL},
	{"boots and a file", DHCP, {.compare = URL}, "dhcp:// with"},
	{"boots, compared", DHCP, {.compare = DHCP}, NULL},
	{"boots, checked", DHCP, {.file = "f"}, "for one file"},
	{"boots, delayed", DHCP, {.delay = "1ms"}, NULL},
	{"from", URL, {.from = "10.0.0.9-10.0.0.3"}, "not above"},
};

static void test_arguments(void **state)
{
	(void)state;
	for (size_t i = 0; i < N(cases); i++) {
		struct arguments args = cases[i].args;
		struct bench_setup setup;
		const char *wrong;
		char url[100];
		char *operand = url;

		snprintf(url, sizeof(url), "%s",
			cases[i].url ? cases[i].url : "");
		args.operand = &operand;
		args.n_operands = cases[i].url != NULL;
		wrong = bench_setup(&args, &setup);
		if (!wrong != !cases[i].wrong ||
			(wrong && !strstr(wrong, cases[i].wrong)))
			fail_msg("%s: %s", cases[i].name,
				wrong ? wrong : "makes sense");
	}
}

static void test_values(void **state)
{
	char url[] = URL, *operand = url;
	struct arguments args = {.n_operands = 1,
		.operand = &operand,
		.compare = WEB,
		.clients = "50",
		.window = "16"};
	struct bench_setup s;

	(void)state;
	assert_null(bench_setup(&args, &s));
	assert_int_equal(s.n_targets, 2);
	assert_int_equal(s.rounds, 5);
	assert_int_equal(s.clients, 50);
	assert_int_equal(s.firmware.windowsize, 16);
	assert_int_equal(s.firmware.blksize, 1468);
	assert_true(s.firmware.probes && s.own_sizes);
	assert_true(s.limit_ns == UINT64_C(600000000000));
	args.compare = NULL;
	args.window = NULL;
	args.delay = "1.5ms";
	args.pause = "20us";
	args.time_limit = "2min";
	args.loss = "2.5";
	assert_null(bench_setup(&args, &s));
	assert_int_equal(s.rounds, 1);
	assert_false(s.own_sizes);
	assert_true(s.delay_ns == 1500000 && s.pause_ns == 20000);
	assert_true(s.limit_ns == UINT64_C(120000000000));
	assert_true(s.loss_percent > 2.49 && s.loss_percent < 2.51);
}

static const struct {
	const char *text;
	const char *first; /* NULL: refused */
	unsigned count;
} sources[] = {
	{"10.0.0.7", "10.0.0.7", 1},
	{"10.0.0.7-10.0.0.9", "10.0.0.7", 3},
	{"10.0.0.250-10.0.1.3", "10.0.0.250", 10},
	{"10.0.0.0/24", "10.0.0.1", 254},
	{"10.0.0.99/24", "10.0.0.1", 254},
	{"10.0.0.4/31", "10.0.0.4", 2},
	{"10.0.0.4/32", "10.0.0.4", 1},
	{"10.1.0.0/16", "10.1.0.1", 65534},
	{"fd00::1", "fd00::1", 1},
	{"fd00::1-fd00::10", "fd00::1", 16},
	{"fd00::/112", "fd00::", 65536},
	{"fd00::1-fd01::1", NULL, 0},
	{"fd00::/64", NULL, 0},
	{"10.0.0.0/15", NULL, 0},
	{"10.0.0.0/33", NULL, 0},
	{"10.0.0.0/-1", NULL, 0},
	{"10.0.0.0/", NULL, 0},
	{"10.0.0.0/8x", NULL, 0},
	{"10.0.0.9-10.0.0.8", NULL, 0},
	{"10.0.0.9-", NULL, 0},
	{"10.0.0.9-fd00::1", NULL, 0},
	{"10.0.0.0-10.1.0.0", NULL, 0},
	{"eth0", NULL, 0},
	{"", NULL, 0},
};

static void test_sources(void **state)
{
	(void)state;
	for (size_t i = 0; i < N(sources); i++) {
		struct bench_sources s;
		const char *wrong = bench_sources_parse(sources[i].text, &s);
		char first[INET6_ADDRSTRLEN] = "";

		if (!wrong != !!sources[i].first)
			fail_msg("%s: %s", sources[i].text, wrong);
		if (wrong)
			continue;
		inet_ntop(s.first.any.sa_family,
			s.first.any.sa_family == AF_INET
				? (void *)&s.first.v4.sin_addr
				: (void *)&s.first.v6.sin6_addr,
			first, sizeof(first));
		if (strcmp(first, sources[i].first) != 0 ||
			s.count != sources[i].count)
			fail_msg("%s: %u from %s", sources[i].text, s.count,
				first);
	}
}

static const uint8_t *bytes(const char *text)
{
	const void *at = text;

	return at;
}

/* What one load got, the next has to get. */
static void test_file(void **state)
{
	struct bench_file file = {.use = BENCH_USE_COLLECT};
	struct digest abc;

	(void)state;
	assert_null(bench_file_take(&file, 0, bytes("a"), 1));
	assert_null(bench_file_take(&file, 1, bytes("bc"), 2));
	assert_null(bench_file_end(&file, 3));
	assert_true(bench_file_keep(&file));
	assert_true(digest_parse(DIGEST, strlen(DIGEST), &abc));
	assert_true(digest_equal(&file.digest, &abc));
	assert_null(bench_file_take(&file, 0, bytes("abc"), 3));
	assert_null(bench_file_take(&file, 1, bytes("bc"), 2));
	assert_null(bench_file_end(&file, 3));
	assert_non_null(bench_file_take(&file, 0, bytes("abd"), 3));
	assert_non_null(bench_file_take(&file, 1, bytes("bcd"), 3));
	assert_non_null(bench_file_take(&file, 4, bytes("x"), 1));
	assert_non_null(bench_file_take(&file, UINT64_MAX, bytes("x"), 1));
	assert_non_null(bench_file_end(&file, 2));
	assert_non_null(bench_file_end(&file, 4));
	bench_file_done(&file);
	/* Only the size: that of the first to end is known then. */
	assert_null(bench_file_take(&file, 0, bytes("abc"), 3));
	assert_null(bench_file_end(&file, 3));
	assert_null(bench_file_take(&file, 0, bytes("xyz"), 3));
	assert_non_null(bench_file_end(&file, 4));
	bench_file_done(&file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_arguments),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_sources),
		cmocka_unit_test(test_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
