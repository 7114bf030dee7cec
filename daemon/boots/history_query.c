#include "daemon/boots/history_query.h"

#include <jansson.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/stream.h"
#include "daemon/boots/history_db.h"
#include "daemon/boots/history_points.h"

#define BUSY_MS 2000

const char *history_by_name(enum history_by by)
{
	static const char *const names[] = {
		"mode", "image", "machine", "firmware"};

	return names[by];
}

static char *error_text(const char *what, const char *why)
{
	json_t *o = json_pack(
		"{s:s++}", "error", what, why ? ": " : "", why ? why : "");
	char *text = o ? json_dumps(o, JSON_COMPACT | JSON_ENSURE_ASCII) : NULL;

	json_decref(o);
	return text ? text : strdup("{\"error\":\"not Unicode\"}");
}

static char *dump(json_t *o)
{
	char *text = json_dumps(o, JSON_COMPACT | JSON_ENSURE_ASCII);

	json_decref(o);
	return text ? text : error_text("the history is not Unicode", NULL);
}

static json_t *value_of(sqlite3_stmt *s, int i, bool microseconds)
{
	switch (sqlite3_column_type(s, i)) {
	case SQLITE_INTEGER:
		if (microseconds)
			return json_real(
				(double)sqlite3_column_int64(s, i) / 1e6);
		return json_integer(sqlite3_column_int64(s, i));
	case SQLITE_FLOAT:
		return json_real(sqlite3_column_double(s, i));
	case SQLITE_TEXT:
		return json_string((const char *)sqlite3_column_text(s, i));
	default:
		return json_null();
	}
}

static bool is_moment(const char *name, size_t len)
{
	for (enum boot_at at = 0; at < BOOT_AT_MAX; at++)
		if (strlen(boot_at_name(at)) == len &&
			memcmp(boot_at_name(at), name, len) == 0)
			return true;
	return false;
}

static void dashes(char *name)
{
	for (; *name; name++)
		if (*name == '_')
			*name = '-';
}

/* The phases that a boot went through, from its moments. */
static json_t *steps_of(const json_t *times)
{
	json_t *list = json_array();

	for (enum boot_step step = 0; step < BOOT_STEP_MAX; step++) {
		const json_t *begin = json_object_get(
			times, boot_at_name(boot_step_begin(step)));
		const json_t *end = json_object_get(
			times, boot_at_name(boot_step_end(step)));
		double at = json_number_value(begin);

		if (!json_is_number(begin))
			continue;
		json_array_append_new(list,
			json_pack("{s:s, s:f, s:o}", "step",
				boot_step_name(step), "begin", at, "seconds",
				json_is_number(end)
					? json_real(json_number_value(end) - at)
					: json_null()));
	}
	return list;
}

/* What went wrong, or else may be the reason why nothing more came. */
static void add_reason(json_t *o)
{
	const char *outcome = json_string_value(json_object_get(o, "outcome"));
	const char *step = json_string_value(json_object_get(o, "step"));

	if (!json_is_null(json_object_get(o, "why")) || !outcome || !step ||
		strcmp(outcome, boot_outcome_name(BOOT_OUTCOME_ABANDONED)) != 0)
		return;
	for (enum boot_step i = 0; i < BOOT_STEP_MAX; i++)
		if (strcmp(boot_step_name(i), step) == 0)
			json_object_set_new(
				o, "why", json_string(boot_step_hint(i)));
}

/* NAME_us is a time: NAME-seconds, or below "times" if it is a moment. */
static json_t *boot_json(sqlite3_stmt *s)
{
	json_t *o = json_object(), *times = json_object();

	for (int i = 0; i < sqlite3_column_count(s); i++) {
		const char *column = sqlite3_column_name(s, i);
		size_t len = strlen(column);
		bool us = len > 3 && strcmp(column + len - 3, "_us") == 0;
		char name[64];

		if (us && is_moment(column, len - 3)) {
			snprintf(name, sizeof(name), "%.*s", (int)len - 3,
				column);
			json_object_set_new(times, name, value_of(s, i, true));
			continue;
		}
		snprintf(name, sizeof(name), "%.*s%s",
			(int)(us ? len - 3 : len), column,
			us ? "_seconds" : "");
		dashes(name);
		json_object_set_new(o, name, value_of(s, i, us));
	}
	add_reason(o);
	json_object_set_new(o, "steps", steps_of(times));
	json_object_set_new(o, "times", times);
	return o;
}

static sqlite3_stmt *prepare(sqlite3 *sql, const char *text)
{
	sqlite3_stmt *s = NULL;

	return sqlite3_prepare_v2(sql, text, -1, &s, NULL) == SQLITE_OK ? s
									: NULL;
}

