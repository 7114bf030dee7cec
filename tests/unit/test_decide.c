/* decide: who gets what, row by row. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/decide.h"

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
	" image: signed.efi}\n";

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

static void test_plans(void **state)
{
	static const struct {
		const char *name;
		uint8_t mac;
		enum pxe_firmware firmware;
		enum arch arch;
		enum plan_kind kind;
		enum pxe_form form;
		const char *file;
	} cases[] = {
		{"uefi gets iPXE", 1, UEFI, ARCH_X64, PLAN_LOADER,
			PXE_FORM_DIRECT, "snponly.efi"},
		{"bios gets iPXE", 1, BIOS, ARCH_BIOS, PLAN_LOADER,
			PXE_FORM_DIRECT, "undionly.kpxe"},
		{"arm64 gets its own", 1, UEFI, ARCH_ARM64, PLAN_LOADER,
			PXE_FORM_DIRECT, "arm.efi"},
		{"no loader: silence", 1, UEFI, ARCH_IA32, PLAN_SILENCE,
			PXE_FORM_DIRECT, ""},
		{"http boot gets the image", 1, HTTP, ARCH_X64, PLAN_IMAGE,
			PXE_FORM_HTTP, "http://192.0.2.1/images/x.efi"},
		{"http boot, other arch: iPXE says so", 1, HTTP, ARCH_ARM64,
			PLAN_LOADER, PXE_FORM_HTTP,
			"http://192.0.2.1/loaders/arm.efi"},
		{"tftp-uki", 2, UEFI, ARCH_X64, PLAN_IMAGE, PXE_FORM_DIRECT,
			"images/x.efi"},
		{"tftp-uki is for UEFI only", 2, BIOS, ARCH_BIOS, PLAN_LOADER,
			PXE_FORM_DIRECT, "undionly.kpxe"},
		{"tftp-uki, other arch: iPXE says so", 2, UEFI, ARCH_ARM64,
			PLAN_LOADER, PXE_FORM_DIRECT, "arm.efi"},
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
		{"signed: as it is", 7, UEFI, ARCH_X64, PLAN_IMAGE,
			PXE_FORM_DIRECT, "images/signed.efi"},
		{"an application, http boot", 8, HTTP, ARCH_X64, PLAN_IMAGE,
			PXE_FORM_HTTP, "http://192.0.2.1/images/tool.efi"},
		{"the form asked for", 9, UEFI, ARCH_X64, PLAN_LOADER,
			PXE_FORM_PXE_PORT, "snponly.efi"},
		{"a stranger", 99, UEFI, ARCH_X64, PLAN_SILENCE,
			PXE_FORM_DIRECT, ""},
		{"a stranger's iPXE", 99, IPXE, ARCH_X64, PLAN_SILENCE,
			PXE_FORM_DIRECT, ""},
	};
	struct decide_world world = {config, &images};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct client client = client_of(
			cases[i].mac, cases[i].firmware, cases[i].arch);
		struct plan plan;

		decide(&world, &client, &plan);
		if (plan.kind != cases[i].kind ||
			(plan.kind != PLAN_SILENCE &&
				plan.form != cases[i].form) ||
			(plan.kind != PLAN_SILENCE &&
				strcmp(plan.file, cases[i].file) != 0))
			fail_msg("%s: %s, form %d, file %s: %s", cases[i].name,
				plan_kind_name(plan.kind), plan.form, plan.file,
				plan.reason);
		assert_non_null(plan.reason);
		assert_true(plan.reason[0]);
	}
}

static void test_ipxe_url(void **state)
{
	struct decide_world world = {config, &images};
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
	struct decide_world world = {config, &images};
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
	};
	struct decide_world world = {config, &images};

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
		cmocka_unit_test(test_client_id),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
