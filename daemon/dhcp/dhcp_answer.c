#include "daemon/dhcp/dhcp_answer.h"

#include <arpa/inet.h>
#include <string.h>

#include "daemon/base/clock.h"
#include "daemon/base/log.h"
#include "daemon/base/netif.h"
#include "daemon/images/loaders.h"
#include "daemon/policy/clients.h"

#define DHCP_CLIENT_PORT 68
#define DHCP_SERVER_PORT 67

/* A request with what is known of it; what step() works on. */
struct asked {
	const struct dhcp_message *message;
	enum pxe_ask ask;
	struct pxe_client who;
	struct client client;
	const struct netif *netif;
	struct plan plan;
	struct client_record *record; /* NULL: no MAC known */
};

static void note_event(struct dhcp_answerer *s, const struct asked *a,
	enum journal_kind kind, const char *file, const char *detail)
{
	struct journal_event e = {
		.kind = kind,
		.has_mac = a->client.has_mac,
		.mac = a->client.mac,
		.ip = a->message->ciaddr,
		.firmware = a->client.firmware,
		.arch = a->client.arch,
		.file = file,
		.xid = a->message->xid,
		.local = a->plan.kind == PLAN_LOCAL,
		.elsewhere = a->plan.kind == PLAN_IMAGE &&
			     decide_is_elsewhere(&a->plan.set),
		.detail = detail,
	};

	journal_write(&s->netuki->journal, &e);
}

static void note_client(struct dhcp_answerer *s, struct asked *a)
{
	struct client_record *r;
	const char *why;

	if (!a->client.has_mac)
		return;
	r = clients_touch(s->netuki->clients, &a->client.mac, clock_us());
	r->ifindex = a->netif->index;
	r->firmware = a->who.firmware;
	r->arch = a->who.arch;
	r->has_uuid = a->who.has_uuid;
	r->uuid = a->who.uuid;
	memcpy(r->vendor, a->who.vendor, sizeof(r->vendor));
	r->asked++;
	if (a->message->ciaddr)
		clients_set_ip(
			s->netuki->clients, r, a->message->ciaddr, clock_us());
	a->record = r;
	/*
	 * Behind a relay it is not known whose address asks over TFTP: that
	 * its iPXE runs says as much.
	 */
	if (a->ask == PXE_ASK_ACK || a->who.firmware == PXE_FIRMWARE_IPXE)
		r->offer.led_on = true;
	a->client.auto_form = offer_form_choose(&r->offer, a->message->xid,
		state_form(s->netuki->state, &a->client.mac), &why);
}

/*
 * What was offered, so that the next attempt can tell whether it led on: what
 * says "local" is not meant to.
 */
static void remember_offer(struct asked *a)
{
	struct offer_memory *m = &a->record->offer;

	if (a->ask != PXE_ASK_OFFER ||
		a->client.firmware != PXE_FIRMWARE_UEFI ||
		a->plan.kind == PLAN_LOCAL ||
		a->plan.set.offer != CONFIG_OFFER_AUTO)
		return;
	if (m->xid != a->message->xid)
		m->led_on = false;
	m->xid = a->message->xid;
	m->form = a->plan.form == PXE_FORM_PXE_PORT ? CONFIG_OFFER_PXE_PORT
						    : CONFIG_OFFER_DIRECT;
}

/*
 * An ACK is an answer already: option 43 would send UEFI firmware through a
 * boot menu again. (The menu that means "local" stays.)
 */
static enum pxe_form form_of(const struct asked *a)
{
	if (a->ask != PXE_ASK_OFFER && a->plan.form == PXE_FORM_DIRECT)
		return PXE_FORM_PXE_PORT;
	return a->plan.form;
}

/* Who is configured and still gets no answer is told of, once for a reason. */
static void say_silence(struct dhcp_answerer *s, const struct asked *a,
	const char *reason_before)
{
	char mac[MAC_TEXT_LEN];

	if (!a->plan.machine || strcmp(reason_before, a->plan.reason) == 0 ||
		!log_allow(&s->limit))
		return;
	mac_format(&a->client.mac, ':', mac);
	log_warn("%s (%s, %s): its firmware gets no answer: %s",
		a->plan.machine->name, mac, arch_name(a->client.arch),
		a->plan.reason);
}

