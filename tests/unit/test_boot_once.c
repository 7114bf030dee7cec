/*
 * boot_once: which events of the journal finish a boot, and whose. Machine
 * "one" (…:01) is set to boot once, "turns" (…:02) alternates, "other" (…:03)
 * boots once an image of its own, "by-uuid" has no address.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "daemon/base/clock.h"
#include "daemon/boots/boot_once.h"
#include "daemon/policy/clients.h"
#include "daemon/policy/state.h"

static const char yaml[] =
	"defaults: {image: x.efi}\n"
	"machines:\n"
	"  - {name: one, mac: 52:54:00:00:00:01, mode: local}\n"
	"  - {name: turns, mac: 52:54:00:00:00:02, mode: alternate}\n"
	"  - {name: other, mac: 52:54:00:00:00:03}\n"
	"  - {name: by-uuid, uuid: 01234567-89ab-cdef-0123-456789abcdef}\n";
#define UUID "01234567-89ab-cdef-0123-456789abcdef"

static char nothing[] = "";
static struct image uki = {
	.name = "x.efi",
	.uki = {.kind = UKI_KIND_UKI,
		.arch = ARCH_X64,
		.n_sections = 2,
		.section = {{.name = ".initrd", .len = 1},
			{.name = ".linux", .len = 1}}},
	.cmdline = nothing,
};
/* The same without an initrd. */
static struct image bare;

static struct image *list[] = {&bare, &uki};
static struct images images = {.n = 2, .image = list};

struct rig {
	struct netuki netuki;
};

static void set_once(struct state *state, const char *name, const char *image)
{
	struct state_machine m = state_get(state, name);

	m.once = true;
	strcpy(m.once_image, image);
	assert_true(state_put(state, &m));
}

static void rig_init(struct rig *rig)
{
	struct config_report report;
	struct client_record *r;
	struct mac mac = {{0x52, 0x54, 0, 0, 0, 0x77}};

	*rig = (struct rig){0};
	bare = uki;
	strcpy(bare.name, "bare.efi");
	bare.uki.section[0] = bare.uki.section[1];
	bare.uki.n_sections = 1;
	config_report_init(&report);
	rig->netuki.config =
		config_load_text("test.yaml", yaml, sizeof(yaml) - 1, &report);
	config_report_done(&report);
	assert_non_null(rig->netuki.config);
	rig->netuki.images = &images;
	journal_init(&rig->netuki.journal);
	rig->netuki.clients = clients_new();
	/* DHCP has told the UUID of …:77. */
	r = clients_touch(rig->netuki.clients, &mac, 1);
	r->has_uuid = uuid_parse(UUID, 36, &r->uuid);
	assert_int_equal(state_new(NULL, NULL, NULL, &rig->netuki.state), 0);
	set_once(rig->netuki.state, "one", "");
	set_once(rig->netuki.state, "other", "bare.efi");
	set_once(rig->netuki.state, "by-uuid", "");
	rig->netuki.boot_once = boot_once_new(&rig->netuki);
	assert_non_null(rig->netuki.boot_once);
}

static void rig_done(struct rig *rig)
{
	boot_once_free(rig->netuki.boot_once);
	assert_true(TAILQ_EMPTY(&rig->netuki.journal.readers));
	state_free(rig->netuki.state);
	clients_free(rig->netuki.clients);
	config_unref(rig->netuki.config);
}

static void tell(struct rig *rig, enum journal_kind kind, uint8_t mac,
	const char *file, bool partial)
{
	struct journal_event e = {
		.kind = kind,
		.has_mac = mac != 0,
		.mac = {{0x52, 0x54, 0, 0, 0, mac}},
		.firmware = PXE_FIRMWARE_MAX,
		.arch = ARCH_INVALID,
		.file = file,
		.partial = partial,
	};

	journal_write(&rig->netuki.journal, &e);
}

#define T_DONE JOURNAL_TFTP_DONE
#define H_DONE JOURNAL_HTTP_DONE

