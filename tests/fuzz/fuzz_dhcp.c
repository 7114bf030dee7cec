/*
 * fuzz_dhcp: any bytes as a DHCP request, on both ports, answered in every
 * form. Asserted: the parser keeps to the packet; silence writes nothing;
 * a reply is one that the parser accepts, of a legal size, that gives back what
 * must come back, with the file name last and NUL-terminated.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proto/pxe.h"

#define SERVER 0xc0a80101

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool good)
{
	if (!good)
		abort();
}

/* Read every byte that the message points to: a sanitizer watches. */
static void touch_options(const struct dhcp_message *m)
{
	size_t i, k;

	for (i = 0; i < 256; i++) {
		const volatile uint8_t *p = m->opt[i].data;

		check(p || m->opt[i].len == 0);
		for (k = 0; k < m->opt[i].len; k++)
			(void)p[k];
	}
}

/* Largest payload that pxe_build_reply may take the client to accept. */
static size_t largest(const struct dhcp_message *m)
{
	const struct dhcp_option *opt = &m->opt[DHCP_OPT_MAX_SIZE];
	size_t size = 0;

	if (opt->len == 2)
		size = (size_t)opt->data[0] << 8 | opt->data[1];
	size = (size < 576 ? 576 : size) - 28; /* IP and UDP */
	return size < DHCP_MAX_PACKET ? size : DHCP_MAX_PACKET;
}

/* The options' order, and the one END with nothing behind it. */
static void check_order(const uint8_t *out, size_t len, bool has_file)
{
	size_t at = 240;
	bool file_seen = false;

	check(out[at] == DHCP_OPT_TYPE);
	while (out[at] != DHCP_OPT_END) {
		check(out[at] != DHCP_OPT_PAD);
		if (file_seen)
			check(out[at] == DHCP_OPT_RELAY_INFO);
		if (out[at] == DHCP_OPT_BOOT_FILE) {
			check(!file_seen);
			file_seen = true;
		}
		at += 2u + out[at + 1];
		check(at < len);
	}
	check(file_seen == has_file);
	while (++at < len)
		check(out[at] == 0);
}

static bool same_option(const struct dhcp_message *a,
	const struct dhcp_message *b, enum dhcp_opt code)
{
	return a->opt[code].len == b->opt[code].len &&
	       (a->opt[code].len == 0 ||
		       memcmp(a->opt[code].data, b->opt[code].data,
			       a->opt[code].len) == 0);
}

/* What the relay takes out again, of which there may be too much. */
static void check_relay_info(const struct dhcp_message *request,
	const struct dhcp_message *m, size_t len)
{
	size_t relayed = request->opt[DHCP_OPT_RELAY_INFO].len;

	relayed += 2 * ((relayed + 254) / 255);
	if (m->opt[DHCP_OPT_RELAY_INFO].data)
		check(same_option(m, request, DHCP_OPT_RELAY_INFO));
	else if (relayed)
		check(len + relayed > DHCP_MAX_PACKET);
	check(len <= DHCP_MAX_PACKET);
	if (m->opt[DHCP_OPT_RELAY_INFO].data)
		len -= relayed;
	check(len <= largest(request));
}

