/*
 * tftp_service: the sockets and files of the TFTP server (RFC 1350, 2347,
 * 2348, 2349, 7440); the protocol itself is proto/tftp and proto/tftp_send.
 *
 * Every transfer has a connected socket of its own. A run of blocks leaves in
 * one sendmsg with UDP_SEGMENT where the kernel and the path take that, else
 * in one sendmmsg.
 */
#ifndef DAEMON_TFTP_SERVICE_H
#define DAEMON_TFTP_SERVICE_H

#include "daemon/netuki.h"

#define TFTP_MAX_TRANSFERS	    4096
#define TFTP_MAX_TRANSFERS_PER_ADDR 16

/* 0, or -errno after having logged why. */
int tftp_service_new(struct netuki *netuki, struct tftp_service **ret);
void tftp_service_free(struct tftp_service *service);

struct tftp_counts {
	uint64_t requests, refused, over_cap, completed, aborted, gave_up;
	uint64_t failed, blocks, resent, bytes;
	unsigned running;
};
struct tftp_counts tftp_service_counts(const struct tftp_service *service);

#endif
