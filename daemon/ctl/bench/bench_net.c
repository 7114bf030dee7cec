/*
 * Addresses and sockets of the clients.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/ctl/bench/bench.h"

#define MAX_SOURCES 65536
#define CLIENT_PORT 68 /* of DHCP */

socklen_t bench_address_len(const union bench_address *address)
{
	return address->any.sa_family == AF_INET6 ? sizeof(address->v6)
						  : sizeof(address->v4);
}

/* Its last four bytes, which tell neighbours apart. */
static uint8_t *end_of(union bench_address *address)
{
	if (address->any.sa_family == AF_INET6)
		return address->v6.sin6_addr.s6_addr + 12;
	return (uint8_t *)&address->v4.sin_addr;
}

static uint32_t number_of_address(const union bench_address *address)
{
	union bench_address copy = *address;
	uint32_t n;

	memcpy(&n, end_of(&copy), sizeof(n));
	return ntohl(n);
}

static void set_number(union bench_address *address, uint32_t n)
{
	n = htonl(n);
	memcpy(end_of(address), &n, sizeof(n));
}

static void set_port(union bench_address *address, uint16_t port)
{
	if (address->any.sa_family == AF_INET6)
		address->v6.sin6_port = htons(port);
	else
		address->v4.sin_port = htons(port);
}

/* This is a load: to one machine, that somebody named. */
static const char *why_not(union bench_address *address)
{
	static const uint8_t v4_mapped[12] = {[10] = 0xff, [11] = 0xff};
	uint32_t n = number_of_address(address);

	if (address->any.sa_family == AF_INET6) {
		const uint8_t *b = address->v6.sin6_addr.s6_addr;

		if (b[0] == 0xff)
			return "a multicast address";
		if (IN6_IS_ADDR_UNSPECIFIED(&address->v6.sin6_addr))
			return "no machine's address";
		if (memcmp(b, v4_mapped, sizeof(v4_mapped)) == 0)
			return "an IPv4 address: write it as one";
		return NULL;
	}
	if (n >> 28 == 0xe)
		return "a multicast address";
	if (n == UINT32_MAX)
		return "the broadcast address";
	return n >> 24 == 0 || n >> 28 == 0xf ? "no machine's address" : NULL;
}

static int type_of(const struct bench_target *target)
{
	return target->url.scheme == URL_SCHEME_HTTP ? SOCK_STREAM : SOCK_DGRAM;
}

bool bench_resolve(struct bench_target *target)
{
	struct addrinfo hints = {.ai_socktype = type_of(target)}, *found;
	const char *host = target->url.host, *wrong;
	char text[INET6_ADDRSTRLEN + 20];
	int err;

	if (target->url.scheme == URL_SCHEME_DHCP)
		hints.ai_family = AF_INET;
	err = getaddrinfo(host, NULL, &hints, &found);
	if (err) {
		fprintf(stderr, "netukictl: %s: %s\n", host, gai_strerror(err));
		return false;
	}
	memcpy(&target->address, found->ai_addr,
		found->ai_addrlen < sizeof(target->address)
			? found->ai_addrlen
			: sizeof(target->address));
	freeaddrinfo(found);
	wrong = why_not(&target->address);
	if (wrong) {
		fprintf(stderr, "netukictl: %s: this is %s\n", host, wrong);
		return false;
	}
	set_port(&target->address, target->url.port);
	if (getnameinfo(&target->address.any,
		    bench_address_len(&target->address), text, sizeof(text),
		    NULL, 0, NI_NUMERICHOST))
		strcpy(text, "?");
	snprintf(target->address_text, sizeof(target->address_text),
		strchr(text, ':') ? "[%s]:%u" : "%s:%u", text,
		target->url.port);
	snprintf(target->host_text, sizeof(target->host_text),
		strchr(host, ':') ? "[%s]" : "%s", host);
	if (target->url.port != 80)
		snprintf(target->host_text + strlen(target->host_text), 8,
			":%u", target->url.port);
	return true;
}

static bool parse_address(
	const char *text, size_t len, union bench_address *ret)
{
	union bench_address address = {.any = {.sa_family = AF_INET}};
	char copy[INET6_ADDRSTRLEN];

	if (len >= sizeof(copy))
		return false;
	memcpy(copy, text, len);
	copy[len] = '\0';
	if (inet_pton(AF_INET, copy, &address.v4.sin_addr) != 1) {
		address =
			(union bench_address){.v6 = {.sin6_family = AF_INET6}};
		if (inet_pton(AF_INET6, copy, &address.v6.sin6_addr) != 1)
			return false;
	}
	*ret = address;
	return true;
}

