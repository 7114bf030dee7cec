/* decide: who gets what, row by row. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/policy/decide.h"

static const char yaml[] =
	"unknown-machines: ignore\n"
	"loaders: {x64: /boot/snponly.efi, bios: /boot/undionly.kpxe,"
	" arm64: /boot/arm.efi}\n"
	"defaults: {image: x.efi}\n"
	"machines:\n"
	"  - {name: plain, mac: 52:54:00:00:00:01}\n"
	"  - {name: tftp, mac: 52:54:00:00:00:02, mode: tftp-uki}\n"
	"  - {name: disk, mac: 52:54:00:00:00:03, mode: local}\n"
	"  - {name: more, mac: 52:54:00:00:00:04, cmdline: 'a=1 b'}\n"
	"  - {name: tftp-more, mac: 52:54:00:00:00:05, mode: tftp-uki,"
	" cmdline: quiet}\n"
	"  - {name: gone, mac: 52:54:00:00:00:06, image: gone.efi}\n"
	"  - {name: signed, mac: 52:54:00:00:00:07, mode: tftp-uki,"
	" image: signed.efi, cmdline: quiet}\n"
	"  - {name: tool, mac: 52:54:00:00:00:08, image: tool.efi}\n"
	"  - {name: port, mac: 52:54:00:00:00:09, offer: pxe-port}\n"
	"  - {name: gone-tftp, mac: 52:54:00:00:00:0a, image: gone.efi,"
	" mode: tftp-uki}\n"
	"  - {name: odd, mac: 52:54:00:00:00:0b, cmdline: 'x=${y}'}\n"
	"  - {name: odd-signed, mac: 52:54:00:00:00:0c, cmdline: 'a && b',"
	" image: signed.efi}\n"
	"  - {name: turns, mac: 52:54:00:00:00:0d, mode: alternate}\n"
	"  - {name: by-uuid, uuid: 01234567-89ab-cdef-0123-456789abcdef,"
	" cmdline: 'x=${y}'}\n"
	"  - {name: by-serial, serial: 'A/1', cmdline: 'x=${y}'}\n"
	"  - {name: disk-more, mac: 52:54:00:00:00:0e, mode: local,"
	" cmdline: quiet}\n"
	"  - {name: away, mac: 52:54:00:00:00:0f, url: 'http://o/x.efi',"
	" mode: tftp-uki, cmdline: a=1}\n";

static char embedded[] = "console=ttyS0 root=x";
static char nothing[] = "";

/* Just what decide looks at; no file is behind them. */
static struct image uki = {
	.name = "x.efi",
	.size = 1 << 20,
	.uki = {.kind = UKI_KIND_UKI,
		.arch = ARCH_X64,
		.n_sections = 3,
		.section = {{.name = ".cmdline",
				    .offset = 0x1000,
				    .len = 20,
				    .vaddr = 0x10000,
				    .vsize = 20,
				    .raw_size = 0x200,
				    .header_at = 0x200},
			{.name = ".initrd",
				.offset = 0x2000,
				.len = 0x1000,
				.vaddr = 0x20000,
				.vsize = 0x1000,
				.raw_size = 0x1000,
				.header_at = 0x228},
			{.name = ".linux",
				.offset = 0x4000,
				.len = 0x1000,
				.vaddr = 0x40000,
				.vsize = 0x1000,
				.raw_size = 0x1000,
				.header_at = 0x250}},
		.file_alignment = 0x200,
		.section_alignment = 0x1000,
		.size_of_image = 0x50000,
		.size_of_headers = 0x400,
		.pe_at = 0x80},
	.kernel = {.bzimage = true, .arch = ARCH_X64, .cmdline_max = 2047},
	.cmdline = embedded,
};
static struct image signed_uki, tool;

static struct config *config;
static struct images images;

static int setup(void **state)
{
	static struct image *list[3];
	struct config_report report;

	(void)state;
	config_report_init(&report);
	config = config_load_text("test.yaml", yaml, sizeof(yaml) - 1, &report);
	for (size_t i = 0; i < report.n; i++)
		print_error("%s\n", report.messages[i].text);
	config_report_done(&report);
	signed_uki = uki;
	strcpy(signed_uki.name, "signed.efi");
	signed_uki.uki.cert_offset = 0x8000;
	signed_uki.uki.cert_size = 0x100;
	strcpy(tool.name, "tool.efi");
	tool.size = 1000;
	tool.uki.kind = UKI_KIND_APP;
	tool.uki.arch = ARCH_X64;
	tool.cmdline = nothing;
	list[0] = &signed_uki;
	list[1] = &tool;
	list[2] = &uki;
	images = (struct images){.n = 3, .image = list};
	return config ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	config_unref(config);
	return 0;
}

