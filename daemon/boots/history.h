/*
 * history: boots kept in SQLite (history_db), off the loop: what changed is
 * written by a helper thread, one job at a time, HISTORY_DELAY_MS after the
 * first of it. With the writing itself, at most the last second is lost if the
 * process is killed.
 *
 * A disk that is full or read-only costs history and never a boot: it is said
 * once, the rows wait (the oldest of them go, if there are too many), and it
 * is tried again.
 */
#ifndef DAEMON_BOOTS_HISTORY_H
#define DAEMON_BOOTS_HISTORY_H

#include "daemon/boots/history_db.h"

#define HISTORY_MAX_WAITING 16384
#define HISTORY_DELAY_MS    500
#define HISTORY_RETRY_S	    10
#define HISTORY_MAX_WORDS   16 /* of guests, waiting at once */

struct event_base;
struct worker;
struct history;

/*
 * NULL only if memory is short: a database that cannot be opened is a problem
 * to be told. Only the process that serves may open it: it takes what runs in
 * it for lost.
 */
struct history *history_new(struct event_base *base, struct worker *worker,
	const char *directory, const struct history_limits *limits);
/* After the worker: writes what waits. */
void history_free(struct history *history); /* NULL is fine */

/* The boot is so now; keep it. */
void history_put(struct history *history, const struct boot *boot);

/*
 * The guest of a machine is up, whose boot is the history's alone since
 * netukid was started anew.
 */
void history_note_up(struct history *history, const struct mac *mac);

struct history_counts {
	uint64_t written, dropped; /* rows */
	size_t waiting;
};
struct history_counts history_counts(const struct history *history);
/* Why nothing can be written at present; NULL: it can. */
const char *history_problem(const struct history *history);
/* Where it is, for readers. */
const char *history_directory(const struct history *history);

#endif
