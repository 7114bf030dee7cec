/*
 * dhcp_tap: what the other programs of this host tell DHCP clients. The packet
 * socket of dhcp_packet hears what comes in; what leaves this host is only
 * shown to a socket that sees every packet, downloads too, which costs each of
 * them half a microsecond. So that socket listens for a while after a boot has
 * begun, and then rests.
 *
 * Needs CAP_NET_RAW when it is opened.
 */
#ifndef DAEMON_DHCP_DHCP_TAP_H
#define DAEMON_DHCP_DHCP_TAP_H

#include <stdint.h>

struct dhcp_heard;
struct dhcp_tap;
struct event_base;
struct worker;

#define DHCP_TAP_LISTEN_S 60
#define DHCP_TAP_REST_S	  600

struct dhcp_tap_calls {
	/* A BOOTREPLY from the server's port, by another program here. */
	void (*reply)(void *arg, const struct dhcp_heard *heard);
	void *arg;
};

/* port: the server's, 67. 0 or -errno. */
int dhcp_tap_new(struct event_base *base, struct worker *worker, uint16_t port,
	const struct dhcp_tap_calls *calls, struct dhcp_tap **ret);
void dhcp_tap_free(struct dhcp_tap *tap); /* NULL is fine */
/* A machine boots: listen, unless it does or rests from it. */
void dhcp_tap_wake(struct dhcp_tap *tap); /* NULL is fine */

#endif
