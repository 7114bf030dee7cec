#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "proto/pxe.h"
#include "tests/unit/pxe_request.h"

/*
 * Numbers in the names of cases are rows of the conformance table. Rows 4, 21
 * and 30 (what is configured), 29 and 37 (where a reply is sent) are not this
 * module's.
 */

#define N(array) (sizeof(array) / sizeof((array)[0]))

static const char qemu_mac[] = "52:54:00:12:34:56";
static const char qemu_uuid[] = "12345678-9abc-def0-1122-334455667788";
static const char rom_uuid[] = "4c4c4544-0051-4810-8053-b4c04f4e4d32";

/* Whole requests, as firmware sends them: who asks for what. */
static const struct {
	const char *name; /* of the fixture */
	bool on_pxe_port;
	enum pxe_ask ask;
	enum pxe_firmware firmware;
	enum arch arch;
	uint16_t code;
	bool ipxe_http;
	const char *mac, *uuid, *vendor;
} fixtures[] = {
	{"ovmf-pxe-discover", false, PXE_ASK_OFFER, PXE_FIRMWARE_UEFI, ARCH_X64,
		7, false, qemu_mac, qemu_uuid,
		"PXEClient:Arch:00007:UNDI:003000"},
	{"ovmf-4011-request", true, PXE_ASK_ACK, PXE_FIRMWARE_UEFI, ARCH_X64, 7,
		false, qemu_mac, qemu_uuid, "PXEClient:Arch:00007:UNDI:003000"},
	{"ovmf-discovery-67", false, PXE_ASK_DISCOVERY, PXE_FIRMWARE_UEFI,
		ARCH_X64, 7, false, qemu_mac, qemu_uuid,
		"PXEClient:Arch:00007:UNDI:003000"},
	{"ovmf-http-discover", false, PXE_ASK_OFFER, PXE_FIRMWARE_HTTP,
		ARCH_X64, 16, false, qemu_mac, qemu_uuid,
		"HTTPClient:Arch:00016:UNDI:003001"},
	{"ipxe-bios-discover", false, PXE_ASK_OFFER, PXE_FIRMWARE_IPXE,
		ARCH_BIOS, 0, true, qemu_mac, qemu_uuid,
		"PXEClient:Arch:00000:UNDI:002001"},
	{"ipxe-uefi-discover", false, PXE_ASK_OFFER, PXE_FIRMWARE_IPXE,
		ARCH_X64, 7, true, qemu_mac, qemu_uuid,
		"PXEClient:Arch:00007:UNDI:003010"},
	{"ipxe-4011-request", true, PXE_ASK_ACK, PXE_FIRMWARE_IPXE, ARCH_BIOS,
		0, true, qemu_mac, qemu_uuid,
		"PXEClient:Arch:00000:UNDI:002001"},
	{"ipxe-4011-discovery", true, PXE_ASK_ACK, PXE_FIRMWARE_IPXE, ARCH_BIOS,
		0, true, qemu_mac, qemu_uuid, "PXEClient"},
	{"ipxe-rfc3004-discover", false, PXE_ASK_OFFER, PXE_FIRMWARE_IPXE,
		ARCH_BIOS, 0, true, qemu_mac, qemu_uuid,
		"PXEClient:Arch:00000:UNDI:002001"},
	{"ipxe-nohttp-discover", false, PXE_ASK_OFFER, PXE_FIRMWARE_IPXE,
		ARCH_BIOS, 0, false, qemu_mac, qemu_uuid,
		"PXEClient:Arch:00000:UNDI:002001"},
	{"bios-rom-discover", false, PXE_ASK_OFFER, PXE_FIRMWARE_BIOS,
		ARCH_BIOS, 0, false, "00:a0:c9:11:22:33", rom_uuid,
		"PXEClient:Arch:00000:UNDI:002001"},
	{"bios-rom-4011-request", true, PXE_ASK_ACK, PXE_FIRMWARE_BIOS,
		ARCH_BIOS, 0, false, "00:a0:c9:11:22:33", rom_uuid,
		"PXEClient:Arch:00000:UNDI:002001"},
	{"relay-discover", false, PXE_ASK_OFFER, PXE_FIRMWARE_UEFI, ARCH_X64, 7,
		false, qemu_mac, qemu_uuid, "PXEClient:Arch:00007:UNDI:003000"},
	{"aavmf-pxe-discover", false, PXE_ASK_OFFER, PXE_FIRMWARE_UEFI,
		ARCH_ARM64, 11, false, qemu_mac, qemu_uuid,
		"PXEClient:Arch:00011:UNDI:003000"},
	{"guid-4011-request", true, PXE_ASK_ACK, PXE_FIRMWARE_UEFI, ARCH_X64, 7,
		false, "00:00:00:00:00:00", qemu_uuid,
		"PXEClient:Arch:00007:UNDI:003000"},
	{"overload-discover", false, PXE_ASK_OFFER, PXE_FIRMWARE_UEFI, ARCH_X64,
		7, false, qemu_mac, qemu_uuid,
		"PXEClient:Arch:00007:UNDI:003000"},
};

