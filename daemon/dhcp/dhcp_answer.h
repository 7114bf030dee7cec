/*
 * dhcp_answer: from one datagram to the reply to it. Asks decide(), has
 * proto/pxe build the bytes, and tells the journal; sockets are not its.
 */
#ifndef DAEMON_DHCP_DHCP_ANSWER_H
#define DAEMON_DHCP_DHCP_ANSWER_H

#include "daemon/base/log.h"
#include "daemon/dhcp/dhcp_packet.h"
#include "daemon/dhcp/dhcp_service.h"

#define DHCP_RIVALS_MAX 32

struct dhcp_answerer {
	struct netuki *netuki;
	struct dhcp_counts counts;
	struct log_limit limit;
	uint32_t rivals[DHCP_RIVALS_MAX]; /* other PXE servers, once said */
	size_t n_rivals;
};

/* ret->len 0: silence. */
void dhcp_answer(struct dhcp_answerer *s, const struct dhcp_heard *in,
	bool on_pxe_port, struct dhcp_reply_packet *ret);

/* What another server told a client. */
void dhcp_answer_overheard(
	struct dhcp_answerer *s, const struct dhcp_heard *heard);

#endif
