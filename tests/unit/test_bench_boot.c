/*
 * What machines that `netukictl bench` boots say, and what they understand:
 * to and from the other side's own code.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "daemon/ctl/bench/bench_boot.h"
#include "proto/pxe.h"
#include "proto/wire.h"

#define N(array) (sizeof(array) / sizeof((array)[0]))
#define SERVER	 0x0a4d0002
#define MAC                                                                    \
	{                                                                      \
		{                                                              \
			2, 0, 0, 0, 0, 9                                       \
		}                                                              \
	}

static const struct {
	const char *name;
	struct bench_self self;
	bool request;
	enum pxe_form form;
	const char *file;
	enum pxe_firmware firmware;
	enum arch arch;
	bool ask_there;
} cases[] = {
	{"EDK2", {MAC, 7, 1, 7, false, false}, false, PXE_FORM_DIRECT, "a.efi",
		PXE_FIRMWARE_UEFI, ARCH_X64, false},
	{"EDK2, to port 4011", {MAC, 7, 1, 7, false, false}, false,
		PXE_FORM_PXE_PORT, "a.efi", PXE_FIRMWARE_UEFI, ARCH_X64, true},
	{"EDK2, from port 4011", {MAC, 7, 1, 7, false, false}, true,
		PXE_FORM_PXE_PORT, "a.efi", PXE_FIRMWARE_UEFI, ARCH_X64, false},
	{"EDK2, to its disk", {MAC, 7, 1, 7, false, false}, false,
		PXE_FORM_LOCAL, "", PXE_FIRMWARE_UEFI, ARCH_X64, false},
	{"HTTP Boot", {MAC, 7, 1, 16, true, false}, false, PXE_FORM_HTTP,
		"http://10.77.0.2/images/a.efi", PXE_FIRMWARE_HTTP, ARCH_X64,
		false},
	{"a ROM", {MAC, 7, 1, 0, false, false}, false, PXE_FORM_DIRECT,
		"undionly.kpxe", PXE_FIRMWARE_BIOS, ARCH_BIOS, false},
	{"iPXE", {MAC, 7, 1, 7, false, true}, false, PXE_FORM_IPXE,
		"http://10.77.0.2/ipxe/x?arch=${buildarch}", PXE_FIRMWARE_IPXE,
		ARCH_X64, false},
	{"iPXE of BIOS", {MAC, 7, 1, 0, false, true}, false, PXE_FORM_IPXE,
		"http://10.77.0.2/ipxe/x", PXE_FIRMWARE_IPXE, ARCH_BIOS, false},
};

/* It is understood as what it is, and understands the answer. */
static void test_exchange(void **state)
{
	(void)state;
	for (size_t i = 0; i < N(cases); i++) {
		const struct bench_self *self = &cases[i].self;
		uint8_t asked[BENCH_DHCP_MAX], told[DHCP_MAX_PACKET];
		struct pxe_reply reply = {
			.type = cases[i].request ? DHCP_TYPE_ACK
						 : DHCP_TYPE_OFFER,
			.form = cases[i].form,
			.server = SERVER,
			.file = cases[i].file,
		};
		struct bench_self other = *self;
		const struct bench_answer offer = {.item = 0};
		struct bench_answer answer;
		struct dhcp_message m;
		struct pxe_client who;
		const char *why = NULL;
		size_t len = bench_dhcp_build(
			self, cases[i].request ? &offer : NULL, asked);

		assert_null(dhcp_parse(asked, len, &m));
		if (pxe_identify(&m, cases[i].request, &who, &why) ==
				PXE_ASK_NOTHING ||
			who.firmware != cases[i].firmware ||
			who.arch != cases[i].arch ||
			!mac_equal(&who.mac, &self->mac) ||
			m.ciaddr != self->ip || !who.has_uuid)
			fail_msg("%s: taken for another: %s", cases[i].name,
				why ? why : pxe_firmware_name(who.firmware));
		len = pxe_build_reply(&m, &reply, told, sizeof(told));
		assert_true(len > 0);
		if (!bench_dhcp_read(
			    self, cases[i].request, told, len, &answer) ||
			answer.server != SERVER ||
			strcmp(answer.file, cases[i].file) != 0 ||
			answer.ask_there != cases[i].ask_there)
			fail_msg("%s: the answer is not understood",
				cases[i].name);
		assert_false(bench_dhcp_read(
			self, !cases[i].request, told, len, &answer));
		other.xid++;
		assert_false(bench_dhcp_read(
			&other, cases[i].request, told, len, &answer));
		other = *self;
		other.mac.b[5]++;
		assert_false(bench_dhcp_read(
			&other, cases[i].request, told, len, &answer));
		assert_false(bench_dhcp_read(
			self, cases[i].request, told, len / 2, &answer));
	}
}

