/*
 * The clients of HTTP.
 *
 * A delay is made by doing each thing as late as it would be done: what a
 * client sends leaves after one delay, and what it does about an answer comes
 * one delay after that. TCP's packets are the kernel's, which does not wait; a
 * body is so read in the windows in which it would come, see take_body().
 */
#include <errno.h>
#include <linux/filter.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "daemon/ctl/bench/bench_loop.h"
#include "proto/http_response.h"

#define SECOND	 UINT64_C(1000000000)
#define HEAD_MAX 4096
#define AT_ONCE	 (256u << 10)
#define DISCARD	 (8u << 20)

#define SEGMENT	   1448 /* the data of a packet of Ethernet */
#define TCP_HEADER 32	/* with its time stamps */
/* A sender's first window (RFC 6928), and what EDK2 and iPXE take at most. */
#define FIRST_WINDOW (10 * SEGMENT)
#define LAST_WINDOW  (2u << 20)
#define RANDOM	     (SKF_AD_OFF + SKF_AD_RANDOM)

/* How a firmware asks. */
static const struct manner {
	const char *name, *headers;
	bool head_first; /* it asks for the size first, by HEAD */
	/* How long it waits for the connection, and for anything then. */
	uint64_t connect_ns, silence_ns;
} manners[] = {
	{"edk2", "Accept: */*\r\nUser-Agent: UefiHttpBoot/1.0\r\n", true,
		60 * SECOND, 5 * SECOND},
	{"ipxe", "User-Agent: iPXE/1.21.1\r\n", false, 60 * SECOND,
		60 * SECOND},
};

enum phase { PHASE_CONNECT, PHASE_HEAD, PHASE_BODY };

struct player {
	struct bench_client base;
	enum phase phase;
	int fd;
	bool has_socket;
	bool sizing;	  /* by HEAD */
	bool used_before; /* the connection: it may be closed any time */
	bool close_after;
	bool has_size;
	uint64_t size, at, left; /* of the body */
	uint64_t heard_ns;
	uint64_t window, room; /* what of it has not come yet */
	uint64_t window_ns;    /* when it began to come */
	size_t head_len;
	char head[HEAD_MAX];
};

static struct player *player_of(struct bench_client *client)
{
	void *at = client; /* its first member */

	return at;
}

static const struct manner *manner_of(const struct player *p)
{
	const struct manner *m = manners;

	while (strcmp(m->name, p->base.as) != 0)
		m++;
	return m;
}

bool bench_http_plays(const char *name)
{
	for (size_t i = 0; i < sizeof(manners) / sizeof(*manners); i++)
		if (strcmp(manners[i].name, name) == 0)
			return true;
	return false;
}

static void close_socket(struct player *p)
{
	if (p->has_socket)
		close(p->fd);
	p->has_socket = false;
}

/* Go on after so long; without a delay at once. */
static void hold(struct bench_loop *loop, struct player *p, uint64_t ns,
	void (*then)(struct bench_loop *, struct bench_client *))
{
	if (ns && p->has_socket)
		bench_loop_forget(loop, p->fd);
	bench_loop_hold(loop, &p->base, ns, then);
}

/* What was not watched while it was held. */
static void watch_again(struct bench_loop *loop, struct player *p)
{
	if (loop->setup->delay_ns)
		bench_loop_watch(loop, p->fd, EPOLLIN, &p->base);
}

static void end_whole(struct bench_loop *loop, struct bench_client *client)
{
	struct player *p = player_of(client);

	if (p->close_after || !loop->setup->keep_alive)
		close_socket(p);
	else
		watch_again(loop, p);
	bench_loop_end(loop, &p->base, NULL);
}

static void end(struct bench_loop *loop, struct player *p, const char *why)
{
	if (!why) {
		hold(loop, p, loop->setup->delay_ns, end_whole);
		return;
	}
	close_socket(p);
	bench_loop_end(loop, &p->base, why);
}

/*
 * What the server sends gets lost before TCP sees it, by a filter of this
 * socket: of a packet that the kernel has joined, all from some segment of an
 * Ethernet's size on, as likely as that one of them is lost.
 */
static void lose(const struct bench_loop *loop, int fd)
{
	uint32_t chance = (uint32_t)(loop->loss >> 8); /* of 2^24 */
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0),
		/* Headers alone are spared. */
		BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, 60, 0, 14),
		BPF_STMT(BPF_ALU | BPF_ADD | BPF_K, SEGMENT - 1),
		BPF_STMT(BPF_ALU | BPF_DIV | BPF_K, SEGMENT),
		BPF_STMT(BPF_ST, 0), /* M[0]: how many segments */
		BPF_STMT(BPF_ALU | BPF_MUL | BPF_K, chance),
		BPF_STMT(BPF_MISC | BPF_TAX, 0),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, RANDOM),
		BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xffffff),
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_X, 0, 6, 0),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, RANDOM),
		BPF_STMT(BPF_LDX | BPF_MEM, 0),
		BPF_STMT(BPF_ALU | BPF_MOD | BPF_X, 0),
		BPF_STMT(BPF_ALU | BPF_MUL | BPF_K, SEGMENT),
		BPF_STMT(BPF_ALU | BPF_ADD | BPF_K, TCP_HEADER),
		BPF_STMT(BPF_RET | BPF_A, 0),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
	};
	struct sock_fprog filter = {
		.len = sizeof(code) / sizeof(*code), .filter = code};

	if (loop->loss && setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter,
				  sizeof(filter)))
		perror("netukictl: --loss");
}

