#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/config.h"
#include "config/dump.h"

#define N(array) (sizeof(array) / sizeof((array)[0]))

/* A configuration that must be good. */
static struct config *good(const char *text)
{
	struct config_report report;
	struct config *config;

	config_report_init(&report);
	config = config_load_text(
		"/etc/netuki/netuki.yaml", text, strlen(text), &report);
	if (!config)
		fail_msg("%s\nof\n%s", report.messages[0].text, text);
	config_report_done(&report);
	return config;
}

/* Each value of each scalar key, as the dump has it. */
static const struct {
	const char *yaml, *dumped;
} values[] = {
	{"dhcp: {enabled: true}", "  enabled: true\n"},
	{"dhcp: {enabled: 'No'}", "  enabled: false\n"},
	{"dhcp: {enabled: off}", "  enabled: false\n"},
	{"dhcp: {enabled: YES}", "  enabled: true\n"},
	{"dhcp: {offer: direct}", "  offer: direct\n"},
	{"dhcp: {offer: pxe-port}", "  offer: pxe-port\n"},
	{"dhcp: {ipxe-ra: off}", "  ipxe-ra: \"off\"\n"},
	{"dhcp: {port: 1}", "  port: 1\n"},
	{"dhcp: {pxe-port: 65535}", "  pxe-port: 65535\n"},
	{"dhcp: {listen: 223.255.255.255}", "  listen: \"223.255.255.255\"\n"},
	{"tftp: {max-windowsize: 1}", "  max-windowsize: 1\n"},
	{"http: {base-url: http://a}", "  base-url: \"http://a\"\n"},
	{"http: {base-url: https://a:8443/b/}",
		"  base-url: \"https://a:8443/b\"\n"},
	{"http: {base-url: null}", "  base-url: null\n"},
	{"unknown-machines: default", "unknown-machines: default\n"},
	{"unknown-machines: ignore", "unknown-machines: ignore\n"},
	{"images: a", "images: /etc/netuki/a\n"},
	{"images: ./a//b/./c/", "images: /etc/netuki/a/b/c\n"},
	{"images: ../a", "images: /etc/netuki/../a\n"},
	{"images: /", "images: /\n"},
	{"state: .", "state: /etc/netuki\n"},
	{"state: .hidden", "state: /etc/netuki/.hidden\n"},
	{"control: c", "control: /etc/netuki/c\n"},
	{"loaders: {arm64: a.efi}", "  arm64: /etc/netuki/a.efi\n"},
	{"loaders: {x64: null}", "  x64: null\n"},
	{"defaults: {mode: tftp-uki}", "  mode: tftp-uki\n"},
	{"defaults: {cmdline: ''}", "  cmdline: \"\"\n"},
	{"defaults: {cmdline: 'quiet  splash'}",
		"  cmdline: \"quiet  splash\"\n"},
	{"interfaces: eth0", "interfaces: [eth0]\n"},
	{"interfaces: [eth0, '1']", "interfaces: [eth0, \"1\"]\n"},
	{"interfaces: []", "interfaces: []\n"},
};

static void test_values(void **state)
{
	(void)state;
	for (size_t i = 0; i < N(values); i++) {
		struct config *config = good(values[i].yaml);
		char *dump = config_dump(config);

		assert_non_null(dump);
		if (!strstr(dump, values[i].dumped))
			fail_msg("%s: no %s in %s", values[i].yaml,
				values[i].dumped, dump);
		free(dump);
		config_unref(config);
	}
}

