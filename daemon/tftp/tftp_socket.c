#include "daemon/tftp/tftp_socket.h"

#include <errno.h>
#include <linux/errqueue.h>
#include <netinet/ip_icmp.h>
#include <netinet/udp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/base/socket.h"
#include "proto/tftp.h"

#define IP_UDP_HEADERS 28
#define RUN_MAX	       64    /* segments in one message: the kernel's limit */
#define RUN_BYTES_MAX  65507 /* bytes in one message: UDP's limit */
/* So much at once, and no more, comes from the cache. */
#define CACHED_MAX    (TFTP_CACHE_PIECE / 2)
#define CONTROL_SPACE (SOCKET_PKTINFO_SPACE + CMSG_SPACE(sizeof(uint16_t)))

/*
 * Runs are put together here: the packets one behind the other, as UDP_SEGMENT
 * wants them.
 */
static uint8_t run[RUN_BYTES_MAX + 1];

/* Runs for several clients, one behind the other in `run`. */
static struct {
	uint32_t n;
	size_t len; /* of `run` that is in use */
	uint8_t control[TFTP_GATHER_MAX][CONTROL_SPACE]
		__attribute__((aligned(sizeof(long))));
	struct iovec iov[TFTP_GATHER_MAX];
	struct mmsghdr msg[TFTP_GATHER_MAX];
} gathered;

/*
 * IP_PMTUDISC_DO, as what is never fragmented needs no identification: to
 * choose one is a twentieth of the work for a packet. (With IP_PMTUDISC_WANT
 * the kernel may yet have to fragment it itself.)
 */
static void discover_mtu(int fd, int how)
{
	setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &how, sizeof(how));
}

void tftp_socket_prepare(int fd)
{
	int one = 1, size = 4 << 20;

	/* Refused is only comfort: without it all works, if worse. */
	setsockopt(fd, IPPROTO_IP, IP_RECVERR, &one, sizeof(one));
	discover_mtu(fd, IP_PMTUDISC_DO);
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)))
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)))
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
}

int tftp_socket_open(uint32_t listen)
{
	struct sockaddr_in own = socket_addr(listen, 0);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	tftp_socket_prepare(fd);
	if (bind(fd, (struct sockaddr *)&own, sizeof(own))) {
		int err = -errno;

		close(fd);
		return err;
	}
	return fd;
}

int tftp_socket_route(
	int fd, const struct sockaddr_in *peer, struct tftp_route *ret)
{
	static const struct sockaddr none = {.sa_family = AF_UNSPEC};
	struct sockaddr_in own;
	socklen_t own_len = sizeof(own), len = sizeof(int);
	int mtu;

	/* Or the source of the last route is that of the next, too. */
	if (connect(fd, &none, sizeof(none)))
		return -errno;
	if (connect(fd, (const struct sockaddr *)peer, sizeof(*peer)) ||
		getsockname(fd, (struct sockaddr *)&own, &own_len) ||
		getsockopt(fd, IPPROTO_IP, IP_MTU, &mtu, &len))
		return -errno;
	ret->mtu = (uint32_t)mtu;
	ret->source = ntohl(own.sin_addr.s_addr);
	return 0;
}

uint32_t tftp_socket_max_blksize(uint32_t mtu)
{
	uint32_t max = mtu > IP_UDP_HEADERS + TFTP_DATA_HEADER
			       ? mtu - IP_UDP_HEADERS - TFTP_DATA_HEADER
			       : 0;

	if (max < TFTP_DEFAULT_BLKSIZE)
		return TFTP_DEFAULT_BLKSIZE;
	return max < TFTP_MAX_BLKSIZE ? max : TFTP_MAX_BLKSIZE;
}

/* Without a control message sendto() has less to do than sendmsg(). */
static ssize_t send_once(int fd, const struct msghdr *msg)
{
	if (msg->msg_controllen)
		return sendmsg(fd, msg, MSG_DONTWAIT | MSG_NOSIGNAL);
	return sendto(fd, msg->msg_iov->iov_base, msg->msg_iov->iov_len,
		MSG_DONTWAIT | MSG_NOSIGNAL, msg->msg_name, msg->msg_namelen);
}

/*
 * An ICMP error about one transfer is told to whoever uses the socket next,
 * once: that one tries again. What it says is read from the error queue.
 */
static bool send_message(int fd, const struct msghdr *msg)
{
	if (send_once(fd, msg) >= 0)
		return true;
	if (errno == EAGAIN || errno == ENOBUFS)
		return false;
	return send_once(fd, msg) >= 0;
}

/* control has CONTROL_SPACE; segment 0: one packet. */
static void address(const struct tftp_path *path, struct msghdr *msg,
	void *control, uint16_t segment)
{
	struct cmsghdr *c;

	/* The kernel only reads it. */
	memcpy(&msg->msg_name, &(const void *){&path->peer}, sizeof(void *));
	msg->msg_namelen = sizeof(path->peer);
	msg->msg_control = control;
	msg->msg_controllen = 0;
	if (path->from)
		socket_set_pktinfo(msg, 0, path->from);
	if (!segment)
		return;
	c = (void *)((uint8_t *)control + msg->msg_controllen);
	c->cmsg_level = SOL_UDP;
	c->cmsg_type = UDP_SEGMENT;
	c->cmsg_len = CMSG_LEN(sizeof(segment));
	memcpy(CMSG_DATA(c), &segment, sizeof(segment));
	msg->msg_controllen += CMSG_SPACE(sizeof(segment));
}