static void ask(struct bench_loop *loop, struct player *p)
{
	const struct url *url = &p->base.target->url;
	const struct manner *m = manner_of(p);
	char text[URL_MAX + 600];
	int len = snprintf(text, sizeof(text),
		"%s %s HTTP/1.1\r\nHost: %s\r\n%s\r\n",
		p->sizing ? "HEAD" : "GET", url->path,
		p->base.target->host_text, m->headers);

	p->phase = PHASE_HEAD;
	p->head_len = 0;
	/* So little fits a new connection's buffer; else it is broken. */
	if (send(p->fd, text, (size_t)len, MSG_NOSIGNAL) != len)
		end(loop, p, strerror(errno));
}

static void ask_there(struct bench_loop *loop, struct bench_client *client)
{
	struct player *p = player_of(client);

	watch_again(loop, p);
	ask(loop, p);
}

/* The connection is there. */
static void begin(struct bench_loop *loop, struct bench_client *client)
{
	struct player *p = player_of(client);

	lose(loop, p->fd);
	bench_loop_watch(loop, p->fd, EPOLLIN, &p->base);
	p->window = FIRST_WINDOW;
	ask(loop, p);
}

/* What follows is already its waiting for an answer. */
static void connected(struct bench_loop *loop, struct player *p)
{
	p->phase = PHASE_HEAD;
	hold(loop, p, 2 * loop->setup->delay_ns, begin);
}

static void dial(struct bench_loop *loop, struct bench_client *client)
{
	struct player *p = player_of(client);
	const union bench_address *to = &p->base.target->address;

	if (connect(p->fd, &to->any, bench_address_len(to)) == 0)
		connected(loop, p);
	else if (errno == EINPROGRESS)
		bench_loop_watch(loop, p->fd, EPOLLOUT, &p->base);
	else
		end(loop, p, strerror(errno));
}

static void call(struct bench_loop *loop, struct bench_client *client)
{
	struct player *p = player_of(client);
	int mss = SEGMENT + TCP_HEADER - 20;

	p->fd = bench_socket(loop->setup, p->base.target, p->base.number);
	if (p->fd < 0) {
		bench_loop_break(loop);
		return;
	}
	p->has_socket = true;
	/* On loopback, too, what is sent again is to be a packet's data. */
	if (loop->loss)
		setsockopt(p->fd, SOL_TCP, TCP_MAXSEG, &mss, sizeof(mss));
	p->used_before = p->close_after = false;
	p->heard_ns = p->base.begun_ns;
	p->phase = PHASE_CONNECT;
	hold(loop, p, loop->setup->delay_ns, dial);
}

static void load(struct bench_loop *loop, struct bench_client *client)
{
	struct player *p = player_of(client);

	p->sizing = manner_of(p)->head_first;
	p->has_size = false;
	p->heard_ns = p->base.begun_ns;
	if (!p->has_socket) {
		call(loop, &p->base);
		return;
	}
	p->used_before = true;
	hold(loop, p, loop->setup->delay_ns, ask_there);
}

static void answered(struct bench_loop *loop, struct player *p)
{
	int err = 0;
	socklen_t len = sizeof(err);

	getsockopt(p->fd, SOL_SOCKET, SO_ERROR, &err, &len);
	if (err) {
		end(loop, p,
			err == ECONNREFUSED ? "nothing listens there"
					    : strerror(err));
		return;
	}
	connected(loop, p);
}

static void end_status(struct bench_loop *loop, struct player *p, unsigned n)
{
	char why[80];

	p->close_after = true; /* its body is not read */
	if (loop->setup->missing && n == 404) {
		end(loop, p, NULL);
		return;
	}
	snprintf(why, sizeof(why), "the server answers %u%s", n,
		n / 100 == 3 ? ", which firmware does not follow" : "");
	end(loop, p, why);
}

/* The whole body is there. */
static void finish(struct bench_loop *loop, struct player *p)
{
	end(loop, p, bench_file_end(p->base.file, p->at));
}

/* The next window comes a round trip after the last one began to. */
static void open_window(struct bench_loop *loop, struct bench_client *client)
{
	struct player *p = player_of(client);

	watch_again(loop, p);
	p->window = p->window < LAST_WINDOW / 2 ? 2 * p->window : LAST_WINDOW;
	p->room = p->window;
}

static void end_window(struct bench_loop *loop, struct player *p)
{
	uint64_t due = p->window_ns + 2 * loop->setup->delay_ns;

	hold(loop, p, due > loop->now_ns ? due - loop->now_ns : 0, open_window);
}