static void bind_machine(sqlite3_stmt *s, int i, const char *machine)
{
	struct mac mac;
	char text[MAC_TEXT_LEN];

	if (mac_parse(machine, strlen(machine), &mac)) {
		mac_format(&mac, ':', text);
		machine = text;
	}
	sqlite3_bind_text(s, i, machine, -1, SQLITE_TRANSIENT);
}

static char *boots(sqlite3 *sql, const struct history_query *query)
{
	json_t *list = json_array();
	sqlite3_stmt *s = prepare(sql,
		"SELECT * FROM boots WHERE started >= ?1 AND started < ?2 AND "
		"(?3 = '' OR machine = ?3 OR mac = ?3) "
		"ORDER BY id DESC LIMIT ?4");
	int code = SQLITE_ERROR;

	if (s) {
		sqlite3_bind_double(s, 1, query->since);
		sqlite3_bind_double(s, 2, query->until);
		bind_machine(s, 3, query->machine);
		sqlite3_bind_int64(s, 4, query->limit);
		while ((code = sqlite3_step(s)) == SQLITE_ROW)
			json_array_append_new(list, boot_json(s));
	}
	sqlite3_finalize(s);
	if (code != SQLITE_DONE) {
		json_decref(list);
		return error_text(
			"the history cannot be read", sqlite3_errmsg(sql));
	}
	return dump(json_pack("{s:o}", "boots", list));
}

static char *boot(sqlite3 *sql, const struct history_query *query)
{
	sqlite3_stmt *s = prepare(sql,
		query->id ? "SELECT * FROM boots WHERE id = ?1"
			  : "SELECT * FROM boots WHERE machine = ?1 OR mac = "
			    "?1 ORDER BY id DESC LIMIT 1");
	json_t *o = NULL;
	int code = SQLITE_ERROR;
	char *text;

	if (s && query->id)
		sqlite3_bind_int64(s, 1, query->id);
	else if (s)
		bind_machine(s, 1, query->machine);
	if (s && (code = sqlite3_step(s)) == SQLITE_ROW)
		o = boot_json(s);
	if (o)
		text = dump(json_pack("{s:o}", "boot", o));
	else if (code == SQLITE_DONE)
		text = error_text(query->id
					  ? "there is no boot of this number"
					  : "no boot of this machine is known",
			NULL);
	else
		text = error_text(
			"the history cannot be read", sqlite3_errmsg(sql));
	sqlite3_finalize(s);
	return text;
}

/*
 * The samples go out as text at once: with a hundred thousand of them,
 * building values and dumping them takes longer than all else.
 */
struct samples {
	FILE *out;
	char *text;
	size_t len, n;
};

/* A stream that is NULL has no memory: nothing is added, and the end tells. */
static void samples_init(struct samples *v)
{
	*v = (struct samples){0};
	v->out = open_memstream(&v->text, &v->len);
}

static void samples_add(struct samples *v, int64_t value)
{
	if (v->out)
		fprintf(v->out, "%s%lld", v->n++ ? "," : "", (long long)value);
}

static bool samples_end(struct samples *v, const char *key, FILE *out)
{
	char *text = stream_end(v->out, &v->text);

	if (text)
		fprintf(out, ",\"%s\":[%s]", key, text);
	free(text);
	return text != NULL;
}

#define GROUP_IMAGES 16

struct group {
	char *name;		   /* NULL: begun with none */
	char *image[GROUP_IMAGES]; /* digests of what was loaded; sorted */
	size_t n_images;
	bool more_images, lack; /* than those; of memory */
	uint64_t count, outcomes[BOOT_OUTCOME_MAX];
	int64_t blocks, resent;
	double first, last; /* when they began */
	struct samples last_byte, up, throughput;
	struct history_points points; /* none if they are not asked for */
};

static bool group_begin(struct group *g, const char *name)
{
	*g = (struct group){.name = strdup(name)};
	if (!g->name)
		return false;
	samples_init(&g->last_byte);
	samples_init(&g->up);
	samples_init(&g->throughput);
	history_points_init(&g->points);
	return true;
}

/* NULL: it was not computed yet, as just after the start of netukid. */
static void group_add_image(struct group *g, const char *image)
{
	size_t at = 0;
	char *copy;

	if (!image)
		return;
	while (at < g->n_images && strcmp(g->image[at], image) < 0)
		at++;
	if (at < g->n_images && strcmp(g->image[at], image) == 0)
		return;
	if (g->n_images == GROUP_IMAGES) {
		g->more_images = true;
		return;
	}
	copy = strdup(image);
	if (!copy) {
		g->lack = true;
		return;
	}
	memmove(g->image + at + 1, g->image + at,
		(g->n_images++ - at) * sizeof(g->image[0]));
	g->image[at] = copy;
}

