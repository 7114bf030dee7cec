/*
 * history_points: single boots for the plots of a report, as JSON: all of a
 * group, or, of a large one, every second, fourth, ..., so that a page stays
 * one that a browser can draw.
 */
#ifndef DAEMON_BOOTS_HISTORY_POINTS_H
#define DAEMON_BOOTS_HISTORY_POINTS_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define HISTORY_POINTS_MAX    1000 /* boots of a group; half of it at least */
#define HISTORY_POINTS_GROUPS 12   /* those with the most boots */

struct history_points {
	size_t n, seen;
	size_t every; /* which of those seen are kept; a power of two */
	bool lack;    /* of memory */
	char *row[HISTORY_POINTS_MAX];
};

/* The columns of the table that a point has, to go on with in a SELECT. */
extern const char history_points_columns[];
/* The same in JSON: "point":[...], */
void history_points_print_keys(FILE *out);

void history_points_init(struct history_points *points);
/* The row whose columns from `first` on are those above. */
void history_points_add(
	struct history_points *points, sqlite3_stmt *s, int first);
/* ,"every":N,"points":[[...],...]; false: memory was short. */
bool history_points_print(const struct history_points *points, FILE *out);
void history_points_done(struct history_points *points);

/* A JSON string. */
void history_print_text(const char *text, FILE *out);

#endif
