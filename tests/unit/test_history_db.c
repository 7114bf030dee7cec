/* history_db: what goes when there are too many, or too old; what is odd. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "daemon/boots/history_db.h"
#include "daemon/boots/history_query.h"

#define DAY 86400.0
#define NOW (1.8e9)
#define MAX 6

static const struct {
	const char *name;
	double now;
	uint32_t max_boots, max_days;
	double ages[MAX]; /* in days, of boots in the order of their ids */
	const char *left; /* ids */
} cases[] = {
	{"all are kept", NOW, 100, 365, {300, 200, 100, 1}, "1 2 3 4"},
	{"too many", NOW, 2, 365, {300, 200, 100, 1}, "3 4"},
	{"too old", NOW, 100, 150, {300, 200, 100, 1}, "3 4"},
	{"too old, whatever the order of their ids", NOW, 100, 150,
		{100, 300, 1, 200}, "1 3"},
	{"too old, but the clock is not believed", 0, 100, 150,
		{300, 200, 100, 1}, "1 2 3 4"},
	{"too many, and the clock is not believed", 0, 3, 150,
		{300, 200, 100, 1}, "2 3 4"},
	{"written while the clock was in the next century", NOW, 100, 150,
		{300, -30000, 100, 1}, "2 3 4"},
};

static void ids_of(const char *path, char *ret, size_t cap)
{
	sqlite3 *sql;
	sqlite3_stmt *s;

	*ret = '\0';
	assert_int_equal(sqlite3_open(path, &sql), SQLITE_OK);
	assert_int_equal(
		sqlite3_prepare_v2(
			sql, "SELECT id FROM boots ORDER BY id", -1, &s, NULL),
		SQLITE_OK);
	while (sqlite3_step(s) == SQLITE_ROW)
		snprintf(ret + strlen(ret), cap - strlen(ret), "%s%d",
			*ret ? " " : "", sqlite3_column_int(s, 0));
	sqlite3_finalize(s);
	sqlite3_close(sql);
}

static void test_limits(void **state)
{
	int bad = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char dir[] = "/tmp/netuki-history-db-XXXXXX", why[512];
		char path[64], command[64], left[100];
		struct history_row rows[MAX] = {0};
		struct history_limits limits = {
			cases[i].max_boots, cases[i].max_days};
		struct history_db *db;
		bool aside;
		size_t n = 0;

		assert_non_null(mkdtemp(dir));
		for (; n < MAX &&
			(cases[i].ages[n] > 0 || cases[i].ages[n] < 0);
			n++) {
			rows[n].boot.seq = n + 1;
			rows[n].boot.firmware = PXE_FIRMWARE_UEFI;
			rows[n].started = NOW - cases[i].ages[n] * DAY;
		}
		assert_int_equal(
			history_db_open(dir, true, &db, &aside, why), 0);
		assert_int_equal(history_db_write(db, rows, n, 0, &limits,
					 cases[i].now, why),
			0);
		history_db_close(db);
		snprintf(path, sizeof(path), "%s/" HISTORY_FILE, dir);
		ids_of(path, left, sizeof(left));
		snprintf(command, sizeof(command), "rm -r %s", dir);
		assert_int_equal(system(command), 0);
		if (strcmp(left, cases[i].left) != 0) {
			print_error("%s: left are %s, not %s\n", cases[i].name,
				left, cases[i].left);
			bad++;
		}
	}
	assert_int_equal(bad, 0);
}

/* What others wrote there is told as such, and nothing is added to it. */
static void test_foreign(void **state)
{
	static const struct {
		const char *sql, *why;
	} foreign[] = {
		{"PRAGMA user_version = -3", "version, -3"},
		{"PRAGMA user_version = 99", "of a later netuki"},
		{"UPDATE boots SET id = 9223372036854775807",
			"number, 9223372036854775807"},
		{"UPDATE boots SET id = -7", "number, -7"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(foreign) / sizeof(*foreign); i++) {
		char dir[] = "/tmp/netuki-history-db-XXXXXX", why[512] = "";
		char path[64], command[64];
		struct history_row row = {.started = NOW};
		struct history_limits limits = {100, 365};
		struct history_db *db;
		sqlite3 *sql;
		bool aside;

		assert_non_null(mkdtemp(dir));
		assert_int_equal(
			history_db_open(dir, true, &db, &aside, why), 0);
		row.boot.seq = 1;
		assert_int_equal(
			history_db_write(db, &row, 1, 0, &limits, NOW, why), 0);
		history_db_close(db);
		snprintf(path, sizeof(path), "%s/history.db", dir);
		assert_int_equal(sqlite3_open(path, &sql), SQLITE_OK);
		if (sqlite3_exec(sql, foreign[i].sql, NULL, NULL, NULL))
			fail_msg("%s: %s", foreign[i].sql, sqlite3_errmsg(sql));
		sqlite3_close(sql);
		if (!history_db_open(dir, true, &db, &aside, why) || aside ||
			!strstr(why, foreign[i].why))
			fail_msg("%s: %s", foreign[i].sql, why);
		snprintf(command, sizeof(command), "rm -r %s", dir);
		assert_int_equal(system(command), 0);
	}
}

/* However large the numbers are that others wrote there. */
static void test_sums(void **state)
{
	char dir[] = "/tmp/netuki-history-db-XXXXXX", why[512], *text;
	char path[64], command[64];
	struct history_row rows[2] = {{.started = NOW}, {.started = NOW}};
	const struct history_query query = {.kind = HISTORY_QUERY_REPORT,
		.by = HISTORY_BY_IMAGE,
		.until = 2 * NOW};
	struct history_limits limits = {100, 365};
	struct history_db *db;
	sqlite3 *sql;
	bool aside;

	(void)state;
	rows[0].boot.seq = 1;
	rows[1].boot.seq = 2;
	assert_non_null(mkdtemp(dir));
	assert_int_equal(history_db_open(dir, true, &db, &aside, why), 0);
	assert_int_equal(
		history_db_write(db, rows, 2, 0, &limits, NOW, why), 0);
	history_db_close(db);
	snprintf(path, sizeof(path), "%s/history.db", dir);
	assert_int_equal(sqlite3_open(path, &sql), SQLITE_OK);
	assert_int_equal(
		sqlite3_exec(sql,
			"UPDATE boots SET outcome = 'complete', "
			"transfer_us = 1, bytes = 9223372036854775807, "
			"blocks = 9223372036854775807, resent_rollback = 0, "
			"resent_timer = -9223372036854775807",
			NULL, NULL, NULL),
		SQLITE_OK);
	sqlite3_close(sql);
	text = history_query_run(dir, &query);
	assert_non_null(text);
	if (!strstr(text, "\"blocks\":9223372036854775807,") ||
		!strstr(text, "\"resent\":-9223372036854775808,") ||
		!strstr(text, "\"bytes-per-second\":[9223372036854775807,"
			      "9223372036854775807]"))
		fail_msg("%s", text);
	free(text);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	assert_int_equal(system(command), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_foreign),
		cmocka_unit_test(test_sums),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