static void test_defaults(void **state)
{
	struct config *config = good("");
	struct config_resolved resolved;
	char text[64];

	(void)state;
	assert_int_equal(config->n_interfaces, 0);
	assert_string_equal(config->images, "/var/lib/netuki/images");
	assert_int_equal(config->images_at.line, 0);
	assert_string_equal(
		config->loaders[ARCH_X64], "/usr/lib/ipxe/snponly.efi");
	assert_string_equal(
		config->loaders[ARCH_BIOS], "/usr/lib/ipxe/undionly.kpxe");
	assert_null(config->loaders[ARCH_ARM64]);
	assert_true(config->dhcp.enabled && config->dhcp.ipxe_ra);
	assert_int_equal(config->dhcp.listen, 0);
	assert_int_equal(config->dhcp.port, 67);
	assert_int_equal(config->dhcp.pxe_port, 4011);
	assert_int_equal(config->dhcp.offer, CONFIG_OFFER_AUTO);
	assert_int_equal(config->tftp.port, 69);
	assert_int_equal(config->tftp.max_windowsize, 64);
	assert_int_equal(config->http.port, 80);
	assert_null(config->http.base_url);
	assert_string_equal(config->state, "/var/lib/netuki");
	assert_string_equal(config->control, "/run/netuki/control.sock");
	assert_int_equal(config->unknown, CONFIG_UNKNOWN_IGNORE);
	assert_int_equal(config->defaults.mode, CONFIG_MODE_IPXE);
	assert_null(config->defaults.image);
	assert_int_equal(config->n_machines, 0);
	assert_null(config_find_name(config, "lab-01"));
	assert_int_equal(config->n_files, 1);
	assert_string_equal(
		config_at_text(config, config->images_at, text, sizeof(text)),
		"built in");

	config_resolve(config, NULL, &resolved);
	assert_null(resolved.image);
	assert_string_equal(resolved.cmdline, "");
	assert_int_equal(resolved.mode_from, CONFIG_ORIGIN_BUILTIN);
	assert_int_equal(resolved.offer_from, CONFIG_ORIGIN_BUILTIN);
	assert_string_equal(
		resolved.loader[ARCH_X64], config->loaders[ARCH_X64]);
	config_unref(config);
}

static const char precedence[] =
	"dhcp: {offer: direct}\n"			   /* 1 */
	"loaders: {x64: /top, ia32: /top, bios: /top}\n"   /* 2 */
	"defaults:\n"					   /* 3 */
	"  image: d.efi\n"				   /* 4 */
	"  cmdline: d\n"				   /* 5 */
	"  loaders: {x64: /defaults, ia32: /defaults}\n"   /* 6 */
	"groups:\n"					   /* 7 */
	"  g: {mode: local, cmdline: g, offer: pxe-port, " /* 8 */
	"loaders: {x64: /group}}\n"
	"machines:\n"				     /* 9 */
	"  - {name: plain, serial: A}\n"	     /* 10 */
	"  - {name: grouped, serial: B, group: g}\n" /* 11 */
	"  - {name: own, serial: C, group: g, image: m.efi, cmdline: '', "
	"mode: tftp-uki, offer: auto, loaders: {x64: /own}}\n"; /* 12 */

static const struct {
	const char *machine; /* NULL: an unknown one */
	const char *resolved;
} resolutions[] = {
	{NULL, "d.efi defaults:4, d defaults:5, ipxe built in:0,"
	       " direct defaults:1, /defaults /defaults /top"},
	{"plain", "d.efi defaults:4, d defaults:5, ipxe built in:0,"
		  " direct defaults:1, /defaults /defaults /top"},
	{"grouped", "d.efi defaults:4, g group:8, local group:8,"
		    " pxe-port group:8, /group /defaults /top"},
	{"own", "m.efi machine:12,  machine:12, tftp-uki machine:12,"
		" auto machine:12, /own /defaults /top"},
};

static void test_resolve(void **state)
{
	struct config *config = good(precedence);

	(void)state;
	for (size_t i = 0; i < N(resolutions); i++) {
		const char *name = resolutions[i].machine;
		const struct config_machine *machine =
			name ? config_find_name(config, name) : NULL;
		struct config_resolved r;
		char is[256];

		assert_true(!name || machine);
		config_resolve(config, machine, &r);
		snprintf(is, sizeof(is),
			"%s %s:%u, %s %s:%u, %s %s:%u, %s %s:%u, %s %s %s",
			r.image, config_origin_name(r.image_from),
			r.image_at.line, r.cmdline,
			config_origin_name(r.cmdline_from), r.cmdline_at.line,
			config_mode_name(r.mode),
			config_origin_name(r.mode_from), r.mode_at.line,
			config_offer_name(r.offer),
			config_origin_name(r.offer_from), r.offer_at.line,
			r.loader[ARCH_X64], r.loader[ARCH_IA32],
			r.loader[ARCH_BIOS]);
		if (strcmp(is, resolutions[i].resolved) != 0)
			fail_msg("%s\nis     %s\nwanted %s",
				name ? name : "unknown", is,
				resolutions[i].resolved);
		assert_null(r.loader[ARCH_ARM64]);
	}
	config_unref(config);
}