static void group_end_images(struct group *g, FILE *out)
{
	fprintf(out, ",\"images\":%s", g->more_images ? "null" : "[");
	for (size_t i = 0; i < g->n_images; i++) {
		if (!g->more_images) {
			fputs(i ? "," : "", out);
			history_print_text(g->image[i], out);
		}
		free(g->image[i]);
	}
	fputs(g->more_images ? "" : "]", out);
}

/* `points`: those, too. False: memory is short. */
static bool group_end(struct group *g, FILE *out, bool first, bool points)
{
	bool whole;

	fprintf(out, "%s{\"name\":", first ? "" : ",");
	history_print_text(g->name, out);
	fprintf(out, ",\"count\":%llu,\"outcomes\":{",
		(unsigned long long)g->count);
	for (enum boot_outcome i = 0; i < BOOT_OUTCOME_MAX; i++)
		fprintf(out, "%s\"%s\":%llu", i ? "," : "",
			boot_outcome_name(i),
			(unsigned long long)g->outcomes[i]);
	fprintf(out,
		"},\"first\":%.3f,\"last\":%.3f,\"blocks\":%lld,"
		"\"resent\":%lld",
		g->first, g->last, (long long)g->blocks, (long long)g->resent);
	group_end_images(g, out);
	whole = !g->lack;
	whole &= samples_end(&g->last_byte, "last-byte-us", out);
	whole &= samples_end(&g->up, "up-us", out);
	whole &= samples_end(&g->throughput, "bytes-per-second", out);
	if (points)
		whole &= history_points_print(&g->points, out);
	history_points_done(&g->points);
	fputs("}", out);
	free(g->name);
	g->name = NULL;
	return whole;
}

/* What others wrote there may be more than a sum can be. */
static int64_t sum_of(int64_t a, int64_t b)
{
	int64_t sum;

	if (__builtin_add_overflow(a, b, &sum))
		return a < 0 ? INT64_MIN : INT64_MAX;
	return sum;
}

static int64_t rate_of(int64_t bytes, int64_t us)
{
	double rate = (double)bytes * 1e6 / (double)us;

	return rate < (double)INT64_MAX ? (int64_t)rate : INT64_MAX;
}

/* The columns of the query below. */
static void group_add(struct group *g, const char *outcome, sqlite3_stmt *s)
{
	int64_t us = sqlite3_column_int64(s, 5);
	double started = sqlite3_column_double(s, 8);

	if (!g->count++ || started < g->first)
		g->first = started;
	if (started > g->last)
		g->last = started;
	for (enum boot_outcome i = 0; i < BOOT_OUTCOME_MAX; i++)
		if (strcmp(boot_outcome_name(i), outcome) == 0)
			g->outcomes[i]++;
	g->blocks = sum_of(g->blocks, sqlite3_column_int64(s, 6));
	g->resent = sum_of(g->resent, sqlite3_column_int64(s, 7));
	if (strcmp(outcome, boot_outcome_name(BOOT_OUTCOME_COMPLETE)) != 0)
		return;
	group_add_image(g, (const char *)sqlite3_column_text(s, 9));
	if (sqlite3_column_type(s, 2) != SQLITE_NULL)
		samples_add(&g->last_byte, sqlite3_column_int64(s, 2));
	if (sqlite3_column_type(s, 3) != SQLITE_NULL)
		samples_add(&g->up, sqlite3_column_int64(s, 3));
	if (us > 0)
		samples_add(&g->throughput,
			rate_of(sqlite3_column_int64(s, 4), us));
}

#define FIRST_OF_POINT 10 /* column of the query below */

/*
 * `points`: 0, or how many boots a group needs to have its points told; that
 * of the HISTORY_POINTS_GROUPS largest.
 */
static int print_groups(sqlite3_stmt *s, uint64_t points, FILE *out)
{
	struct group group = {0};
	const char *name, *outcome;
	size_t n = 0, told = 0;
	bool whole = true, row, tell;
	int code;

	do {
		code = sqlite3_step(s);
		row = code == SQLITE_ROW;
		name = row ? (const char *)sqlite3_column_text(s, 0) : NULL;
		outcome = row ? (const char *)sqlite3_column_text(s, 1) : NULL;
		whole = !row || (name && outcome);
		if (group.name && (!name || strcmp(group.name, name) != 0)) {
			tell = points && group.count >= points &&
			       told < HISTORY_POINTS_GROUPS;
			whole &= group_end(&group, out, n++ == 0, tell);
			told += tell;
		}
		if (!whole || !row)
			break;
		if (!group.name)
			whole = group_begin(&group, name);
		if (whole)
			group_add(&group, outcome, s);
		if (whole && points)
			history_points_add(&group.points, s, FIRST_OF_POINT);
	} while (whole);
	return whole ? code : SQLITE_NOMEM;
}

