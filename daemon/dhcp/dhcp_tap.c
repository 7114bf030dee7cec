#include "daemon/dhcp/dhcp_tap.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/base/worker.h"
#include "daemon/dhcp/dhcp_filter.h"
#include "daemon/dhcp/dhcp_packet.h"
#include "proto/ipv4.h"

/* Of experiments (IEEE 802): such frames do not come, so it sees nothing. */
#define ETH_P_NOTHING 0x88b5

enum phase { PHASE_IDLE, PHASE_LISTENING, PHASE_RESTING };

struct dhcp_tap {
	int fd;
	uint16_t port; /* the server's */
	struct worker *worker;
	struct event *readable, *next;
	struct dhcp_tap_calls calls;
	enum phase phase;
};

/* What the thread works on. */
struct turning {
	int fd;
	uint16_t protocol;
};

static int bind_to(int fd, uint16_t protocol)
{
	struct sockaddr_ll to = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(protocol),
	};

	return bind(fd, (struct sockaddr *)&to, sizeof(to));
}

/* Of DHCP's packets those that leave this host, and are not ours. */
static int attach_filter(int fd, uint16_t port)
{
	static const struct sock_filter head[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			(uint32_t)(SKF_AD_OFF + SKF_AD_PKTTYPE)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PACKET_OUTGOING, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, 0),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			(uint32_t)(SKF_AD_OFF + SKF_AD_PROTOCOL)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_IP, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, 0),
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 4),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPV4_UDP_ID, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};

	return dhcp_filter_attach(fd, port, head, sizeof(head) / sizeof(*head));
}

static void work(void *arg)
{
	struct turning *turning = arg;

	bind_to(turning->fd, turning->protocol);
}

static void drop(void *arg)
{
	struct turning *turning = arg;

	close(turning->fd);
	free(turning);
}

/* In a thread: the kernel makes the caller wait some milliseconds. */
static void turn_to(struct dhcp_tap *tap, uint16_t protocol)
{
	struct worker_task task = {work, NULL, drop, NULL};
	struct turning *turning = calloc(1, sizeof(*turning));

	if (!turning)
		return;
	turning->protocol = protocol;
	turning->fd = dup(tap->fd);
	task.arg = turning;
	if (!worker_start(tap->worker, &task))
		drop(turning);
}

static void begin(struct dhcp_tap *tap, enum phase phase, unsigned seconds)
{
	struct timeval until = {.tv_sec = (time_t)seconds};

	tap->phase = phase;
	event_add(tap->next, &until);
}

static void on_next(evutil_socket_t fd, short what, void *arg)
{
	struct dhcp_tap *tap = arg;

	(void)fd, (void)what;
	if (tap->phase == PHASE_LISTENING) {
		turn_to(tap, ETH_P_NOTHING);
		begin(tap, PHASE_RESTING, DHCP_TAP_REST_S);
	} else {
		tap->phase = PHASE_IDLE;
	}
}

void dhcp_tap_wake(struct dhcp_tap *tap)
{
	if (!tap || tap->phase != PHASE_IDLE)
		return;
	turn_to(tap, ETH_P_ALL);
	begin(tap, PHASE_LISTENING, DHCP_TAP_LISTEN_S);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct dhcp_tap *tap = arg;
	uint8_t packet[DHCP_FILTER_PACKET_MAX];
	struct sockaddr_ll from;
	socklen_t from_len = sizeof(from);
	struct ipv4_udp udp;
	ssize_t n = recvfrom(fd, packet, sizeof(packet), MSG_DONTWAIT,
		(struct sockaddr *)&from, &from_len);

	(void)what;
	if (n > 0 && ipv4_parse_udp(packet, (size_t)n, &udp) &&
		udp.src_port == tap->port && udp.dst_port == tap->port + 1)
		tap->calls.reply(tap->calls.arg,
			&(struct dhcp_heard){
				.data = udp.data,
				.len = udp.len,
				.from = udp.src,
				.to = udp.dst,
				.from_port = udp.src_port,
				.ifindex = (unsigned)from.sll_ifindex,
				.is_from_here = true,
			});
}

int dhcp_tap_new(struct event_base *base, struct worker *worker, uint16_t port,
	const struct dhcp_tap_calls *calls, struct dhcp_tap **ret)
{
	struct dhcp_tap *tap = calloc(1, sizeof(*tap));
	int err;

	if (!tap)
		return -ENOMEM;
	tap->port = port;
	tap->worker = worker;
	tap->calls = *calls;
	/* Protocol 0: nothing comes in before the filter is there. */
	tap->fd =
		socket(AF_PACKET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (tap->fd < 0 || attach_filter(tap->fd, port) ||
		bind_to(tap->fd, ETH_P_NOTHING)) {
		err = -errno;
		dhcp_tap_free(tap);
		return err;
	}
	tap->readable = event_new(
		base, tap->fd, EV_READ | EV_PERSIST, on_readable, tap);
	tap->next = evtimer_new(base, on_next, tap);
	if (!tap->readable || !tap->next || event_add(tap->readable, NULL)) {
		dhcp_tap_free(tap);
		return -ENOMEM;
	}
	*ret = tap;
	return 0;
}

void dhcp_tap_free(struct dhcp_tap *tap)
{
	if (!tap)
		return;
	if (tap->readable)
		event_free(tap->readable);
	if (tap->next)
		event_free(tap->next);
	if (tap->fd >= 0)
		close(tap->fd);
	free(tap);
}
