#include "daemon/dhcp/dhcp_filter.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include "proto/dhcp.h"

#define FRAGMENT 0x3fff /* "more fragments" and the offset */

int dhcp_filter_attach(
	int fd, uint16_t port, const struct sock_filter *head, size_t n_head)
{
	/* Offsets count from the IP header; `op` follows UDP's. */
	const struct sock_filter tail[] = {
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 9),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_UDP, 0, 11),
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 6),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, FRAGMENT, 9, 0),
		BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0),
		BPF_STMT(BPF_LD | BPF_H | BPF_IND, 2),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, port, 3, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, port + 1u, 0, 5),
		BPF_STMT(BPF_LD | BPF_B | BPF_IND, 8),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, DHCP_OP_REPLY, 2, 3),
		BPF_STMT(BPF_LD | BPF_B | BPF_IND, 8),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, DHCP_OP_REQUEST, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, DHCP_FILTER_PACKET_MAX),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct sock_filter
		code[DHCP_FILTER_HEAD_MAX + sizeof(tail) / sizeof(*tail)];
	struct sock_fprog program = {.filter = code};

	for (size_t i = 0; i < n_head; i++)
		code[program.len++] = head[i];
	for (size_t i = 0; i < sizeof(tail) / sizeof(*tail); i++)
		code[program.len++] = tail[i];
	return setsockopt(
		fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program));
}
