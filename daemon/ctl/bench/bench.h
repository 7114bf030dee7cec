/*
 * bench: machines without machines: clients that load a file as firmware does,
 * many at once, from any TFTP or HTTP server, and how long that takes them.
 *
 *   bench.c         the command: rounds, in turns
 *   bench_setup.c   what the arguments say
 *   bench_net.c     addresses and sockets
 *   bench_loop.c    one run's loop, its progress, its limit of time
 *   bench_file.c    what arrives, compared with what it has to be
 *   bench_tftp.c    the clients of TFTP; the protocol is proto/tftp_client
 *   bench_http.c    those of HTTP
 *   bench_boot.c    whole machines, which begin with DHCP and use both
 *   bench_dhcp.c    what these say and understand
 *   bench_result.c  figures as JSON, as `report` has them
 *   bench_show.c    for people
 *   bench_saved.c   figures of earlier runs
 */
#ifndef DAEMON_CTL_BENCH_BENCH_H
#define DAEMON_CTL_BENCH_BENCH_H

#include <jansson.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "proto/digest.h"
#include "proto/id.h"
#include "proto/tftp_client.h"
#include "proto/url.h"

#define BENCH_MAX_CLIENTS 10000
#define BENCH_MAX_LOADS	  1000000 /* of all clients, in a round */
#define BENCH_MAX_ROUNDS  1000
#define BENCH_TARGETS	  2

struct arguments;

union bench_address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

struct bench_target {
	const char *text; /* as it was written */
	struct url url;
	union bench_address address;
	char address_text[80];
	char host_text[270]; /* for HTTP: host, and port unless it is 80 */
};

/* The clients' own addresses, which they take in turn; count 0: any. */
struct bench_sources {
	union bench_address first;
	uint32_t count;
};

struct bench_setup {
	size_t n_targets;
	struct bench_target target[BENCH_TARGETS];
	struct bench_sources sources;
	const char *as;
	bool boots; /* whole machines: the targets are servers of DHCP */
	struct mac first_mac;
	struct tftp_firmware firmware;
	bool own_sizes; /* those of firmware are not its own */
	unsigned clients, loads, rounds;
	double loss_percent;
	uint64_t seed, delay_ns, pause_ns, limit_ns;
	bool twice, gro, missing, keep_alive, unchecked;
	const char *file; /* what is to arrive; NULL: a first load shows it */
	bool has_digest;
	struct digest digest;
};

/* A file as it arrives. */
enum bench_use {
	BENCH_USE_COUNT,   /* only its size is looked at */
	BENCH_USE_COLLECT, /* kept, in a file that has no name */
	BENCH_USE_COMPARE, /* compared */
	BENCH_USE_TEXT	   /* short, and kept in memory */
};

struct bench_file {
	enum bench_use use;
	uint8_t *data; /* mapped: what is kept is not kept in memory */
	uint64_t size;
	bool is_known; /* its size */
	bool is_open;  /* what is being kept: fd */
	int fd;
	char *text;	      /* of BENCH_USE_TEXT */
	struct digest digest; /* with data */
};

/* What a machine that boots goes through; as the daemon's report has them. */
enum bench_phase {
	BENCH_PHASE_DHCP,    /* DISCOVER to OFFER */
	BENCH_PHASE_REQUEST, /* on port 4011 */
	BENCH_PHASE_LOADER,
	BENCH_PHASE_IPXE, /* the loaded iPXE's DISCOVER to OFFER */
	BENCH_PHASE_SCRIPT,
	BENCH_PHASE_IMAGE,
	BENCH_PHASE_MAX
};

struct bench_times {
	size_t n, room;
	double *s;
};

/* What one run came to, or several together. */
struct bench_figures {
	double seconds, cpu_s; /* of this process */
	uint64_t bytes;
	size_t failed;
	struct bench_times took;		   /* loads that are whole */
	struct bench_times phase[BENCH_PHASE_MAX]; /* of machines */
	char why[200];	     /* the first that failed did */
	uint64_t unanswered; /* loads whose request had no answer */
	struct tftp_client_stats tftp;
	uint64_t dropped; /* packets, by the client */
	int deaf;	  /* errno: why broadcasts were not heard */
};

/* bench_setup.c: NULL, or what is wrong with the arguments. */
const char *bench_setup(const struct arguments *args, struct bench_setup *ret);

/* bench_net.c */
/* Look the target's host up; false, after a message. */
bool bench_resolve(struct bench_target *target);
/* ADDRESS, FIRST-LAST or NET/LEN; NULL or what is wrong. */
const char *bench_sources_parse(const char *text, struct bench_sources *ret);
socklen_t bench_address_len(const union bench_address *address);
/*
 * A non-blocking socket for this client to this target, at the client's own
 * address; -1, after a message.
 */
int bench_socket(const struct bench_setup *setup,
	const struct bench_target *target, unsigned client);
/*
 * A non-blocking socket that hears what is broadcast to clients of DHCP, and
 * nothing else, so that this host's own misses nothing; -1 and errno.
 */
int bench_broadcast_socket(void);
/* How many clients have to share an address. */
unsigned bench_clients_per_address(
	const struct bench_setup *setup, const struct bench_target *target);

/* bench_file.c */
/* From a file on this machine; false, after a message. */
bool bench_file_map(struct bench_file *file, const char *path);
/* The next bytes of it; NULL, or why they are wrong. */
const char *bench_file_take(
	struct bench_file *file, uint64_t at, const uint8_t *data, size_t len);
/* It has ended, with this size; the first to end tells an unknown one. */
const char *bench_file_end(struct bench_file *file, uint64_t size);
/*
 * What was collected is what the others are compared with, from now on. False,
 * after a message.
 */
bool bench_file_keep(struct bench_file *file);
/* What came, of BENCH_USE_TEXT, less what follows a NUL; the caller frees. */
char *bench_file_text(const struct bench_file *file);
void bench_file_done(struct bench_file *file);

/* bench_result.c */
/* "dhcp" */
const char *bench_phase_name(enum bench_phase phase);
void bench_times_add(struct bench_times *times, double s);
void bench_figures_done(struct bench_figures *figures);
/* Of each target as many figures as there are rounds. */
json_t *bench_result(const struct bench_setup *setup,
	const struct bench_file *file,
	struct bench_figures *const rounds[BENCH_TARGETS]);

/* bench_show.c */
void bench_show(const json_t *result, const struct arguments *args);
/* `since`: only those since a time were asked for. */
void bench_show_saved(const json_t *runs, bool since);

/* bench_saved.c */
/* Append it to the file that the arguments name; false, after a message. */
bool bench_save(const json_t *result, const struct arguments *args);
/* As bench_run(). */
int bench_saved(const struct arguments *args, const char **ret_nonsense);

/* The command; see struct command. */
int bench_run(const struct arguments *args, const char **ret_nonsense);

#endif