static const struct {
	const char *name;
	enum journal_kind kind;
	uint8_t mac;
	const char *file;
	const char *used; /* whose; NULL: nobody's */
} ends[] = {
	{"tftp", T_DONE, 1, "images/x.efi", "one"},
	{"tftp, as firmware writes it", T_DONE, 1, "/images\\x.efi", "one"},
	{"http", H_DONE, 1, "images/x.efi", "one"},
	{"by the name alone", H_DONE, 0, "machines/52-54-00-00-00-01/x.efi",
		"one"},
	{"by name, by itself", H_DONE, 1, "machines/52-54-00-00-00-01/x.efi",
		"one"},
	{"by name, by another machine", H_DONE, 3,
		"machines/52-54-00-00-00-01/x.efi", NULL},
	{"by name, by a stranger", H_DONE, 9,
		"machines/52-54-00-00-00-01/x.efi", NULL},
	{"by UUID, by itself", H_DONE, 0x77, "machines/" UUID "/x.efi",
		"by-uuid"},
	{"by UUID, by another", H_DONE, 1, "machines/" UUID "/x.efi", NULL},
	{"by the machine's name", H_DONE, 0, "machines/one/x.efi", "one"},
	{"by UUID", H_DONE, 0, "machines/" UUID "/x.efi", "by-uuid"},
	{"by the UUID that DHCP told", H_DONE, 0x77, "images/x.efi", "by-uuid"},
	{"bios: not the kernel", H_DONE, 1, "images/x.efi/linux", NULL},
	{"bios: the initrd", H_DONE, 1, "images/x.efi/initrd", "one"},
	{"bios: the initrd, by name", H_DONE, 0,
		"machines/52-54-00-00-00-01/x.efi/initrd", "one"},
	{"bios: the kernel, as there is no initrd", H_DONE, 3,
		"images/bare.efi/linux", "other"},
	{"another image", H_DONE, 1, "images/bare.efi", NULL},
	{"another image, once", H_DONE, 3, "images/bare.efi", "other"},
	{"not its usual one", H_DONE, 3, "images/x.efi", NULL},
	{"an image that is not there", H_DONE, 3, "images/y.efi", NULL},
	{"a loader", T_DONE, 1, "snponly.efi", NULL},
	{"a loader of the image's name", T_DONE, 1, "x.efi", NULL},
	{"begun", JOURNAL_TFTP_START, 1, "images/x.efi", NULL},
	{"a question of size", JOURNAL_TFTP_ABORTED, 1, "images/x.efi", NULL},
	{"the last ACK never came", JOURNAL_TFTP_FAILED, 1, "images/x.efi",
		NULL},
	{"begun, http", JOURNAL_HTTP_START, 1, "images/x.efi", NULL},
	{"broken off", JOURNAL_HTTP_BROKEN, 1, "images/x.efi", NULL},
	{"offered", JOURNAL_OFFER, 1, "images/x.efi", NULL},
	{"a script", JOURNAL_SCRIPT, 1, "images/x.efi", NULL},
	{"a stranger", H_DONE, 9, "images/x.efi", NULL},
	{"nobody knows whose", H_DONE, 0, "images/x.efi", NULL},
	{"a stranger by name", H_DONE, 1, "machines/52-54-00-00-00-09/x.efi",
		NULL},
	{"no file", H_DONE, 1, NULL, NULL},
	{"no path", H_DONE, 1, "images/../x.efi", NULL},
};

static void test_used_up(void **unused)
{
	static const char *const all[] = {"one", "other", "by-uuid"};

	(void)unused;
	for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++) {
		struct rig rig;

		rig_init(&rig);
		tell(&rig, ends[i].kind, ends[i].mac, ends[i].file, false);
		for (size_t j = 0; j < sizeof(all) / sizeof(*all); j++) {
			const struct state_machine *m =
				state_find(rig.netuki.state, all[j]);
			bool used = !m || !m->once;
			bool want = ends[i].used &&
				    strcmp(ends[i].used, all[j]) == 0;

			if (used != want)
				fail_msg("%s: %s is %sused up", ends[i].name,
					all[j], used ? "" : "not ");
		}
		rig_done(&rig);
	}
}

/* Behind a relay nobody knows whose address it is; DHCP told whose not. */
static void test_unknown_address(void **unused)
{
	static const struct {
		const char *name;
		bool answered;
		uint64_t ago_s;
		uint32_t ip, from;
		bool used;
	} cases[] = {
		{"it boots", true, 60, 0, 7, true},
		{"it boots, from there", true, 60, 7, 7, true},
		{"it boots, by IPv6", true, 60, 7, 0, true},
		{"it boots, from elsewhere", true, 60, 8, 7, false},
		{"it was not answered", false, 60, 0, 7, false},
		{"it booted long ago", true, 7200, 0, 7, false},
		{"it has never asked", true, 0, 0, 7, false},
	};

	(void)unused;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct mac mac = {{0x52, 0x54, 0, 0, 0, 1}};
		struct journal_event e = {
			.kind = H_DONE,
			.file = "machines/52-54-00-00-00-01/x.efi",
			.ip = cases[i].from,
			.firmware = PXE_FIRMWARE_MAX,
			.arch = ARCH_INVALID,
		};
		/* As the clock may be younger than that. */
		uint64_t then_us = clock_us() - cases[i].ago_s * 1000000;
		struct client_record *r;
		struct rig rig;

		rig_init(&rig);
		rig.netuki.dhcp = (struct dhcp_service *)(void *)&rig;
		if (cases[i].ago_s) {
			r = clients_touch(rig.netuki.clients, &mac, then_us);
			r->answered = cases[i].answered;
			r->ip = cases[i].ip;
		}
		journal_write(&rig.netuki.journal, &e);
		if (!state_find(rig.netuki.state, "one") != cases[i].used)
			fail_msg("%s", cases[i].name);
		if (cases[i].ago_s)
			r->ip = 0; /* it is in no table */
		rig_done(&rig);
	}
}