/* The reply to one request into out; its length, 0 for silence. */
static size_t build(struct dhcp_answerer *s, struct asked *a, uint8_t *out)
{
	struct decide_world world = netuki_world(s->netuki);
	bool offer = a->ask == PXE_ASK_OFFER;
	struct pxe_reply reply;
	size_t len;

	decide(&world, &a->client, &a->plan);
	if (a->record && a->plan.kind == PLAN_SILENCE)
		say_silence(s, a, a->record->reason);
	if (a->record) {
		a->record->reason = a->plan.reason;
		a->record->answered = a->plan.kind != PLAN_SILENCE;
	}
	if (a->plan.kind == PLAN_SILENCE) {
		note_event(s, a, JOURNAL_IGNORED, NULL, a->plan.reason);
		s->counts.ignored++;
		return 0;
	}
	reply = (struct pxe_reply){
		.type = offer ? DHCP_TYPE_OFFER : DHCP_TYPE_ACK,
		.form = form_of(a),
		.server = a->client.server,
		.file = a->plan.file[0] ? a->plan.file : NULL,
	};
	len = pxe_build_reply(a->message, &reply, out, DHCP_MAX_PACKET);
	if (!len) {
		if (log_allow(&s->limit))
			log_warn("an offer of %s does not fit into what the "
				 "client takes",
				a->plan.file);
		return 0;
	}
	note_event(s, a, offer ? JOURNAL_OFFER : JOURNAL_ACK, reply.file,
		plan_form_name(reply.form));
	if (a->plan.warning && log_allow(&s->limit))
		log_warn("%s: %s", a->plan.file, a->plan.warning);
	if (a->plan.kind == PLAN_LOADER)
		loaders_expect(
			s->netuki->loaders, s->netuki->worker, a->plan.loader);
	if (offer)
		s->counts.offers++;
	else
		s->counts.acks++;
	if (a->record && a->client.firmware == PXE_FIRMWARE_IPXE)
		a->record->ipxe_us = clock_us();
	if (a->record)
		remember_offer(a);
	return len;
}

/*
 * To which port goes the reply to who asks from its own address? Firmware asks
 * from a DHCP client's or from the PXE port. A program without privileges
 * (`netukictl bench`) asks from another: that one is believed on the link
 * alone, where whoever forges it could as well send there himself.
 */
static uint16_t client_port(const struct dhcp_answerer *s,
	const struct asked *a, const struct dhcp_heard *in)
{
	bool usual = in->from_port == s->netuki->config->dhcp.pxe_port;
	bool ours = in->from_port >= IPPORT_RESERVED &&
		    netif_is_on_link(a->netif, in->from);

	return usual || ours ? in->from_port : DHCP_CLIENT_PORT;
}

/* Where the reply goes: RFC 2131 4.1, less the addresses we do not give. */
static void address(const struct dhcp_answerer *s, const struct asked *a,
	const struct dhcp_heard *in, struct dhcp_reply_packet *out)
{
	const struct dhcp_message *m = a->message;

	out->from = a->client.server;
	out->ifindex = m->giaddr ? 0 : a->netif->index;
	out->to_port = DHCP_CLIENT_PORT;
	if (m->giaddr) {
		out->to = m->giaddr;
		out->to_port = DHCP_SERVER_PORT;
	} else if (a->ask == PXE_ASK_ACK && in->from) {
		out->to = in->from;
		out->to_port = client_port(s, a, in);
	} else {
		out->to = m->ciaddr ? m->ciaddr : INADDR_BROADCAST;
		if (m->ciaddr && in->from == m->ciaddr)
			out->to_port = client_port(s, a, in);
	}
}

/* Is it the broadcast address of a subnet of this interface? */
static bool is_broadcast(const struct netif *netif, uint32_t addr)
{
	for (size_t i = 0; i < netif->n_addrs; i++) {
		uint32_t hosts = ~netif->addr[i].mask;

		/* A /31 and a /32 have none. */
		if (hosts > 1 && addr == (netif->addr[i].addr | hosts))
			return true;
	}
	return false;
}

/* Can a machine or a relay have this address? 0: it has none, which may be. */
static bool is_possible(const struct netuki *netuki, uint32_t addr)
{
	uint32_t net = addr >> 24;

	if (!addr)
		return true;
	for (size_t i = 0; i < netifs_count(netuki->netifs); i++)
		if (is_broadcast(netifs_at(netuki->netifs, i), addr))
			return false;
	return net != 0 && net != 127 && net < 224 &&
	       !netifs_have(netuki->netifs, addr);
}

/*
 * A relay passes on which DHCP server's offer a machine takes, and so its
 * address to be. Behind a relay nothing else says whose address asks for files
 * then: UEFI that loads its image over TFTP never asks us again. On a link of
 * ours the kernel knows, whatever a stranger may say in a relay's name.
 */
static void note_lease(
	const struct netuki *netuki, const struct dhcp_message *m)
{
	uint32_t ip = dhcp_opt_addr(m, DHCP_OPT_REQUESTED_IP);
	struct client_record *record;
	struct mac mac;

	if (!clients_have_relay(netuki->clients, m->giaddr) ||
		netifs_on_link(netuki->netifs, ip) ||
		m->op != DHCP_OP_REQUEST || m->type != DHCP_TYPE_REQUEST ||
		m->hlen != sizeof(mac.b) ||
		!dhcp_opt_addr(m, DHCP_OPT_SERVER_ID) || !ip ||
		!is_possible(netuki, ip))
		return;
	memcpy(mac.b, m->chaddr, sizeof(mac.b));
	record = clients_find(netuki->clients, &mac);
	if (record)
		clients_set_ip(netuki->clients, record, ip, clock_us());
}

/*
 * Is it for us: by a broadcast, or to an address of this host? If one is to be
 * listened on, by a broadcast where that one is, or to it.
 */
