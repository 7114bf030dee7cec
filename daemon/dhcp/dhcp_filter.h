/*
 * dhcp_filter: what of all packets is DHCP's, told to the kernel: a filter for
 * packet sockets of type SOCK_DGRAM, which see a packet from its IP header on.
 */
#ifndef DAEMON_DHCP_DHCP_FILTER_H
#define DAEMON_DHCP_DHCP_FILTER_H

#include <linux/filter.h>
#include <stddef.h>
#include <stdint.h>

#define DHCP_FILTER_HEAD_MAX   16
#define DHCP_FILTER_PACKET_MAX 2048 /* bytes of a packet that come in */

/*
 * Lets pass UDP, whole, that is either a BOOTREQUEST to the server's port or a
 * BOOTREPLY to the client's, the one above it. What `head` refuses, a program
 * of at most DHCP_FILTER_HEAD_MAX statements that otherwise runs on to its end,
 * does not get so far. 0, or -1 and errno.
 */
int dhcp_filter_attach(
	int fd, uint16_t port, const struct sock_filter *head, size_t n_head);

#endif
