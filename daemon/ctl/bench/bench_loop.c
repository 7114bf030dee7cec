/*
 * One run: many clients in one loop, with a limit of time.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "daemon/ctl/bench/bench_loop.h"

#define SECOND	UINT64_C(1000000000)
#define LOOK_MS 5 /* how often timers are looked at */
#define SHOW_NS (SECOND / 5)
#define EVENTS	256

uint64_t bench_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * SECOND + (uint64_t)ts.tv_nsec;
}

bool bench_loop_loses(struct bench_loop *loop)
{
	if (!loop->loss)
		return false;
	/* xorshift64* */
	loop->random ^= loop->random >> 12;
	loop->random ^= loop->random << 25;
	loop->random ^= loop->random >> 27;
	if (loop->random * UINT64_C(2685821657736338717) >> 32 >= loop->loss)
		return false;
	loop->figures->dropped++;
	return true;
}

struct bench_client *bench_loop_client(
	const struct bench_loop *loop, unsigned number)
{
	void *at = loop->clients + (size_t)number * loop->kind->client_size;

	return at;
}

static void load(struct bench_loop *loop, struct bench_client *client)
{
	client->loading = true;
	client->due_ns = 0;
	client->begun_ns = bench_now_ns();
	loop->kind->load(loop, client);
}

/* The first failure is told; the others are likely to be the same. */
static void count_failure(struct bench_loop *loop, const char *why)
{
	if (!loop->figures->failed++)
		snprintf(loop->figures->why, sizeof(loop->figures->why), "%s",
			why);
}

static void count_whole(struct bench_loop *loop, uint64_t took_ns)
{
	struct bench_figures *f = loop->figures;

	bench_times_add(&f->took, (double)took_ns / 1e9);
	loop->whole++;
	if (!loop->setup->missing)
		f->bytes += loop->file->size;
}

void bench_loop_end(
	struct bench_loop *loop, struct bench_client *client, const char *why)
{
	uint64_t now = bench_now_ns();

	client->loading = false;
	if (client->boss) {
		loop->kind->part_ended(loop, client->boss, why);
		return;
	}
	client->left--;
	if (why) {
		/* A machine that could not boot stands still. */
		count_failure(loop, why);
		client->left = 0;
	} else {
		count_whole(loop, now - client->begun_ns);
	}
	if (!client->left) {
		loop->kind->close(loop, client);
		loop->running--;
	} else if (loop->setup->pause_ns) {
		client->due_ns = client->begun_ns + loop->setup->pause_ns;
	} else {
		load(loop, client);
	}
}

void bench_loop_break(struct bench_loop *loop)
{
	loop->is_broken = true;
}

void bench_loop_watch(struct bench_loop *loop, int fd, unsigned events,
	struct bench_client *client)
{
	struct epoll_event event = {events, {.ptr = client}};

	if (epoll_ctl(loop->epoll, EPOLL_CTL_ADD, fd, &event) &&
		epoll_ctl(loop->epoll, EPOLL_CTL_MOD, fd, &event)) {
		perror("netukictl: epoll");
		bench_loop_break(loop);
	}
}

void bench_loop_forget(struct bench_loop *loop, int fd)
{
	epoll_ctl(loop->epoll, EPOLL_CTL_DEL, fd, NULL);
}

