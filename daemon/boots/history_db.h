/*
 * history_db: the history's SQLite database, history.db in the state
 * directory, opened and written. Without a loop and without threads of its
 * own, so that history.c may write in a helper thread.
 *
 * One table, `boots`, one row a boot; see history.def. Journal mode WAL and
 * synchronous NORMAL: a transaction that was committed survives the process'
 * end, and the loss of power costs the last ones, but never the file.
 */
#ifndef DAEMON_BOOTS_HISTORY_DB_H
#define DAEMON_BOOTS_HISTORY_DB_H

#include <stddef.h>
#include <stdint.h>

#include "daemon/boots/boots.h"

#define HISTORY_FILE	"history.db"
#define HISTORY_WHY_MAX 512
#define HISTORY_VERSION 1 /* PRAGMA user_version */

struct history_row {
	int64_t id; /* filled in by history_db_write */
	/* Unix time; what was written first for a boot stays. */
	double started;
	struct boot boot;
};

struct history_limits {
	uint32_t max_boots, max_days;
};

/* A guest's word that it is up, of a boot that nobody watches any more. */
struct history_word {
	struct mac mac;
	double at; /* Unix time */
};

struct history_db;

/*
 * 0, or -1 and why. A file that is no database is renamed to history.db.bad:
 * *ret_set_aside. What is "running" in the file becomes "lost" if `first`.
 */
int history_db_open(const char *directory, bool first, struct history_db **ret,
	bool *ret_set_aside, char why[HISTORY_WHY_MAX]);
void history_db_close(struct history_db *db); /* NULL is fine */
/* Somebody removed or replaced the file: nobody sees what is written to it. */
bool history_db_is_gone(const struct history_db *db);
int64_t history_db_last_id(const struct history_db *db); /* when opened */

/*
 * All rows in one transaction, and what is over the limits removed; what is
 * too old only if `now`, Unix time, is not 0. The id of a row is `base` and its
 * boot's seq. 0, or -1 and why: then none is written.
 */
int history_db_write(struct history_db *db, struct history_row *rows, size_t n,
	int64_t base, const struct history_limits *limits, double now,
	char why[HISTORY_WHY_MAX]);

/*
 * For the machine's latest boot, if it is complete, not told to be up yet, and
 * was heard of less than BOOTS_UP_US before; else, and if it cannot be
 * written, nothing is done.
 */
void history_db_note_up(struct history_db *db, const struct history_word *word);

#endif