static struct client client_of(
	uint8_t mac, enum pxe_firmware firmware, enum arch arch)
{
	return (struct client){
		.firmware = firmware,
		.arch = arch,
		.ipxe_http = true,
		.has_mac = true,
		.mac = {{0x52, 0x54, 0, 0, 0, mac}},
		.server = 0xc0000201, /* 192.0.2.1 */
	};
}

#define UEFI PXE_FIRMWARE_UEFI
#define BIOS PXE_FIRMWARE_BIOS
#define HTTP PXE_FIRMWARE_HTTP
#define IPXE PXE_FIRMWARE_IPXE

static const struct {
	const char *name;
	uint8_t mac;
	enum pxe_firmware firmware;
	enum arch arch;
	enum plan_kind kind;
	enum pxe_form form;
	const char *file;
} plans[] = {
	{"uefi gets iPXE", 1, UEFI, ARCH_X64, PLAN_LOADER, PXE_FORM_DIRECT,
		"snponly.efi"},
	{"bios gets iPXE", 1, BIOS, ARCH_BIOS, PLAN_LOADER, PXE_FORM_DIRECT,
		"undionly.kpxe"},
	{"arm64 gets its own", 1, UEFI, ARCH_ARM64, PLAN_LOADER,
		PXE_FORM_DIRECT, "arm.efi"},
	{"no loader: silence", 1, UEFI, ARCH_IA32, PLAN_SILENCE,
		PXE_FORM_DIRECT, ""},
	{"http boot gets the image", 1, HTTP, ARCH_X64, PLAN_IMAGE,
		PXE_FORM_HTTP, "http://192.0.2.1/images/x.efi"},
	{"http boot, other arch: iPXE says so", 1, HTTP, ARCH_ARM64,
		PLAN_LOADER, PXE_FORM_HTTP, "http://192.0.2.1/loaders/arm.efi"},
	{"tftp-uki", 2, UEFI, ARCH_X64, PLAN_IMAGE, PXE_FORM_DIRECT,
		"images/x.efi"},
	{"tftp-uki is for UEFI only", 2, BIOS, ARCH_BIOS, PLAN_LOADER,
		PXE_FORM_DIRECT, "undionly.kpxe"},
	{"tftp-uki, other arch: iPXE says so", 2, UEFI, ARCH_ARM64, PLAN_LOADER,
		PXE_FORM_DIRECT, "arm.efi"},
	{"local", 3, UEFI, ARCH_X64, PLAN_LOCAL, PXE_FORM_LOCAL, ""},
	{"local, http", 3, HTTP, ARCH_X64, PLAN_LOCAL, PXE_FORM_HTTP,
		"http://192.0.2.1/local.efi"},
	{"more cmdline, ipxe mode", 4, UEFI, ARCH_X64, PLAN_LOADER,
		PXE_FORM_DIRECT, "snponly.efi"},
	{"more cmdline, http boot", 4, HTTP, ARCH_X64, PLAN_IMAGE,
		PXE_FORM_HTTP,
		"http://192.0.2.1/machines/52-54-00-00-00-04/x.efi"},
	{"more cmdline, tftp-uki", 5, UEFI, ARCH_X64, PLAN_IMAGE,
		PXE_FORM_DIRECT, "machines/52-54-00-00-00-05/x.efi"},
	{"no such image, ipxe says so", 6, UEFI, ARCH_X64, PLAN_LOADER,
		PXE_FORM_DIRECT, "snponly.efi"},
	{"no such image, tftp-uki", 10, UEFI, ARCH_X64, PLAN_LOADER,
		PXE_FORM_DIRECT, "snponly.efi"},
	{"signed: as it is", 7, UEFI, ARCH_X64, PLAN_IMAGE, PXE_FORM_DIRECT,
		"images/signed.efi"},
	{"an application, http boot", 8, HTTP, ARCH_X64, PLAN_IMAGE,
		PXE_FORM_HTTP, "http://192.0.2.1/images/tool.efi"},
	{"the form asked for", 9, UEFI, ARCH_X64, PLAN_LOADER,
		PXE_FORM_PXE_PORT, "snponly.efi"},
	{"elsewhere, http boot", 15, HTTP, ARCH_X64, PLAN_IMAGE, PXE_FORM_HTTP,
		"http://o/x.efi"},
	{"elsewhere, not over TFTP", 15, UEFI, ARCH_X64, PLAN_LOADER,
		PXE_FORM_DIRECT, "snponly.efi"},
	{"a stranger", 99, UEFI, ARCH_X64, PLAN_SILENCE, PXE_FORM_DIRECT, ""},
	{"a stranger's iPXE", 99, IPXE, ARCH_X64, PLAN_SILENCE, PXE_FORM_DIRECT,
		""},
};

