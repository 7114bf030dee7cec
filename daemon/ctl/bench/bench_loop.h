/*
 * bench_loop: one run of `bench`: many clients in one loop, with a limit of
 * time. What they speak is a bench_kind's.
 */
#ifndef DAEMON_CTL_BENCH_BENCH_LOOP_H
#define DAEMON_CTL_BENCH_BENCH_LOOP_H

#include "daemon/ctl/bench/bench.h"

struct bench_loop;

struct bench_kind;

/* What every client begins with. */
struct bench_client {
	const struct bench_kind *kind;
	const struct bench_target *target;
	struct bench_file *file;
	const char *as; /* how it asks by HTTP */
	const struct tftp_firmware *firmware;
	struct bench_client *boss; /* that this is a part of; NULL: none */
	unsigned number, left;	   /* loads to do */
	bool loading;
	uint64_t begun_ns;
	uint64_t due_ns; /* of the next load, while it pauses */
	/* What it does when its timer is over; see bench_loop_hold(). */
	void (*then)(struct bench_loop *loop, struct bench_client *client);
	int timer;
	bool has_timer;
};

struct bench_kind {
	size_t client_size;
	/* Before the clients of a run; NULL: nothing. */
	void (*begin)(struct bench_loop *loop);
	void (*load)(struct bench_loop *loop, struct bench_client *client);
	/* Its socket has something, or takes something. */
	void (*ready)(struct bench_loop *loop, struct bench_client *client);
	/* Look at its timer. */
	void (*tick)(struct bench_loop *loop, struct bench_client *client,
		uint64_t now_ns);
	/* It has no further load, or the run ends: close what is open. */
	void (*close)(struct bench_loop *loop, struct bench_client *client);
	/*
	 * Let packets go that are due; when the next one is, UINT64_MAX: there
	 * is none. NULL: packets are not held.
	 */
	uint64_t (*release)(struct bench_loop *loop, uint64_t now_ns);
	/* Of a boss: its part's load is whole (why NULL), or has failed. */
	void (*part_ended)(struct bench_loop *loop, struct bench_client *client,
		const char *why);
	/* Free what it has; NULL: nothing. */
	void (*forget)(struct bench_client *client);
};
extern const struct bench_kind bench_tftp, bench_http, bench_boot;
/* Is there a firmware of this name that loads over HTTP? */
bool bench_http_plays(const char *name);
/* What bench_tftp holds, of parts, too: a `release`. */
uint64_t bench_tftp_release(struct bench_loop *loop, uint64_t now_ns);
/* How the machine of this name loads by TFTP; NULL: there is none. */
const struct tftp_firmware *bench_boot_firmware(const char *name);

struct bench_held;

struct bench_loop {
	const struct bench_setup *setup;
	const struct bench_target *target;
	struct bench_file *file;
	struct bench_figures *figures;
	const char *label; /* for the progress; NULL: it is not shown */
	/* The loop's own. */
	const struct bench_kind *kind;
	int epoll;
	unsigned n_clients, running;
	size_t whole; /* loads of this run */
	bool is_broken;
	uint64_t now_ns; /* when it woke up: near enough for timers */
	char *clients;
	int ear_fd;		 /* for what is said to all clients; -1: none */
	struct bench_client ear; /* stands for it */
	uint64_t random, loss;	 /* of 2^32 */
	struct bench_held *held, **held_end;
	size_t held_bytes;
};

uint64_t bench_now_ns(void);
/*
 * One run of `clients` with `loads` each; the figures are added to. False,
 * after a message: it could not be done at all.
 */
bool bench_loop_run(struct bench_loop *loop, unsigned clients, unsigned loads);
/* The client of this number, below n_clients. */
struct bench_client *bench_loop_client(
	const struct bench_loop *loop, unsigned number);
/* A client's load is whole (why NULL), or has failed. */
void bench_loop_end(
	struct bench_loop *loop, struct bench_client *client, const char *why);
/* The run is of no use, which a message has said. */
void bench_loop_break(struct bench_loop *loop);
void bench_loop_watch(struct bench_loop *loop, int fd, unsigned events,
	struct bench_client *client);
void bench_loop_forget(struct bench_loop *loop, int fd);
/*
 * Go on after so long; at once if that is nothing. Meanwhile the client has no
 * socket that is watched.
 */
void bench_loop_hold(struct bench_loop *loop, struct bench_client *client,
	uint64_t ns, void (*then)(struct bench_loop *, struct bench_client *));
/* It holds nothing any more. */
void bench_loop_let_go(struct bench_client *client);
/* Has this packet got lost? */
bool bench_loop_loses(struct bench_loop *loop);

#endif