/* NET/LEN: all its addresses, of IPv4 less the first and the last. */
static const char *take_net(const char *len_text, struct bench_sources *s)
{
	bool is_v6 = s->first.any.sa_family == AF_INET6;
	unsigned long max = is_v6 ? 128 : 32, len;
	uint32_t span, begin;
	char *end;

	len = strtoul(len_text, &end, 10);
	if (end == len_text || *end || *len_text == '-' || len > max)
		return "--from: this is no length of a network";
	if (max - len > 16)
		return "--from: at most 65536 addresses";
	span = (uint32_t)1 << (max - len);
	begin = number_of_address(&s->first) & ~(span - 1);
	if (!is_v6 && span > 2) {
		begin++;
		span -= 2;
	}
	set_number(&s->first, begin);
	s->count = span;
	return NULL;
}

/* Up to their last four bytes they are the same. */
static bool same_net(const union bench_address *a, const union bench_address *b)
{
	return a->any.sa_family == b->any.sa_family &&
	       (a->any.sa_family == AF_INET ||
		       memcmp(&a->v6.sin6_addr, &b->v6.sin6_addr, 12) == 0);
}

const char *bench_sources_parse(const char *text, struct bench_sources *ret)
{
	size_t len = strcspn(text, "-/");
	struct bench_sources s = {.count = 1};
	union bench_address last;
	const char *wrong;

	if (!parse_address(text, len, &s.first))
		return "--from takes ADDRESS, FIRST-LAST or NETWORK/LENGTH";
	if (text[len] == '/') {
		wrong = take_net(text + len + 1, &s);
		if (wrong)
			return wrong;
	} else if (text[len] == '-') {
		text += len + 1;
		if (!parse_address(text, strlen(text), &last))
			return "--from: the last address is none";
		if (!same_net(&s.first, &last) ||
			number_of_address(&last) < number_of_address(&s.first))
			return "--from: the last address is not above the "
			       "first";
		if (number_of_address(&last) - number_of_address(&s.first) >=
			MAX_SOURCES)
			return "--from: at most 65536 addresses";
		s.count = number_of_address(&last) -
			  number_of_address(&s.first) + 1;
	}
	*ret = s;
	return NULL;
}

/* On loopback each client has an address of its own, as machines have. */
static struct bench_sources sources_of(
	const struct bench_setup *setup, const struct bench_target *target)
{
	struct bench_sources own = {.count = BENCH_MAX_CLIENTS};

	if (setup->sources.count)
		return setup->sources;
	if (target->address.any.sa_family != AF_INET ||
		number_of_address(&target->address) >> 24 != 127)
		return (struct bench_sources){.count = 0};
	own.first.v4.sin_family = AF_INET;
	set_number(&own.first, 0x7f010001);
	return own;
}

unsigned bench_clients_per_address(
	const struct bench_setup *setup, const struct bench_target *target)
{
	uint32_t n = sources_of(setup, target).count;

	return n ? (setup->clients + n - 1) / n : setup->clients;
}

static bool bind_own(int fd, const struct bench_sources *sources, unsigned n)
{
	union bench_address own = sources->first;
	char text[INET6_ADDRSTRLEN] = "?";
	int one = 1;

	set_number(&own, number_of_address(&own) + n % sources->count);
	/* Or the ports of an address would be used up by many connections. */
	setsockopt(fd, SOL_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
	if (bind(fd, &own.any, bench_address_len(&own)) == 0)
		return true;
	inet_ntop(own.any.sa_family,
		own.any.sa_family == AF_INET6 ? (void *)&own.v6.sin6_addr
					      : (void *)&own.v4.sin_addr,
		text, sizeof(text));
	fprintf(stderr, "netukictl: cannot send from %s: %s\n", text,
		strerror(errno));
	return false;
}

int bench_broadcast_socket(void)
{
	const struct sockaddr_in own = {.sin_family = AF_INET,
		.sin_port = htons(CLIENT_PORT),
		.sin_addr.s_addr = htonl(INADDR_BROADCAST)};
	int one = 1, size = 4 << 20, err;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	if (bind(fd, (const struct sockaddr *)&own, sizeof(own)) == 0)
		return fd;
	err = errno;
	close(fd);
	errno = err;
	return -1;
}

int bench_socket(const struct bench_setup *setup,
	const struct bench_target *target, unsigned client)
{
	struct bench_sources sources = sources_of(setup, target);
	int family = target->address.any.sa_family, fd;

	if (sources.count && sources.first.any.sa_family != family) {
		fprintf(stderr,
			"netukictl: %s is of another family than "
			"the addresses of --from\n",
			target->address_text);
		return -1;
	}
	fd = socket(family, type_of(target) | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		perror("netukictl: socket");
		return -1;
	}
	if (sources.count && !bind_own(fd, &sources, client)) {
		close(fd);
		return -1;
	}
	return fd;
}