static const char identities[] =
	"machines:\n"
	"  - {name: both, mac: [52:54:00:00:00:01, 52-54-00-00-00-02],\n"
	"     uuid: 4c4c4544-0042-3010-8034-b7c04f503732, serial: S1}\n"
	"  - {name: uuid, uuid: 00112233-4455-6677-8899-aabbccddeeff}\n"
	"  - {name: serial, serial: S 2}\n"
	"  - {name: prefix-1, mac-prefix: [52, 02:00]}\n"
	"  - {name: prefix-3, mac-prefix: 525400}\n"
	"  - {name: prefix-5, mac-prefix: 52:54:00:00:01}\n"
	"  - {name: junk, uuid: 03000200-0400-0500-0006-000700080009,\n"
	"     mac: 52:54:00:00:00:03}\n"
	"  - mac: 52:54:00:00:00:04\n"
	"  - uuid: AABBCCDD-4455-6677-8899-AABBCCDDEEFF\n"
	"  - serial: S 3\n"
	"  - mac-prefix: 06-07\n";

static const struct {
	const char *mac, *uuid, *serial; /* "": not known */
	const char *name, *by;		 /* name "": nobody */
} finds[] = {
	{"52:54:00:00:00:01", "", "", "both", "mac"},
	{"52:54:00:00:00:02", "", "", "both", "mac"},
	{"", "4c4c4544-0042-3010-8034-b7c04f503732", "", "both", "uuid"},
	{"", "44454c4c-4200-1030-8034-b7c04f503732", "", "both", "uuid"},
	{"", "4c4c4544-0042-3010-8034-b7c04f503733", "", "", ""},
	{"", "", "S1", "both", "serial"},
	{"", "", "S 2", "serial", "serial"},
	{"", "", "s1", "", ""},
	{"", "", "S", "", ""},
	{"", "33221100-5544-7766-8899-aabbccddeeff", "", "uuid", "uuid"},
	/* The MAC before the UUID, that before the serial, the prefix last. */
	{"52:54:00:00:00:02", "00112233-4455-6677-8899-aabbccddeeff", "S 2",
		"both", "mac"},
	{"52:54:00:00:00:99", "00112233-4455-6677-8899-aabbccddeeff", "S 2",
		"uuid", "uuid"},
	{"52:54:00:00:00:99", "00112233-4455-6677-8899-aabbccddee00", "S 2",
		"serial", "serial"},
	{"52:54:00:00:00:99", "00112233-4455-6677-8899-aabbccddee00", "S 9",
		"prefix-3", "mac-prefix"},
	/* The longest prefix. */
	{"52:54:00:00:01:99", "", "", "prefix-5", "mac-prefix"},
	{"52:54:00:01:01:99", "", "", "prefix-3", "mac-prefix"},
	{"52:54:01:00:01:99", "", "", "prefix-1", "mac-prefix"},
	{"02:00:01:00:01:99", "", "", "prefix-1", "mac-prefix"},
	{"02:01:01:00:01:99", "", "", "", ""},
	/* A prefix of zeros is not a shorter one. */
	{"06:07:00:00:00:00", "", "", "06:07", "mac-prefix"},
	{"06:00:00:00:00:00", "", "", "", ""},
	/* Junk never matches, what else the machine has does. */
	{"", "03000200-0400-0500-0006-000700080009", "", "", ""},
	{"", "00020003-0004-0005-0006-000700080009", "", "", ""},
	{"52:54:00:00:00:03", "", "", "junk", "mac"},
	/* Names of those that were given none. */
	{"52:54:00:00:00:04", "", "", "52:54:00:00:00:04", "mac"},
	{"", "aabbccdd-4455-6677-8899-aabbccddeeff", "",
		"aabbccdd-4455-6677-8899-aabbccddeeff", "uuid"},
	{"", "", "S 3", "S 3", "serial"},
	{"", "", "", "", ""},
};

