/*
 * bench_dhcp: plays PXE firmware to a ProxyDHCP server, many machines at
 * once, and prints one line of JSON.
 *
 *   bench_dhcp INTERFACE SERVER OUTSTANDING SECONDS [sequence|burst|rate]
 *
 * Machines are 52:54:00:10:xx:xx, ten thousand of them in turn. With
 * `sequence` each OFFER is followed by a request on port 4011; with `burst`
 * OUTSTANDING DISCOVERs leave at once, and that is all; with `rate` so many
 * leave a second, answered or not. An answer that has not
 * come after 200 ms is counted as lost.
 */
#include <arpa/inet.h>
#include <net/if.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MACHINES      10000
#define PACKET	      320
#define LATENCIES     2000000
#define LOST_AFTER_NS 200000000ull

static uint8_t packet[PACKET];
static size_t packet_len;
static uint32_t *latency; /* ns */
static size_t n_latencies;
static uint64_t sent_ns[65536];
static bool pending[65536];
static unsigned long long replies, lost, stray;

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static void put(const void *data, size_t len)
{
	memcpy(packet + packet_len, data, len);
	packet_len += len;
}

/* A request as OVMF sends it; xid and MAC are filled in for each. */
static void make_packet(uint8_t type, const char *address)
{
	static const uint8_t head[12] = {1, 1, 6, 0, 0, 0, 0, 0, 0, 0, 0x80, 0};
	static const uint8_t cookie[4] = {0x63, 0x82, 0x53, 0x63};
	static const uint8_t arch[] = {57, 2, 5, 0xc0, 93, 2, 0, 7, 94, 3, 1, 3,
		0, 97, 17, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15,
		16, 60, 32};
	uint8_t message_type[3] = {53, 1, type};

	memset(packet, 0, sizeof(packet));
	packet_len = 0;
	put(head, sizeof(head));
	if (address)
		inet_pton(AF_INET, address, packet + 12);
	packet_len = 236;
	put(cookie, sizeof(cookie));
	put(message_type, sizeof(message_type));
	put(arch, sizeof(arch));
	put("PXEClient:Arch:00007:UNDI:003000", 32);
	put("\xff", 1);
	if (packet_len < 300)
		packet_len = 300;
}

static void number_packet(uint32_t n)
{
	uint32_t xid = htonl(0x4e000000 | (n & 0xffff));
	uint32_t machine = n % MACHINES;

	memcpy(packet + 4, &xid, sizeof(xid));
	memcpy(packet + 28, "\x52\x54\x00\x10", 4);
	packet[32] = (uint8_t)(machine >> 8);
	packet[33] = (uint8_t)machine;
}

static int open_port(const char *interface, uint16_t port)
{
	struct sockaddr_in own = {
		.sin_family = AF_INET, .sin_port = htons(port)};
	int fd = socket(AF_INET, SOCK_DGRAM, 0), one = 1, size = 8 << 20;

	setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &one, sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	if (fd < 0 ||
		setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, interface,
			(socklen_t)strlen(interface)) ||
		bind(fd, (struct sockaddr *)&own, sizeof(own))) {
		perror("bench_dhcp: socket");
		exit(2);
	}
	return fd;
}

static void send_one(int fd, const struct sockaddr_in *to, uint32_t n)
{
	number_packet(n);
	sent_ns[n & 0xffff] = now_ns();
	pending[n & 0xffff] = true;
	if (sendto(fd, packet, packet_len, 0, (const struct sockaddr *)to,
		    sizeof(*to)) < 0) {
		perror("bench_dhcp: sendto");
		exit(2);
	}
}

