#include "daemon/boots/history_db.h"

#include <arpa/inet.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/stream.h"

#define BUSY_MS	      2000 /* others may read and write it, too */
#define PRUNE_AT_ONCE "5000"

/* More boots than there will be: adding to it does not overflow. */
#define MAX_LAST_ID (INT64_MAX / 2)

struct history_db {
	sqlite3 *sql;
	sqlite3_stmt *put, *prune_number, *prune_age;
	int64_t last_id;
};

static void bind_text(sqlite3_stmt *s, int i, const char *text)
{
	if (text && *text)
		sqlite3_bind_text(s, i, text, -1, SQLITE_TRANSIENT);
	else
		sqlite3_bind_null(s, i);
}

static void bind_number(sqlite3_stmt *s, int i, uint64_t value, bool known)
{
	if (known && value <= INT64_MAX)
		sqlite3_bind_int64(s, i, (int64_t)value);
	else
		sqlite3_bind_null(s, i);
}

static void bind_mac(sqlite3_stmt *s, int i, const struct mac *mac)
{
	char text[MAC_TEXT_LEN];

	mac_format(mac, ':', text);
	bind_text(s, i, text);
}

static void bind_ip(sqlite3_stmt *s, int i, uint32_t ip)
{
	struct in_addr addr = {htonl(ip)};
	char text[INET_ADDRSTRLEN];

	bind_text(s, i,
		ip ? inet_ntop(AF_INET, &addr, text, sizeof(text)) : NULL);
}

static void bind_firmware(sqlite3_stmt *s, int i, enum pxe_firmware firmware)
{
	bind_text(s, i,
		firmware < PXE_FIRMWARE_MAX ? pxe_firmware_name(firmware)
					    : NULL);
}

static void bind_arch(sqlite3_stmt *s, int i, enum arch arch)
{
	bind_text(s, i, arch != ARCH_INVALID ? arch_name(arch) : NULL);
}

static void bind_digest(sqlite3_stmt *s, int i, const struct boot *b)
{
	char text[DIGEST_TEXT_LEN];

	if (b->has_digest)
		digest_format(&b->digest, text);
	bind_text(s, i, b->has_digest ? text : NULL);
}

static const struct column {
	const char *name, *type;
} columns[] = {
#define COLUMN(name, type, bind) {name, type},
#include "daemon/boots/history.def"
#undef COLUMN
#define AT(NAME, name) {name "_us", "INTEGER"},
#include "daemon/boots/boots.def"
#undef AT
};
#define N_COLUMNS (sizeof(columns) / sizeof(*columns))

static void bind_row(sqlite3_stmt *s, const struct history_row *row)
{
	const struct boot *b = &row->boot;
	int i = 1;

#define COLUMN(name, type, bind)                                               \
	bind;                                                                  \
	i++;
#include "daemon/boots/history.def"
#undef COLUMN
	for (enum boot_at at = 0; at < BOOT_AT_MAX; at++)
		bind_number(
			s, i++, b->at_us[at] - b->begin_us, b->at_us[at] != 0);
}

/* The texts of the statements; the caller frees. NULL: memory is short. */
static char *create_text(void)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		return NULL;
	fputs("CREATE TABLE IF NOT EXISTS boots (", out);
	for (size_t i = 0; i < N_COLUMNS; i++)
		fprintf(out, "%s%s %s", i ? ", " : "", columns[i].name,
			columns[i].type);
	fprintf(out,
		"); CREATE INDEX IF NOT EXISTS boots_started ON "
		"boots (started); PRAGMA user_version = %d;",
		HISTORY_VERSION);
	return stream_end(out, &text);
}

static char *put_text(void)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		return NULL;
	fputs("INSERT INTO boots (", out);
	for (size_t i = 0; i < N_COLUMNS; i++)
		fprintf(out, "%s%s", i ? ", " : "", columns[i].name);
	fputs(") VALUES (", out);
	for (size_t i = 0; i < N_COLUMNS; i++)
		fputs(i ? ", ?" : "?", out);
	fputs(") ON CONFLICT (id) DO UPDATE SET ", out);
	/* Not `id` and `started`: the clock may have been set meanwhile. */
	for (size_t i = 2; i < N_COLUMNS; i++)
		fprintf(out, "%s%s = excluded.%s", i > 2 ? ", " : "",
			columns[i].name, columns[i].name);
	return stream_end(out, &text);
}