static const struct {
	const char *name;
	bool on_pxe_port;
	const char *why;
} silent_fixtures[] = {
	{"ovmf-pxe-request-67", false, "asks a DHCP server, not us"},
	{"bios-rom-4011-bis", true,
		"asks for boot integrity credentials (43.71)"},
	{"linux-discover", false, "neither PXEClient nor HTTPClient (60)"},
	{"windows-discover", false, "neither PXEClient nor HTTPClient (60)"},
	/* 31: our own, heard again */
	{"ovmf-pxe-offer-direct", false, "a reply"},
	{"ovmf-4011-ack", true, "a reply"},
	/* The right packet on the wrong port. */
	{"ovmf-http-discover", true, "DISCOVER on the PXE port"},
	{"ovmf-pxe-discover", true, "DISCOVER on the PXE port"},
	{"ovmf-4011-request", false, "asks a DHCP server, not us"},
};

/* Compare who was found, apart from the addresses. */
static void check_client(const char *name, const struct pxe_client *client,
	enum pxe_firmware firmware, enum arch arch, uint16_t code, bool http)
{
	if (client->firmware != firmware || client->arch != arch ||
		client->arch_code != code || client->ipxe_http != http)
		fail_msg("%s: is %s %s %u http %d", name,
			pxe_firmware_name(client->firmware),
			arch_name(client->arch), client->arch_code,
			client->ipxe_http);
}

static void test_identify_fixtures(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < N(fixtures); i++) {
		const char *name = fixtures[i].name, *why = NULL;
		uint8_t packet[HEX_MAX];
		struct dhcp_message m;
		struct pxe_client client;
		char mac[MAC_TEXT_LEN], uuid[UUID_TEXT_LEN];
		enum pxe_ask ask;

		parse_fixture(name, packet, &m);
		ask = pxe_identify(&m, fixtures[i].on_pxe_port, &client, &why);
		if (ask != fixtures[i].ask || why)
			fail_msg("%s: asks %d: %s", name, ask, why ? why : "");
		check_client(name, &client, fixtures[i].firmware,
			fixtures[i].arch, fixtures[i].code,
			fixtures[i].ipxe_http);
		mac_format(&client.mac, ':', mac);
		uuid_format(&client.uuid, uuid);
		if (strcmp(mac, fixtures[i].mac) != 0)
			fail_msg("%s: mac %s", name, mac);
		if (!client.has_uuid || strcmp(uuid, fixtures[i].uuid) != 0)
			fail_msg("%s: uuid %s", name, uuid);
		if (strcmp(client.vendor, fixtures[i].vendor) != 0)
			fail_msg("%s: vendor %s", name, client.vendor);
	}
}

static void test_silent_fixtures(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < N(silent_fixtures); i++) {
		const char *name = silent_fixtures[i].name, *why = "";
		uint8_t packet[HEX_MAX];
		struct dhcp_message m;
		struct pxe_client client;

		parse_fixture(name, packet, &m);
		if (pxe_identify(&m, silent_fixtures[i].on_pxe_port, &client,
			    &why) != PXE_ASK_NOTHING)
			fail_msg("%s: asks something", name);
		if (strcmp(why, silent_fixtures[i].why) != 0)
			fail_msg("%s: %s", name, why);
	}
}

enum { ON_67 = 0, ON_4011 = 1 };

static const struct variant {
	const char *name;
	const char *options;
	int port;
	enum pxe_ask ask;
	enum pxe_firmware firmware;
	enum arch arch;
	uint16_t code;
	bool ipxe_http;
	const char *why; /* NULL: asks something */
} variants[] = {
#define ASKS(name, options, port, ask, firmware, arch, code, http)             \
	{name, options, port, PXE_ASK_##ask, PXE_FIRMWARE_##firmware,          \
		ARCH_##arch, code, http, NULL},
#define SILENT(name, options, port, why)                                       \
	{name, options, port, PXE_ASK_NOTHING, PXE_FIRMWARE_MAX, ARCH_INVALID, \
		0, false, why},
#include "tests/unit/pxe_requests.def"
#undef ASKS
#undef SILENT
};

static void test_identify_variants(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < N(variants); i++) {
		const struct variant *v = &variants[i];
		uint8_t packet[HEX_MAX];
		size_t len = make_request(v->options, packet);
		struct dhcp_message m;
		struct pxe_client client, before;
		const char *err = dhcp_parse(packet, len, &m);
		const char *why = NULL;
		enum pxe_ask ask;

		if (err)
			fail_msg("%s: %s", v->name, err);
		memset(&before, 0x5a, sizeof(before));
		memcpy(&client, &before, sizeof(client));
		ask = pxe_identify(&m, v->port == ON_4011, &client, &why);
		if (ask != v->ask)
			fail_msg("%s: asks %d: %s", v->name, ask,
				why ? why : "");
		if (!v->why && why)
			fail_msg("%s: a reason, but no silence", v->name);
		if (v->why && (!why || strcmp(why, v->why) != 0))
			fail_msg("%s: %s", v->name, why ? why : "no reason");
		if (!v->why)
			check_client(v->name, &client, v->firmware, v->arch,
				v->code, v->ipxe_http);
		else if (memcmp(&client, &before, sizeof(client)) != 0)
			fail_msg("%s: silent, but written", v->name);
	}
}