/*
 * Of a delayed sender not more than a window comes in a round trip: as in the
 * slow start of a TCP that loses nothing.
 */
static void take_body(
	struct bench_loop *loop, struct player *p, const char *data, size_t len)
{
	const void *bytes = data;
	const char *wrong = NULL;

	if (data)
		wrong = bench_file_take(p->base.file, p->at, bytes, len);
	if (p->room == p->window)
		p->window_ns = loop->now_ns;
	p->at += len;
	p->left -= len;
	p->room -= len;
	if (wrong)
		end(loop, p, wrong);
	else if (!p->left)
		finish(loop, p);
	else if (!p->room)
		end_window(loop, p);
}

/* len: of the head itself; the body may have begun behind it. */
static void take_head(struct bench_loop *loop, struct player *p, size_t len,
	const struct http_response *r)
{
	size_t more = p->head_len - len;

	p->close_after |= r->close;
	if (r->status != 200) {
		end_status(loop, p, r->status);
		return;
	}
	if (loop->setup->missing || !r->has_length) {
		end(loop, p,
			loop->setup->missing
				? "the file is there"
				: "the server does not tell the size");
		return;
	}
	if (p->has_size && p->size != r->length) {
		end(loop, p, "HEAD and GET tell different sizes");
		return;
	}
	p->has_size = true;
	p->size = r->length;
	if (p->sizing) {
		p->sizing = false;
		if (!r->close) {
			hold(loop, p, 2 * loop->setup->delay_ns, ask_there);
			return;
		}
		close_socket(p);
		hold(loop, p, loop->setup->delay_ns, call);
		return;
	}
	p->phase = PHASE_BODY;
	p->at = 0;
	p->left = r->length;
	p->room = loop->setup->delay_ns ? p->window : UINT64_MAX;
	if (more > p->left)
		end(loop, p, "the server sends more than it said");
	else
		take_body(loop, p, p->head + len, more);
}

/* Nothing more comes on this connection. */
static void hung_up(struct bench_loop *loop, struct player *p, int err)
{
	if (p->phase == PHASE_HEAD && p->used_before && !p->head_len) {
		close_socket(p);
		call(loop, &p->base);
		return;
	}
	end(loop, p, err ? strerror(err) : "the server hangs up in the middle");
}

static void read_head(struct bench_loop *loop, struct player *p)
{
	ssize_t n = recv(
		p->fd, p->head + p->head_len, sizeof(p->head) - p->head_len, 0);
	struct http_response r;
	int len;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		hung_up(loop, p, n < 0 ? errno : 0);
		return;
	}
	p->head_len += (size_t)n;
	len = http_response_parse(p->head, p->head_len, &r);
	if (len > 0)
		take_head(loop, p, (size_t)len, &r);
	else if (len < 0 || p->head_len == sizeof(p->head))
		end(loop, p, "this is no answer of HTTP");
}

static void read_body(struct bench_loop *loop, struct player *p)
{
	static char buffer[AT_ONCE];
	bool counts = p->base.file->use == BENCH_USE_COUNT;
	uint64_t most = counts ? DISCARD : sizeof(buffer);
	uint64_t least = p->left < p->room ? p->left : p->room;
	/* What nobody looks at is not copied either. */
	ssize_t n = recv(p->fd, counts ? NULL : buffer,
		least < most ? least : most, counts ? MSG_TRUNC : 0);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0)
		hung_up(loop, p, n < 0 ? errno : 0);
	else
		take_body(loop, p, counts ? NULL : buffer, (size_t)n);
}

static void ready(struct bench_loop *loop, struct bench_client *client)
{
	struct player *p = player_of(client);

	p->heard_ns = 0; /* just now: the next tick tells when */
	switch (p->phase) {
	case PHASE_CONNECT:
		answered(loop, p);
		break;
	case PHASE_HEAD:
		read_head(loop, p);
		break;
	case PHASE_BODY:
		read_body(loop, p);
		break;
	}
}

static void tick(
	struct bench_loop *loop, struct bench_client *client, uint64_t now_ns)
{
	struct player *p = player_of(client);
	const struct manner *m = manner_of(p);

	/* By the client's own clock: what is here now, it hears later. */
	now_ns += loop->setup->delay_ns;
	if (!p->heard_ns)
		p->heard_ns = now_ns;
	if (now_ns < p->heard_ns + (p->phase == PHASE_CONNECT ? m->connect_ns
							      : m->silence_ns))
		return;
	loop->figures->unanswered += p->phase != PHASE_BODY;
	loop->figures->tftp.timeouts++;
	end(loop, p,
		p->phase == PHASE_BODY ? "the server fell silent in the middle"
				       : "no answer to the request");
}

static void close_client(struct bench_loop *loop, struct bench_client *client)
{
	struct player *p = player_of(client);

	(void)loop;
	close_socket(p);
	bench_loop_let_go(client);
}

const struct bench_kind bench_http = {
	.client_size = sizeof(struct player),
	.load = load,
	.ready = ready,
	.tick = tick,
	.close = close_client,
};
