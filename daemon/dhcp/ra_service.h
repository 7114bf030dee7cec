/*
 * ra_service: answers the Router Solicitation of a client that we have just
 * answered as iPXE, with one unicast advertisement of lifetime 0 (proto/ra).
 * Saves 16 s of every iPXE boot in a network without an IPv6 router.
 *
 * Polite by these rules: unicast to the soliciting client only; only to a
 * client that was answered as iPXE within the last minute; only on interfaces
 * that are served; not on a link where a real router has been heard; off with
 * `dhcp: {ipxe-ra: off}`.
 */
#ifndef DAEMON_DHCP_RA_SERVICE_H
#define DAEMON_DHCP_RA_SERVICE_H

#include "daemon/netuki.h"

#define RA_IPXE_WITHIN_US 60000000

/*
 * Without CAP_NET_RAW there is none (*ret is NULL, and a line in the log):
 * nothing is lost but the time. 0 or -errno.
 */
int ra_service_new(struct netuki *netuki, struct ra_service **ret);
void ra_service_free(struct ra_service *service);

#endif
