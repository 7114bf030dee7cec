/*
 * bench_tftp: plays firmware to a TFTP server, many machines at once in one
 * loop, checks every byte, and prints one line of JSON.
 *
 *   bench_tftp [OPTION]... ADDRESS PORT NAME FILE
 *
 *   FILE            the file that NAME is expected to be
 *   --as WHO        edk2: asks for the size first, then windows of 4; answers
 *                   each unexpected block at once; its timer is 4 s
 *                   ipxe: lockstep, blksize 1432, timer 0.25 s and doubling
 *                   rom: lockstep, blksize 1456, timer 4 s
 *                   plain (default): windows as told, and like edk2 in all else
 *                   missing: NAME is not there; times the ERROR
 *   --blksize N, --window N   for plain and edk2
 *   --clients N     so many at once (1)
 *   --repeat N      each loads so often, from a new port each time (1)
 *   --loss PERCENT  of the packets are lost, each way; not of the requests:
 *                   only the client's own timer mends that, whoever serves
 *   --double        every ACK is sent twice
 *   --gro           receive with UDP_GRO
 *   --seed N        of the losses
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/udp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "proto/tftp.h"

#define BATCH	 64
#define PACKET	 65536 /* with UDP_GRO a datagram holds many */
#define SMALL	 2048
#define LOOK_NS	 5000000ull /* how often the timers are looked at */
#define GIVE_UP	 6	    /* EDK2's tries of a packet */
#define IPXE_MAX 10000000000ull
#define SECOND	 1000000000ull

enum role { ROLE_EDK2, ROLE_IPXE, ROLE_ROM, ROLE_PLAIN, ROLE_MISSING };

static const char *const role_names[] = {
	"edk2", "ipxe", "rom", "plain", "missing"};

static struct {
	struct sockaddr_in server;
	const char *name;
	const uint8_t *data;
	uint64_t size;
	enum role role;
	uint32_t blksize, window;
	unsigned clients, repeat;
	uint64_t loss; /* of 2^32 */
	bool twice, gro;
} opt = {.role = ROLE_PLAIN, .blksize = 1468, .clients = 1, .repeat = 1};

enum phase { PHASE_SIZE, PHASE_OPEN, PHASE_DATA, PHASE_END };

struct client {
	int fd;
	unsigned sockets; /* so many until now: fd is used again */
	enum phase phase;
	bool connected;
	uint32_t blksize, window;
	uint64_t expected;  /* the block to come */
	uint64_t highest;   /* the highest that came, kept or not */
	uint32_t in_window; /* blocks since the last ACK */
	unsigned left;	    /* loads still to do */
	unsigned tries;
	uint64_t begin_ns, deadline_ns, timer_ns;
	uint8_t last[300]; /* sent last, for the timer */
	size_t last_len;
};

static struct client *clients;
static int epoll;
static unsigned running;
static uint64_t *took_ns;
static size_t n_took;
static struct {
	unsigned long long bytes, blocks, again, needless, timeouts, failed,
		wrong, lost;
} sum;

static uint8_t (*packets)[SMALL];
static uint8_t *large;

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * SECOND + (uint64_t)ts.tv_nsec;
}

static void die(const char *what)
{
	perror(what);
	exit(2);
}

static bool is_lost(void)
{
	static uint64_t x = 88172645463325252u;

	if (!opt.loss)
		return false;
	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	if ((x * 2685821657736338717u) >> 32 >= opt.loss)
		return false;
	sum.lost++;
	return true;
}

static bool is_lockstep(void)
{
	return opt.role == ROLE_IPXE || opt.role == ROLE_ROM;
}

static void put(struct client *c)
{
	const struct sockaddr *to =
		c->connected ? NULL : (struct sockaddr *)&opt.server;

	if (c->phase == PHASE_DATA && is_lost())
		return;
	/* A refusal is known by its ERROR, or by silence. */
	(void)!sendto(c->fd, c->last, c->last_len, MSG_NOSIGNAL, to,
		to ? sizeof(opt.server) : 0);
}

static void send_last(struct client *c, uint64_t now)
{
	c->deadline_ns = now + c->timer_ns;
	put(c);
	if (opt.twice && c->phase == PHASE_DATA)
		put(c);
}

static void set_timer(struct client *c)
{
	c->tries = 0;
	c->timer_ns = opt.role == ROLE_IPXE ? SECOND / 4 : 4 * SECOND;
}