static void test_find(void **state)
{
	struct config *config = good(identities);

	(void)state;
	for (size_t i = 0; i < N(finds); i++) {
		const struct config_machine *machine;
		const char *by = "";
		struct uuid uuid;
		struct mac mac;

		if (*finds[i].mac)
			assert_true(mac_parse(finds[i].mac, 17, &mac));
		if (*finds[i].uuid)
			assert_true(uuid_parse(finds[i].uuid, 36, &uuid));
		machine = config_find(config, *finds[i].mac ? &mac : NULL,
			*finds[i].uuid ? &uuid : NULL,
			*finds[i].serial ? finds[i].serial : NULL, &by);
		if (strcmp(machine ? machine->name : "", finds[i].name) != 0 ||
			strcmp(by, finds[i].by) != 0)
			fail_msg("%s %s %s: found '%s' by '%s', not '%s' by "
				 "'%s'",
				finds[i].mac, finds[i].uuid, finds[i].serial,
				machine ? machine->name : "", by, finds[i].name,
				finds[i].by);
		if (machine)
			assert_ptr_equal(
				config_find_name(config, machine->name),
				machine);
	}
	assert_null(config_find_name(config, "bot"));
	assert_null(config_find_name(config, "bothh"));
	assert_null(config_find_name(config, ""));
	config_unref(config);
}

#define MANY 30000

/* Every one of many is found, and nobody else is. */
static void test_find_many(void **state)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	struct config *config;

	(void)state;
	assert_non_null(out);
	fputs("machines:\n", out);
	for (unsigned i = 0; i < MANY; i++)
		fprintf(out,
			"- {name: m%u, mac: [02:00:00:%02x:%02x:00,"
			" 02:00:00:%02x:%02x:01], serial: S%u, uuid:"
			" 0000%04x-0042-3010-8034-b7c04f503732}\n",
			i, i >> 8, i & 255, i >> 8, i & 255, i, i);
	assert_int_equal(fclose(out), 0);
	config = good(text);
	free(text);
	assert_int_equal(config->n_machines, MANY);
	for (unsigned i = 0; i < MANY; i++) {
		const struct config_machine *m = &config->machines[i];
		struct mac mac = {{2, 0, 0, (uint8_t)(i >> 8), (uint8_t)i, 1}};
		struct uuid swapped = uuid_swap(&m->uuid);
		char serial[16];

		snprintf(serial, sizeof(serial), "S%u", i);
		assert_int_equal(m->at.line, i + 2);
		assert_ptr_equal(
			config_find(config, &mac, NULL, NULL, NULL), m);
		assert_ptr_equal(
			config_find(config, NULL, &swapped, NULL, NULL), m);
		assert_ptr_equal(
			config_find(config, NULL, NULL, serial, NULL), m);
		assert_ptr_equal(config_find_name(config, m->name), m);
		mac.b[5] = 2;
		assert_null(config_find(config, &mac, NULL, NULL, NULL));
	}
	config_unref(config);
}

static void test_places(void **state)
{
	struct config *config = good("images: /a\n"
				     "interfaces:\n"
				     "  - eth0\n"
				     "  - eth1\n"
				     "tftp: {port: 6969}\n"
				     "loaders: {x64: /x}\n"
				     "groups:\n"
				     "  g: {mode: local}\n"
				     "machines:\n"
				     "  - serial: A\n"
				     "    image: a.efi\n");
	const struct config_machine *machine = &config->machines[0];
	const struct {
		struct config_at at;
		const char *text;
	} places[] = {
		{config->images_at, "1:9"},
		{config->interfaces_at[0], "3:5"},
		{config->interfaces_at[1], "4:5"},
		{config->tftp.at, "5:7"},
		{config->loaders_at[ARCH_X64], "6:16"},
		{config->groups[0].at, "8:3"},
		{config->groups[0].settings->mode_at, "8:13"},
		{machine->at, "10:5"},
		{machine->settings->image_at, "11:12"},
	};

	(void)state;
	for (size_t i = 0; i < N(places); i++) {
		char is[64], want[64];

		snprintf(want, sizeof(want), "/etc/netuki/netuki.yaml:%s",
			places[i].text);
		assert_string_equal(
			config_at_text(config, places[i].at, is, sizeof(is)),
			want);
	}
	assert_int_equal(config->loaders_at[ARCH_BIOS].line, 0);
	assert_int_equal(config->http.at.line, 0);
	config_unref(config);
}

