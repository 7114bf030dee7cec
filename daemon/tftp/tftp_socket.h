/*
 * tftp_socket: how the packets of TFTP get out of a socket: what a path
 * carries, and runs of blocks in as few system calls as the kernel allows.
 * Whether UDP_SEGMENT works for a path is found out by trying.
 *
 * The sockets are not connected. Many transfers share one, and whatever comes
 * from elsewhere can be answered; sending costs the same, since the kernel
 * looks up a route faster than it copies a block.
 */
#ifndef DAEMON_TFTP_TFTP_SOCKET_H
#define DAEMON_TFTP_TFTP_SOCKET_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "daemon/images/view.h"
#include "daemon/tftp/tftp_cache.h"
#include "proto/tftp_send.h"

/* From whom to whom. */
struct tftp_path {
	int fd;
	struct sockaddr_in peer;
	uint32_t from;		  /* our address; host order; 0: by the route */
	struct tftp_cache *cache; /* for little at a time; NULL: none */
	bool singly;		  /* found out: no runs of blocks here */
	bool fragments; /* routers may fragment: nothing else gets through */
};

/*
 * Prepare a UDP socket: ICMP errors are queued with the peer that they are
 * about, packets are not fragmented, buffers are large.
 */
void tftp_socket_prepare(int fd);
/* A socket of its own port, prepared; or -errno. */
int tftp_socket_open(uint32_t listen);

struct tftp_route {
	uint32_t mtu;	 /* as far as the kernel has learnt it */
	uint32_t source; /* the address that packets have by themselves */
};

/*
 * The route to this address: 0, or -errno where there is none. fd is a UDP
 * socket for nothing else.
 */
int tftp_socket_route(
	int fd, const struct sockaddr_in *peer, struct tftp_route *ret);
/* The largest block that a path of this MTU carries without fragments. */
uint32_t tftp_socket_max_blksize(uint32_t mtu);

void tftp_socket_oack(const struct tftp_path *path,
	const struct tftp_params *params, uint64_t file_size);
void tftp_socket_error(
	const struct tftp_path *path, enum tftp_error code, const char *text);

enum tftp_sent_result {
	TFTP_SENT_ALL,
	TFTP_SENT_FULL,	   /* the socket takes no more now */
	TFTP_SENT_COLD,	   /* the data is not in the page cache */
	TFTP_SENT_CHANGED, /* the file is not what it was */
	TFTP_SENT_GONE	   /* no route, no such host */
};

struct tftp_sent {
	enum tftp_sent_result result;
	uint32_t count; /* blocks that went out */
};

/* Send blocks first .. first + count - 1 of the view. */
struct tftp_sent tftp_socket_blocks(struct tftp_path *path, struct view *view,
	const struct tftp_send *send, uint64_t first, uint32_t count);

#define TFTP_GATHER_MAX 32

/*
 * The same for many clients of one socket, in one system call: gather what
 * is for each of them, then send. False: this cannot join what was gathered
 * before it, or is nothing for one message; tftp_socket_blocks() is for it,
 * after the others have been sent.
 */
bool tftp_socket_gather(struct tftp_path *path, struct view *view,
	const struct tftp_send *send, uint64_t first, uint32_t count);
/*
 * So many of the first that were gathered have gone out. The others are
 * forgotten; tftp_socket_blocks() finds out what is in their way.
 */
uint32_t tftp_socket_send_gathered(int fd);

/*
 * Take one ICMP error from the queue. False: there is none. *ret_gone says
 * whether it is that nobody listens at *ret_peer any more.
 */
bool tftp_socket_take_icmp(
	int fd, struct sockaddr_in *ret_peer, bool *ret_gone);

#endif
