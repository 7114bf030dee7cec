#include "config/names.h"

#include <stdint.h>
#include <string.h>

#include "config/config.h"

/* The spellings of YAML 1.1, which people still write. */
const struct name_row names_bool[] = {{"true", 1}, {"false", 0}, {"yes", 1},
	{"no", 0}, {"on", 1}, {"off", 0}, {NULL, 0}};
const struct name_row names_switch[] = {{"auto", 1}, {"off", 0}, {NULL, 0}};
const struct name_row names_mode[] = {{"ipxe", CONFIG_MODE_IPXE},
	{"tftp-uki", CONFIG_MODE_TFTP_UKI}, {"local", CONFIG_MODE_LOCAL},
	{"alternate", CONFIG_MODE_ALTERNATE}, {NULL, 0}};
const struct name_row names_offer[] = {{"auto", CONFIG_OFFER_AUTO},
	{"direct", CONFIG_OFFER_DIRECT}, {"pxe-port", CONFIG_OFFER_PXE_PORT},
	{NULL, 0}};
const struct name_row names_unknown[] = {{"ignore", CONFIG_UNKNOWN_IGNORE},
	{"default", CONFIG_UNKNOWN_DEFAULT}, {NULL, 0}};
static const struct name_row names_origin[] = {
	{"built in", CONFIG_ORIGIN_BUILTIN},
	{"defaults", CONFIG_ORIGIN_DEFAULTS}, {"group", CONFIG_ORIGIN_GROUP},
	{"machine", CONFIG_ORIGIN_MACHINE},
	{"override", CONFIG_ORIGIN_OVERRIDE}, {NULL, 0}};

const char *names_text(const struct name_row *rows, unsigned value)
{
	for (; rows->name; rows++) {
		if (rows->value == value)
			return rows->name;
	}
	return NULL;
}

bool names_value(const struct name_row *rows, const char *name, unsigned *ret)
{
	for (; rows->name; rows++) {
		if (strcmp(rows->name, name) == 0) {
			*ret = rows->value;
			return true;
		}
	}
	return false;
}

const char *config_mode_name(enum config_mode mode)
{
	return names_text(names_mode, mode);
}

enum config_mode config_mode_from_name(const char *name)
{
	unsigned value = CONFIG_MODE_UNSET;

	names_value(names_mode, name, &value);
	return (enum config_mode)value;
}

const char *config_offer_name(enum config_offer offer)
{
	return names_text(names_offer, offer);
}

const char *config_origin_name(enum config_origin origin)
{
	return names_text(names_origin, origin);
}

/* Longer words are compared by their beginnings. */
#define SUGGEST_LEN 48

/* '_' for '-' and capitals are the commonest slips: they cost nothing. */
static char fold(char c)
{
	if (c >= 'A' && c <= 'Z')
		return (char)(c - 'A' + 'a');
	return c == '_' ? '-' : c;
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/*
 * The fewest insertions, deletions, replacements and swaps of neighbours that
 * make b of a.
 */
static size_t edit_distance(const char *a, const char *b)
{
	size_t a_len = strnlen(a, SUGGEST_LEN), b_len = strnlen(b, SUGGEST_LEN);
	size_t rows[3][SUGGEST_LEN + 1];
	size_t *before = rows[0], *last = rows[1], *now = rows[2];

	memset(rows, 0, sizeof(rows));
	for (size_t j = 0; j <= b_len; j++)
		last[j] = j;
	for (size_t i = 1; i <= a_len; i++) {
		size_t *oldest = before;

		now[0] = i;
		for (size_t j = 1; j <= b_len; j++) {
			char x = fold(a[i - 1]), y = fold(b[j - 1]);

			now[j] = least(least(last[j], now[j - 1]) + 1,
				last[j - 1] + (x != y));
			if (i > 1 && j > 1 && x == fold(b[j - 2]) &&
				y == fold(a[i - 2]))
				now[j] = least(now[j], before[j - 2] + 1);
		}
		before = last;
		last = now;
		now = oldest;
	}
	return last[b_len];
}

static bool contains(const char *text, const char *part)
{
	size_t i, len = strlen(part);

	for (; *text; text++) {
		for (i = 0; i < len && fold(text[i]) == fold(part[i]); i++)
			continue;
		if (i == len)
			return true;
	}
	return false;
}

void suggest_init(struct suggest *suggest, const char *text)
{
	*suggest = (struct suggest){.text = text, .distance = SIZE_MAX};
}

void suggest_try(struct suggest *suggest, const char *candidate)
{
	size_t edits = edit_distance(suggest->text, candidate);
	size_t distance = edits;
	size_t len = strnlen(suggest->text, SUGGEST_LEN);

	/* A part of at least three letters is as good as a slip. */
	if ((len >= 3 && contains(candidate, suggest->text)) ||
		(strlen(candidate) >= 3 && contains(suggest->text, candidate)))
		distance = least(distance, 1);
	if (distance < suggest->distance ||
		(distance == suggest->distance && edits < suggest->edits)) {
		suggest->distance = distance;
		suggest->edits = edits;
		suggest->best = candidate;
	}
}

const char *suggest_best(const struct suggest *suggest)
{
	size_t len = strnlen(suggest->text, SUGGEST_LEN);
	size_t allowed = len < 2 ? 0 : len < 4 ? 1 : len < 6 ? 2 : 3;

	return suggest->best && suggest->distance <= allowed ? suggest->best
							     : NULL;
}