static void bind_range(sqlite3_stmt *s, const struct history_query *query)
{
	sqlite3_bind_double(s, 1, query->since);
	sqlite3_bind_double(s, 2, query->until);
}

#define IN_RANGE " FROM boots WHERE started >= ? AND started < ? "

/* The boots of the last group whose points are told; 1: all are. */
static uint64_t least_count(
	sqlite3 *sql, const char *name, const struct history_query *query)
{
	char select[256];
	sqlite3_stmt *s;
	uint64_t least = 1;

	snprintf(select, sizeof(select),
		"SELECT count(*), coalesce(%s, '') AS name" IN_RANGE
		"GROUP BY name ORDER BY count(*) DESC LIMIT 1 OFFSET %d",
		name, HISTORY_POINTS_GROUPS - 1);
	s = prepare(sql, select);
	if (s)
		bind_range(s, query);
	if (s && sqlite3_step(s) == SQLITE_ROW)
		least = (uint64_t)sqlite3_column_int64(s, 0);
	sqlite3_finalize(s);
	return least;
}

/* How many machines have complete boots, and how many in several groups. */
static void print_machines(sqlite3 *sql, const char *name,
	const struct history_query *query, FILE *out)
{
	char select[256];
	sqlite3_stmt *s;

	snprintf(select, sizeof(select),
		"SELECT count(*), coalesce(sum(n > 1), 0) FROM "
		"(SELECT count(DISTINCT coalesce(%s, '')) AS n" IN_RANGE
		"AND outcome = 'complete' GROUP BY mac)",
		name);
	s = prepare(sql, select);
	if (s)
		bind_range(s, query);
	if (s && sqlite3_step(s) == SQLITE_ROW)
		fprintf(out, ",\"machines\":%lld,\"machines-in-several\":%lld",
			(long long)sqlite3_column_int64(s, 0),
			(long long)sqlite3_column_int64(s, 1));
	sqlite3_finalize(s);
}

static char *report(sqlite3 *sql, const struct history_query *query)
{
	const char *name = query->by == HISTORY_BY_MACHINE
				   ? "machine, mac"
				   : history_by_name(query->by);
	char select[1024], *text = NULL;
	size_t len;
	FILE *out;
	sqlite3_stmt *s;
	int code = SQLITE_ERROR;

	snprintf(select, sizeof(select),
		"SELECT coalesce(%s, '') AS name, outcome, last_byte_us, up_us,"
		" bytes, transfer_us, blocks, resent_timer + resent_rollback, "
		"started, digest%s" IN_RANGE "ORDER BY name%s",
		name, query->points ? history_points_columns : "",
		query->points ? ", id" : "");
	out = open_memstream(&text, &len);
	if (!out)
		return NULL;
	fprintf(out, "{\"by\":\"%s\",", history_by_name(query->by));
	if (query->points)
		history_points_print_keys(out);
	fputs("\"groups\":[", out);
	s = prepare(sql, select);
	if (s) {
		bind_range(s, query);
		code = print_groups(s,
			query->points ? least_count(sql, name, query) : 0, out);
	}
	sqlite3_finalize(s);
	fputs("]", out);
	if (code == SQLITE_DONE)
		print_machines(sql, name, query, out);
	fputs("}", out);
	text = stream_end(out, &text);
	if (code == SQLITE_DONE)
		return text;
	free(text);
	return error_text("the history cannot be read",
		code == SQLITE_NOMEM ? "memory is short" : sqlite3_errmsg(sql));
}

char *history_query_run(
	const char *directory, const struct history_query *query)
{
	char path[PATH_MAX], *text = NULL;
	sqlite3 *sql = NULL;

	snprintf(path, sizeof(path), "%s/" HISTORY_FILE, directory);
	if (sqlite3_open_v2(path, &sql, SQLITE_OPEN_READONLY, NULL) !=
		SQLITE_OK) {
		text = error_text("the history cannot be read",
			sql ? sqlite3_errmsg(sql) : NULL);
		sqlite3_close(sql);
		return text;
	}
	sqlite3_busy_timeout(sql, BUSY_MS);
	switch (query->kind) {
	case HISTORY_QUERY_BOOTS:
		text = boots(sql, query);
		break;
	case HISTORY_QUERY_BOOT:
		text = boot(sql, query);
		break;
	case HISTORY_QUERY_REPORT:
		text = report(sql, query);
		break;
	}
	sqlite3_close(sql);
	return text;
}
