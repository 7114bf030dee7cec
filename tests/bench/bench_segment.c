/*
 * bench_segment: what the kernel can do: sends one file over TFTP to one
 * client after the other, in runs of UDP_SEGMENT, without any of what makes a
 * server. It takes whatever is asked for, never sends anything again, and
 * looks at ACKs only to stay so far ahead of the client that nothing is lost.
 *
 *   bench_segment FILE		on port 69 of 127.0.0.1
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/udp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/tftp.h"

#define RUN_BYTES 65507
#define AHEAD	  1024 /* blocks: 1.5 MB, of the client's 4 MiB */

static const uint8_t *file;
static uint64_t file_size;
static uint8_t run[RUN_BYTES];

static void die(const char *what)
{
	perror(what);
	exit(2);
}

static void map_file(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st))
		die(path);
	file_size = (uint64_t)st.st_size;
	file = mmap(
		NULL, file_size, PROT_READ, MAP_SHARED | MAP_POPULATE, fd, 0);
	if (file == MAP_FAILED)
		die(path);
}

/* So many blocks from this one on, in one message. */
static void send_run(int fd, uint64_t first, uint32_t n, uint32_t blksize)
{
	uint64_t at = (first - 1) * blksize;
	size_t len = 0;

	for (uint32_t i = 0; i < n; i++, at += blksize) {
		size_t size =
			file_size - at < blksize ? file_size - at : blksize;

		tftp_build_data_header(first + i, run + len);
		memcpy(run + len + TFTP_DATA_HEADER, file + at, size);
		len += TFTP_DATA_HEADER + size;
	}
	if (send(fd, run, len, 0) < 0)
		die("send");
}

/* The block that an ACK is for, `base` or later; or the client has left. */
static bool next_ack(int fd, uint64_t *base)
{
	uint8_t data[512];
	struct tftp_packet p;
	ssize_t n = recv(fd, data, sizeof(data), 0);

	if (n < 0 || !tftp_parse_packet(data, (size_t)n, &p) ||
		p.op != TFTP_OP_ACK)
		return false;
	*base += (uint16_t)(p.block - (uint16_t)*base);
	return true;
}

static void serve(int fd, const struct tftp_params *params)
{
	uint32_t blksize = params->blksize;
	int segment = (int)(blksize + TFTP_DATA_HEADER);
	uint32_t most = RUN_BYTES / (uint32_t)segment;
	uint64_t last = file_size / blksize + 1, base = 0, next = 1;
	uint8_t oack[256];

	if (setsockopt(fd, SOL_UDP, UDP_SEGMENT, &segment, sizeof(segment)))
		die("UDP_SEGMENT");
	send(fd, oack, tftp_build_oack(params, file_size, oack, sizeof(oack)),
		0);
	if (!next_ack(fd, &base))
		return;
	while (base < last) {
		uint64_t n = last + 1 - next;

		if (n > most)
			n = most;
		if (n && next + n <= base + AHEAD) {
			send_run(fd, next, (uint32_t)n, blksize);
			next += n;
		} else if (!next_ack(fd, &base)) {
			return;
		}
	}
}

static int new_socket(uint16_t port)
{
	struct sockaddr_in own = {.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&own, sizeof(own)))
		die("socket");
	return fd;
}

int main(int argc, char **argv)
{
	static const struct tftp_limits limits = {1468, 64};
	int ask;

	if (argc != 2) {
		fprintf(stderr, "usage: see the head of bench_segment.c\n");
		return 2;
	}
	map_file(argv[1]);
	ask = new_socket(69);
	for (;;) {
		uint8_t data[512];
		struct sockaddr_in from;
		socklen_t from_len = sizeof(from);
		ssize_t n = recvfrom(ask, data, sizeof(data), 0,
			(struct sockaddr *)&from, &from_len);
		struct tftp_request request;
		struct tftp_params params;
		const char *why;
		int fd;

		if (n < 0 || tftp_parse_request(data, (size_t)n, &request,
				     &why) != TFTP_ERROR_NONE)
			continue;
		tftp_negotiate(&request, &limits, &params);
		fd = new_socket(0);
		if (connect(fd, (struct sockaddr *)&from, from_len))
			die("connect");
		serve(fd, &params);
		close(fd);
	}
}
