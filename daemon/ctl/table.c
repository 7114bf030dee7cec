#include "daemon/ctl/table.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/ctl/text.h"

#define GAP    2
#define INDENT 4 /* of a further line */

void table_init(struct table *table, size_t n, const char *const *headings)
{
	*table = (struct table){.n_columns = n};
	table_add(table, headings);
}

void table_add(struct table *table, const char *const *cells)
{
	size_t n = table->n_columns;
	char **cell =
		realloc(table->cell, (table->n_rows + 1) * n * sizeof(*cell));

	if (!cell)
		abort();
	table->cell = cell;
	for (size_t i = 0; i < n; i++) {
		const char *text = cells[i] && *cells[i] ? cells[i] : "-";

		if (!(cell[table->n_rows * n + i] = strdup(text)))
			abort();
	}
	table->n_rows++;
}

/* NO_COLOR: no-color.org. */
static bool may_be_bold(void)
{
	const char *no = getenv("NO_COLOR");

	return text_is_terminal() && !(no && *no);
}

static void print_row(
	char *const *cells, const size_t *width, size_t n, unsigned columns)
{
	size_t at = 0; /* where the line has come to, if all are padded */

	for (size_t i = 0; i < n; i++) {
		if (i && columns && at + GAP + width[i] > columns) {
			printf("\n%*s", INDENT, "");
			at = INDENT;
		} else if (i) {
			size_t pad = width[i - 1] - text_width(cells[i - 1]);

			printf("%*s", (int)(pad + GAP), "");
			at += GAP;
		}
		fputs(cells[i], stdout);
		at += width[i];
	}
}

void table_print(const struct table *table)
{
	size_t width[TABLE_COLUMNS] = {0}, n = table->n_columns;
	bool bold = may_be_bold();
	unsigned columns, lines;

	text_terminal_size(&columns, &lines);
	for (size_t i = 0; i < table->n_rows * n; i++)
		if (text_width(table->cell[i]) > width[i % n])
			width[i % n] = text_width(table->cell[i]);
	for (size_t row = 0; row < table->n_rows; row++) {
		if (row == 0 && bold)
			fputs("\033[1m", stdout);
		print_row(table->cell + row * n, width, n, columns);
		puts(row == 0 && bold ? "\033[0m" : "");
	}
}

void table_done(struct table *table)
{
	for (size_t i = 0; i < table->n_rows * table->n_columns; i++)
		free(table->cell[i]);
	free(table->cell);
	*table = (struct table){0};
}
