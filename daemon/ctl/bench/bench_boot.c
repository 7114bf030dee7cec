/*
 * Whole machines: DISCOVER, OFFER, what they are told to load, and as iPXE
 * all of that again, and the script. They wait for nothing in between, as
 * firmware does.
 *
 * A machine has its address already, and asks the one server that was named
 * from a port of its own: so no DHCP server hears of it, and nobody has to be
 * root. A ProxyDHCP server may answer to where the question came from; or by
 * broadcast to port 68, where root listens for all machines.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "daemon/ctl/bench/bench_boot.h"
#include "daemon/ctl/bench/bench_loop.h"
#include "proto/dhcp.h"

#define SECOND	 UINT64_C(1000000000)
#define PXE_PORT 4011
/* Broadcasts in a turn, which are not all for us. */
#define HEARD_AT_ONCE 64
#define ARCH_EFI      7
#define TRIES	      4

static const struct way {
	const char *name; /* --as */
	const char *tftp; /* how it loads by TFTP */
	uint16_t arch;
	bool http_client, ipxe;
} ways[] = {
	{"edk2", "edk2", ARCH_EFI, false, false},
	{"http-boot", "ipxe", 16, true, false},
	{"rom", "rom", 0, false, false},
	{"ipxe", "ipxe", ARCH_EFI, false, true},
};

struct machine {
	struct bench_client base;
	struct bench_self self;
	enum bench_phase phase;
	uint64_t phase_ns; /* when it began */
	/* While it asks by DHCP. */
	bool asking;
	int fd;
	uint8_t packet[BENCH_DHCP_MAX];
	size_t packet_len;
	unsigned tries;
	uint64_t again_ns, wait_ns;
	struct bench_answer answer; /* on its way, if it is delayed */
	/* While it loads. */
	struct bench_client *tftp, *http;
	struct bench_target target;
	struct bench_file file;
	char *script;
	const char *script_at; /* what is left of it; NULL: there is none */
};

static struct machine *machine_of(struct bench_client *client)
{
	void *at = client; /* its first member */

	return at;
}

/* The half of an address that counts. */
static uint32_t low_half(const uint8_t mac[6])
{
	return (uint32_t)mac[3] << 16 | (uint32_t)mac[4] << 8 | mac[5];
}

static const struct way *find_way(const char *name)
{
	for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++)
		if (strcmp(ways[i].name, name) == 0)
			return &ways[i];
	return NULL;
}

const struct tftp_firmware *bench_boot_firmware(const char *name)
{
	const struct way *way = find_way(name);

	return way ? tftp_firmware_find(way->tftp) : NULL;
}

static void stop_asking(struct machine *m)
{
	if (m->asking)
		close(m->fd);
	m->asking = false;
}

static void end(struct bench_loop *loop, struct machine *m, const char *why)
{
	char text[300];

	stop_asking(m);
	if (why)
		snprintf(text, sizeof(text), "%s: %s",
			bench_phase_name(m->phase), why);
	bench_loop_end(loop, &m->base, why ? text : NULL);
}

static void begin_phase(struct machine *m, enum bench_phase phase)
{
	m->phase = phase;
	m->phase_ns = bench_now_ns();
}

static void end_phase(struct bench_loop *loop, const struct machine *m)
{
	bench_times_add(&loop->figures->phase[m->phase],
		(double)(bench_now_ns() - m->phase_ns) / 1e9);
}

/* Until an answer comes, there is nothing to hear. */
static void hold(struct bench_loop *loop, struct machine *m,
	void (*then)(struct bench_loop *, struct bench_client *))
{
	if (loop->setup->delay_ns)
		bench_loop_forget(loop, m->fd);
	bench_loop_hold(loop, &m->base, loop->setup->delay_ns, then);
}

static void transmit(struct bench_loop *loop, struct bench_client *client)
{
	struct machine *m = machine_of(client);

	bench_loop_watch(loop, m->fd, EPOLLIN, &m->base);
	/*
	 * That no socket listens there, which the network may have told of an
	 * earlier one, says nothing: netukid has none on port 67.
	 */
	if (send(m->fd, m->packet, m->packet_len, MSG_NOSIGNAL) < 0)
		(void)!send(m->fd, m->packet, m->packet_len, MSG_NOSIGNAL);
}

static void send_packet(struct bench_loop *loop, struct machine *m)
{
	m->tries++;
	m->again_ns = bench_now_ns() + m->wait_ns;
	m->wait_ns *= 2;
	hold(loop, m, transmit);
}

/* To that port of the server, from the socket that there is. */
static bool call(struct bench_loop *loop, struct machine *m, uint16_t port,
	const struct bench_answer *offer)
{
	union bench_address to = loop->target->address, own = to;
	socklen_t len = sizeof(own);

	to.v4.sin_port = htons(port);
	if (connect(m->fd, &to.any, bench_address_len(&to)) ||
		getsockname(m->fd, &own.any, &len))
		return false;
	m->self.ip = ntohl(own.v4.sin_addr.s_addr);
	m->packet_len = bench_dhcp_build(&m->self, offer, m->packet);
	m->tries = 0;
	m->wait_ns = (m->self.ipxe ? 1 : 4) * SECOND;
	send_packet(loop, m);
	return true;
}