/* What other servers say, by their option 43. */
static const struct {
	const char *name;
	bool ipxe;
	const char *vendor, *file;
	size_t vendor_len;
	bool ask_there;
	uint16_t item;
} offers[] = {
	{"nothing", false, "", "", 0, true, 0},
	{"a file", false, "", "a", 0, true, 0},
	{"direct", false, "\6\1\10", "a", 3, false, 0},
	{"a menu", false, "\6\1\3\12\4\0PXE\11\4\x80\2\1a", "", 15, true,
		0x8002},
	{"its disk", false, "\11\4\0\0\1a", "", 6, false, 0},
	{"its disk, and a file", false, "\11\4\0\0\1a", "a", 6, true, 0},
	{"half a menu", false, "\11\1\x80", "", 3, true, 0},
	{"iPXE: nothing", true, "", "", 0, true, 0},
	{"iPXE: a file", true, "", "a", 0, false, 0},
	{"iPXE: a menu", true, "\11\4\x80\2\1a", "", 6, true, 0x8002},
};

static size_t make_offer(const struct bench_self *self, const char *vendor,
	size_t vendor_len, const char *file, uint8_t out[DHCP_MAX_PACKET])
{
	const uint8_t type = DHCP_TYPE_OFFER;
	struct dhcp_header h = {.op = DHCP_OP_REPLY,
		.htype = 1,
		.hlen = sizeof(self->mac.b),
		.xid = self->xid,
		.siaddr = SERVER};
	struct wire_writer w;

	memcpy(h.chaddr, self->mac.b, sizeof(self->mac.b));
	wire_writer_init(&w, out, DHCP_MAX_PACKET);
	dhcp_put_header(&w, &h);
	dhcp_put_option(&w, DHCP_OPT_TYPE, &type, sizeof(type));
	dhcp_put_option(&w, DHCP_OPT_VENDOR_CLASS, PXE_VENDOR_PXE, 9);
	if (vendor_len)
		dhcp_put_option(&w, DHCP_OPT_VENDOR, vendor, vendor_len);
	if (*file)
		dhcp_put_option(&w, DHCP_OPT_BOOT_FILE, file, strlen(file));
	dhcp_put_end(&w);
	assert_null(w.err);
	return w.len;
}