/* One answer within the time; its number, or -1. */
static long receive(int fd, int timeout_ms)
{
	uint8_t in[2048];
	struct pollfd poll_fd = {fd, POLLIN, 0};
	uint32_t xid;

	for (;;) {
		ssize_t n = recv(fd, in, sizeof(in), MSG_DONTWAIT);

		if (n < 0) {
			if (poll(&poll_fd, 1, timeout_ms) <= 0)
				return -1;
			continue;
		}
		memcpy(&xid, in + 4, sizeof(xid));
		xid = ntohl(xid);
		if (n < 240 || in[0] != 2 || xid >> 24 != 0x4e ||
			!pending[xid & 0xffff]) {
			stray++;
			continue;
		}
		pending[xid & 0xffff] = false;
		replies++;
		if (n_latencies < LATENCIES)
			latency[n_latencies++] =
				(uint32_t)(now_ns() - sent_ns[xid & 0xffff]);
		return (long)(xid & 0xffff);
	}
}

static int by_size(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static double percentile(double share)
{
	if (!n_latencies)
		return 0;
	return latency[(size_t)((double)(n_latencies - 1) * share)] / 1e3;
}

/* So many a second until the end; how many were sent. */
static uint32_t run_rate(int fd, const struct sockaddr_in *all, unsigned rate,
	uint64_t begin, uint64_t end)
{
	uint32_t n = 0;

	for (;;) {
		uint64_t next = begin + n * (1000000000ull / rate);
		uint64_t now = now_ns();

		if (next >= end)
			break;
		if (now >= next)
			send_one(fd, all, n++);
		else
			receive(fd, (int)((next - now) / 1000000));
	}
	while (receive(fd, 200) >= 0)
		;
	lost = n - replies;
	return n;
}

int main(int argc, char **argv)
{
	bool sequence = argc > 5 && strcmp(argv[5], "sequence") == 0;
	bool burst = argc > 5 && strcmp(argv[5], "burst") == 0;
	bool rate = argc > 5 && strcmp(argv[5], "rate") == 0;
	struct sockaddr_in all = {.sin_family = AF_INET,
		.sin_port = htons(67),
		.sin_addr.s_addr = INADDR_BROADCAST};
	struct sockaddr_in pxe = {
		.sin_family = AF_INET, .sin_port = htons(4011)};
	uint64_t begin, end;
	uint32_t n = 0;
	unsigned outstanding, in_flight = 0;
	int fd;

	if (argc < 5 || inet_pton(AF_INET, argv[2], &pxe.sin_addr) != 1) {
		fprintf(stderr, "usage: bench_dhcp INTERFACE SERVER "
				"OUTSTANDING SECONDS [sequence|burst]\n");
		return 2;
	}
	outstanding = (unsigned)strtoul(argv[3], NULL, 10);
	latency = malloc(LATENCIES * sizeof(*latency));
	fd = open_port(argv[1], 68);
	make_packet(1, NULL);
	begin = now_ns();
	end = begin + (uint64_t)(strtod(argv[4], NULL) * 1e9);
	if (latency && rate)
		n = run_rate(fd, &all, outstanding, begin, end);
	while (latency && !rate && (burst ? n < outstanding : now_ns() < end)) {
		long answered;

		while (in_flight < outstanding && (!burst || n < outstanding)) {
			send_one(fd, &all, n++);
			in_flight++;
		}
		if (burst)
			break;
		answered = receive(fd, (int)(LOST_AFTER_NS / 1000000));
		if (answered < 0) {
			lost += in_flight;
			memset(pending, 0, sizeof(pending));
			in_flight = 0;
			continue;
		}
		in_flight--;
		if (sequence) {
			/* The request by unicast, as after a lease. */
			make_packet(3, argc > 6 ? argv[6] : NULL);
			send_one(fd, &pxe, (uint32_t)answered | 0);
			if (receive(fd, 200) < 0)
				lost++;
			make_packet(1, NULL);
		}
	}
	while (burst && receive(fd, 500) >= 0)
		;
	end = now_ns();
	qsort(latency, n_latencies, sizeof(*latency), by_size);
	printf("{\"seconds\": %.3f, \"sent\": %u, \"replies\": %llu, "
	       "\"lost\": %llu, \"stray\": %llu, \"p50_us\": %.1f, "
	       "\"p99_us\": %.1f, \"max_us\": %.1f}\n",
		(double)(end - begin) / 1e9, n, replies, lost, stray,
		percentile(0.5), percentile(0.99), percentile(1));
	close(fd);
	return 0;
}
