/*
 * dhcp_service: the ProxyDHCP server's sockets (PXE 2.1; RFC 2131, 4578).
 *
 * It lives beside the DHCP server of the network, on any host, also on the
 * same one: port 67 is listened to by a packet socket and not bound
 * (dhcp_packet). Port 4011 is ours alone.
 */
#ifndef DAEMON_DHCP_DHCP_SERVICE_H
#define DAEMON_DHCP_DHCP_SERVICE_H

#include "daemon/netuki.h"

/* 0, or -errno after having logged why. */
int dhcp_service_new(struct netuki *netuki, struct dhcp_service **ret);
void dhcp_service_free(struct dhcp_service *service);

struct dhcp_counts {
	uint64_t received, malformed, ignored, offers, acks, send_errors;
};
struct dhcp_counts dhcp_service_counts(const struct dhcp_service *service);

#endif
