#include "config/report.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/config.h"
#include "config/diag.h"
#include "proto/hex.h"

void config_report_init(struct config_report *report)
{
	*report = (struct config_report){0};
}

void config_report_done(struct config_report *report)
{
	for (size_t i = 0; i < report->n; i++)
		free(report->messages[i].text);
	free(report->messages);
	for (size_t i = 0; i < report->n_sources; i++)
		free(report->sources[i].path);
	free(report->sources);
	config_report_init(report);
}

void config_report_source(struct config_report *report, const char *path,
	enum config_source_kind kind)
{
	struct config_source *source;

	if (report->n_sources == report->cap_sources) {
		size_t cap = report->cap_sources ? 2 * report->cap_sources : 16;
		void *sources = realloc(
			report->sources, cap * sizeof(*report->sources));

		if (!sources)
			return;
		report->sources = sources;
		report->cap_sources = cap;
	}
	source = &report->sources[report->n_sources];
	source->kind = kind;
	source->path = strdup(path);
	if (source->path)
		report->n_sources++;
}

/* A warning that makes room for an error; n if there is none. */
static size_t last_warning(const struct config_report *report)
{
	for (size_t i = report->n; i-- > 0;) {
		if (report->messages[i].warning)
			return i;
	}
	return report->n;
}

/* Takes text; a message that finds no room or no memory is only counted. */
static void report_keep(struct config_report *report, bool warning, char *text)
{
	if (!report->messages)
		report->messages =
			calloc(CONFIG_REPORT_MAX, sizeof(*report->messages));
	if (!report->messages || !text) {
		free(text);
		return;
	}
	if (report->n == CONFIG_REPORT_MAX) {
		size_t i = warning ? report->n : last_warning(report);

		if (i == report->n) {
			free(text);
			return;
		}
		free(report->messages[i].text);
		memmove(&report->messages[i], &report->messages[i + 1],
			(report->n - i - 1) * sizeof(*report->messages));
		report->n--;
	}
	report->messages[report->n++] = (struct config_message){
		.warning = warning,
		.text = text,
		.len = strlen(text),
		.times = 1,
	};
}

/* Was it said before, word for word? Then it is counted there. */
static bool report_again(struct config_report *report, const char *text)
{
	size_t len = strlen(text);

	for (size_t i = 0; i < report->n; i++) {
		struct config_message *m = &report->messages[i];
		char *counted;

		if (!m->warning || m->len != len ||
			memcmp(m->text, text, len) != 0)
			continue;
		m->times++;
		if (asprintf(&counted, "%s (%zu times)", text, m->times) < 0)
			return true;
		free(m->text);
		m->text = counted;
		return true;
	}
	return false;
}

__attribute__((format(printf, 5, 0))) static void report_add(
	struct config_report *report, const struct config *config,
	struct config_at at, bool warning, const char *format, va_list args)
{
	const char *where =
		config && config->n_files ? config->files[0] : "netuki";
	char *what = NULL, *text = NULL;
	char buffer[512];

	if (config && at.line > 0)
		where = config_at_text(config, at, buffer, sizeof(buffer));
	if (vasprintf(&what, format, args) < 0)
		what = NULL;
	if (what && asprintf(&text, "%s: %s", where, what) < 0)
		text = NULL;
	free(what);
	/* The same of many machines, as a group's settings make it. */
	if (warning && text && report_again(report, text)) {
		free(text);
		return;
	}
	report->n_errors += !warning;
	report->n_warnings += warning;
	report_keep(report, warning, text);
}

void config_report_add(struct config_report *report,
	const struct config *config, struct config_at at, bool warning,
	const char *format, ...)
{
	va_list args;

	va_start(args, format);
	report_add(report, config, at, warning, format, args);
	va_end(args);
}

void config_report_add_absent(struct config_report *report,
	const struct config *config, struct config_at at, bool may_come,
	const char *format, ...)
{
	va_list args;

	va_start(args, format);
	report_add(report, config, at, may_come, format, args);
	va_end(args);
	report->n_absent += !may_come;
}

const char *config_at_text(
	const struct config *config, struct config_at at, char *ret, size_t cap)
{
	if (at.line == 0 || at.file >= config->n_files)
		snprintf(ret, cap, "built in");
	else
		snprintf(ret, cap, "%s:%u:%u", config->files[at.file], at.line,
			at.column);
	return ret;
}

void diag_init(struct diag *diag)
{
	diag->n_errors = diag->n_warnings = diag->n = 0;
	diag->n_kept_warnings = 0;
}

