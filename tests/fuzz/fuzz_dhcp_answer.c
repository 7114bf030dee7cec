/*
 * dhcp_answer: datagrams one after the other, from anywhere to anywhere, on
 * both ports, to a daemon with some machines. A reply goes to who may have
 * asked and to nobody that a stranger names in passing; it says the one server
 * that there is; and whose address is whose is believed of no relay that was
 * not answered.
 *
 * Each datagram of an input has five bytes before it: which of the addresses
 * below it is from, which it is to, from which port, to which port, and what
 * share of the rest it has.
 *
 * Run it from the top of the tree: its image and its loader are seeds of uki.
 * Its interface is the loopback, 127.0.0.1/8.
 */
#include <event2/event.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/netif.h"
#include "daemon/base/worker.h"
#include "daemon/dhcp/dhcp_answer.h"
#include "daemon/images/images.h"
#include "daemon/images/loaders.h"
#include "daemon/policy/clients.h"
#include "daemon/policy/state.h"

#define CHECK(holds)                                                           \
	do {                                                                   \
		if (!(holds))                                                  \
			abort();                                               \
	} while (0)
#define N(a)	  (sizeof(a) / sizeof(*(a)))
#define DATAGRAMS 16 /* of an input */
#define SERVER	  0x7f000001u
#define NOT_OURS  0x0a090909u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char text[] =
	"interfaces: [lo]\n"
	"unknown-machines: default\n"
	"loaders: {x64: corpus/uki/app-signed, bios: corpus/uki/app}\n"
	"defaults: {image: x.efi}\n"
	"machines:\n"
	"  - {name: a, mac: 52:54:00:12:34:56}\n"
	"  - {name: b, mac: 52:54:00:12:34:57, mode: tftp-uki}\n"
	"  - {name: c, mac: 52:54:00:12:34:58, mode: local}\n"
	"  - {name: d, mac: 52:54:00:12:34:59, offer: pxe-port}\n"
	"  - {name: e, uuid: 11223344-5566-7788-99aa-bbccddeeff00}\n";

static struct image *catalogue[1];
static struct images images = {.n = 1, .image = catalogue};
static struct netuki netuki = {.images = &images};
static unsigned lo;

static void prepare(void)
{
	struct config_report report;

	config_report_init(&report);
	netuki.config = config_load_text(
		"tests/fuzz/netuki.yaml", text, strlen(text), &report);
	CHECK(netuki.config);
	netuki.loaders = loaders_new(netuki.config, false, NULL, &report);
	config_report_done(&report);
	netuki.base = event_base_new();
	catalogue[0] =
		image_open("tests/fuzz/corpus/uki/uki-bootable", "x.efi");
	CHECK(netuki.loaders && netuki.base && catalogue[0]);
	netuki.worker = worker_new(netuki.base);
	CHECK(netuki.worker);
	CHECK(netifs_new(NULL, netuki.config, &netuki.netifs) == 0);
	CHECK(netif_by_name(netuki.netifs, "lo"));
	lo = netif_by_name(netuki.netifs, "lo")->index;
}

/* Addresses of which no machine and no relay has any. */
static bool is_nobodys(uint32_t addr)
{
	return addr >> 24 == 0 || addr >> 24 == 127 || addr >> 28 >= 14 ||
	       netifs_have(netuki.netifs, addr);
}

static void check_address(const struct dhcp_heard *in, bool on_pxe_port,
	const struct dhcp_message *asked, const struct dhcp_reply_packet *out)
{
	CHECK(out->from == SERVER);
	if (asked->giaddr) {
		CHECK(out->to == asked->giaddr && out->to_port == 67);
		CHECK(!is_nobodys(out->to));
		return;
	}
	CHECK(out->ifindex == lo);
	if (on_pxe_port && in->from) {
		CHECK(out->to == in->from);
	} else if (out->to != INADDR_BROADCAST) {
		CHECK(out->to == asked->ciaddr);
		CHECK(!is_nobodys(out->to));
	}
	if (out->to_port == 68)
		return;
	CHECK(out->to == in->from && out->to_port == in->from_port);
	CHECK(out->to_port == 4011 ||
		(out->to_port >= 1024 && out->to >> 24 == 127));
}