/* The hardware address, which stands in the header. */
static const struct {
	const char *name;
	const char *options;
	int port;
	uint8_t htype, hlen;
	const char *chaddr;
	enum pxe_ask ask;
	const char *mac;
	const char *uuid; /* NULL: none */
} address_cases[] = {
	{"Ethernet", DISCOVER, ON_67, 1, 6, "02 00 00 00 00 01", PXE_ASK_OFFER,
		"02:00:00:00:00:01", NULL},
	{"htype 0", DISCOVER, ON_67, 0, 6, "02 00 00 00 00 01", PXE_ASK_NOTHING,
		NULL, NULL},
	{"htype 32 (InfiniBand)", DISCOVER, ON_67, 32, 6, "02 00 00 00 00 01",
		PXE_ASK_NOTHING, NULL, NULL},
	{"hlen 0", DISCOVER, ON_67, 1, 0, "02 00 00 00 00 01", PXE_ASK_NOTHING,
		NULL, NULL},
	{"hlen 8", DISCOVER, ON_67, 1, 8, "02 00 00 00 00 01", PXE_ASK_NOTHING,
		NULL, NULL},
	{"all zeros", DISCOVER, ON_67, 1, 6, "00 00 00 00 00 00",
		PXE_ASK_NOTHING, NULL, NULL},
	{"broadcast", DISCOVER, ON_67, 1, 6, "ff ff ff ff ff ff",
		PXE_ASK_NOTHING, NULL, NULL},
	{"multicast", DISCOVER, ON_67, 1, 6, "01 00 5e 00 00 01",
		PXE_ASK_NOTHING, NULL, NULL},
	{"multicast on 4011", REQUEST, ON_4011, 1, 6, "01 00 5e 00 00 01",
		PXE_ASK_NOTHING, NULL, NULL},
	{"97 of zeros is none",
		DISCOVER "61 11 00 00 00 00 00 00 00 00 00 00 00 00 00 "
			 "00 00 00 00 ",
		ON_67, 1, 6, "02 00 00 00 00 01", PXE_ASK_OFFER,
		"02:00:00:00:00:01", NULL},
	{"97 of a placeholder is none",
		DISCOVER "61 11 00 00 02 00 03 00 04 00 05 00 06 00 07 "
			 "00 08 00 09 ",
		ON_67, 1, 6, "02 00 00 00 00 01", PXE_ASK_OFFER,
		"02:00:00:00:00:01", NULL},
	{"97 of 16 bytes is none",
		DISCOVER "61 10 00 78 56 34 12 bc 9a f0 de 11 22 33 44 55 66 "
			 "77 ",
		ON_67, 1, 6, "02 00 00 00 00 01", PXE_ASK_OFFER,
		"02:00:00:00:00:01", NULL},
	{"97 of 18 bytes is none",
		DISCOVER "61 12 "
			 "00 78 56 34 12 bc 9a f0 de 11 22 33 44 55 "
			 "66 77 88 99 ",
		ON_67, 1, 6, "02 00 00 00 00 01", PXE_ASK_OFFER,
		"02:00:00:00:00:01", NULL},
	{"hlen 16, no 97", REQUEST, ON_4011, 1, 16,
		"78 56 34 12 bc 9a f0 de 11 22 33 44 55 66 77 88", PXE_ASK_ACK,
		"00:00:00:00:00:00", qemu_uuid},
	{"hlen 16, htype 0xff", REQUEST, ON_4011, 0xff, 16,
		"78 56 34 12 bc 9a f0 de 11 22 33 44 55 66 77 88", PXE_ASK_ACK,
		"00:00:00:00:00:00", qemu_uuid},
	{"hlen 16, 97 counts first", REQUEST UUID, ON_4011, 1, 16,
		"01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f 20", PXE_ASK_ACK,
		"00:00:00:00:00:00", qemu_uuid},
	{"hlen 16, boot server discovery", REQUEST ITEM, ON_67, 1, 16,
		"78 56 34 12 bc 9a f0 de 11 22 33 44 55 66 77 88",
		PXE_ASK_DISCOVERY, "00:00:00:00:00:00", qemu_uuid},
	{"hlen 16, nothing in it", REQUEST, ON_4011, 1, 16, "", PXE_ASK_NOTHING,
		NULL, NULL},
	{"hlen 16 in a DISCOVER", DISCOVER UUID, ON_67, 1, 16,
		"78 56 34 12 bc 9a f0 de 11 22 33 44 55 66 77 88",
		PXE_ASK_NOTHING, NULL, NULL},
};