static void discover(
	struct bench_loop *loop, struct machine *m, enum bench_phase phase)
{
	begin_phase(m, phase);
	m->fd = bench_socket(loop->setup, loop->target, m->base.number);
	if (m->fd < 0) {
		bench_loop_break(loop);
		return;
	}
	m->asking = true;
	/* Not that of another round: netukid knows attempts by it. */
	m->self.xid = (uint32_t)(bench_now_ns() >> 10) ^ m->base.number << 20;
	if (!call(loop, m, loop->target->url.port, NULL))
		end(loop, m, strerror(errno));
}

static void request(struct bench_loop *loop, struct machine *m,
	const struct bench_answer *offer)
{
	begin_phase(m, BENCH_PHASE_REQUEST);
	if (!call(loop, m, PXE_PORT, offer))
		end(loop, m, strerror(errno));
}

/* A URL, or the name of a file at this server. */
static const char *aim(struct machine *m, const char *file, uint32_t server)
{
	struct bench_target *t = &m->target;
	struct in_addr addr = {htonl(server)};
	const char *wrong;

	memset(t, 0, sizeof(*t));
	if (strstr(file, "://")) {
		wrong = url_parse(file, &t->url);
		if (!wrong && t->url.scheme == URL_SCHEME_DHCP)
			wrong = "nothing can be loaded from there";
		if (wrong)
			return wrong;
	} else {
		t->url.scheme = URL_SCHEME_TFTP;
		t->url.port = 69;
		inet_ntop(AF_INET, &addr, t->url.host, sizeof(t->url.host));
		snprintf(t->url.path, sizeof(t->url.path), "%.*s",
			TFTP_MAX_NAME, file);
	}
	return bench_resolve(t) ? NULL : "its server is not known";
}

static void fetch(struct bench_loop *loop, struct machine *m, const char *file,
	uint32_t server)
{
	const char *wrong = aim(m, file, server);
	struct bench_client *part;

	if (wrong) {
		end(loop, m, wrong);
		return;
	}
	bench_file_done(&m->file);
	if (m->phase == BENCH_PHASE_SCRIPT)
		m->file.use = BENCH_USE_TEXT;
	part = m->target.url.scheme == URL_SCHEME_TFTP ? m->tftp : m->http;
	part->as = m->self.ipxe ? "ipxe" : "edk2";
	if (m->self.ipxe)
		part->firmware = tftp_firmware_find("ipxe");
	else
		part->firmware = m->base.firmware;
	part->loading = true;
	part->begun_ns = bench_now_ns();
	part->kind->load(loop, part);
}

static void fetch_next(struct bench_loop *loop, struct machine *m)
{
	char url[URL_MAX], expanded[URL_MAX];

	if (bench_script_next(&m->script_at, url)) {
		bench_script_expand(&m->self, url, expanded);
		fetch(loop, m, expanded, 0);
	} else {
		end_phase(loop, m);
		end(loop, m, NULL);
	}
}

static void run_script(struct bench_loop *loop, struct machine *m)
{
	char url[URL_MAX];
	const char *at;

	free(m->script);
	m->script = bench_file_text(&m->file);
	m->script_at = at = m->script;
	if (strncmp(at, "#!ipxe", 6) != 0) {
		end(loop, m, "this is no script of iPXE");
	} else if (!bench_script_next(&at, url)) {
		end(loop, m, "it loads nothing");
	} else {
		begin_phase(m, BENCH_PHASE_IMAGE);
		fetch_next(loop, m);
	}
}

/* What it was to load is there, or not. */
static void part_ended(
	struct bench_loop *loop, struct bench_client *client, const char *why)
{
	struct machine *m = machine_of(client);

	if (why) {
		end(loop, m, why);
		return;
	}
	loop->figures->bytes += m->file.size;
	if (m->phase == BENCH_PHASE_IMAGE && m->script_at) {
		fetch_next(loop, m);
		return;
	}
	end_phase(loop, m);
	if (m->phase == BENCH_PHASE_LOADER) {
		m->self.ipxe = true;
		m->self.http_client = false;
		if (m->self.arch)
			m->self.arch = ARCH_EFI;
		discover(loop, m, BENCH_PHASE_IPXE);
	} else if (m->phase == BENCH_PHASE_SCRIPT) {
		run_script(loop, m);
	} else {
		end(loop, m, NULL);
	}
}

static void take_answer(struct bench_loop *loop, struct bench_client *client)
{
	struct machine *m = machine_of(client);
	const struct bench_answer *answer = &m->answer;
	char file[URL_MAX];

	end_phase(loop, m);
	if (answer->ask_there) {
		request(loop, m, answer);
		return;
	}
	stop_asking(m);
	if (!answer->file[0]) {
		end(loop, m, "it is sent to its own disk");
		return;
	}
	if (m->self.ipxe)
		begin_phase(m, BENCH_PHASE_SCRIPT);
	else
		begin_phase(m, bench_is_system(answer->file)
				       ? BENCH_PHASE_IMAGE
				       : BENCH_PHASE_LOADER);
	bench_script_expand(&m->self, answer->file, file);
	fetch(loop, m, file, answer->server);
}