/* Those who say nothing share one struct, equal texts are one text. */
static void test_sharing(void **state)
{
	struct config *config =
		good("machines:\n"
		     "  - {serial: A}\n"
		     "  - {serial: B}\n"
		     "  - {serial: C, cmdline: console=ttyS0}\n"
		     "  - {serial: D, cmdline: console=ttyS0}\n");
	const struct config_machine *m = config->machines;

	(void)state;
	assert_ptr_equal(m[0].settings, m[1].settings);
	assert_ptr_equal(m[2].settings->cmdline, m[3].settings->cmdline);
	assert_ptr_equal(m[2].settings->loader, m[0].settings->loader);
	config_unref(config);
}

static void test_references(void **state)
{
	struct config *config = good("images: /a\n");

	(void)state;
	assert_ptr_equal(config_ref(config), config);
	config_unref(config);
	assert_string_equal(config->images, "/a");
	config_unref(config);
	config_unref(NULL);
}

static void test_report(void **state)
{
	struct config *config = good("images: /a\n");
	struct config_at at = {3, 7, 0}, nowhere = {0, 0, 0};
	struct config_report report;

	(void)state;
	config_report_init(&report);
	config_report_add(&report, config, at, false, "image '%s'", "a.efi");
	config_report_add(&report, config, nowhere, true, "none");
	assert_int_equal(report.n, 2);
	assert_string_equal(report.messages[0].text,
		"/etc/netuki/netuki.yaml:3:7: image 'a.efi'");
	assert_string_equal(
		report.messages[1].text, "/etc/netuki/netuki.yaml: none");
	assert_true(!report.messages[0].warning && report.messages[1].warning);
	/* What is said again is counted. */
	for (int i = 0; i < 3; i++)
		config_report_add(&report, config, nowhere, true, "none");
	assert_int_equal(report.n, 2);
	assert_int_equal(report.n_warnings, 1);
	assert_string_equal(report.messages[1].text,
		"/etc/netuki/netuki.yaml: none (4 times)");
	/* When there is no room, errors take that of warnings. */
	for (int i = 0; i < CONFIG_REPORT_MAX; i++)
		config_report_add(&report, config, at, true, "w%d", i);
	config_report_add(&report, config, at, false, "late");
	assert_int_equal(report.n, CONFIG_REPORT_MAX);
	assert_int_equal(report.n_errors, 2);
	assert_int_equal(report.n_warnings, CONFIG_REPORT_MAX + 1);
	assert_non_null(
		strstr(report.messages[CONFIG_REPORT_MAX - 1].text, ": late"));
	for (int i = 0; i < CONFIG_REPORT_MAX; i++)
		config_report_add(&report, config, at, false, "e%d", i);
	assert_int_equal(report.n, CONFIG_REPORT_MAX);
	for (size_t i = 0; i < report.n; i++)
		assert_false(report.messages[i].warning);
	config_report_done(&report);
	assert_int_equal(report.n, 0);
	config_unref(config);
}

