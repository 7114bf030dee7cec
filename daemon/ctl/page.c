#include "daemon/ctl/page.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "daemon/ctl/assets.h"
#include "daemon/ctl/json_out.h"
#include "daemon/ctl/report.h"
#include "daemon/ctl/save.h"
#include "daemon/ctl/table.h"
#include "daemon/ctl/text.h"

static void put_asset(enum asset_name name, FILE *out)
{
	struct asset asset = asset_get(name);

	fwrite(asset.data, 1, asset.len, out);
}

/* Text that stays text: names come from the configuration and the network. */
static void put_text(const char *text, FILE *out)
{
	for (const char *p = text; *p; p++) {
		switch (*p) {
		case '<':
			fputs("&lt;", out);
			break;
		case '>':
			fputs("&gt;", out);
			break;
		case '&':
			fputs("&amp;", out);
			break;
		case '"':
			fputs("&quot;", out);
			break;
		default:
			putc((unsigned char)*p < 0x20 ? '?' : *p, out);
		}
	}
}

/*
 * In JSON these characters stand in strings only, where they may be escaped;
 * then no data can end the script element or begin a comment in it.
 */
static void put_data(const json_t *report, FILE *out)
{
	char *text = json_out_text(report, JSON_COMPACT | JSON_ENSURE_ASCII);

	for (const char *p = text; *p; p++) {
		if (*p == '<' || *p == '>' || *p == '&')
			fprintf(out, "\\u%04x", (unsigned)*p);
		else
			putc(*p, out);
	}
	free(text);
}

static void put_time(double unix_time, FILE *out)
{
	time_t seconds = (time_t)unix_time;
	struct tm tm;
	char text[60];

	if (localtime_r(&seconds, &tm) &&
		strftime(text, sizeof(text), "%Y-%m-%d %H:%M %Z", &tm))
		fputs(text, out);
}

static void put_title(const json_t *report, FILE *out)
{
	fputs("Boots by ", out);
	put_text(word_of(report, "by"), out);
}

/* "1204 boots, 2026-11-01 10:00 CET to 2026-11-22 18:30 CET" */
static void put_range(const json_t *report, FILE *out)
{
	const json_t *g;
	double first = 0, last = 0;
	long long count = 0;
	size_t i;

	json_array_foreach(json_object_get(report, "groups"), i, g)
	{
		double begin = real_of(g, "first");
		double end = real_of(g, "last");

		if (!count || begin < first)
			first = begin;
		if (end > last)
			last = end;
		count += number_of(g, "count");
	}
	fprintf(out, "%lld boot%s", count, count == 1 ? "" : "s");
	if (!count)
		return;
	fputs(", ", out);
	put_time(first, out);
	if (count > 1) {
		fputs(" to ", out);
		put_time(last, out);
	}
}

static void put_verdicts(const json_t *report, FILE *out)
{
	const json_t *list = json_object_get(report, "comparisons"), *c;
	char text[REPORT_VERDICT_MAX];
	size_t i;

	if (!json_array_size(json_object_get(report, "groups")))
		fputs("<p>There is no boot to report.</p>\n", out);
	else if (!json_array_size(list))
		fputs("<p>There are no two groups with complete boots to "
		      "compare.</p>\n",
			out);
	json_array_foreach(list, i, c)
	{
		report_verdict(c, text);
		fputs("<p>", out);
		put_text(text, out);
		fputs("</p>\n", out);
	}
	report_remarks(report, text);
	if (*text)
		fprintf(out, "<p>%s</p>\n", text);
}

static void put_table(const json_t *report, FILE *out)
{
	struct table table;

	report_table(report, &table);
	for (size_t row = 0; row < table.n_rows; row++) {
		char *const *cell = table.cell + row * table.n_columns;
		const char *tag = row ? "td" : "th";

		fputs("<tr>", out);
		for (size_t i = 0; i < table.n_columns; i++) {
			fprintf(out, "<%s>", tag);
			put_text(cell[i], out);
			fprintf(out, "</%s>", tag);
		}
		fputs("</tr>\n", out);
	}
	table_done(&table);
}

static void put_written(const json_t *report, FILE *out)
{
	char host[256] = "";

	(void)report;
	put_time((double)time(NULL), out);
	if (gethostname(host, sizeof(host) - 1) == 0 && *host) {
		fputs(" on ", out);
		put_text(host, out);
	}
	fputs(" by netukictl " NETUKI_VERSION, out);
}

/* The template, in which {{NAME}} stands for what these write, or an asset. */
static void put_page(const json_t *report, FILE *out)
{
	static const struct {
		const char *name;
		void (*put)(const json_t *report, FILE *out);
		enum asset_name asset;
	} parts[] = {
		{"{{title}}", put_title, ASSET_MAX},
		{"{{range}}", put_range, ASSET_MAX},
		{"{{verdicts}}", put_verdicts, ASSET_MAX},
		{"{{table}}", put_table, ASSET_MAX},
		{"{{written}}", put_written, ASSET_MAX},
		{"{{style}}", NULL, ASSET_STYLE},
		{"{{data}}", put_data, ASSET_MAX},
		{"{{d3}}", NULL, ASSET_D3},
		{"{{plot}}", NULL, ASSET_PLOT},
		{"{{script}}", NULL, ASSET_SCRIPT},
		{"{{licences}}", NULL, ASSET_LICENCES},
	};
	struct asset page = asset_get(ASSET_PAGE);
	size_t i = 0;

	while (i < page.len) {
		const char *p = page.data + i;
		size_t part = 0, left = page.len - i;

		while (part < sizeof(parts) / sizeof(*parts) &&
			(left < strlen(parts[part].name) ||
				memcmp(p, parts[part].name,
					strlen(parts[part].name)) != 0))
			part++;
		if (part == sizeof(parts) / sizeof(*parts)) {
			putc(*p, out);
			i++;
			continue;
		}
		if (parts[part].put)
			parts[part].put(report, out);
		else
			put_asset(parts[part].asset, out);
		i += strlen(parts[part].name);
	}
}

bool page_write(const char *path, const json_t *report)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	int err = -ENOMEM;

	if (out) {
		bool whole;

		put_page(report, out);
		whole = !ferror(out);
		if (fclose(out) == 0 && whole)
			err = save_replace(path, text, len);
	}
	free(text);
	if (err)
		fprintf(stderr, "netukictl: %s: %s\n", path, strerror(-err));
	return !err;
}