void bench_loop_hold(struct bench_loop *loop, struct bench_client *client,
	uint64_t ns, void (*then)(struct bench_loop *, struct bench_client *))
{
	const struct itimerspec due = {
		.it_value = {(time_t)(ns / SECOND), (long)(ns % SECOND)}};

	if (!ns) {
		then(loop, client);
		return;
	}
	if (!client->has_timer) {
		client->timer = timerfd_create(
			CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
		if (client->timer < 0) {
			perror("netukictl: --delay");
			bench_loop_break(loop);
			return;
		}
		client->has_timer = true;
		bench_loop_watch(loop, client->timer, EPOLLIN, client);
	}
	client->then = then;
	timerfd_settime(client->timer, 0, &due, NULL);
}

void bench_loop_let_go(struct bench_client *client)
{
	if (client->has_timer)
		close(client->timer);
	client->has_timer = false;
	client->then = NULL;
}

/* Its timer is over? */
static void go_on(struct bench_loop *loop, struct bench_client *client)
{
	void (*then)(struct bench_loop *, struct bench_client *) = client->then;
	uint64_t times;

	if (read(client->timer, &times, sizeof(times)) != sizeof(times))
		return;
	client->then = NULL;
	then(loop, client);
}

static void show_progress(const struct bench_loop *loop, uint64_t begun_ns)
{
	double s = (double)(bench_now_ns() - begun_ns) / 1e9;

	fprintf(stderr, "\r\033[K%s: %zu loads whole, %u clients, %.0f s",
		loop->label, loop->whole, loop->running, s);
	fflush(stderr);
}

static void look_at_clients(struct bench_loop *loop, uint64_t now)
{
	for (unsigned i = 0; i < loop->n_clients && !loop->is_broken; i++) {
		struct bench_client *client = bench_loop_client(loop, i);

		if (client->loading)
			loop->kind->tick(loop, client, now);
		else if (client->left && client->due_ns <= now)
			load(loop, client);
	}
}

static void give_up(struct bench_loop *loop)
{
	char why[80];

	snprintf(why, sizeof(why), "not whole within the limit of %.4g s",
		(double)loop->setup->limit_ns / 1e9);
	for (unsigned i = 0; i < loop->n_clients; i++) {
		struct bench_client *client = bench_loop_client(loop, i);

		if (client->left)
			bench_loop_end(loop, client, why);
	}
}

/* Milliseconds do for timers, but not for packets that are held. */
static int wait_for(struct bench_loop *loop, struct epoll_event *events,
	int step_ms, uint64_t until)
{
	struct pollfd sleeper = {.fd = loop->epoll, .events = POLLIN};
	struct timespec left = {.tv_nsec = 0};

	if (!loop->held)
		return epoll_wait(loop->epoll, events, EVENTS, step_ms);
	if (until > loop->now_ns)
		left.tv_nsec = (long)(until - loop->now_ns);
	ppoll(&sleeper, 1, &left, NULL);
	return epoll_wait(loop->epoll, events, EVENTS, 0);
}

static void go_round(struct bench_loop *loop)
{
	int step_ms = loop->setup->pause_ns ? 1 : LOOK_MS;
	uint64_t step = (uint64_t)step_ms * SECOND / 1000;
	uint64_t now = bench_now_ns(), begun = now, look = now, shown = now;
	uint64_t due = UINT64_MAX;

	while ((loop->running || loop->held) && !loop->is_broken) {
		static struct epoll_event events[EVENTS];
		uint64_t until = look + step < due ? look + step : due;
		int n = wait_for(loop, events, step_ms, until);

		loop->now_ns = now = bench_now_ns();
		for (int i = 0; i < n; i++) {
			struct bench_client *client = events[i].data.ptr;

			/* Whoever pauses is told of nothing but an end. */
			if (client->then)
				go_on(loop, client);
			else if (client->loading)
				client->kind->ready(loop, client);
			else
				client->kind->close(loop, client);
		}
		if (loop->kind->release)
			due = loop->kind->release(loop, now);
		if (now - look < step)
			continue;
		look_at_clients(loop, now);
		look = now;
		if (now - begun >= loop->setup->limit_ns)
			give_up(loop);
		if (loop->label && now - shown >= SHOW_NS) {
			show_progress(loop, begun);
			shown = now;
		}
	}
	if (loop->label)
		fputs("\r\033[K", stderr);
}

static double cpu_s(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

bool bench_loop_run(struct bench_loop *loop, unsigned clients, unsigned loads)
{
	static const struct bench_kind *const kinds[] = {
		[URL_SCHEME_TFTP] = &bench_tftp,
		[URL_SCHEME_HTTP] = &bench_http,
		[URL_SCHEME_DHCP] = &bench_boot,
	};
	uint64_t begun = bench_now_ns();
	double cpu = cpu_s();

	loop->kind = kinds[loop->target->url.scheme];
	loop->n_clients = clients;
	loop->held_end = &loop->held;
	loop->clients = calloc(clients, loop->kind->client_size);
	loop->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (!loop->clients || loop->epoll < 0) {
		perror("netukictl");
		exit(EXIT_FAILURE);
	}
	loop->running = clients;
	loop->now_ns = begun;
	loop->ear_fd = -1;
	if (loop->kind->begin)
		loop->kind->begin(loop);
	for (unsigned i = 0; i < clients && !loop->is_broken; i++) {
		struct bench_client *client = bench_loop_client(loop, i);

		*client = (struct bench_client){
			.kind = loop->kind,
			.target = loop->target,
			.file = loop->file,
			.as = loop->setup->as,
			.firmware = &loop->setup->firmware,
			.number = i,
			.left = loads,
		};
		load(loop, client);
	}
	go_round(loop);
	loop->figures->seconds += (double)(bench_now_ns() - begun) / 1e9;
	loop->figures->cpu_s += cpu_s() - cpu;
	for (unsigned i = 0; loop->is_broken && i < clients; i++)
		loop->kind->close(loop, bench_loop_client(loop, i));
	if (loop->is_broken && loop->kind->release)
		loop->kind->release(loop, UINT64_MAX);
	for (unsigned i = 0; loop->kind->forget && i < clients; i++)
		loop->kind->forget(bench_loop_client(loop, i));
	if (loop->ear_fd >= 0)
		close(loop->ear_fd);
	close(loop->epoll);
	free(loop->clients);
	return !loop->is_broken;
}
