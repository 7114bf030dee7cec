/*
 * table: rows of text with aligned columns, for people.
 */
#ifndef DAEMON_CTL_TABLE_H
#define DAEMON_CTL_TABLE_H

#include <stddef.h>

#define TABLE_COLUMNS 11

struct table {
	size_t n_columns, n_rows;
	char **cell; /* row by row; the first row is the heading */
};

/* The headings, n of them. */
void table_init(struct table *table, size_t n, const char *const *headings);
/* One row; NULL cells show as "-". */
void table_add(struct table *table, const char *const *cells);
/*
 * To standard output; the last column is not padded. On a terminal that is too
 * narrow, what has no room goes on in a further line, column below column.
 */
void table_print(const struct table *table);
void table_done(struct table *table);

#endif
