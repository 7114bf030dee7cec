#include "daemon/tftp_socket.h"

#include <errno.h>
#include <netinet/udp.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/socket.h"
#include "proto/tftp.h"

#define IP_UDP_HEADERS 28
#define RUN_MAX	       64    /* segments in one message: the kernel's limit */
#define RUN_BYTES_MAX  65507 /* bytes in one message: UDP's limit */

/*
 * One run at a time is put together here: the packets one behind the other,
 * as UDP_SEGMENT wants them.
 */
static uint8_t run[RUN_BYTES_MAX + 1];

static bool segment_works = true;

uint32_t tftp_socket_max_blksize(uint32_t mtu)
{
	uint32_t max = mtu > IP_UDP_HEADERS + TFTP_DATA_HEADER
			       ? mtu - IP_UDP_HEADERS - TFTP_DATA_HEADER
			       : 0;

	if (max < TFTP_DEFAULT_BLKSIZE)
		return TFTP_DEFAULT_BLKSIZE;
	return max < TFTP_MAX_BLKSIZE ? max : TFTP_MAX_BLKSIZE;
}

int tftp_socket_open(uint32_t from, const struct sockaddr_in *peer)
{
	struct sockaddr_in own = socket_addr(from, 0);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int size = 1 << 20;

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	if (bind(fd, (struct sockaddr *)&own, sizeof(own)) ||
		connect(fd, (const struct sockaddr *)peer, sizeof(*peer))) {
		int err = -errno;

		close(fd);
		return err;
	}
	return fd;
}

/* What is lost here is what a network loses: the timers see to it. */
static void send_small(int fd, const uint8_t *packet, size_t len)
{
	if (len)
		(void)!send(fd, packet, len, MSG_DONTWAIT | MSG_NOSIGNAL);
}

void tftp_socket_oack(
	int fd, const struct tftp_params *params, uint64_t file_size)
{
	uint8_t packet[256];

	send_small(fd, packet,
		tftp_build_oack(params, file_size, packet, sizeof(packet)));
}

void tftp_socket_error(int fd, enum tftp_error code, const char *text)
{
	uint8_t packet[256];

	send_small(fd, packet,
		tftp_build_error(code, text, packet, sizeof(packet)));
}

void tftp_socket_refuse(int fd, const struct sockaddr_in *to, unsigned ifindex,
	uint32_t from, enum tftp_error code, const char *text)
{
	uint8_t packet[256];
	uint8_t control[SOCKET_PKTINFO_SPACE]
		__attribute__((aligned(sizeof(long))));
	struct sockaddr_in dest = *to;
	struct iovec iov = {
		packet, tftp_build_error(code, text, packet, sizeof(packet))};
	struct msghdr msg = {
		.msg_name = &dest,
		.msg_namelen = sizeof(dest),
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
	};

	socket_set_pktinfo(&msg, ifindex, from);
	if (iov.iov_len)
		(void)!sendmsg(fd, &msg, MSG_DONTWAIT);
}

/* Fill `run` with these blocks; 0, or as view_readv. */
static int fill(const struct view *view, const struct tftp_send *send,
	uint64_t first, uint32_t count, size_t *ret_len)
{
	uint32_t blksize = send->params.blksize;
	uint32_t stride = blksize + TFTP_DATA_HEADER;
	struct iovec iov[RUN_MAX];

	for (uint32_t i = 0; i < count; i++) {
		uint8_t *packet = run + (size_t)i * stride;

		tftp_build_data_header(first + i, packet);
		iov[i].iov_base = packet + TFTP_DATA_HEADER;
		iov[i].iov_len = tftp_send_block_len(send, first + i);
	}
	*ret_len = (size_t)(count - 1) * stride + TFTP_DATA_HEADER +
		   iov[count - 1].iov_len;
	return view_readv(view, iov, (int)count, (first - 1) * blksize, true);
}

