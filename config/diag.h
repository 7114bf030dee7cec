/*
 * diag: the messages of one load, while it goes on.
 *
 * They arise in the order of the checks and are wanted in the order of the
 * lines: they are gathered here and sorted into the caller's report at the
 * end. No more are kept than the report can hold; an error takes the place of
 * a warning then.
 */
#ifndef CONFIG_DIAG_H
#define CONFIG_DIAG_H

#include <stdbool.h>
#include <stddef.h>

#include "config/report.h"

struct diag {
	size_t n_errors, n_warnings; /* those past the cap too */
	size_t n, n_kept_warnings;
	struct diag_item {
		struct config_at at; /* line 0: the file as a whole */
		size_t order;
		bool warning;
		char *text;
	} items[CONFIG_REPORT_MAX];
};

void diag_init(struct diag *diag);
void diag_done(struct diag *diag);
/* Whether another error would be counted only: spare the work of wording it. */
bool diag_is_full(const struct diag *diag);
void diag_add(struct diag *diag, struct config_at at, bool warning,
	const char *format, ...) __attribute__((format(printf, 4, 5)));
/* Move all of it into report; at.file is an index into files. */
void diag_flush(struct diag *diag, const char *const *files,
	struct config_report *report);

#define QUOTE_LEN 96
/*
 * A text of a configuration as it may appear in a message: in quotes, what
 * does not print escaped, clipped after some 70 bytes.
 */
const char *quote(const char *text, size_t len, char ret[QUOTE_LEN]);
/*
 * How many bytes at the beginning of this UTF-8 text are fit to be shown and
 * to be written into one line of YAML as they are: no control characters, no
 * line separators, no byte order marks.
 */
size_t printable_len(const char *text, size_t len);

#endif
