#include "daemon/ctl/table.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/ctl/text.h"

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

void table_print(const struct table *table)
{
	size_t width[TABLE_COLUMNS] = {0}, n = table->n_columns;
	bool bold = may_be_bold();

	for (size_t i = 0; i < table->n_rows * n; i++)
		if (strlen(table->cell[i]) > width[i % n])
			width[i % n] = strlen(table->cell[i]);
	for (size_t row = 0; row < table->n_rows; row++) {
		if (row == 0 && bold)
			fputs("\033[1m", stdout);
		for (size_t i = 0; i < n; i++)
			printf("%-*s%s", i + 1 < n ? (int)width[i] : 0,
				table->cell[row * n + i],
				i + 1 < n ? "  " : "");
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