static bool is_to_us(
	const struct netuki *netuki, const struct netif *netif, uint32_t to)
{
	uint32_t listen = netuki->config->dhcp.listen;

	if (to == INADDR_BROADCAST || is_broadcast(netif, to))
		return !listen || netif_has(netif, listen);
	return listen ? to == listen : netifs_have(netuki->netifs, to);
}

/* Which of our addresses is the client told? */
static uint32_t server_addr(const struct netuki *netuki,
	const struct netif *netif, uint32_t to, uint32_t near)
{
	if (netuki->config->dhcp.listen)
		return netuki->config->dhcp.listen;
	return netifs_have(netuki->netifs, to) ? to
					       : netif_server_addr(netif, near);
}

void dhcp_answer(struct dhcp_answerer *s, const struct dhcp_heard *in,
	bool on_pxe_port, struct dhcp_reply_packet *ret)
{
	struct netuki *netuki = s->netuki;
	struct dhcp_message message;
	struct asked a = {.message = &message};
	const char *why;

	ret->len = 0;
	s->counts.received++;
	a.netif = netif_by_index(netuki->netifs, in->ifindex);
	if (!a.netif || !a.netif->served ||
		!is_to_us(netuki, a.netif, in->to)) {
		s->counts.ignored++;
		return;
	}
	if (dhcp_parse(in->data, in->len, &message) != NULL) {
		s->counts.malformed++;
		return;
	}
	a.ask = pxe_identify(&message, on_pxe_port, &a.who, &why);
	if (a.ask == PXE_ASK_NOTHING)
		note_lease(netuki, &message);
	if (a.ask == PXE_ASK_NOTHING || !is_possible(netuki, message.giaddr) ||
		!is_possible(netuki, message.ciaddr)) {
		s->counts.ignored++;
		return;
	}
	a.client = (struct client){
		.firmware = a.who.firmware,
		.arch = a.who.arch,
		.ipxe_http = a.who.ipxe_http,
		.has_mac = mac_is_unicast(&a.who.mac),
		.mac = a.who.mac,
		.has_uuid = a.who.has_uuid,
		.uuid = a.who.uuid,
		.server = server_addr(netuki, a.netif, in->to, message.ciaddr),
	};
	note_client(s, &a);
	note_event(s, &a, on_pxe_port ? JOURNAL_REQUEST : JOURNAL_DISCOVER,
		NULL, a.who.vendor);
	ret->len = build(s, &a, ret->data);
	address(s, &a, in, ret);
	if (ret->len && message.giaddr)
		clients_saw_relay(netuki->clients, message.giaddr);
}

/*
 * A server's reply that says PXE, and that is not ours. What a relay hands on
 * was heard, if at all, when it came to the relay: a relay is no server.
 */
static bool is_of_rival(const struct dhcp_answerer *s,
	const struct dhcp_heard *heard, const struct dhcp_message *m)
{
	const struct netifs *netifs = s->netuki->netifs;

	if ((m->type != DHCP_TYPE_OFFER && m->type != DHCP_TYPE_ACK) ||
		(!dhcp_opt_begins(m, DHCP_OPT_VENDOR_CLASS, "PXEClient") &&
			!dhcp_opt_begins(
				m, DHCP_OPT_VENDOR_CLASS, "HTTPClient")))
		return false;
	if (m->giaddr)
		return !heard->is_from_here &&
		       !netifs_have(
			       netifs, dhcp_opt_addr(m, DHCP_OPT_SERVER_ID));
	return heard->is_from_here || !netifs_have(netifs, heard->from);
}

static void say_rival(const struct netif *netif, const struct dhcp_heard *heard,
	bool gives_address)
{
	const char *where = heard->is_from_here ? " of this host" : "";
	struct in_addr addr = {htonl(heard->from)};
	char text[INET_ADDRSTRLEN];

	inet_ntop(AF_INET, &addr, text, sizeof(text));
	if (gives_address)
		log_warn("%s: the DHCP server %s%s says PXEClient (option 60) "
			 "itself: firmware may ask it for the boot file, and "
			 "not us; remove option 60 there",
			netif->name, text, where);
	else
		log_warn("%s: %s%s is another PXE server (ProxyDHCP): which of "
			 "us a machine believes is chance; switch one off",
			netif->name, heard->is_from_here ? "a program" : text,
			where);
}

/* Two PXE servers on a network are a boot that works now and then. */
void dhcp_answer_overheard(
	struct dhcp_answerer *s, const struct dhcp_heard *heard)
{
	const struct netif *netif =
		netif_by_index(s->netuki->netifs, heard->ifindex);
	struct dhcp_message m;

	if (!netif || !netif->served || s->n_rivals == DHCP_RIVALS_MAX ||
		dhcp_parse(heard->data, heard->len, &m) != NULL ||
		!is_of_rival(s, heard, &m))
		return;
	for (size_t i = 0; i < s->n_rivals; i++)
		if (s->rivals[i] == heard->from)
			return;
	s->rivals[s->n_rivals++] = heard->from;
	say_rival(netif, heard, m.yiaddr != 0);
}
