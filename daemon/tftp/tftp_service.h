/*
 * tftp_service: the sockets and files of the TFTP server (RFC 1350, 2347,
 * 2348, 2349, 7440); the protocol itself is proto/tftp and proto/tftp_send.
 *
 * Who is served: an address in a subnet of the interface that its request came
 * in on; one that DHCP knows; one in the same /16 as a relay that DHCP has
 * answered; and what `tftp: {allow: [...]}` names. All others get no answer.
 *
 * Replies leave from a few ports of the kernel's choice, which transfers
 * share, or with `single-port` from the one that was asked. A run of blocks
 * leaves in one message with UDP_SEGMENT where the kernel and the path take
 * that, else as single packets in one sendmmsg. What the packets of many
 * clients call for that came at once leaves in one sendmmsg as well.
 */
#ifndef DAEMON_TFTP_TFTP_SERVICE_H
#define DAEMON_TFTP_TFTP_SERVICE_H

#include "daemon/netuki.h"

#define TFTP_MAX_TRANSFERS	    4096
#define TFTP_MAX_TRANSFERS_PER_ADDR 16
/* Of these so many whose client has not answered yet. */
#define TFTP_MAX_UNANSWERED_PER_ADDR 8

/* 0, or -errno after having logged why. */
int tftp_service_new(struct netuki *netuki, struct tftp_service **ret);
void tftp_service_free(struct tftp_service *service);
/* No new transfers; those under way go on. */
void tftp_service_end_soon(struct tftp_service *service);

/* Each transfer that has begun. */
void tftp_service_each(
	struct tftp_service *service, journal_progress *each, void *arg);

struct tftp_counts {
	uint64_t requests, refused, over_cap, completed, aborted, gave_up;
	uint64_t questions; /* of a file's size, and no more */
	uint64_t failed, blocks, resent, bytes, not_allowed, strays;
	unsigned running;
};
struct tftp_counts tftp_service_counts(const struct tftp_service *service);

#endif