void diag_done(struct diag *diag)
{
	for (size_t i = 0; i < diag->n; i++)
		free(diag->items[i].text);
	diag_init(diag);
}

bool diag_is_full(const struct diag *diag)
{
	return diag->n - diag->n_kept_warnings == CONFIG_REPORT_MAX;
}

/* The item that a new message may fill; NULL if it is only counted. */
static struct diag_item *diag_room(struct diag *diag, bool warning)
{
	if (diag->n < CONFIG_REPORT_MAX)
		return &diag->items[diag->n++];
	if (warning)
		return NULL;
	for (size_t i = diag->n; i-- > 0;) {
		if (diag->items[i].warning) {
			free(diag->items[i].text);
			diag->n_kept_warnings--;
			return &diag->items[i];
		}
	}
	return NULL;
}

void diag_add(struct diag *diag, struct config_at at, bool warning,
	const char *format, ...)
{
	struct diag_item *item = diag_room(diag, warning);
	va_list args;

	diag->n_errors += !warning;
	diag->n_warnings += warning;
	if (!item)
		return;
	diag->n_kept_warnings += warning;
	item->at = at;
	item->order = diag->n_errors + diag->n_warnings;
	item->warning = warning;
	va_start(args, format);
	if (vasprintf(&item->text, format, args) < 0)
		item->text = NULL;
	va_end(args);
}

static int compare(size_t a, size_t b)
{
	return (a > b) - (a < b);
}

static int diag_compare(const void *x, const void *y)
{
	const struct diag_item *a = x, *b = y;
	int ret = compare(a->at.file, b->at.file);

	ret = ret ? ret : compare(a->at.line, b->at.line);
	ret = ret ? ret : compare(a->at.column, b->at.column);
	return ret ? ret : compare(a->order, b->order);
}

void diag_flush(struct diag *diag, const char *const *files,
	struct config_report *report)
{
	qsort(diag->items, diag->n, sizeof(diag->items[0]), diag_compare);
	report->n_errors += diag->n_errors;
	report->n_warnings += diag->n_warnings;
	for (size_t i = 0; i < diag->n; i++) {
		const struct diag_item *item = &diag->items[i];
		const char *text = item->text ? item->text : "out of memory";
		const char *file = files[item->at.file];
		char *line = NULL;
		int n;

		if (item->at.line == 0)
			n = asprintf(&line, "%s: %s", file, text);
		else
			n = asprintf(&line, "%s:%u:%u: %s", file, item->at.line,
				item->at.column, text);
		report_keep(report, item->warning, n < 0 ? NULL : line);
	}
	diag_done(diag);
}

size_t printable_len(const char *text, size_t len)
{
	const unsigned char *p = (const unsigned char *)text;
	size_t i = 0;

	for (; i < len; i++) {
		size_t left = len - i;

		if (p[i] < 0x20 || p[i] == 0x7f)
			break;
		/* U+0080..U+009F, U+2028 and U+2029, U+FEFF, U+FFFE.. */
		if (left >= 2 && p[i] == 0xc2 && p[i + 1] < 0xa0)
			break;
		if (left >= 3 && p[i] == 0xe2 && p[i + 1] == 0x80 &&
			(p[i + 2] == 0xa8 || p[i + 2] == 0xa9))
			break;
		if (left >= 3 && p[i] == 0xef &&
			((p[i + 1] == 0xbb && p[i + 2] == 0xbf) ||
				(p[i + 1] == 0xbf && p[i + 2] >= 0xbe)))
			break;
	}
	return i;
}

const char *quote(const char *text, size_t len, char ret[QUOTE_LEN])
{
	size_t n = 0, i = 0;

	ret[n++] = '\'';
	while (i < len && n < QUOTE_LEN - 24) {
		size_t width = 1;

		if (printable_len(text + i, len - i < 4 ? len - i : 4) > 0) {
			ret[n++] = text[i++];
			continue;
		}
		while (width < 4 && i + width < len &&
			((unsigned char)text[i + width] & 0xc0) == 0x80)
			width++;
		for (; width > 0; width--, i++) {
			ret[n++] = '\\';
			ret[n++] = 'x';
			hex_put(ret + n, (uint8_t)text[i]);
			n += 2;
		}
	}
	/* Not in the middle of a character. */
	if (i < len) {
		while (n > 1 && ((unsigned char)text[i] & 0xc0) == 0x80) {
			n--;
			i--;
		}
		ret[n++] = '.';
		ret[n++] = '.';
		ret[n++] = '.';
	}
	ret[n++] = '\'';
	ret[n] = '\0';
	return ret;
}