static void test_ranges(void **unused)
{
	struct rig rig;

	(void)unused;
	rig_init(&rig);
	tell(&rig, H_DONE, 1, "images/x.efi", true);
	assert_non_null(state_find(rig.netuki.state, "one"));
	/* The rest of it, after a download that broke off. */
	tell(&rig, H_DONE, 1, "images/x.efi", false);
	assert_null(state_find(rig.netuki.state, "one"));
	rig_done(&rig);
}

/* A whole boot of each kind: in force up to the last byte, and then no more. */
static void test_whole_boot(void **unused)
{
	static const struct {
		enum journal_kind kind;
		const char *file;
	} steps[] = {
		{JOURNAL_DISCOVER, NULL},
		{JOURNAL_OFFER, "undionly.kpxe"},
		{JOURNAL_TFTP_DONE, "undionly.kpxe"},
		{JOURNAL_SCRIPT, "x.efi for one"},
		{JOURNAL_HTTP_START, "machines/52-54-00-00-00-01/x.efi/linux"},
		{JOURNAL_HTTP_DONE, "machines/52-54-00-00-00-01/x.efi/linux"},
		{JOURNAL_HTTP_START, "machines/52-54-00-00-00-01/x.efi/initrd"},
		{JOURNAL_HTTP_DONE, "machines/52-54-00-00-00-01/x.efi/initrd"},
	};
	size_t n = sizeof(steps) / sizeof(*steps);
	struct config_resolved set;
	struct decide_override override;
	struct decide_world world;
	struct rig rig;

	(void)unused;
	rig_init(&rig);
	world = netuki_world(&rig.netuki);
	for (size_t i = 0; i <= n; i++) {
		decide_settings(&world,
			config_find_name(rig.netuki.config, "one"), &set,
			&override);
		if ((set.mode == CONFIG_MODE_LOCAL) != (i == n))
			fail_msg("before step %zu: %s", i,
				config_mode_name(set.mode));
		if (i < n)
			tell(&rig, steps[i].kind, 1, steps[i].file, false);
	}
	assert_null(state_find(rig.netuki.state, "one"));
	rig_done(&rig);
}

static void test_alternate(void **unused)
{
	static const struct {
		const char *file;
		bool over_tftp;
		enum config_mode next;
	} steps[] = {
		{NULL, false, CONFIG_MODE_IPXE},
		{"machines/52-54-00-00-00-02/x.efi", false,
			CONFIG_MODE_TFTP_UKI},
		/* Fetched by another machine: no boot of this one. */
		{"machines/52-54-00-00-00-01/x.efi", false,
			CONFIG_MODE_TFTP_UKI},
		{"machines/52-54-00-00-00-02/x.efi", true, CONFIG_MODE_IPXE},
		/* BIOS goes by iPXE in both modes; they change all the same. */
		{"machines/52-54-00-00-00-02/x.efi/linux", false,
			CONFIG_MODE_IPXE},
		{"machines/52-54-00-00-00-02/x.efi/initrd", false,
			CONFIG_MODE_TFTP_UKI},
		{"images/x.efi", true, CONFIG_MODE_IPXE},
	};
	struct rig rig;

	(void)unused;
	rig_init(&rig);
	for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
		struct decide_world world = netuki_world(&rig.netuki);
		struct config_resolved set;
		struct decide_override override;

		if (steps[i].file)
			tell(&rig, steps[i].over_tftp ? T_DONE : H_DONE, 2,
				steps[i].file, false);
		decide_settings(&world,
			config_find_name(rig.netuki.config, "turns"), &set,
			&override);
		assert_true(override.alternate);
		if (set.mode != steps[i].next)
			fail_msg("step %zu: %s", i, config_mode_name(set.mode));
	}
	/* Set back: what was last is remembered, but does not matter. */
	assert_non_null(state_find(rig.netuki.state, "turns"));
	rig_done(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_used_up),
		cmocka_unit_test(test_unknown_address),
		cmocka_unit_test(test_ranges),
		cmocka_unit_test(test_whole_boot),
		cmocka_unit_test(test_alternate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