static void test_plans(void **state)
{
	struct decide_world world = {config, &images, NULL};

	(void)state;
	for (size_t i = 0; i < sizeof(plans) / sizeof(*plans); i++) {
		struct client client = client_of(
			plans[i].mac, plans[i].firmware, plans[i].arch);
		struct plan plan;

		decide(&world, &client, &plan);
		if (plan.kind != plans[i].kind ||
			(plan.kind != PLAN_SILENCE &&
				plan.form != plans[i].form) ||
			(plan.kind != PLAN_SILENCE &&
				strcmp(plan.file, plans[i].file) != 0))
			fail_msg("%s: %s, form %d, file %s: %s", plans[i].name,
				plan_kind_name(plan.kind), plan.form, plan.file,
				plan.reason);
		assert_non_null(plan.reason);
		assert_true(plan.reason[0]);
		/* No mode that nobody has set. */
		assert_true(plan.set.mode == CONFIG_MODE_IPXE ||
			    !strstr(plan.reason, "mode ipxe"));
	}
}

static void test_ipxe_url(void **state)
{
	struct decide_world world = {config, &images, NULL};
	struct client client = client_of(1, IPXE, ARCH_X64);
	struct plan plan;

	(void)state;
	decide(&world, &client, &plan);
	assert_int_equal(plan.kind, PLAN_SCRIPT);
	assert_int_equal(plan.form, PXE_FORM_IPXE);
	assert_memory_equal(
		plan.file, "http://192.0.2.1/ipxe/52-54-00-00-00-01?", 40);
	/* Without HTTP it is given an iPXE that has it. */
	client.ipxe_http = false;
	decide(&world, &client, &plan);
	assert_int_equal(plan.kind, PLAN_LOADER);
	assert_string_equal(plan.file, "snponly.efi");
}

static void test_signed_is_said(void **state)
{
	struct decide_world world = {config, &images, NULL};
	struct client client = client_of(7, UEFI, ARCH_X64);
	struct plan plan;

	(void)state;
	decide(&world, &client, &plan);
	assert_non_null(plan.warning);
}

static void test_scripts(void **state)
{
	static const struct {
		const char *name;
		uint8_t mac;
		enum arch arch;
		enum ipxe_script_kind kind;
		const char *url, *initrd, *cmdline;
	} cases[] = {
		{"the image's own command line", 1, ARCH_X64, IPXE_SCRIPT_CHAIN,
			"http://192.0.2.1/images/x.efi", NULL, NULL},
		{"and the machine's", 4, ARCH_X64, IPXE_SCRIPT_CHAIN,
			"http://192.0.2.1/images/x.efi", NULL,
			"console=ttyS0 root=x a=1 b"},
		{"bios: cut out of the image", 4, ARCH_BIOS, IPXE_SCRIPT_KERNEL,
			"http://192.0.2.1/images/x.efi/linux",
			"http://192.0.2.1/images/x.efi/initrd",
			"console=ttyS0 root=x a=1 b"},
		{"tftp-uki under iPXE is as ipxe", 2, ARCH_X64,
			IPXE_SCRIPT_CHAIN, "http://192.0.2.1/images/x.efi",
			NULL, NULL},
		{"local", 3, ARCH_X64, IPXE_SCRIPT_LOCAL, NULL, NULL, NULL},
		{"no such image", 6, ARCH_X64, IPXE_SCRIPT_SAY, NULL, NULL,
			NULL},
		{"another architecture", 1, ARCH_ARM64, IPXE_SCRIPT_SAY, NULL,
			NULL, NULL},
		{"an application under bios", 8, ARCH_BIOS, IPXE_SCRIPT_SAY,
			NULL, NULL, NULL},
		{"what iPXE would expand is spliced", 11, ARCH_X64,
			IPXE_SCRIPT_CHAIN,
			"http://192.0.2.1/machines/52-54-00-00-00-0b/x.efi",
			NULL, NULL},
		{"and refused under bios", 11, ARCH_BIOS, IPXE_SCRIPT_SAY, NULL,
			NULL, NULL},
		{"and refused where it cannot be spliced", 12, ARCH_X64,
			IPXE_SCRIPT_SAY, NULL, NULL, NULL},
		{"elsewhere", 15, ARCH_X64, IPXE_SCRIPT_CHAIN, "http://o/x.efi",
			NULL, "a=1"},
		{"and not under bios", 15, ARCH_BIOS, IPXE_SCRIPT_SAY, NULL,
			NULL, NULL},
	};
	struct decide_world world = {config, &images, NULL};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct client client =
			client_of(cases[i].mac, IPXE, cases[i].arch);
		const struct ipxe_script *s;
		struct script_plan script;
		struct plan plan;
		const char *want[3] = {
			cases[i].url, cases[i].initrd, cases[i].cmdline};

		decide(&world, &client, &plan);
		decide_script(&world, &client, &plan, &script);
		s = &script.script;
		if (s->kind != cases[i].kind)
			fail_msg("%s: kind %d, %s", cases[i].name, s->kind,
				s->message ? s->message : "");
		for (int j = 0; j < 3; j++) {
			const char *got[3] = {s->url, s->initrd, s->cmdline};

			if (!want[j] != !got[j] ||
				(want[j] && strcmp(want[j], got[j]) != 0))
				fail_msg("%s: %s instead of %s", cases[i].name,
					got[j] ? got[j] : "-",
					want[j] ? want[j] : "-");
		}
	}
}

