#include "daemon/boots/history_points.h"

#include <jansson.h>
#include <stdlib.h>

#include "daemon/base/stream.h"
#include "daemon/boots/boots.h"

const char history_points_columns[] =
	", id, started, machine, mac, outcome, step, last_us"
#define AT(NAME, name) ", " name "_us"
#include "daemon/boots/boots.def"
#undef AT
	;

static const char *const keys[] = {
	"id",
	"started",
	"machine",
	"mac",
	"outcome",
	"step",
	"last_us",
#define AT(NAME, name) name "_us",
#include "daemon/boots/boots.def"
#undef AT
};
#define N_KEYS (sizeof(keys) / sizeof(*keys))

void history_points_print_keys(FILE *out)
{
	for (size_t i = 0; i < N_KEYS; i++)
		fprintf(out, "%s\"%s\"", i ? "," : "\"point\":[", keys[i]);
	fputs("],", out);
}

void history_print_text(const char *text, FILE *out)
{
	json_t *string = json_string(text);
	char *dump =
		string ? json_dumps(string, JSON_ENCODE_ANY | JSON_ENSURE_ASCII)
		       : NULL;

	fputs(dump ? dump : "\"?\"", out);
	free(dump);
	json_decref(string);
}

void history_points_init(struct history_points *points)
{
	*points = (struct history_points){.every = 1};
}

/* Every second of those kept goes. */
static void thin_out(struct history_points *points)
{
	for (size_t i = 0; i < points->n; i++) {
		if (i % 2)
			free(points->row[i]);
		else
			points->row[i / 2] = points->row[i];
	}
	points->n = (points->n + 1) / 2;
	points->every *= 2;
}

/* NULL: memory is short. */
static char *row_text(sqlite3_stmt *s, int first)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		return NULL;
	for (int i = first; i < first + (int)N_KEYS; i++) {
		fputs(i > first ? "," : "[", out);
		switch (sqlite3_column_type(s, i)) {
		case SQLITE_INTEGER:
			fprintf(out, "%lld",
				(long long)sqlite3_column_int64(s, i));
			break;
		case SQLITE_FLOAT:
			fprintf(out, "%.3f", sqlite3_column_double(s, i));
			break;
		case SQLITE_TEXT:
			history_print_text(
				(const char *)sqlite3_column_text(s, i), out);
			break;
		default:
			fputs("null", out);
		}
	}
	fputs("]", out);
	return stream_end(out, &text);
}

void history_points_add(
	struct history_points *points, sqlite3_stmt *s, int first)
{
	if (points->seen++ % points->every)
		return;
	if (points->n == HISTORY_POINTS_MAX) {
		thin_out(points);
		if ((points->seen - 1) % points->every)
			return;
	}
	points->row[points->n] = row_text(s, first);
	if (points->row[points->n])
		points->n++;
	else
		points->lack = true;
}

bool history_points_print(const struct history_points *points, FILE *out)
{
	fprintf(out, ",\"every\":%zu,\"points\":[", points->every);
	for (size_t i = 0; i < points->n; i++)
		fprintf(out, "%s%s", i ? "," : "", points->row[i]);
	fputs("]", out);
	return !points->lack;
}

void history_points_done(struct history_points *points)
{
	for (size_t i = 0; i < points->n; i++)
		free(points->row[i]);
	points->n = 0;
}