static void check_reply(
	const struct dhcp_message *asked, const struct dhcp_reply_packet *out)
{
	static struct dhcp_message m;

	CHECK(dhcp_parse(out->data, out->len, &m) == NULL);
	CHECK(out->len <= DHCP_MAX_PACKET);
	CHECK(asked->op == DHCP_OP_REQUEST && m.op == DHCP_OP_REPLY);
	CHECK(m.type == DHCP_TYPE_OFFER || m.type == DHCP_TYPE_ACK);
	CHECK((m.type == DHCP_TYPE_OFFER) ==
		(asked->type == DHCP_TYPE_DISCOVER));
	CHECK(m.xid == asked->xid && m.giaddr == asked->giaddr);
	CHECK(m.yiaddr == 0 && m.siaddr == SERVER);
	CHECK(dhcp_opt_addr(&m, DHCP_OPT_SERVER_ID) == SERVER);
}

static uint32_t ip_of(const struct dhcp_message *m)
{
	const struct client_record *r;
	struct mac mac;

	memcpy(mac.b, m->chaddr, sizeof(mac.b));
	r = clients_find(netuki.clients, &mac);
	return r ? r->ip : 0;
}

/* Whose address this became was said by itself, or by a relay that we know. */
static void check_ip(const struct dhcp_message *m, uint32_t ip,
	const uint32_t *relays, size_t n_relays)
{
	size_t i = 0;

	CHECK(!is_nobodys(ip));
	if (ip == m->ciaddr)
		return;
	CHECK(ip == dhcp_opt_addr(m, DHCP_OPT_REQUESTED_IP));
	CHECK(m->op == DHCP_OP_REQUEST && m->type == DHCP_TYPE_REQUEST);
	while (i < n_relays && relays[i] != m->giaddr)
		i++;
	CHECK(i < n_relays);
}

static void ask(struct dhcp_answerer *s, const struct dhcp_heard *in,
	bool on_pxe_port, uint32_t *relays, size_t *n_relays)
{
	static struct dhcp_reply_packet out;
	static struct dhcp_message m;
	struct dhcp_counts before = s->counts, *now = &s->counts;
	bool good = dhcp_parse(in->data, in->len, &m) == NULL;
	uint32_t ip = good ? ip_of(&m) : 0;

	dhcp_answer(s, in, on_pxe_port, &out);
	CHECK(now->received == before.received + 1);
	CHECK(now->malformed == before.malformed || !good);
	CHECK(now->offers + now->acks ==
		before.offers + before.acks + (out.len != 0));
	if (good && ip_of(&m) && ip_of(&m) != ip)
		check_ip(&m, ip_of(&m), relays, *n_relays);
	if (!out.len)
		return;
	CHECK(good && in->to != NOT_OURS);
	check_reply(&m, &out);
	check_address(in, on_pxe_port, &m, &out);
	if (m.giaddr)
		relays[(*n_relays)++] = m.giaddr;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint32_t from[] = {0, 0x7f000002, 0x0a4e0001, 0x0a4e0032};
	static const uint32_t to[] = {
		INADDR_BROADCAST, SERVER, 0x7fffffff, NOT_OURS};
	static const uint16_t port[] = {68, 67, 4011, 40000, 53};
	static struct dhcp_answerer s;
	uint32_t relays[DATAGRAMS];
	size_t n_relays = 0;

	if (!netuki.config)
		prepare();
	/* Anew, so that no input depends on what came before. */
	s = (struct dhcp_answerer){.netuki = &netuki};
	journal_init(&netuki.journal);
	netuki.journal.few.burst = netuki.journal.many.burst = 0;
	netuki.clients = clients_new();
	CHECK(netuki.clients);
	CHECK(state_new(NULL, NULL, NULL, &netuki.state) == 0);
	for (int i = 0; i < DATAGRAMS && size > 5; i++) {
		size_t len = (size - 5) * (data[4] + 1u) / 256;
		struct dhcp_heard in = {
			.data = data + 5,
			.len = len,
			.from = from[data[0] % N(from)],
			.to = to[data[1] % N(to)],
			.from_port = port[data[2] % N(port)],
			.ifindex = lo,
		};

		ask(&s, &in, data[3] & 1, relays, &n_relays);
		dhcp_answer_overheard(&s, &in);
		data += 5 + len;
		size -= 5 + len;
	}
	state_free(netuki.state);
	clients_free(netuki.clients);
	return 0;
}