/* What is set at run time, as if by netukictl. */
struct set_up {
	const char *name; /* of the machine; NULL: none */
	enum config_mode mode, all;
	bool include_local;
	bool once;
	enum config_mode once_mode;
	const char *once_image;
	enum config_mode last_mode;
};

static struct state *state_of(const struct set_up *set_up)
{
	struct state *state;
	struct state_machine m = {
		.mode = set_up->mode,
		.once = set_up->once,
		.once_mode = set_up->once_mode,
		.last_mode = set_up->last_mode,
	};

	assert_int_equal(state_new(NULL, NULL, NULL, &state), 0);
	state_set_mode_for_all(state, set_up->all, set_up->include_local);
	if (set_up->once_image)
		strcpy(m.once_image, set_up->once_image);
	if (set_up->name) {
		strcpy(m.name, set_up->name);
		assert_true(state_put(state, &m));
	}
	return state;
}

#define M_IPXE	    CONFIG_MODE_IPXE
#define M_TFTP	    CONFIG_MODE_TFTP_UKI
#define M_LOCAL	    CONFIG_MODE_LOCAL
#define M_ALTERNATE CONFIG_MODE_ALTERNATE

static const struct {
	const char *name;
	struct set_up set_up;
	uint8_t mac;
	enum pxe_firmware firmware;
	enum arch arch;
	enum plan_kind kind;
	const char *file, *by;
} run_time[] = {
	{"a mode for one", {.name = "plain", .mode = M_TFTP}, 1, UEFI, ARCH_X64,
		PLAN_IMAGE, "images/x.efi", "mode"},
	{"and for no other", {.name = "plain", .mode = M_TFTP}, 4, UEFI,
		ARCH_X64, PLAN_LOADER, "snponly.efi", NULL},
	{"local for one", {.name = "plain", .mode = M_LOCAL}, 1, UEFI, ARCH_X64,
		PLAN_LOCAL, "", "mode"},
	{"a mode for all", {.all = M_TFTP}, 1, UEFI, ARCH_X64, PLAN_IMAGE,
		"images/x.efi", "mode --all"},
	{"for all, but a local one", {.all = M_IPXE}, 3, UEFI, ARCH_X64,
		PLAN_LOCAL, "", NULL},
	{"for all, over a local one", {.all = M_IPXE, .include_local = true}, 3,
		UEFI, ARCH_X64, PLAN_LOADER, "snponly.efi", "mode --all"},
	{"its own goes before that for all",
		{.name = "plain", .mode = M_LOCAL, .all = M_TFTP}, 1, UEFI,
		ARCH_X64, PLAN_LOCAL, "", "mode"},
	{"for all, strangers are ignored still", {.all = M_TFTP}, 99, UEFI,
		ARCH_X64, PLAN_SILENCE, "", "mode --all"},
	{"once: a local one is netbooted", {.name = "disk", .once = true}, 3,
		UEFI, ARCH_X64, PLAN_LOADER, "snponly.efi", "boot-once"},
	{"once, bios", {.name = "disk", .once = true}, 3, BIOS, ARCH_BIOS,
		PLAN_LOADER, "undionly.kpxe", "boot-once"},
	{"once, http boot", {.name = "disk", .once = true}, 3, HTTP, ARCH_X64,
		PLAN_IMAGE, "http://192.0.2.1/machines/52-54-00-00-00-03/x.efi",
		"boot-once"},
	{"once, in another mode",
		{.name = "disk", .once = true, .once_mode = M_TFTP}, 3, UEFI,
		ARCH_X64, PLAN_IMAGE, "machines/52-54-00-00-00-03/x.efi",
		"boot-once"},
	{"once, over a mode set at run time",
		{.name = "plain", .mode = M_LOCAL, .once = true}, 1, UEFI,
		ARCH_X64, PLAN_LOADER, "snponly.efi", "boot-once"},
	{"once, another image",
		{.name = "tftp", .once = true, .once_image = "signed.efi"}, 2,
		UEFI, ARCH_X64, PLAN_IMAGE,
		"machines/52-54-00-00-00-02/signed.efi", NULL},
	{"once, an image that has gone",
		{.name = "tftp", .once = true, .once_image = "gone.efi"}, 2,
		UEFI, ARCH_X64, PLAN_LOADER, "snponly.efi", NULL},
	{"once, netbooted anyway", {.name = "plain", .once = true}, 1, HTTP,
		ARCH_X64, PLAN_IMAGE,
		"http://192.0.2.1/machines/52-54-00-00-00-01/x.efi", NULL},
	{"alternate, the first time", {0}, 13, UEFI, ARCH_X64, PLAN_LOADER,
		"snponly.efi", NULL},
	{"alternate, after ipxe", {.name = "turns", .last_mode = M_IPXE}, 13,
		UEFI, ARCH_X64, PLAN_IMAGE, "machines/52-54-00-00-00-0d/x.efi",
		NULL},
	{"alternate, after tftp-uki", {.name = "turns", .last_mode = M_TFTP},
		13, UEFI, ARCH_X64, PLAN_LOADER, "snponly.efi", NULL},
	{"alternate, bios", {.name = "turns", .last_mode = M_IPXE}, 13, BIOS,
		ARCH_BIOS, PLAN_LOADER, "undionly.kpxe", NULL},
	{"alternate for all",
		{.name = "plain", .last_mode = M_IPXE, .all = M_ALTERNATE}, 1,
		UEFI, ARCH_X64, PLAN_IMAGE, "machines/52-54-00-00-00-01/x.efi",
		"mode --all"},
	{"once before alternate",
		{.name = "turns",
			.last_mode = M_IPXE,
			.once = true,
			.once_mode = M_IPXE},
		13, UEFI, ARCH_X64, PLAN_LOADER, "snponly.efi", "boot-once"},
	{"what was last matters for alternate only",
		{.name = "plain", .last_mode = M_IPXE}, 1, UEFI, ARCH_X64,
		PLAN_LOADER, "snponly.efi", NULL},
};

