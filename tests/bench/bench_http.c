/*
 * bench_http: HTTP clients in one process, and one line of JSON.
 *
 *   bench_http PORT PATH CONNECTIONS REQUESTS [close|idle|PAUSE_MS]
 *
 * CONNECTIONS to 127.0.0.1, each asking for PATH until all of them together
 * have asked REQUESTS times; with `close` each request has a connection of its
 * own, with a number a client pauses so many milliseconds between its
 * requests. Bodies are discarded in the kernel (MSG_TRUNC). With `idle` the
 * connections ask once and stay until standard input ends.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

struct client {
	int fd;
	bool in_body;
	uint64_t begun_ns, left, due_ns; /* due: not asking before */
	char head[2048];
	size_t head_len;
};

static struct client *clients;
static unsigned n_clients, answers, asked, requests;
static uint64_t *took_ns, bytes;
static struct sockaddr_in server;
static char request[1024];
static size_t request_len;
static bool close_each;
static uint64_t pause_ns;
static int epoll_fd;

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void call(struct client *c)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};

	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0 ||
		connect(c->fd, (struct sockaddr *)&server, sizeof(server)))
		die("connect");
	if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, c->fd, &event))
		die("epoll_ctl");
}

/* False: all have been asked. */
static bool ask(struct client *c)
{
	if (asked == requests) {
		/* That the server hangs up is then no event any more. */
		if (c->fd >= 0)
			epoll_ctl(epoll_fd, EPOLL_CTL_DEL, c->fd, NULL);
		return false;
	}
	asked++;
	c->begun_ns = now_ns();
	if (c->fd < 0)
		call(c);
	if (send(c->fd, request, request_len, MSG_NOSIGNAL) !=
		(ssize_t)request_len)
		die("send");
	c->head_len = 0;
	c->in_body = false;
	return true;
}

static void finish(struct client *c)
{
	took_ns[answers++] = now_ns() - c->begun_ns;
	c->in_body = false;
	if (close_each) {
		close(c->fd);
		c->fd = -1;
	}
	if (pause_ns)
		c->due_ns = c->begun_ns + pause_ns;
	else
		ask(c);
}

static void take_head(struct client *c)
{
	ssize_t n = recv(c->fd, c->head + c->head_len,
		sizeof(c->head) - 1 - c->head_len, 0);
	char *end, *length;

	if (n <= 0)
		die("recv");
	c->head_len += (size_t)n;
	c->head[c->head_len] = '\0';
	end = strstr(c->head, "\r\n\r\n");
	if (!end)
		return;
	length = strcasestr(c->head, "\r\ncontent-length:");
	if (strncmp(c->head, "HTTP/1.1 200", 12) != 0 || !length) {
		fprintf(stderr, "%s\n", c->head);
		exit(1);
	}
	c->left = strtoull(length + 17, NULL, 10);
	n = c->head + c->head_len - (end + 4);
	c->left -= (uint64_t)n;
	bytes += (uint64_t)n;
	c->in_body = true;
}

static void take_body(struct client *c)
{
	ssize_t n = recv(c->fd, NULL, c->left < 8u << 20 ? c->left : 8u << 20,
		MSG_TRUNC | MSG_DONTWAIT);

	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0)
		die("recv");
	c->left -= (uint64_t)n;
	bytes += (uint64_t)n;
}

static void run(void)
{
	struct epoll_event events[256];

	while (answers < requests) {
		int n = epoll_wait(epoll_fd, events, 256, pause_ns ? 1 : 20000);
		uint64_t now = now_ns();

		if (!n && !pause_ns)
			die("nothing came for 20 s");
		for (int i = 0; i < n; i++) {
			struct client *c = events[i].data.ptr;

			if (!c->in_body)
				take_head(c);
			if (c->in_body && c->left)
				take_body(c);
			if (c->in_body && !c->left)
				finish(c);
		}
		for (unsigned i = 0; pause_ns && i < n_clients; i++) {
			struct client *c = &clients[i];

			if (c->due_ns && c->due_ns <= now) {
				c->due_ns = 0;
				ask(c);
			}
		}
	}
}

static int by_size(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static double part_ms(double part)
{
	return (double)took_ns[(size_t)((answers - 1) * part)] / 1e6;
}

static void set_up(char **argv)
{
	server = (struct sockaddr_in){
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)strtoul(argv[1], NULL, 10)),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	n_clients = (unsigned)strtoul(argv[3], NULL, 10);
	requests = (unsigned)strtoul(argv[4], NULL, 10);
	if (argv[5] && strcmp(argv[5], "close") == 0)
		close_each = true;
	else if (argv[5])
		pause_ns = strtoull(argv[5], NULL, 10) * 1000000;
	request_len = (size_t)snprintf(request, sizeof(request),
		"GET %s HTTP/1.1\r\nHost: x\r\n\r\n", argv[2]);
	clients = calloc(n_clients, sizeof(*clients));
	took_ns = calloc(requests, sizeof(*took_ns));
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (!clients || !took_ns || epoll_fd < 0)
		die("set-up");
}

int main(int argc, char **argv)
{
	uint64_t begun;
	double seconds;

	if (argc < 5) {
		fprintf(stderr, "usage: bench_http PORT PATH CONNECTIONS "
				"REQUESTS [close|idle|PAUSE_MS]\n");
		return 2;
	}
	set_up(argv);
	begun = now_ns();
	for (unsigned i = 0; i < n_clients; i++) {
		clients[i].fd = -1;
		ask(&clients[i]);
	}
	run();
	seconds = (double)(now_ns() - begun) / 1e9;
	qsort(took_ns, answers, sizeof(*took_ns), by_size);
	printf("{\"seconds\": %.6f, \"bytes\": %llu, \"requests\": %u, "
	       "\"p50_ms\": %.4f, \"p99_ms\": %.4f, \"max_ms\": %.4f}\n",
		seconds, (unsigned long long)bytes, answers, part_ms(0.5),
		part_ms(0.99), part_ms(1));
	fflush(stdout);
	if (argv[5] && strcmp(argv[5], "idle") == 0) {
		char end;

		while (read(0, &end, 1) > 0)
			;
	}
	return 0;
}
