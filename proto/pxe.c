#include "proto/pxe.h"

#include <string.h>

#include "proto/pxe_facts.h"

#define PXE_HTYPE_ETHERNET    1
#define PXE_HLEN_GUID	      16 /* EDK2's "SendGUID": chaddr holds the UUID */
#define PXE_LAYER_CREDENTIALS 0x80 /* in 43.71's third byte: a BIS request */

const char *pxe_firmware_name(enum pxe_firmware firmware)
{
	switch (firmware) {
	case PXE_FIRMWARE_BIOS:
		return "bios";
	case PXE_FIRMWARE_UEFI:
		return "uefi";
	case PXE_FIRMWARE_HTTP:
		return "http";
	case PXE_FIRMWARE_IPXE:
		return "ipxe";
	case PXE_FIRMWARE_MAX:
		break;
	}
	return "?";
}

/*
 * What a message of this type, come to this port, may be answered with. A
 * REQUEST on port 67 asks some DHCP server for a lease, and an ACK of ours
 * could be taken for it, unless it is a boot server discovery: that names an
 * item (43.71) and no server (54).
 */
static enum pxe_ask find_ask(const struct dhcp_message *m, bool on_pxe_port,
	const struct pxe_facts *f, const char **ret_why)
{
	const uint8_t *item = f->boot_item;

	switch (m->type) {
	case DHCP_TYPE_DISCOVER:
		if (!on_pxe_port)
			return PXE_ASK_OFFER;
		*ret_why = "DISCOVER on the PXE port";
		return PXE_ASK_NOTHING;
	case DHCP_TYPE_REQUEST:
	case DHCP_TYPE_INFORM:
		break;
	case DHCP_TYPE_NONE:
		*ret_why = "BOOTP, not DHCP";
		return PXE_ASK_NOTHING;
	case DHCP_TYPE_OFFER:
	case DHCP_TYPE_ACK:
	case DHCP_TYPE_NAK:
		*ret_why = "a server's message";
		return PXE_ASK_NOTHING;
	case DHCP_TYPE_DECLINE:
	case DHCP_TYPE_RELEASE:
	default:
		*ret_why = "a message type that asks nothing of us";
		return PXE_ASK_NOTHING;
	}
	if (f->class != PXE_CLASS_PXE) {
		*ret_why = "HTTP Boot wants nothing but an OFFER";
		return PXE_ASK_NOTHING;
	}
	if (item && (item[2] & PXE_LAYER_CREDENTIALS)) {
		*ret_why = "asks for boot integrity credentials (43.71)";
		return PXE_ASK_NOTHING;
	}
	if (on_pxe_port && (item || m->type == DHCP_TYPE_REQUEST))
		return PXE_ASK_ACK;
	if (!item) {
		*ret_why = "asks a DHCP server, not us";
		return PXE_ASK_NOTHING;
	}
	if (m->opt[DHCP_OPT_SERVER_ID].data) {
		*ret_why = "chooses a DHCP server's offer (54)";
		return PXE_ASK_NOTHING;
	}
	return PXE_ASK_DISCOVERY;
}

/* Take 16 bytes of SMBIOS order, unless they name no machine. */
static void take_uuid(const uint8_t *data, struct pxe_client *client)
{
	struct uuid uuid;

	memcpy(uuid.b, data, sizeof(uuid.b));
	uuid = uuid_swap(&uuid);
	if (uuid_is_junk(&uuid))
		return;
	client->has_uuid = true;
	client->uuid = uuid;
}

/*
 * Fill in who the client is; returns what is wrong with it. An OFFER is only
 * for a client that gives its address; later requests may give the UUID in its
 * place.
 */
static const char *find_identity(const struct dhcp_message *m,
	const struct pxe_facts *f, enum pxe_ask ask, struct pxe_client *client)
{
	if (f->uuid)
		take_uuid(f->uuid, client);
	if (m->hlen == PXE_HLEN_GUID && ask != PXE_ASK_OFFER) {
		if (!client->has_uuid)
			take_uuid(m->chaddr, client);
		return client->has_uuid ? NULL
					: "neither a MAC address nor a UUID";
	}
	if (m->htype != PXE_HTYPE_ETHERNET || m->hlen != sizeof(client->mac.b))
		return "not an Ethernet address";
	memcpy(client->mac.b, m->chaddr, sizeof(client->mac.b));
	if (!mac_is_unicast(&client->mac))
		return "no client can have this MAC address";
	return NULL;
}

/* Text of the network, made fit for a log line. */
static void get_vendor(const struct dhcp_message *m, char *ret, size_t cap)
{
	const struct dhcp_option *opt = &m->opt[DHCP_OPT_VENDOR_CLASS];
	size_t i;

	for (i = 0; i < opt->len && i + 1 < cap && opt->data[i] != 0; i++) {
		bool printable = opt->data[i] >= 0x20 && opt->data[i] < 0x7f;

		ret[i] = printable ? (char)opt->data[i] : '?';
	}
	ret[i] = '\0';
}

static enum pxe_firmware find_firmware(const struct pxe_facts *f)
{
	if (f->ipxe)
		return PXE_FIRMWARE_IPXE;
	return f->class == PXE_CLASS_HTTP ? PXE_FIRMWARE_HTTP
					  : f->row->firmware;
}

enum pxe_ask pxe_identify(const struct dhcp_message *m, bool on_pxe_port,
	struct pxe_client *ret, const char **ret_why)
{
	struct pxe_client client = {.arch = ARCH_INVALID};
	struct pxe_facts f;
	enum pxe_ask ask;
	const char *why;

	if (m->op != DHCP_OP_REQUEST) {
		*ret_why = "a reply";
		return PXE_ASK_NOTHING;
	}
	f = pxe_facts_read(m);
	if (f.class == PXE_CLASS_NONE) {
		*ret_why = "neither PXEClient nor HTTPClient (60)";
		return PXE_ASK_NOTHING;
	}
	ask = find_ask(m, on_pxe_port, &f, ret_why);
	if (ask == PXE_ASK_NOTHING)
		return ask;
	why = f.row ? find_identity(m, &f, ask, &client) : f.arch_why;
	if (why) {
		*ret_why = why;
		return PXE_ASK_NOTHING;
	}
	client.firmware = find_firmware(&f);
	client.arch = f.row->arch;
	client.arch_code = f.arch_code;
	client.ipxe_http = f.ipxe_http;
	get_vendor(m, client.vendor, sizeof(client.vendor));
	*ret = client;
	return ask;
}
