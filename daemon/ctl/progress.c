#include "daemon/ctl/progress.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "daemon/ctl/text.h"

#define LINE_MAX_LEN 400
#define BAR_MAX	     40
#define BAR_MIN	     8

/* What was drawn last: so many lines, of a terminal so wide. */
static struct {
	unsigned lines, columns;
} drawn;

static void get_size(unsigned *ret_columns, unsigned *ret_lines)
{
	text_terminal_size(ret_columns, ret_lines);
	if (!*ret_columns)
		*ret_columns = 80;
	if (!*ret_lines)
		*ret_lines = 24;
	if (*ret_columns > LINE_MAX_LEN)
		*ret_columns = LINE_MAX_LEN;
}

/* Back to where the first bar is; what is below goes. */
static void erase(unsigned columns)
{
	/* After a resize nobody knows where lines were broken anew. */
	if (drawn.lines && drawn.columns != columns)
		fputs("\033[H\033[J", stdout);
	else if (drawn.lines)
		printf("\033[%uA\033[J", drawn.lines);
	drawn.lines = 0;
	drawn.columns = columns;
}

/* One line, never so long that the terminal would break it. */
static void draw_line(const char *text)
{
	printf("%.*s\n", (int)drawn.columns - 1, text);
	drawn.lines++;
}

static void draw_bar(char *line, size_t cap, double share, size_t len)
{
	size_t full = (size_t)(share * (double)len + 0.5);
	char bar[BAR_MAX + 1];

	if (full > len)
		full = len;
	memset(bar, '-', len);
	memset(bar, '#', full);
	bar[len] = '\0';
	snprintf(line + strlen(line), cap - strlen(line), "  [%s]", bar);
}

/*
 * "  [####----]  50 %  8.2 of 16.3 MB  27.1 MB/s", or of what follows the bar
 * as much as leaves room for one.
 */
static void draw_download(const json_t *boot, char *line, size_t cap)
{
	double share = real_of(boot, "bytes") / real_of(boot, "size");
	char tail[3][120], done[40], all[40], rate[40] = "";
	size_t room;

	rate_text(boot, rate, sizeof(rate));
	snprintf(tail[0], sizeof(tail[0]), "  %3.0f %%  %s of %s  %s",
		share * 100,
		size_text(number_of(boot, "bytes"), done, sizeof(done)),
		size_text(number_of(boot, "size"), all, sizeof(all)), rate);
	snprintf(tail[1], sizeof(tail[1]), "  %3.0f %%  %s", share * 100, rate);
	snprintf(tail[2], sizeof(tail[2]), "  %3.0f %%", share * 100);
	for (size_t i = 0; i < 3; i++) {
		/* 5: what is around the bar, and the last column */
		room = strlen(line) + strlen(tail[i]) + 5;
		room = drawn.columns > room ? drawn.columns - room : 0;
		if (room < BAR_MIN)
			continue;
		draw_bar(line, cap, share, room < BAR_MAX ? room : BAR_MAX);
		snprintf(
			line + strlen(line), cap - strlen(line), "%s", tail[i]);
		return;
	}
	snprintf(line + strlen(line), cap - strlen(line), "%s", tail[2]);
}

/* "lab-01  ipxe  image  4.1 s", and what it loads */
static void draw_boot(const json_t *boot)
{
	const char *mode = text_of(boot, "mode");
	char line[LINE_MAX_LEN];

	snprintf(line, sizeof(line), "%-16.40s  %-8s  %-7s %6.1f s",
		who_text(boot), mode ? mode : "-", text_of(boot, "step"),
		real_of(boot, "seconds"));
	if (real_of(boot, "size") > 0)
		draw_download(boot, line, sizeof(line));
	draw_line(line);
}

/* The longest first: who is there keeps its line. */
static int by_age(const void *a, const void *b)
{
	double x = real_of(*(json_t *const *)a, "seconds");
	double y = real_of(*(json_t *const *)b, "seconds");

	return (x < y) - (x > y);
}

/* What the terminal has room for. */
static void draw_running(const json_t *answer, unsigned lines)
{
	const json_t *list = json_object_get(answer, "running");
	size_t n = json_array_size(list), shown;
	json_t **boots = calloc(n + 1, sizeof(json_t *));
	char text[80];
	long long more;

	if (!boots)
		return;
	for (size_t i = 0; i < n; i++)
		boots[i] = json_array_get(list, i);
	qsort(boots, n, sizeof(json_t *), by_age);
	/* A line for what is left out, and one for the cursor. */
	shown = lines > 3 ? lines - 3 : 1;
	if (shown > n)
		shown = n;
	for (size_t i = 0; i < shown; i++)
		draw_boot(boots[i]);
	more = number_of(answer, "more") + (long long)(n - shown);
	snprintf(text, sizeof(text), "... and %lld more", more);
	if (more)
		draw_line(text);
	else if (!n)
		draw_line("(no boot runs)");
	free(boots);
}

static void print_news(const json_t *boot)
{
	const char *mode = text_of(boot, "mode"),
		   *image = text_of(boot, "image");
	const char *why = text_of(boot, "why"), *step = text_of(boot, "step");
	bool up = strcmp(step, "up") == 0;
	time_t now = time(NULL);
	char at[20] = "", size[40], rate[40];
	struct tm tm;

	if (localtime_r(&now, &tm))
		strftime(at, sizeof(at), "%H:%M:%S", &tm);
	printf("%s  %s  %s  %s  ", at, who_text(boot), mode ? mode : "-",
		image ? image : "-");
	if (why)
		printf("%s at %s after %.1f s: %s\n", text_of(boot, "outcome"),
			step, real_of(boot, "seconds"), why);
	else if (up || !number_of(boot, "bytes"))
		/* A disk's, or another server's, loads nothing here. */
		printf("%s after %.1f s\n",
			up ? "up" : text_of(boot, "outcome"),
			real_of(boot, "seconds"));
	else
		printf("%s after %.1f s, %s at %s\n", text_of(boot, "outcome"),
			real_of(boot, "seconds"),
			size_text(number_of(boot, "bytes"), size, sizeof(size)),
			rate_text(boot, rate, sizeof(rate)) ? rate : "-");
}

void progress_show(const json_t *answer)
{
	static bool buffered;
	const json_t *news = json_object_get(answer, "news");
	unsigned columns, lines;

	get_size(&columns, &lines);
	/* A picture goes out at once, or it flickers. */
	if (!buffered)
		setvbuf(stdout, NULL, _IOFBF, 1 << 16);
	buffered = true;
	if (news) {
		/* The bars come again with the next picture. */
		erase(columns);
		print_news(news);
	} else if (json_object_get(answer, "running")) {
		erase(columns);
		draw_running(answer, lines);
	}
}