/* On loopback each client has an address of its own, as machines have. */
static void bind_own(const struct client *c)
{
	uint32_t n = (uint32_t)(c - clients) + 1;
	struct sockaddr_in own = {.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(0x7f010000 + n)};

	if (ntohl(opt.server.sin_addr.s_addr) >> 24 == 127 &&
		bind(c->fd, (struct sockaddr *)&own, sizeof(own)))
		die("bind");
}

static void ask(struct client *c, enum phase phase)
{
	struct tftp_request request = {.blksize = opt.blksize};
	struct epoll_event event = {EPOLLIN, {.ptr = c}};
	int size = 4 << 20, one = 1;

	c->fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd < 0)
		die("socket");
	c->sockets++;
	if (setsockopt(c->fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)))
		setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	if (opt.gro && setsockopt(c->fd, SOL_UDP, UDP_GRO, &one, sizeof(one)))
		die("UDP_GRO");
	bind_own(c);
	if (epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &event))
		die("epoll_ctl");
	snprintf(request.name, sizeof(request.name), "%s", opt.name);
	request.tsize = phase == PHASE_SIZE || is_lockstep();
	if (opt.window > 1)
		request.windowsize = opt.window;
	c->phase = phase;
	c->connected = false;
	set_timer(c);
	c->last_len = tftp_build_request(&request, c->last, sizeof(c->last));
	send_last(c, now_ns());
}

static void load(struct client *c)
{
	c->begin_ns = now_ns();
	c->blksize = TFTP_DEFAULT_BLKSIZE;
	c->window = 1;
	c->expected = 1;
	c->highest = 0;
	c->in_window = 0;
	ask(c, opt.role == ROLE_EDK2 ? PHASE_SIZE : PHASE_OPEN);
}

static void finish(struct client *c, bool good)
{
	close(c->fd);
	took_ns[n_took++] = now_ns() - c->begin_ns;
	if (!good)
		sum.failed++;
	else if (opt.role != ROLE_MISSING)
		sum.bytes += opt.size;
	if (--c->left && good) {
		load(c);
		return;
	}
	c->phase = PHASE_END;
	running--;
}

static void acknowledge(struct client *c, uint64_t now)
{
	c->in_window = 0;
	c->last_len = tftp_build_ack(c->expected - 1, c->last, sizeof(c->last));
	send_last(c, now);
}

static void take_block(struct client *c, const struct tftp_packet *p)
{
	int16_t off = (int16_t)(p->block - (uint16_t)c->expected);
	uint64_t block = c->expected + (uint64_t)off, last;
	uint64_t at = (c->expected - 1) * c->blksize;
	uint64_t now = now_ns();

	c->phase = PHASE_DATA;
	sum.blocks++;
	if (block <= c->highest)
		sum.again++;
	else
		c->highest = block;
	if (is_lost())
		return;
	if (off != 0) {
		sum.needless += off < 0;
		acknowledge(c, now);
		return;
	}
	last = opt.size / c->blksize + 1;
	if (c->expected > last ||
		p->len != (c->expected == last ? opt.size % c->blksize
					       : c->blksize) ||
		memcmp(p->data, opt.data + at, p->len) != 0) {
		sum.wrong++;
		finish(c, false);
		return;
	}
	set_timer(c);
	c->deadline_ns = now + c->timer_ns;
	c->expected++;
	if (++c->in_window == c->window || c->expected > last)
		acknowledge(c, now);
	if (c->expected > last)
		finish(c, true);
}

static void take_oack(struct client *c, const struct tftp_packet *p)
{
	struct tftp_oack oack;

	if (c->phase == PHASE_DATA) {
		if (c->expected == 1)
			acknowledge(c, now_ns());
		return;
	}
	if (!tftp_parse_oack(p, &oack) ||
		(oack.has_tsize && oack.tsize != opt.size)) {
		sum.wrong++;
		finish(c, false);
		return;
	}
	if (c->phase == PHASE_SIZE) {
		c->last_len = tftp_build_error(TFTP_ERROR_OPTION,
			"User aborted the transfer", c->last, sizeof(c->last));
		put(c);
		close(c->fd);
		ask(c, PHASE_OPEN);
		return;
	}
	if (oack.blksize)
		c->blksize = oack.blksize;
	if (oack.windowsize)
		c->window = oack.windowsize;
	c->phase = PHASE_DATA;
	set_timer(c);
	acknowledge(c, now_ns());
}

