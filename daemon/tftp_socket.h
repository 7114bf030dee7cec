/*
 * tftp_socket: how the packets of a TFTP transfer get into a socket: which
 * block size a path carries, and runs of blocks in as few system calls as the
 * kernel allows. Whether UDP_SEGMENT works is found out by trying.
 */
#ifndef DAEMON_TFTP_SOCKET_H
#define DAEMON_TFTP_SOCKET_H

#include <netinet/in.h>
#include <stdint.h>

#include "daemon/view.h"
#include "proto/tftp_send.h"

/* The largest block that a path of this MTU carries without fragments. */
uint32_t tftp_socket_max_blksize(uint32_t mtu);

/* A socket of its own for one transfer; -errno. */
int tftp_socket_open(uint32_t from, const struct sockaddr_in *peer);

void tftp_socket_oack(
	int fd, const struct tftp_params *params, uint64_t file_size);
void tftp_socket_error(int fd, enum tftp_error code, const char *text);
/* An ERROR in answer to a request, from the service's own socket. */
void tftp_socket_refuse(int fd, const struct sockaddr_in *to, unsigned ifindex,
	uint32_t from, enum tftp_error code, const char *text);

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
struct tftp_sent tftp_socket_blocks(int fd, const struct view *view,
	const struct tftp_send *send, uint64_t first, uint32_t count);

#endif
