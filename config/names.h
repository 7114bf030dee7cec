/*
 * names: the words that a configuration may use for a value, and the nearest
 * of several words to one that is none of them.
 */
#ifndef CONFIG_NAMES_H
#define CONFIG_NAMES_H

#include <stdbool.h>
#include <stddef.h>

struct name_row {
	const char *name; /* NULL: the table's end */
	unsigned value;
};

/* Where a value has several names, the first one is canonical. */
extern const struct name_row names_bool[];   /* false, true */
extern const struct name_row names_switch[]; /* off: 0, auto: 1 */
extern const struct name_row names_mode[];
extern const struct name_row names_offer[];
extern const struct name_row names_unknown[];

/* NULL if there is none. */
const char *names_text(const struct name_row *rows, unsigned value);
/* false if there is none; exact case. */
bool names_value(const struct name_row *rows, const char *name, unsigned *ret);

/*
 * The search for what was meant: init with what was written, try every
 * candidate, ask for the best. Candidates must outlive the search.
 */
struct suggest {
	const char *text;
	const char *best;
	size_t distance, edits;
};

void suggest_init(struct suggest *suggest, const char *text);
void suggest_try(struct suggest *suggest, const char *candidate);
/* NULL: nothing was near enough to be worth saying. */
const char *suggest_best(const struct suggest *suggest);

#endif