static void take(struct client *c, const uint8_t *data, size_t len)
{
	struct tftp_packet p;

	if (!tftp_parse_packet(data, len, &p))
		return;
	if (p.op == TFTP_OP_DATA)
		take_block(c, &p);
	else if (is_lost())
		return;
	else if (p.op == TFTP_OP_OACK)
		take_oack(c, &p);
	else if (p.op == TFTP_OP_ERROR)
		finish(c, opt.role == ROLE_MISSING &&
				  p.code == TFTP_ERROR_NOT_FOUND);
}

/* The size of the packets that UDP_GRO has joined; 0: it is one. */
static size_t segment_size(struct msghdr *msg)
{
	for (struct cmsghdr *h = CMSG_FIRSTHDR(msg); h; h = CMSG_NXTHDR(msg, h))
		if (h->cmsg_level == SOL_UDP && h->cmsg_type == UDP_GRO) {
			int size;

			memcpy(&size, CMSG_DATA(h), sizeof(size));
			return (size_t)size;
		}
	return 0;
}

static void receive_joined(struct client *c)
{
	static uint8_t control[256] __attribute__((aligned(8)));
	struct iovec iov = {large, PACKET};
	struct msghdr msg = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control)};
	ssize_t n = recvmsg(c->fd, &msg, MSG_DONTWAIT);
	unsigned sockets = c->sockets;
	size_t step, at;

	if (n <= 0)
		return;
	step = segment_size(&msg);
	if (!step)
		step = (size_t)n;
	for (at = 0; at < (size_t)n && c->phase != PHASE_END &&
		     c->sockets == sockets;
		at += step)
		take(c, large + at,
			step < (size_t)n - at ? step : (size_t)n - at);
}

/* The first answer, from a port that this client then keeps to. */
static void receive_first(struct client *c)
{
	struct sockaddr_in from;
	socklen_t len = sizeof(from);
	ssize_t n = recvfrom(c->fd, packets[0], SMALL, MSG_DONTWAIT,
		(struct sockaddr *)&from, &len);

	if (n < 0)
		return;
	if (connect(c->fd, (struct sockaddr *)&from, len))
		die("connect");
	c->connected = true;
	take(c, packets[0], (size_t)n);
}

static void receive(struct client *c)
{
	static struct mmsghdr msgs[BATCH];
	static struct iovec iov[BATCH];
	unsigned sockets = c->sockets;
	int fd = c->fd, n;

	if (!c->connected) {
		receive_first(c);
		return;
	}
	if (opt.gro) {
		receive_joined(c);
		return;
	}
	if (c->window == 1) {
		ssize_t got = recv(fd, packets[0], SMALL, MSG_DONTWAIT);

		if (got > 0)
			take(c, packets[0], (size_t)got);
		return;
	}
	for (int i = 0; i < BATCH; i++) {
		iov[i] = (struct iovec){packets[i], SMALL};
		msgs[i].msg_hdr.msg_iov = &iov[i];
		msgs[i].msg_hdr.msg_iovlen = 1;
	}
	n = recvmmsg(fd, msgs, BATCH, MSG_DONTWAIT, NULL);
	for (int i = 0; i < n && c->phase != PHASE_END && c->sockets == sockets;
		i++)
		take(c, packets[i], msgs[i].msg_len);
}

static void look_at_timers(uint64_t now)
{
	for (unsigned i = 0; i < opt.clients; i++) {
		struct client *c = &clients[i];

		if (c->phase == PHASE_END || now < c->deadline_ns)
			continue;
		sum.timeouts++;
		c->tries++;
		if (opt.role == ROLE_IPXE && c->timer_ns < IPXE_MAX)
			c->timer_ns *= 2;
		if (c->tries > GIVE_UP)
			finish(c, false);
		else
			send_last(c, now);
	}
}

static void run(void)
{
	uint64_t looked = now_ns();

	for (unsigned i = 0; i < opt.clients; i++) {
		clients[i].left = opt.repeat;
		running++;
		load(&clients[i]);
	}
	while (running) {
		struct epoll_event events[256];
		int n = epoll_wait(epoll, events, 256, 5);
		uint64_t now;

		for (int i = 0; i < n; i++) {
			struct client *c = events[i].data.ptr;

			if (c->phase != PHASE_END)
				receive(c);
		}
		now = now_ns();
		if (now - looked >= LOOK_NS) {
			look_at_timers(now);
			looked = now;
		}
	}
}