/* Of a menu the first item is asked for, where its server listens. */
static void test_offers(void **state)
{
	(void)state;
	for (size_t i = 0; i < N(offers); i++) {
		const struct bench_self self = {
			MAC, 7, 1, 7, false, offers[i].ipxe};
		uint8_t told[DHCP_MAX_PACKET], asked[BENCH_DHCP_MAX];
		struct bench_answer answer;
		struct dhcp_option item;
		struct dhcp_message m;
		struct pxe_client who;
		const char *why = NULL;
		size_t len = make_offer(&self, offers[i].vendor,
			offers[i].vendor_len, offers[i].file, told);

		if (!bench_dhcp_read(&self, false, told, len, &answer) ||
			answer.ask_there != offers[i].ask_there ||
			answer.item != offers[i].item)
			fail_msg("%s: %s item %u", offers[i].name,
				answer.ask_there ? "asks" : "does not ask",
				(unsigned)answer.item);
		len = bench_dhcp_build(&self, &answer, asked);
		assert_null(dhcp_parse(asked, len, &m));
		assert_int_equal(
			pxe_identify(&m, true, &who, &why), PXE_ASK_ACK);
		if (dhcp_opt_sub(&m.opt[DHCP_OPT_VENDOR], PXE_BOOT_ITEM,
			    &item) != (offers[i].item != 0) ||
			(offers[i].item &&
				(item.len != PXE_BOOT_ITEM_LEN ||
					(item.data[0] << 8 | item.data[1]) !=
						offers[i].item)))
			fail_msg("%s: another item is asked for",
				offers[i].name);
	}
}

static const struct {
	const char *name, *text, *urls; /* each followed by a space */
} scripts[] = {
	{"nothing", "", ""},
	{"exits", "#!ipxe\nexit 1\n", ""},
	{"a chain",
		"#!ipxe\necho http://no/\nchain --name= --timeout 30000 "
		"http://a/images/x quiet || goto failed\nexit 0\n",
		"http://a/images/x "},
	{"a kernel",
		"#!ipxe\nkernel --timeout 3 http://a/k x=http://b/ || y\n"
		"initrd http://a/i || goto failed\r\nboot\n",
		"http://a/k http://a/i "},
	{"nothing after a chain", "chain http://a/1\nchain http://a/2\n",
		"http://a/1 "},
	{"no newline", "initrd http://a/i", "http://a/i "},
	{"no URL", "chain x.ipxe\nkernel\ninitrd \n", ""},
	{"spaces", "chain   \t  http://a/1  ", "http://a/1 "},
};

static void test_scripts(void **state)
{
	(void)state;
	for (size_t i = 0; i < N(scripts); i++) {
		const char *at = scripts[i].text;
		char url[URL_MAX], urls[200] = "";

		while (bench_script_next(&at, url)) {
			strcat(urls, url);
			strcat(urls, " ");
		}
		if (strcmp(urls, scripts[i].urls) != 0)
			fail_msg("%s: %s", scripts[i].name, urls);
	}
}

static const struct {
	const char *text, *efi, *bios;
} variables[] = {
	{"plain", "plain", "plain"},
	{"${buildarch}/${platform}", "x86_64/efi", "i386/pcbios"},
	{"${mac} ${net0/mac:hexhyp}", "02:00:00:00:00:09 02-00-00-00-00-09",
		"02:00:00:00:00:09 02-00-00-00-00-09"},
	{"${ip}", "10.77.1.1", "10.77.1.1"},
	{"a${uuid}b", "a00000000-0000-0040-8000-020000000009b",
		"a00000000-0000-0040-8000-020000000009b"},
	{"s=${serial:uristring}.", "s=.", "s=."},
	{"${", "${", "${"},
	{"$x${}", "$x", "$x"},
};

static void test_variables(void **state)
{
	const struct bench_self efi = {MAC, 0x0a4d0101, 1, 7, false, true};
	const struct bench_self bios = {MAC, 0x0a4d0101, 1, 0, false, true};
	char text[URL_MAX];

	(void)state;
	for (size_t i = 0; i < N(variables); i++) {
		bench_script_expand(&efi, variables[i].text, text);
		if (strcmp(text, variables[i].efi) != 0)
			fail_msg("%s: %s", variables[i].text, text);
		bench_script_expand(&bios, variables[i].text, text);
		if (strcmp(text, variables[i].bios) != 0)
			fail_msg("%s: %s", variables[i].text, text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exchange),
		cmocka_unit_test(test_offers),
		cmocka_unit_test(test_scripts),
		cmocka_unit_test(test_variables),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