static void check_reply(const struct dhcp_message *request,
	const struct pxe_reply *reply, const uint8_t *out, size_t len)
{
	static struct dhcp_message m;
	const struct dhcp_option *uuid = &request->opt[DHCP_OPT_CLIENT_UUID];
	const struct dhcp_option *file = &m.opt[DHCP_OPT_BOOT_FILE];
	bool has_file = reply->form != PXE_FORM_LOCAL;

	check(dhcp_parse(out, len, &m) == NULL);
	check(len >= DHCP_MIN_PACKET);
	check(m.op == DHCP_OP_REPLY && m.type == reply->type);
	check(m.xid == request->xid && m.giaddr == request->giaddr);
	check(m.htype == request->htype && m.hlen == request->hlen);
	check(memcmp(m.chaddr, request->chaddr, sizeof(m.chaddr)) == 0);
	check(m.yiaddr == 0 && m.siaddr == SERVER && m.hops == 0);
	check((m.flags & DHCP_FLAG_BROADCAST) || m.giaddr || m.ciaddr);
	check(dhcp_opt_addr(&m, DHCP_OPT_SERVER_ID) == SERVER);
	if (uuid->len == 17 && uuid->data[0] == 0)
		check(same_option(&m, request, DHCP_OPT_CLIENT_UUID));
	else
		check(!m.opt[DHCP_OPT_CLIENT_UUID].data);
	check_relay_info(request, &m, len);
	check(!m.opt[DHCP_OPT_OVERLOAD].data && !m.opt[13].data);
	check_order(out, len, has_file);
	if (!has_file)
		return;
	check(file->len == strlen(reply->file) + 1);
	check(memcmp(file->data, reply->file, file->len) == 0);
	if (m.file[0])
		check(strcmp((const char *)m.file, reply->file) == 0);
}

/* The forms and files, and what a client must be to get them. */
static void check_forms(const struct dhcp_message *m, enum pxe_ask ask,
	const struct pxe_client *client)
{
	static const struct {
		enum pxe_form form;
		const char *file;
	} says[] = {
		{PXE_FORM_DIRECT, "ipxe/snponly.efi"},
		{PXE_FORM_DIRECT, "http://192.168.1.1/x"},
		{PXE_FORM_PXE_PORT, "ipxe/undionly.kpxe"},
		{PXE_FORM_PXE_PORT, "http://192.168.1.1/x"},
		{PXE_FORM_IPXE, "http://192.168.1.1/ipxe/52-54-00-12-34-56"},
		{PXE_FORM_IPXE, "undionly.kpxe"},
		{PXE_FORM_HTTP, "http://192.168.1.1/images/debian.efi"},
		{PXE_FORM_LOCAL, NULL},
	};
	static uint8_t out[DHCP_MAX_PACKET + 64];
	size_t i, len;

	for (i = 0; i < sizeof(says) / sizeof(says[0]); i++) {
		const char *file = says[i].file;
		const struct pxe_reply reply = {
			ask == PXE_ASK_OFFER ? DHCP_TYPE_OFFER : DHCP_TYPE_ACK,
			says[i].form, SERVER, file};

		len = pxe_build_reply(m, &reply, out, sizeof(out));
		if (len == 0)
			continue;
		check_reply(m, &reply, out, len);
		/* Who gets a URL, and who gets HTTPClient. */
		if (file && strncmp(file, "http:", 5) == 0)
			check(client->firmware == PXE_FIRMWARE_HTTP ||
				client->firmware == PXE_FIRMWARE_IPXE);
		if (says[i].form == PXE_FORM_HTTP)
			check(dhcp_opt_begins(
				m, DHCP_OPT_VENDOR_CLASS, "HTTPClient"));
		check(pxe_build_reply(m, &reply, out, len) == len);
		len = pxe_build_reply(m, &reply, out, len - 1);
		check(len == 0 || m->opt[DHCP_OPT_RELAY_INFO].data);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct dhcp_message m;
	int port;

	if (dhcp_parse(data, size, &m))
		return 0;
	touch_options(&m);
	for (port = 0; port < 2; port++) {
		struct pxe_client client = {.arch_code = 0xabcd};
		const char *why = NULL;
		enum pxe_ask ask = pxe_identify(&m, port, &client, &why);

		check((ask == PXE_ASK_NOTHING) == (why != NULL));
		if (ask == PXE_ASK_NOTHING) {
			check(client.arch_code == 0xabcd);
			continue;
		}
		check((ask == PXE_ASK_ACK) == (port == 1));
		check(m.op == DHCP_OP_REQUEST);
		check(client.arch > ARCH_INVALID && client.arch < ARCH_MAX);
		check(client.firmware < PXE_FIRMWARE_MAX);
		check(memchr(client.vendor, 0, sizeof(client.vendor)));
		check(client.has_uuid || mac_is_unicast(&client.mac));
		check_forms(&m, ask, &client);
	}
	return 0;
}