static void test_run_time(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < sizeof(run_time) / sizeof(*run_time); i++) {
		struct client client = client_of(run_time[i].mac,
			run_time[i].firmware, run_time[i].arch);
		struct state *state = state_of(&run_time[i].set_up);
		struct decide_world world = {config, &images, state};
		const char *by;
		struct plan plan;

		decide(&world, &client, &plan);
		by = plan.override.mode;
		if (plan.kind != run_time[i].kind ||
			(plan.kind != PLAN_SILENCE &&
				strcmp(plan.file, run_time[i].file) != 0))
			fail_msg("%s: %s, file %s: %s", run_time[i].name,
				plan_kind_name(plan.kind), plan.file,
				plan.reason);
		if (!by != !run_time[i].by ||
			(by && strcmp(by, run_time[i].by) != 0))
			fail_msg("%s: set by %s", run_time[i].name,
				by ? by : "-");
		if ((by != NULL) !=
			(plan.set.mode_from == CONFIG_ORIGIN_OVERRIDE))
			fail_msg("%s: from %s", run_time[i].name,
				config_origin_name(plan.set.mode_from));
		if (plan.override.once != run_time[i].set_up.once)
			fail_msg("%s: once", run_time[i].name);
		state_free(state);
	}
}

/* The script of a machine that boots once says the same as its offer. */
static void test_run_time_scripts(void **unused)
{
	static const struct {
		const char *name;
		struct set_up set_up;
		uint8_t mac;
		enum arch arch;
		enum ipxe_script_kind kind;
		const char *url, *cmdline;
	} cases[] = {
		{"local still", {0}, 3, ARCH_X64, IPXE_SCRIPT_LOCAL, NULL,
			NULL},
		{"once", {.name = "disk", .once = true}, 3, ARCH_X64,
			IPXE_SCRIPT_CHAIN,
			"http://192.0.2.1/machines/52-54-00-00-00-03/x.efi",
			NULL},
		{"once, with a command line",
			{.name = "disk-more", .once = true}, 14, ARCH_X64,
			IPXE_SCRIPT_CHAIN,
			"http://192.0.2.1/machines/52-54-00-00-00-0e/x.efi",
			"console=ttyS0 root=x quiet"},
		{"once, bios", {.name = "disk", .once = true}, 3, ARCH_BIOS,
			IPXE_SCRIPT_KERNEL,
			"http://192.0.2.1/machines/52-54-00-00-00-03/x.efi/"
			"linux",
			"console=ttyS0 root=x"},
		{"once, another image",
			{.name = "disk",
				.once = true,
				.once_image = "signed.efi"},
			3, ARCH_X64, IPXE_SCRIPT_CHAIN,
			"http://192.0.2.1/machines/52-54-00-00-00-03/"
			"signed.efi",
			NULL},
		{"local for all", {.all = M_LOCAL}, 1, ARCH_X64,
			IPXE_SCRIPT_LOCAL, NULL, NULL},
	};

	(void)unused;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct client client =
			client_of(cases[i].mac, IPXE, cases[i].arch);
		struct state *state = state_of(&cases[i].set_up);
		struct decide_world world = {config, &images, state};
		const struct ipxe_script *s;
		struct script_plan script;
		struct plan plan;
		const char *want[] = {cases[i].url, cases[i].cmdline};

		decide(&world, &client, &plan);
		decide_script(&world, &client, &plan, &script);
		s = &script.script;
		if (s->kind != cases[i].kind)
			fail_msg("%s: kind %d", cases[i].name, s->kind);
		for (int j = 0; j < 2; j++) {
			const char *got = j ? s->cmdline : s->url;

			if (!want[j] != !got ||
				(want[j] && strcmp(want[j], got) != 0))
				fail_msg("%s: %s instead of %s", cases[i].name,
					got ? got : "-",
					want[j] ? want[j] : "-");
		}
		state_free(state);
	}
}