static void take_packet(struct bench_loop *loop, struct machine *m,
	const uint8_t *data, size_t len)
{
	if (bench_dhcp_read(&m->self, m->phase == BENCH_PHASE_REQUEST, data,
		    len, &m->answer))
		hold(loop, m, take_answer);
}

/* One answer a turn: the socket may be another's after it. */
static void ready(struct bench_loop *loop, struct bench_client *client)
{
	struct machine *m = machine_of(client);
	uint8_t data[2048];
	ssize_t n;

	if (!m->asking)
		return;
	n = recv(m->fd, data, sizeof(data), MSG_DONTWAIT);
	if (n > 0)
		take_packet(loop, m, data, (size_t)n);
}

/* What is broadcast is for one of them, or for nobody here. */
static void hear(struct bench_loop *loop, struct bench_client *ear)
{
	const uint8_t *first = loop->setup->first_mac.b;
	uint8_t data[2048];
	ssize_t n;

	(void)ear;
	for (unsigned i = 0; i < HEARD_AT_ONCE && !loop->is_broken; i++) {
		struct dhcp_message message;
		struct machine *m;
		uint32_t number;

		n = recv(loop->ear_fd, data, sizeof(data), MSG_DONTWAIT);
		if (n < 0)
			return;
		if (dhcp_parse(data, (size_t)n, &message) != NULL)
			continue;
		number = low_half(message.chaddr) - low_half(first);
		if (number >= loop->n_clients)
			continue;
		m = machine_of(bench_loop_client(loop, number));
		if (m->asking && !m->base.then)
			take_packet(loop, m, data, (size_t)n);
	}
}

/* Whoever may not listen there is told why, if it was missed. */
static void listen_for_all(struct bench_loop *loop)
{
	static const struct bench_kind ear = {.ready = hear};

	loop->ear_fd = bench_broadcast_socket();
	if (loop->ear_fd < 0) {
		loop->figures->deaf = errno;
		return;
	}
	loop->ear = (struct bench_client){.kind = &ear, .loading = true};
	bench_loop_watch(loop, loop->ear_fd, EPOLLIN, &loop->ear);
}

static void tick(
	struct bench_loop *loop, struct bench_client *client, uint64_t now_ns)
{
	struct machine *m = machine_of(client);

	if (m->tftp->loading)
		m->tftp->kind->tick(loop, m->tftp, now_ns);
	else if (m->http->loading)
		m->http->kind->tick(loop, m->http, now_ns);
	if (!m->asking || m->base.then || now_ns < m->again_ns)
		return;
	loop->figures->tftp.timeouts++;
	if (m->tries < TRIES) {
		send_packet(loop, m);
		return;
	}
	loop->figures->unanswered++;
	end(loop, m, "no answer came back to this port");
}

static struct bench_client *new_part(
	struct machine *m, const struct bench_kind *kind)
{
	struct bench_client *part = calloc(1, kind->client_size);

	if (!part)
		abort();
	part->kind = kind;
	part->boss = &m->base;
	part->number = m->base.number;
	part->target = &m->target;
	part->file = &m->file;
	return part;
}

static struct mac mac_of(const struct mac *first, unsigned number)
{
	uint32_t low = low_half(first->b) + number;
	struct mac mac = *first;

	mac.b[3] = (uint8_t)(low >> 16);
	mac.b[4] = (uint8_t)(low >> 8);
	mac.b[5] = (uint8_t)low;
	return mac;
}

static void load(struct bench_loop *loop, struct bench_client *client)
{
	struct machine *m = machine_of(client);
	const struct way *way = find_way(loop->setup->as);

	if (!way)
		abort(); /* bench_setup() has looked for it */
	if (!m->tftp) {
		m->tftp = new_part(m, &bench_tftp);
		m->http = new_part(m, &bench_http);
	}
	m->self = (struct bench_self){
		.mac = mac_of(&loop->setup->first_mac, client->number),
		.arch = way->arch,
		.http_client = way->http_client,
		.ipxe = way->ipxe,
	};
	m->script_at = NULL;
	discover(loop, m, BENCH_PHASE_DHCP);
}

static void close_machine(struct bench_loop *loop, struct bench_client *client)
{
	struct machine *m = machine_of(client);
	struct bench_client *parts[] = {m->tftp, m->http};

	stop_asking(m);
	bench_loop_let_go(client);
	for (size_t i = 0; i < 2; i++) {
		if (!parts[i])
			continue;
		parts[i]->loading = false;
		parts[i]->kind->close(loop, parts[i]);
	}
}

static void forget(struct bench_client *client)
{
	struct machine *m = machine_of(client);

	bench_file_done(&m->file);
	free(m->script);
	free(m->tftp);
	free(m->http);
}

const struct bench_kind bench_boot = {
	.client_size = sizeof(struct machine),
	.begin = listen_for_all,
	.release = bench_tftp_release,
	.load = load,
	.ready = ready,
	.tick = tick,
	.close = close_machine,
	.part_ended = part_ended,
	.forget = forget,
};