static int fail(sqlite3 *sql, const char *what, char why[HISTORY_WHY_MAX])
{
	snprintf(why, HISTORY_WHY_MAX, "%s: %s", what,
		sql ? sqlite3_errmsg(sql) : "out of memory");
	return -1;
}

static int64_t number_of(sqlite3 *sql, const char *query)
{
	sqlite3_stmt *s = NULL;
	int64_t value = -1;

	if (sqlite3_prepare_v2(sql, query, -1, &s, NULL) == SQLITE_OK &&
		sqlite3_step(s) == SQLITE_ROW)
		value = sqlite3_column_int64(s, 0);
	sqlite3_finalize(s);
	return value;
}

static bool run(sqlite3 *sql, const char *text)
{
	return sqlite3_exec(sql, text, NULL, NULL, NULL) == SQLITE_OK;
}

static bool prepare(sqlite3 *sql, const char *text, sqlite3_stmt **ret)
{
	return sqlite3_prepare_v3(sql, text, -1, SQLITE_PREPARE_PERSISTENT, ret,
		       NULL) == SQLITE_OK;
}

static bool set_up(struct history_db *db, bool first)
{
	char *create = create_text(), *put = put_text();
	bool ok = create && put &&
		  run(db->sql, "PRAGMA journal_mode = WAL;"
			       "PRAGMA synchronous = NORMAL;"
			       "PRAGMA journal_size_limit = 16777216;") &&
		  run(db->sql, create) &&
		  (!first || run(db->sql, "UPDATE boots SET outcome = 'lost' "
					  "WHERE outcome = 'running'")) &&
		  prepare(db->sql, put, &db->put) &&
		  prepare(db->sql,
			  "DELETE FROM boots WHERE id IN (SELECT id FROM boots "
			  "WHERE id <= ? LIMIT " PRUNE_AT_ONCE ")",
			  &db->prune_number) &&
		  prepare(db->sql,
			  "DELETE FROM boots WHERE id IN (SELECT id FROM boots "
			  "WHERE started < ? LIMIT " PRUNE_AT_ONCE ")",
			  &db->prune_age);

	free(create);
	free(put);
	return ok;
}

/* It is a database, but others wrote to it. */
static void say_foreign(const char *path, int64_t version, int64_t last_id,
	char why[HISTORY_WHY_MAX])
{
	if (version < 0)
		snprintf(why, HISTORY_WHY_MAX,
			"%s: no netuki has written its version, %lld", path,
			(long long)version);
	else
		snprintf(why, HISTORY_WHY_MAX,
			"%s: no netuki has written its last boot's number, "
			"%lld",
			path, (long long)last_id);
}

/* 0, or the result code of SQLite and why. */
static int open_file(const char *path, bool first, struct history_db **ret,
	char why[HISTORY_WHY_MAX])
{
	struct history_db *db = calloc(1, sizeof(*db));
	int64_t version;
	int code;

	if (!db) {
		fail(NULL, path, why);
		return SQLITE_NOMEM;
	}
	db->last_id = -1;
	code = sqlite3_open_v2(path, &db->sql,
		SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE |
			SQLITE_OPEN_FULLMUTEX,
		NULL);
	if (code == SQLITE_OK) {
		sqlite3_busy_timeout(db->sql, BUSY_MS);
		version = number_of(db->sql, "PRAGMA user_version");
		if (version > HISTORY_VERSION) {
			snprintf(why, HISTORY_WHY_MAX,
				"%s: it is of a later netuki", path);
			history_db_close(db);
			return SQLITE_ERROR;
		}
		if (version >= 0 && set_up(db, first))
			db->last_id = number_of(db->sql,
				"SELECT coalesce(max(id), 0) FROM "
				"boots");
		if (db->last_id >= 0 && db->last_id <= MAX_LAST_ID) {
			*ret = db;
			return 0;
		}
		code = sqlite3_errcode(db->sql);
		if ((version < 0 && code == SQLITE_OK) || db->last_id < -1 ||
			db->last_id > MAX_LAST_ID) {
			say_foreign(path, version, db->last_id, why);
			history_db_close(db);
			return SQLITE_ERROR;
		}
	}
	fail(db->sql, path, why);
	history_db_close(db);
	return code ? code : SQLITE_ERROR;
}