static bool send_segmented(int fd, size_t len, uint16_t stride)
{
	uint8_t control[CMSG_SPACE(sizeof(stride))]
		__attribute__((aligned(sizeof(long)))) = {0};
	struct iovec iov = {run, len};
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	c->cmsg_level = SOL_UDP;
	c->cmsg_type = UDP_SEGMENT;
	c->cmsg_len = CMSG_LEN(sizeof(stride));
	memcpy(CMSG_DATA(c), &stride, sizeof(stride));
	return sendmsg(fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0;
}

/* One datagram a block; returns how many went out, errno says why no more. */
static uint32_t send_singly(int fd, size_t len, uint32_t stride, uint32_t count)
{
	struct mmsghdr msgs[RUN_MAX] = {0};
	struct iovec iov[RUN_MAX];
	int n;

	for (uint32_t i = 0; i < count; i++) {
		size_t at = (size_t)i * stride;

		iov[i].iov_base = run + at;
		iov[i].iov_len = i + 1 < count ? stride : len - at;
		msgs[i].msg_hdr.msg_iov = &iov[i];
		msgs[i].msg_hdr.msg_iovlen = 1;
	}
	n = sendmmsg(fd, msgs, count, MSG_DONTWAIT | MSG_NOSIGNAL);
	return n > 0 ? (uint32_t)n : 0;
}

/* Does this errno say that the kernel or the device lacks UDP_SEGMENT? */
static bool is_no_segment(int err)
{
	return err == EINVAL || err == EIO || err == EOPNOTSUPP ||
	       err == EMSGSIZE || err == ENOPROTOOPT;
}

static enum tftp_sent_result why_stopped(int err)
{
	switch (err) {
	case EAGAIN:
	case ENOBUFS:
	case EINTR:
		return TFTP_SENT_FULL;
	case EPERM: /* a packet filter dropped it: as if it were lost */
	case ECONNREFUSED:
		return TFTP_SENT_ALL;
	default:
		return TFTP_SENT_GONE;
	}
}

static uint32_t send_run(int fd, size_t len, uint32_t stride, uint32_t count)
{
	if (count > 1 && segment_works) {
		if (send_segmented(fd, len, (uint16_t)stride))
			return count;
		if (!is_no_segment(errno))
			return 0;
		/* EMSGSIZE is of this path; the others are of the kernel. */
		if (errno != EMSGSIZE)
			segment_works = false;
	}
	if (count == 1)
		return send(fd, run, len, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0;
	return send_singly(fd, len, stride, count);
}

/*
 * A file that was changed in place must not arrive whole: its last block is
 * the one that matters. Looking now and then ends such a transfer sooner. It
 * is done after reading: what was read before a change is what it was.
 */
static bool is_time_to_check(
	const struct tftp_send *send, uint64_t first, uint32_t count)
{
	return first + count > send->last_block || first % 1024 < count;
}

struct tftp_sent tftp_socket_blocks(int fd, const struct view *view,
	const struct tftp_send *send, uint64_t first, uint32_t count)
{
	uint32_t stride = send->params.blksize + TFTP_DATA_HEADER;
	uint32_t fit = RUN_BYTES_MAX / stride;
	struct tftp_sent sent = {TFTP_SENT_ALL, 0};

	if (fit > RUN_MAX)
		fit = RUN_MAX;
	while (sent.count < count) {
		uint32_t n =
			count - sent.count < fit ? count - sent.count : fit;
		uint32_t gone;
		size_t len;
		int err = fill(view, send, first + sent.count, n, &len);

		if (err) {
			sent.result = err == -EAGAIN ? TFTP_SENT_COLD
						     : TFTP_SENT_CHANGED;
			return sent;
		}
		if (is_time_to_check(send, first + sent.count, n) &&
			!view_is_whole(view)) {
			sent.result = TFTP_SENT_CHANGED;
			return sent;
		}
		errno = 0;
		gone = send_run(fd, len, stride, n);
		sent.count += gone;
		if (gone == n)
			continue;
		sent.result = why_stopped(errno);
		if (sent.result != TFTP_SENT_ALL)
			return sent;
		sent.count += n - gone;
	}
	return sent;
}
