/*
 * flood: forged requests at a server, so many a second at most, until COUNT
 * have gone out, and one line of JSON.
 *
 *   flood discover|read INTERFACE SERVER RATE COUNT
 *
 *   discover  PXE firmware's DISCOVERs, each of another machine
 *   read      TFTP read requests, each from another address in the server's /16
 *             and port; whatever is answered goes nowhere
 *
 * The frames go out by a packet socket, in bursts of 64; it takes root.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BURST 64
#define FRAME 400

struct frame {
	struct ether_header eth;
	struct iphdr ip;
	struct udphdr udp;
	uint8_t data[FRAME];
} __attribute__((packed));

static struct frame frames[BURST];
static uint64_t seed = 1;

static uint32_t number(void)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(seed >> 32);
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static uint16_t checksum(const void *data, size_t len)
{
	const uint16_t *p = data;
	uint32_t sum = 0;

	for (; len > 1; len -= 2)
		sum += *p++;
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t) ~(sum + (sum >> 16));
}

/* A DISCOVER as OVMF sends it, without xid and MAC. */
static size_t make_discover(uint8_t *data)
{
	static const uint8_t options[] = {0x63, 0x82, 0x53, 0x63, 53, 1, 1, 57,
		2, 5, 0xc0, 93, 2, 0, 7, 94, 3, 1, 3, 0, 60, 32};

	memset(data, 0, FRAME);
	memcpy(data, (const uint8_t[]){1, 1, 6}, 3);
	data[10] = 0x80;
	memcpy(data + 236, options, sizeof(options));
	memcpy(data + 236 + sizeof(options),
		"PXEClient:Arch:00007:UNDI:003000\xff", 33);
	return 300;
}

static size_t make_read(uint8_t *data)
{
	static const char text[] =
		"\0\1images/test.efi\0octet\0tsize\0000\0blksize\0001468";

	memcpy(data, text, sizeof(text));
	return sizeof(text);
}

static void make(struct frame *f, bool read, const uint8_t mac[6],
	const uint8_t to_mac[6], uint32_t to)
{
	size_t len = read ? make_read(f->data) : make_discover(f->data);

	memcpy(f->eth.ether_shost, mac, 6);
	memcpy(f->eth.ether_dhost, to_mac, 6);
	f->eth.ether_type = htons(ETHERTYPE_IP);
	f->ip = (struct iphdr){
		.version = 4,
		.ihl = 5,
		.tot_len = htons((uint16_t)(28 + len)),
		.ttl = 64,
		.protocol = IPPROTO_UDP,
		.daddr = to,
	};
	f->udp.source = htons(68);
	f->udp.dest = htons(read ? 69 : 67);
	f->udp.len = htons((uint16_t)(8 + len));
}

/* What is another in each. */
static void vary(struct frame *f, bool read)
{
	uint32_t n = number();

	if (read) {
		f->ip.saddr = (f->ip.daddr & htonl(0xffff0000)) |
			      htonl((n & 0x7fff) | 0x8000);
		f->udp.source = htons((uint16_t)(1024 + (n >> 16) % 60000));
	} else {
		memcpy(f->data + 4, &n, 4);
		memcpy(f->data + 28, "\x52\x54", 2);
		memcpy(f->data + 30, &n, 4);
	}
	f->ip.check = 0;
	f->ip.check = checksum(&f->ip, sizeof(f->ip));
}

static int open_interface(const char *name, uint8_t ret_mac[6])
{
	struct sockaddr_ll own = {.sll_family = AF_PACKET};
	struct ifreq request = {0};
	int fd = socket(AF_PACKET, SOCK_RAW, 0);

	strncpy(request.ifr_name, name, IFNAMSIZ - 1);
	if (fd < 0 || ioctl(fd, SIOCGIFHWADDR, &request))
		return -1;
	memcpy(ret_mac, request.ifr_hwaddr.sa_data, 6);
	own.sll_ifindex = (int)if_nametoindex(name);
	return bind(fd, (struct sockaddr *)&own, sizeof(own)) ? -1 : fd;
}

/* The server's MAC address: that it has answered us lately is the caller's. */
static bool find_mac(const char *interface, const char *server, uint8_t ret[6])
{
	struct arpreq request = {0};
	struct sockaddr_in *who = (struct sockaddr_in *)(void *)&request.arp_pa;
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	bool found;

	who->sin_family = AF_INET;
	inet_pton(AF_INET, server, &who->sin_addr);
	strncpy(request.arp_dev, interface, sizeof(request.arp_dev) - 1);
	found = ioctl(fd, SIOCGARP, &request) == 0;
	memcpy(ret, request.arp_ha.sa_data, 6);
	close(fd);
	return found;
}

static uint64_t run(int fd, bool read, uint64_t rate, uint64_t count)
{
	static struct mmsghdr msgs[BURST];
	static struct iovec iov[BURST];
	uint64_t begin = now_ns(), sent = 0;

	for (size_t i = 0; i < BURST; i++) {
		iov[i] = (struct iovec){
			&frames[i], sizeof(struct ether_header) +
					    ntohs(frames[i].ip.tot_len)};
		msgs[i].msg_hdr.msg_iov = &iov[i];
		msgs[i].msg_hdr.msg_iovlen = 1;
	}
	while (sent < count) {
		uint64_t now = now_ns();
		uint64_t due = (now - begin) * rate / 1000000000;
		int n;

		if (sent + BURST > due) {
			usleep(200);
			continue;
		}
		/* What a busy machine has missed is not made up for. */
		if (due - sent > rate / 10)
			begin = now - sent * 1000000000 / rate;
		for (size_t i = 0; i < BURST; i++)
			vary(&frames[i], read);
		n = sendmmsg(fd, msgs, BURST, 0);
		if (n < 0 && errno != ENOBUFS) {
			perror("flood: sendmmsg");
			exit(1);
		}
		/* The interface's queue is full: it will be emptied. */
		if (n < 0)
			usleep(200);
		else
			sent += (unsigned)n;
	}
	return sent;
}

int main(int argc, char **argv)
{
	uint8_t mac[6], to_mac[6] = {255, 255, 255, 255, 255, 255};
	bool read = argc == 6 && strcmp(argv[1], "read") == 0;
	uint32_t to = INADDR_BROADCAST;
	uint64_t begin = now_ns(), sent;
	double seconds;
	int fd;

	if (argc != 6) {
		fprintf(stderr, "usage: flood discover|read INTERFACE SERVER "
				"RATE COUNT\n");
		return 2;
	}
	fd = open_interface(argv[2], mac);
	if (fd < 0 || (read && !find_mac(argv[2], argv[3], to_mac))) {
		perror("flood");
		return 2;
	}
	if (read)
		inet_pton(AF_INET, argv[3], &to);
	for (size_t i = 0; i < BURST; i++)
		make(&frames[i], read, mac, to_mac, to);
	sent = run(fd, read, strtoull(argv[4], NULL, 10),
		strtoull(argv[5], NULL, 10));
	seconds = (double)(now_ns() - begin) / 1e9;
	printf("{\"sent\": %llu, \"seconds\": %.3f}\n",
		(unsigned long long)sent, seconds);
	close(fd);
	return 0;
}