/* 300 warnings first, then 300 errors, of which 200 are kept in order. */
static void test_many_messages(void **state)
{
	struct config_report report;
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	(void)state;
	assert_non_null(out);
	fputs("machines:\n", out);
	for (int i = 0; i < 300; i++)
		fprintf(out, "- {name: j%d, uuid: %032d}\n", i, 0);
	for (int i = 0; i < 300; i++)
		fprintf(out, "- {name: e%d, serial: S%d, group: g}\n", i, i);
	assert_int_equal(fclose(out), 0);
	config_report_init(&report);
	assert_null(config_load_text("x", text, len, &report));
	assert_int_equal(report.n_errors, 300);
	assert_int_equal(report.n_warnings, 300);
	assert_int_equal(report.n, CONFIG_REPORT_MAX);
	for (int i = 0; i < CONFIG_REPORT_MAX; i++) {
		char want[64];

		snprintf(want, sizeof(want), "x:%d:", 302 + i);
		if (strncmp(report.messages[i].text, want, strlen(want)) != 0)
			fail_msg("%s is not at %s", report.messages[i].text,
				want);
	}
	config_report_done(&report);
	free(text);
}

static void put_file(const char *dir, const char *name, const char *text)
{
	char path[256];
	FILE *out;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	out = fopen(path, "we");
	assert_non_null(out);
	fputs(text, out);
	assert_int_equal(fclose(out), 0);
}

static void remove_file(const char *dir, const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	assert_int_equal(unlink(path), 0);
}

/* A main file that does not say how long it is: `--config <(generate)`. */
static void read_from_pipe(void)
{
	struct config_report report;
	struct config *config;
	int fds[2];
	char path[64];

	config_report_init(&report);
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(dprintf(fds[1], "machines:\n"), 10);
	for (int i = 1000; i < 4000; i++)
		assert_int_equal(dprintf(fds[1], "- serial: %d\n", i), 15);
	close(fds[1]);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fds[0]);
	config = config_load(path, &report);
	assert_non_null(config);
	assert_int_equal(config->n_machines, 3000);
	config_report_done(&report);
	config_unref(config);
	close(fds[0]);
}

/* What the golden cases cannot hold: FIFOs, and the directory itself. */
static void test_include(void **state)
{
	char dir[] = "/tmp/netuki-test-XXXXXX", path[256];
	struct config_report report;
	struct config *config;

	(void)state;
	assert_non_null(mkdtemp(dir));
	config_report_init(&report);
	put_file(dir, "netuki.yaml", "include: .\nimages: i\n");
	put_file(dir, "a.yaml", "{serial: A}\n");
	snprintf(path, sizeof(path), "%s/netuki.yaml", dir);
	config = config_load(path, &report);
	assert_non_null(config);
	assert_int_equal(config->n_machines, 1);
	assert_int_equal(config->n_files, 2);
	assert_int_equal(config->machines[0].at.file, 1);
	config_unref(config);

	/* Nobody writes into it: opening it must not wait for that. */
	snprintf(path, sizeof(path), "%s/b.yaml", dir);
	assert_int_equal(mkfifo(path, 0600), 0);
	snprintf(path, sizeof(path), "%s/netuki.yaml", dir);
	assert_null(config_load(path, &report));
	assert_int_equal(report.n_errors, 1);
	assert_non_null(strstr(
		report.messages[0].text, "b.yaml': it is not a regular file"));
	config_report_done(&report);

	assert_null(config_load(dir, &report));
	assert_non_null(strstr(report.messages[0].text, ": it is a directory"));
	config_report_done(&report);
	snprintf(path, sizeof(path), "%s/none.yaml", dir);
	assert_null(config_load(path, &report));
	assert_non_null(strstr(
		report.messages[0].text, ".yaml: No such file or directory"));
	config_report_done(&report);

	read_from_pipe();

	/* From memory there is nothing to include from. */
	assert_null(config_load_text("x", "include: .\n", 11, &report));
	assert_non_null(strstr(report.messages[0].text, "x:1:10: include: "));
	config_report_done(&report);
	remove_file(dir, "netuki.yaml");
	remove_file(dir, "a.yaml");
	remove_file(dir, "b.yaml");
	assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_resolve),
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_find_many),
		cmocka_unit_test(test_places),
		cmocka_unit_test(test_sharing),
		cmocka_unit_test(test_references),
		cmocka_unit_test(test_report),
		cmocka_unit_test(test_many_messages),
		cmocka_unit_test(test_include),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