static int compare(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static double took_ms(double share)
{
	size_t i = (size_t)(share * (double)(n_took - 1) + 0.5);

	return (double)took_ns[i] / 1e6;
}

static void report(double seconds)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	qsort(took_ns, n_took, sizeof(*took_ns), compare);
	printf("{\"seconds\": %.6f, \"bytes\": %llu, \"mb_s\": %.2f, "
	       "\"loads\": %zu, \"failed\": %llu, \"wrong\": %llu, "
	       "\"min_ms\": %.3f, \"p50_ms\": %.3f, \"p99_ms\": %.3f, "
	       "\"max_ms\": %.3f, \"timeouts\": %llu, \"blocks\": %llu, "
	       "\"again\": %llu, \"needless\": %llu, \"lost\": %llu, "
	       "\"client_cpu\": %.3f}\n",
		seconds, sum.bytes, (double)sum.bytes / seconds / 1e6, n_took,
		sum.failed, sum.wrong, took_ms(0), took_ms(0.5), took_ms(0.99),
		took_ms(1), sum.timeouts, sum.blocks, sum.again, sum.needless,
		sum.lost,
		(double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
			(double)(usage.ru_utime.tv_usec +
				 usage.ru_stime.tv_usec) /
				1e6);
}

static bool set_option(int c, const char *text)
{
	switch (c) {
	case 'a':
		for (size_t i = 0; i < 5; i++)
			if (strcmp(text, role_names[i]) == 0) {
				opt.role = (enum role)i;
				return true;
			}
		return false;
	case 'b':
		opt.blksize = (uint32_t)strtoul(text, NULL, 10);
		break;
	case 'w':
		opt.window = (uint32_t)strtoul(text, NULL, 10);
		break;
	case 'c':
		opt.clients = (unsigned)strtoul(text, NULL, 10);
		break;
	case 'r':
		opt.repeat = (unsigned)strtoul(text, NULL, 10);
		break;
	case 'l':
		opt.loss = (uint64_t)(strtod(text, NULL) / 100 * 4294967296.0);
		break;
	case 'd':
	case 'g':
		*(c == 'd' ? &opt.twice : &opt.gro) = true;
		break;
	case 's':
		for (unsigned long n = strtoul(text, NULL, 10); n--;)
			is_lost();
		break;
	default:
		return false;
	}
	return true;
}

static bool parse(int argc, char **argv)
{
	static const struct option longs[] = {
		{"as", required_argument, NULL, 'a'},
		{"blksize", required_argument, NULL, 'b'},
		{"window", required_argument, NULL, 'w'},
		{"clients", required_argument, NULL, 'c'},
		{"repeat", required_argument, NULL, 'r'},
		{"loss", required_argument, NULL, 'l'},
		{"double", no_argument, NULL, 'd'},
		{"gro", no_argument, NULL, 'g'},
		{"seed", required_argument, NULL, 's'},
		{0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1)
		if (!set_option(c, optarg))
			return false;
	if (argc - optind != 4 || !opt.clients || !opt.repeat ||
		opt.blksize > SMALL - TFTP_DATA_HEADER)
		return false;
	opt.server.sin_family = AF_INET;
	opt.server.sin_port =
		htons((uint16_t)strtoul(argv[optind + 1], NULL, 10));
	opt.name = argv[optind + 2];
	if (opt.role == ROLE_EDK2 && !opt.window)
		opt.window = 4;
	if (is_lockstep())
		opt.blksize = opt.role == ROLE_IPXE ? 1432 : 1456;
	return inet_pton(AF_INET, argv[optind], &opt.server.sin_addr) == 1;
}

static void map_file(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st))
		die(path);
	opt.size = (uint64_t)st.st_size;
	if (!opt.size)
		return;
	opt.data = mmap(
		NULL, opt.size, PROT_READ, MAP_SHARED | MAP_POPULATE, fd, 0);
	if (opt.data == MAP_FAILED)
		die(path);
}

int main(int argc, char **argv)
{
	struct rlimit limit = {65536, 65536};
	uint64_t begun;

	if (!parse(argc, argv)) {
		fprintf(stderr, "usage: see the head of bench_tftp.c\n");
		return 2;
	}
	map_file(argv[argc - 1]);
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
		limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	epoll = epoll_create1(EPOLL_CLOEXEC);
	clients = calloc(opt.clients, sizeof(*clients));
	took_ns = calloc((size_t)opt.clients * opt.repeat, sizeof(*took_ns));
	packets = calloc(BATCH, sizeof(*packets));
	large = malloc(PACKET);
	if (epoll < 0 || !clients || !took_ns || !packets || !large)
		die("memory");
	begun = now_ns();
	run();
	report((double)(now_ns() - begun) / 1e9);
	return sum.wrong || sum.failed;
}
