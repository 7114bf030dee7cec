/*
 * socket: opening the sockets that the services listen on, and saying who
 * holds a port that cannot be had.
 */
#ifndef DAEMON_BASE_SOCKET_H
#define DAEMON_BASE_SOCKET_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/*
 * A non-blocking UDP socket bound to addr:port (host order; 0: every
 * address), with IP_PKTINFO. reuse: share the port with others that allow
 * it, and be allowed to broadcast. The descriptor, or -errno.
 */
int socket_udp(uint32_t addr, uint16_t port, bool reuse);
/*
 * A listening TCP socket; addr 0: every address, of IPv6 too (IPv4 addresses
 * are then ::ffff:A.B.C.D), if there is IPv6. The descriptor, or -errno.
 */
int socket_tcp(uint32_t addr, uint16_t port);
/*
 * "NAME, process N" of who holds a port; false: nobody, or one who must not be
 * looked at.
 */
bool socket_owner(bool tcp, uint16_t port, char *ret, size_t cap);
/* Log why `what` cannot have this port, with the program that holds it. */
void socket_log_failure(
	const char *what, bool tcp, uint32_t addr, uint16_t port, int err);

/* Room for the control data of IP_PKTINFO. */
#define SOCKET_PKTINFO_SPACE CMSG_SPACE(sizeof(struct in_pktinfo))

/* Where a datagram came in; false if the kernel did not say. */
bool socket_get_pktinfo(struct msghdr *msg, struct in_pktinfo *ret);
/*
 * Have a datagram leave by this interface (0: as routed) from this address
 * (host order). msg_control must have SOCKET_PKTINFO_SPACE.
 */
void socket_set_pktinfo(struct msghdr *msg, unsigned ifindex, uint32_t from);
/* A sockaddr of an address and port in host order. */
struct sockaddr_in socket_addr(uint32_t addr, uint16_t port);

#endif