static bool send_packet(const struct tftp_path *path, void *packet, size_t len,
	uint16_t segment)
{
	static uint8_t control[CONTROL_SPACE]
		__attribute__((aligned(sizeof(long))));
	struct iovec iov = {packet, len};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

	address(path, &msg, control, segment);
	return send_message(path->fd, &msg);
}

/* What is lost here is what a network loses: the timers see to it. */
void tftp_socket_oack(const struct tftp_path *path,
	const struct tftp_params *params, uint64_t file_size)
{
	uint8_t packet[256];

	send_packet(path, packet,
		tftp_build_oack(params, file_size, packet, sizeof(packet)), 0);
}

void tftp_socket_error(
	const struct tftp_path *path, enum tftp_error code, const char *text)
{
	uint8_t packet[256];

	send_packet(path, packet,
		tftp_build_error(code, text, packet, sizeof(packet)), 0);
}

/* Fill the buffer with these blocks; 0, or as view_readv. */
static int fill(const struct tftp_path *path, struct view *view,
	const struct tftp_send *send, uint64_t first, uint32_t count,
	uint8_t *buffer, size_t *ret_len)
{
	static struct iovec iov[RUN_MAX];
	uint32_t blksize = send->params.blksize;
	uint32_t stride = blksize + TFTP_DATA_HEADER;

	for (uint32_t i = 0; i < count; i++) {
		uint8_t *packet = buffer + (size_t)i * stride;

		tftp_build_data_header(first + i, packet);
		iov[i].iov_base = packet + TFTP_DATA_HEADER;
		iov[i].iov_len = tftp_send_block_len(send, first + i);
	}
	*ret_len = (size_t)(count - 1) * stride + TFTP_DATA_HEADER +
		   iov[count - 1].iov_len;
	if (path->cache && *ret_len <= CACHED_MAX)
		return tftp_cache_readv(path->cache, view, iov, (int)count,
			(first - 1) * blksize);
	return view_readv(view, iov, (int)count, (first - 1) * blksize, true);
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

/* A run to be sent: TFTP_SENT_ALL, or why there is none. */
static enum tftp_sent_result prepare(const struct tftp_path *path,
	struct view *view, const struct tftp_send *send, uint64_t first,
	uint32_t count, uint8_t *buffer, size_t *ret_len)
{
	int err = fill(path, view, send, first, count, buffer, ret_len);

	if (err)
		return err == -EAGAIN ? TFTP_SENT_COLD : TFTP_SENT_CHANGED;
	if (is_time_to_check(send, first, count) && !view_is_whole(view))
		return TFTP_SENT_CHANGED;
	return TFTP_SENT_ALL;
}

/* So many blocks of this size make one message. */
static uint32_t run_max(uint32_t stride)
{
	uint32_t fit = RUN_BYTES_MAX / stride;

	return fit < RUN_MAX ? fit : RUN_MAX;
}

/*
 * One datagram a block; returns how many went out, errno says why no more.
 * Whatever sendmmsg is refused for, it is sendmsg that has the last word.
 */
static uint32_t send_singly(const struct tftp_path *path, size_t len,
	uint32_t stride, uint32_t count)
{
	static uint8_t control[CONTROL_SPACE]
		__attribute__((aligned(sizeof(long))));
	static struct mmsghdr msgs[RUN_MAX];
	static struct iovec iov[RUN_MAX];
	uint32_t done = 0;

	for (uint32_t i = 0; i < count; i++) {
		size_t at = (size_t)i * stride;

		iov[i].iov_base = run + at;
		iov[i].iov_len = i + 1 < count ? stride : len - at;
		msgs[i].msg_hdr.msg_iov = &iov[i];
		msgs[i].msg_hdr.msg_iovlen = 1;
		address(path, &msgs[i].msg_hdr, control, 0);
	}
	while (done < count) {
		int n = sendmmsg(path->fd, msgs + done, count - done,
			MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n > 0)
			done += (uint32_t)n;
		else if (errno == EAGAIN ||
			 !send_message(path->fd, &msgs[done].msg_hdr))
			break;
		else
			done++;
	}
	return done;
}

/*
 * Does this errno say that the kernel, the device or the path takes no runs?
 * Which of them it is the kernels do not agree about: 6.1 says EINVAL also
 * where a block does not fit the MTU.
 */
static bool is_no_segment(int err)
{
	return err == EINVAL || err == EIO || err == EOPNOTSUPP ||
	       err == EMSGSIZE || err == ENOPROTOOPT;
}

static enum tftp_sent_result why_stopped(int err)
{
	switch (err) {
	case EACCES:
		return TFTP_SENT_GONE;
	case EAGAIN:
		return TFTP_SENT_FULL;
	default:
		/*
		 * A device's queue is full (ENOBUFS), a packet filter dropped
		 * it (EPERM), nobody answered ARP (EHOSTUNREACH), a link or
		 * an address is away for a moment: as if it were lost on the
		 * way. Who never comes back is given up by the timers.
		 */
		return TFTP_SENT_ALL;
	}
}

static uint32_t send_run(
	struct tftp_path *path, size_t len, uint32_t stride, uint32_t count)
{
	if (count == 1)
		return send_packet(path, run, len, 0);
	if (!path->singly) {
		if (send_packet(path, run, len, (uint16_t)stride))
			return count;
		if (!is_no_segment(errno))
			return 0;
		path->singly = true;
	}
	return send_singly(path, len, stride, count);
}

/* Stops where the path is found to need fragments. */
static struct tftp_sent send_blocks(struct tftp_path *path, struct view *view,
	const struct tftp_send *send, uint64_t first, uint32_t count)
{
	uint32_t stride = send->params.blksize + TFTP_DATA_HEADER;
	uint32_t fit = run_max(stride);
	struct tftp_sent sent = {TFTP_SENT_ALL, 0};

	while (sent.count < count) {
		uint32_t n =
			count - sent.count < fit ? count - sent.count : fit;
		uint32_t gone;
		size_t len;

		sent.result = prepare(
			path, view, send, first + sent.count, n, run, &len);
		if (sent.result != TFTP_SENT_ALL)
			return sent;
		errno = 0;
		gone = send_run(path, len, stride, n);
		sent.count += gone;
		if (gone == n)
			continue;
		if (errno == EMSGSIZE && !path->fragments) {
			path->fragments = true;
			return sent;
		}
		sent.result = why_stopped(errno);
		if (sent.result != TFTP_SENT_ALL)
			return sent;
		sent.count += n - gone;
	}
	return sent;
}

struct tftp_sent tftp_socket_blocks(struct tftp_path *path, struct view *view,
	const struct tftp_send *send, uint64_t first, uint32_t count)
{
	struct tftp_sent sent = {TFTP_SENT_ALL, 0}, rest;

	if (!path->fragments) {
		sent = send_blocks(path, view, send, first, count);
		if (!path->fragments)
			return sent;
	}
	discover_mtu(path->fd, IP_PMTUDISC_DONT);
	rest = send_blocks(
		path, view, send, first + sent.count, count - sent.count);
	discover_mtu(path->fd, IP_PMTUDISC_DO);
	rest.count += sent.count;
	return rest;
}

bool tftp_socket_gather(struct tftp_path *path, struct view *view,
	const struct tftp_send *send, uint64_t first, uint32_t count)
{
	uint32_t stride = send->params.blksize + TFTP_DATA_HEADER;
	uint32_t i = gathered.n;
	uint8_t *buffer = run + gathered.len;
	size_t len;

	if (i == TFTP_GATHER_MAX || path->fragments ||
		(count > 1 && (path->singly || count > run_max(stride))) ||
		(size_t)count * stride > RUN_BYTES_MAX - gathered.len ||
		prepare(path, view, send, first, count, buffer, &len) !=
			TFTP_SENT_ALL)
		return false;
	gathered.iov[i] = (struct iovec){buffer, len};
	gathered.msg[i].msg_hdr.msg_iov = &gathered.iov[i];
	gathered.msg[i].msg_hdr.msg_iovlen = 1;
	address(path, &gathered.msg[i].msg_hdr, gathered.control[i],
		count > 1 ? (uint16_t)stride : 0);
	gathered.len += len;
	gathered.n++;
	return true;
}

uint32_t tftp_socket_send_gathered(int fd)
{
	int n = sendmmsg(
		fd, gathered.msg, gathered.n, MSG_DONTWAIT | MSG_NOSIGNAL);

	gathered.n = 0;
	gathered.len = 0;
	return n > 0 ? (uint32_t)n : 0;
}

bool tftp_socket_take_icmp(int fd, struct sockaddr_in *ret_peer, bool *ret_gone)
{
	uint8_t control[512] __attribute__((aligned(sizeof(long))));
	uint8_t packet[64];
	struct iovec iov = {packet, sizeof(packet)};
	struct msghdr msg = {
		.msg_name = ret_peer,
		.msg_namelen = sizeof(*ret_peer),
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *c;

	*ret_gone = false;
	if (recvmsg(fd, &msg, MSG_ERRQUEUE | MSG_DONTWAIT) < 0)
		return false;
	for (c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c)) {
		struct sock_extended_err e;

		if (c->cmsg_level != IPPROTO_IP || c->cmsg_type != IP_RECVERR)
			continue;
		memcpy(&e, CMSG_DATA(c), sizeof(e));
		*ret_gone = e.ee_origin == SO_EE_ORIGIN_ICMP &&
			    e.ee_type == ICMP_DEST_UNREACH &&
			    e.ee_code == ICMP_PORT_UNREACH;
	}
	return true;
}
