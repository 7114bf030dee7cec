#include "proto/pxe.h"

#include <string.h>

#include "proto/pxe_facts.h"
#include "proto/wire.h"

/* A UDP payload's headers, which option 57 counts in. */
#define PXE_IP_UDP_LEN 28
/* What every client takes, whatever it says: RFC 2131 2. */
#define PXE_LEAST_SIZE 576

static bool is_url(const char *file)
{
	const char *colon = strchr(file, ':');

	return colon && strncmp(colon, "://", 3) == 0;
}

/*
 * Can this client make anything of the reply? PXE firmware takes a URL for
 * the name of a TFTP file, and each class drops replies
 * in the other's form.
 */
static bool is_sayable(const struct pxe_facts *f, const struct pxe_reply *reply)
{
	const char *file = reply->file;
	bool has_file = file && file[0] != '\0';

	if (!f->row || reply->server == 0)
		return false;
	if (reply->type != DHCP_TYPE_OFFER && reply->type != DHCP_TYPE_ACK)
		return false;
	switch (reply->form) {
	case PXE_FORM_DIRECT:
	case PXE_FORM_PXE_PORT:
		return f->class == PXE_CLASS_PXE && has_file &&
		       (f->ipxe || !is_url(file));
	case PXE_FORM_IPXE:
		return f->ipxe && has_file;
	case PXE_FORM_HTTP:
		return f->class == PXE_CLASS_HTTP && has_file && is_url(file);
	case PXE_FORM_LOCAL:
		return f->class == PXE_CLASS_PXE;
	}
	return false;
}

/*
 * The UDP payload that the client takes. Option 57 is the size of a message,
 * which RFC 2131 2 counts as an IP datagram. Every client has to take 576
 * bytes: less is no value of it (RFC 2132 9.10), and counts as that.
 */
static size_t payload_limit(const struct dhcp_message *m)
{
	const struct dhcp_option *opt = &m->opt[DHCP_OPT_MAX_SIZE];
	size_t limit = 0;

	if (opt->data && opt->len == 2)
		limit = (size_t)opt->data[0] << 8 | opt->data[1];
	if (limit < PXE_LEAST_SIZE)
		limit = PXE_LEAST_SIZE;
	limit -= PXE_IP_UDP_LEN;
	return limit < DHCP_MAX_PACKET ? limit : DHCP_MAX_PACKET;
}

static void put_header(struct wire_writer *w,
	const struct dhcp_message *request, const struct pxe_reply *reply,
	const char *file)
{
	struct dhcp_header h = {
		.op = DHCP_OP_REPLY,
		.htype = request->htype,
		.hlen = request->hlen,
		.xid = request->xid,
		.flags = request->flags,
		.siaddr = reply->server,
		.giaddr = request->giaddr,
	};

	if (file && strlen(file) < sizeof(request->file))
		h.file = file;
	else if (file && !is_url(file))
		w->err = "file name too long";
	if (reply->type == DHCP_TYPE_ACK)
		h.ciaddr = request->ciaddr;
	/* It has no address yet that a unicast packet could go to. */
	if (h.giaddr == 0 && h.ciaddr == 0)
		h.flags |= DHCP_FLAG_BROADCAST;
	memcpy(h.chaddr, request->chaddr, sizeof(h.chaddr));
	dhcp_put_header(w, &h);
}

/* The content of option 43, if the form has any. */
static void put_vendor_option(struct wire_writer *w,
	const struct pxe_reply *reply, const struct pxe_facts *f)
{
	/* No prompt, no menu, no discovery. */
	static const uint8_t control[] = {
		PXE_DISCOVERY_CONTROL, 1, PXE_CONTROL_DIRECT};
	/* A prompt of no seconds, for firmware that insists on one. */
	static const uint8_t prompt[] = {10, 4, 0, 'P', 'X', 'E'};
	/*
	 * 7: no discovery by broadcast or multicast, and only of listed
	 * servers; a menu of one item, type 0, the local disk; and a prompt
	 * of no seconds, after which the first item is taken.
	 */
	static const uint8_t local[] = {PXE_DISCOVERY_CONTROL, 1, 7, PXE_MENU,
		8, 0, 0, 5, 'l', 'o', 'c', 'a', 'l', 10, 6, 0, 'l', 'o', 'c',
		'a', 'l'};
	uint8_t content[64];
	struct wire_writer v;
	bool ack = reply->type == DHCP_TYPE_ACK;

	wire_writer_init(&v, content, sizeof(content));
	switch (reply->form) {
	case PXE_FORM_DIRECT:
		wire_put_bytes(&v, control, sizeof(control));
		wire_put_bytes(&v, prompt, sizeof(prompt));
		break;
	case PXE_FORM_PXE_PORT:
		/* In an OFFER it would keep the client from asking. */
		if (ack && f->row->arch == ARCH_BIOS)
			wire_put_bytes(&v, control, sizeof(control));
		break;
	case PXE_FORM_IPXE:
		wire_put_bytes(&v, control, sizeof(control));
		break;
	case PXE_FORM_LOCAL:
		wire_put_bytes(&v, local, sizeof(local));
		break;
	case PXE_FORM_HTTP:
		return;
	}
	if (ack && f->boot_item) {
		wire_put_u8(&v, PXE_BOOT_ITEM);
		wire_put_u8(&v, PXE_BOOT_ITEM_LEN);
		wire_put_bytes(&v, f->boot_item, PXE_BOOT_ITEM_LEN);
	}
	if (v.len == 0)
		return;
	wire_put_u8(&v, DHCP_OPT_END);
	dhcp_put_option(w, DHCP_OPT_VENDOR, content, v.len);
}