/* machines/ID must find the machine by what found it before. */
static void test_machine_ids(void **unused)
{
	static const struct {
		const char *name;
		bool uuid;
		const char *serial, *url;
	} cases[] = {
		{"by UUID", true, NULL,
			"http://192.0.2.1/machines/01234567-89ab-cdef-0123-"
			"456789abcdef/x.efi"},
		{"by serial number: by its name", false, "A/1",
			"http://192.0.2.1/machines/by-serial/x.efi"},
	};
	struct decide_world world = {config, &images, NULL};

	(void)unused;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct client client = client_of(77, IPXE, ARCH_X64);
		struct script_plan script;
		struct plan plan;

		client.has_uuid = cases[i].uuid;
		assert_true(uuid_parse("01234567-89ab-cdef-0123-456789abcdef",
			36, &client.uuid));
		client.serial = cases[i].serial;
		decide(&world, &client, &plan);
		decide_script(&world, &client, &plan, &script);
		if (!script.script.url ||
			strcmp(script.script.url, cases[i].url) != 0)
			fail_msg("%s: %s", cases[i].name,
				script.script.url ? script.script.url : "-");
	}
}

static void test_client_id(void **state)
{
	struct client client = client_of(1, UEFI, ARCH_X64);
	char id[UUID_TEXT_LEN];

	(void)state;
	decide_client_id(&client, id);
	assert_string_equal(id, "52-54-00-00-00-01");
	client.has_mac = false;
	client.has_uuid = true;
	memset(client.uuid.b, 0xab, sizeof(client.uuid.b));
	decide_client_id(&client, id);
	assert_string_equal(id, "abababab-abab-abab-abab-abababababab");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plans),
		cmocka_unit_test(test_ipxe_url),
		cmocka_unit_test(test_signed_is_said),
		cmocka_unit_test(test_scripts),
		cmocka_unit_test(test_run_time),
		cmocka_unit_test(test_run_time_scripts),
		cmocka_unit_test(test_machine_ids),
		cmocka_unit_test(test_client_id),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