static void test_identify_address(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < N(address_cases); i++) {
		const char *name = address_cases[i].name, *why = NULL;
		char options[512], mac[MAC_TEXT_LEN], uuid[UUID_TEXT_LEN];
		uint8_t packet[HEX_MAX];
		struct dhcp_message m;
		struct pxe_client client;
		enum pxe_ask ask;
		size_t len;

		(void)snprintf(options, sizeof(options), "%s%s",
			address_cases[i].options, PXE ARCH_CODE("00 07"));
		len = make_request(options, packet);
		packet[1] = address_cases[i].htype;
		packet[2] = address_cases[i].hlen;
		memset(packet + 28, 0, 16);
		(void)hex_text(address_cases[i].chaddr, packet + 28, 16);
		assert_null(dhcp_parse(packet, len, &m));
		ask = pxe_identify(
			&m, address_cases[i].port == ON_4011, &client, &why);
		if (ask != address_cases[i].ask)
			fail_msg("%s: asks %d: %s", name, ask, why ? why : "");
		if (ask == PXE_ASK_NOTHING)
			continue;
		mac_format(&client.mac, ':', mac);
		uuid_format(&client.uuid, uuid);
		if (strcmp(mac, address_cases[i].mac) != 0)
			fail_msg("%s: mac %s", name, mac);
		if (client.has_uuid != (address_cases[i].uuid != NULL))
			fail_msg("%s: has_uuid", name);
		if (address_cases[i].uuid &&
			strcmp(uuid, address_cases[i].uuid) != 0)
			fail_msg("%s: uuid %s", name, uuid);
	}
}

/* Option 60 is a stranger's text: what of it may be shown. */
static void test_vendor_text(void **state)
{
	static const struct {
		const char *option, *want;
	} cases[] = {
		{PXE, "PXEClient"},
		{"3c 0b 50 58 45 43 6c 69 65 6e 74 0a 1b ", "PXEClient??"},
		{"3c 0b 50 58 45 43 6c 69 65 6e 74 00 61 ", "PXEClient"},
		{"3c 0c 50 58 45 43 6c 69 65 6e 74 7f 80 ff ", "PXEClient???"},
		{"3c 28 50 58 45 43 6c 69 65 6e 74 61 61 61 61 61 61 61 61 61 "
		 "61 61 61 61 61 61 61 61 61 61 61 61 61 61 61 61 61 61 61 61 "
		 "61 61 ",
			"PXEClientaaaaaaaaaaaaaaaaaaaaaaaa"},
	};
	size_t i;

	(void)state;
	for (i = 0; i < N(cases); i++) {
		char options[512];
		uint8_t packet[HEX_MAX];
		struct dhcp_message m;
		struct pxe_client client;
		const char *why;
		size_t len;

		(void)snprintf(options, sizeof(options), "%s%s", DISCOVER,
			cases[i].option);
		len = make_request(options, packet);
		assert_null(dhcp_parse(packet, len, &m));
		assert_int_equal(
			pxe_identify(&m, false, &client, &why), PXE_ASK_OFFER);
		assert_string_equal(client.vendor, cases[i].want);
	}
}

static void test_names(void **state)
{
	(void)state;
	assert_string_equal(pxe_firmware_name(PXE_FIRMWARE_BIOS), "bios");
	assert_string_equal(pxe_firmware_name(PXE_FIRMWARE_UEFI), "uefi");
	assert_string_equal(pxe_firmware_name(PXE_FIRMWARE_HTTP), "http");
	assert_string_equal(pxe_firmware_name(PXE_FIRMWARE_IPXE), "ipxe");
	assert_string_equal(pxe_firmware_name(PXE_FIRMWARE_MAX), "?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_identify_fixtures),
		cmocka_unit_test(test_silent_fixtures),
		cmocka_unit_test(test_identify_variants),
		cmocka_unit_test(test_identify_address),
		cmocka_unit_test(test_vendor_text),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