static bool set_aside(const char *path)
{
	char from[PATH_MAX], to[PATH_MAX];

	snprintf(from, sizeof(from), "%s-wal", path);
	remove(from);
	snprintf(from, sizeof(from), "%s-shm", path);
	remove(from);
	snprintf(to, sizeof(to), "%s.bad", path);
	return rename(path, to) == 0;
}

int history_db_open(const char *directory, bool first, struct history_db **ret,
	bool *ret_set_aside, char why[HISTORY_WHY_MAX])
{
	char path[PATH_MAX - 8];
	int code;

	*ret_set_aside = false;
	if (snprintf(path, sizeof(path), "%s/" HISTORY_FILE, directory) >=
		(int)sizeof(path)) {
		snprintf(why, HISTORY_WHY_MAX, "the path is too long");
		return -1;
	}
	code = open_file(path, first, ret, why);
	if ((code == SQLITE_NOTADB || code == SQLITE_CORRUPT) &&
		set_aside(path)) {
		*ret_set_aside = true;
		code = open_file(path, first, ret, why);
	}
	return code ? -1 : 0;
}

void history_db_close(struct history_db *db)
{
	if (!db)
		return;
	sqlite3_finalize(db->put);
	sqlite3_finalize(db->prune_number);
	sqlite3_finalize(db->prune_age);
	sqlite3_close(db->sql);
	free(db);
}

bool history_db_is_gone(const struct history_db *db)
{
	int moved = 0;

	return sqlite3_file_control(db->sql, "main", SQLITE_FCNTL_HAS_MOVED,
		       &moved) == SQLITE_OK &&
	       moved;
}

int64_t history_db_last_id(const struct history_db *db)
{
	return db->last_id;
}

static bool step(sqlite3_stmt *s)
{
	bool ok = sqlite3_step(s) == SQLITE_DONE;

	/* The reset repeats the error; the caller has it. */
	sqlite3_reset(s);
	return ok;
}

static bool put_all(struct history_db *db, const struct history_row *rows,
	size_t n, const struct history_limits *limits, double now)
{
	int64_t last = 0;

	for (size_t i = 0; i < n; i++) {
		bind_row(db->put, &rows[i]);
		if (!step(db->put))
			return false;
		if (rows[i].id > last)
			last = rows[i].id;
	}
	sqlite3_bind_int64(
		db->prune_number, 1, last - (int64_t)limits->max_boots);
	sqlite3_bind_double(db->prune_age, 1, now - limits->max_days * 86400.0);
	return step(db->prune_number) && step(db->prune_age);
}

int history_db_write(struct history_db *db, struct history_row *rows, size_t n,
	int64_t base, const struct history_limits *limits, double now,
	char why[HISTORY_WHY_MAX])
{
	for (size_t i = 0; i < n; i++)
		rows[i].id = base + (int64_t)rows[i].boot.seq;
	if (run(db->sql, "BEGIN IMMEDIATE") &&
		put_all(db, rows, n, limits, now) && run(db->sql, "COMMIT"))
		return 0;
	fail(db->sql, HISTORY_FILE, why);
	run(db->sql, "ROLLBACK");
	return -1;
}

void history_db_note_up(struct history_db *db, const struct history_word *word)
{
	sqlite3_stmt *s = NULL;

	/* `started + last_us` is when it was last heard of. */
	if (!prepare(db->sql,
		    "UPDATE boots SET step = 'up', up_us = CAST((?2 - started) "
		    "* 1e6 AS INTEGER), last_us = CAST((?2 - started) * 1e6 AS "
		    "INTEGER) WHERE id = (SELECT id FROM boots WHERE mac = ?1 "
		    "ORDER BY id DESC LIMIT 1) AND outcome = 'complete' AND "
		    "up_us IS NULL AND ?2 - started - last_us / 1e6 BETWEEN 0 "
		    "AND ?3",
		    &s))
		return;
	bind_mac(s, 1, &word->mac);
	sqlite3_bind_double(s, 2, word->at);
	sqlite3_bind_double(s, 3, (double)BOOTS_UP_US / 1e6);
	step(s);
	sqlite3_finalize(s);
}