/* An option as it came, in pieces if it is long (RFC 3396). */
static void put_echo(struct wire_writer *w, const struct dhcp_message *request,
	enum dhcp_opt code)
{
	const struct dhcp_option *opt = &request->opt[code];
	size_t at, len;

	for (at = 0; at < opt->len; at += len) {
		len = opt->len - at < 255 ? opt->len - at : 255;
		dhcp_put_option(w, code, opt->data + at, len);
	}
}

/* The message so far with its end; 0: there is no room. */
static size_t finish(struct wire_writer w)
{
	dhcp_put_end(&w);
	return w.err ? 0 : w.len;
}

/*
 * Behind all else the relay's 82. The relay takes it out again (RFC 3046 2.2),
 * so what the client takes does not bound it; and if no packet holds it, the
 * reply goes without.
 */
static size_t finish_relayed(const struct wire_writer *w,
	const struct dhcp_message *request, size_t cap)
{
	struct wire_writer relayed = *w;
	size_t len = finish(*w);

	if (!len || !request->opt[DHCP_OPT_RELAY_INFO].data)
		return len;
	relayed.cap = cap < DHCP_MAX_PACKET ? cap : DHCP_MAX_PACKET;
	put_echo(&relayed, request, DHCP_OPT_RELAY_INFO);
	len = finish(relayed);
	return len ? len : finish(*w);
}

size_t pxe_build_reply(const struct dhcp_message *request,
	const struct pxe_reply *reply, uint8_t *out, size_t cap)
{
	/* 175.1: the priority that makes our file name win. */
	static const uint8_t priority[] = {1, 1, 1};
	struct pxe_facts f = pxe_facts_read(request);
	const char *class =
		f.class == PXE_CLASS_HTTP ? PXE_VENDOR_HTTP : PXE_VENDOR_PXE;
	const char *file = reply->form == PXE_FORM_LOCAL ? NULL : reply->file;
	size_t limit = payload_limit(request);
	struct wire_writer w, server;
	uint8_t type = (uint8_t)reply->type;
	uint8_t server_id[4];

	if (!is_sayable(&f, reply))
		return 0;
	wire_writer_init(&server, server_id, sizeof(server_id));
	wire_put_u32(&server, reply->server);
	wire_writer_init(&w, out, cap < limit ? cap : limit);
	put_header(&w, request, reply, file);
	dhcp_put_option(&w, DHCP_OPT_TYPE, &type, sizeof(type));
	dhcp_put_option(&w, DHCP_OPT_SERVER_ID, server_id, sizeof(server_id));
	dhcp_put_option(&w, DHCP_OPT_VENDOR_CLASS, class, strlen(class));
	if (f.uuid)
		put_echo(&w, request, DHCP_OPT_CLIENT_UUID);
	put_vendor_option(&w, reply, &f);
	if (reply->form == PXE_FORM_IPXE)
		dhcp_put_option(&w, DHCP_OPT_IPXE, priority, sizeof(priority));
	/*
	 * The name last, with its NUL inside: EDK2 writes a NUL behind a name
	 * without one, onto whatever is there, and old Intel ROMs read on to
	 * the next NUL. Only 82 may follow (RFC 3046 2.2).
	 */
	if (file)
		dhcp_put_option(&w, DHCP_OPT_BOOT_FILE, file, strlen(file) + 1);
	return finish_relayed(&w, request, cap);
}
