#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "daemon/ctl/commands.h"
#include "daemon/ctl/progress.h"
#include "daemon/ctl/show.h"
#include "daemon/ctl/table.h"
#include "daemon/ctl/text.h"

#define BAR 47 /* with the figures a line of 80 columns */

/* "12.3 s"; NULL if it is not known. */
static const char *seconds_of(
	const json_t *o, const char *key, char *buf, size_t cap)
{
	if (!json_is_number(json_object_get(o, key)))
		return NULL;
	snprintf(buf, cap, "%.3f s", real_of(o, key));
	return buf;
}

static const char *time_of(const json_t *boot, char *buf, size_t cap)
{
	time_t started = (time_t)real_of(boot, "started");
	struct tm tm;

	if (!localtime_r(&started, &tm) ||
		!strftime(buf, cap, "%Y-%m-%d %H:%M:%S", &tm))
		return NULL;
	return buf;
}

static void show_none(const struct arguments *args)
{
	if (args->n_operands)
		printf("No boot of %s is known%s.\n", args->operand[0],
			args->since ? " since then" : "");
	else
		puts(text_no_boots(args->since));
}

void show_boots(const json_t *answer, const struct arguments *args)
{
	static const char *const headings[] = {"ID", "STARTED", "MACHINE",
		"MODE", "IMAGE", "OUTCOME", "STEP", "IMAGE WHOLE", "UP",
		"RATE"};
	struct table table;
	size_t i;
	json_t *b;

	if (args->follow) {
		if (text_of(answer, "event"))
			show_event(answer, args);
		else
			progress_show(answer);
		return;
	}
	if (!json_array_size(json_object_get(answer, "boots"))) {
		show_none(args);
		return;
	}
	table_init(&table, 10, headings);
	json_array_foreach(json_object_get(answer, "boots"), i, b)
	{
		const json_t *times = json_object_get(b, "times");
		char id[24], started[40], whole[40], up[40], rate[40];
		const char *cells[] = {id, time_of(b, started, sizeof(started)),
			who_text(b), text_of(b, "mode"), text_of(b, "image"),
			text_of(b, "outcome"), text_of(b, "step"),
			seconds_of(times, "last_byte", whole, sizeof(whole)),
			seconds_of(times, "up", up, sizeof(up)),
			rate_text(b, rate, sizeof(rate))};

		snprintf(id, sizeof(id), "%lld", number_of(b, "id"));
		table_add(&table, cells);
	}
	table_print(&table);
	table_done(&table);
}

static void show_transfer(const json_t *b)
{
	char size[40], rate[40];

	if (!number_of(b, "bytes"))
		return;
	printf("%-12s %s in %.3f s, %s", "transfer",
		size_text(number_of(b, "bytes"), size, sizeof(size)),
		real_of(b, "transfer-seconds"),
		rate_text(b, rate, sizeof(rate)) ? rate : "-");
	if (number_of(b, "broken") == 1)
		printf(", broken off once");
	else if (number_of(b, "broken"))
		printf(", broken off %lld times", number_of(b, "broken"));
	puts("");
	if (number_of(b, "blocks"))
		printf("%-12s %lld of %lld bytes, windows of %lld; sent again: "
		       "%lld by timer, %lld by roll-back\n",
			"blocks", number_of(b, "blocks"),
			number_of(b, "blksize"), number_of(b, "windowsize"),
			number_of(b, "resent-timer"),
			number_of(b, "resent-rollback"));
}

/* One phase: where it lies in the whole, and how long it is. */
static void show_step(const json_t *step, double whole)
{
	double begin = real_of(step, "begin");
	bool ended = json_is_number(json_object_get(step, "seconds"));
	double end = ended ? begin + real_of(step, "seconds") : whole;
	int from = whole > 0 ? (int)(begin / whole * BAR) : 0;
	int to = whole > 0 ? (int)ceil(end / whole * BAR) : 1;

	/* A sum of doubles may be more than the whole. */
	if (to > BAR)
		to = BAR;
	if (from >= BAR)
		from = BAR - 1;
	if (to <= from)
		to = from + 1;
	printf("%-8s %9.3f  ", text_of(step, "step"), begin);
	if (ended && end > begin)
		printf("%9.3f", end - begin);
	else
		printf("%9s", ended ? "" : "...");
	printf("  |%*s", from, "");
	for (int i = from; i < to; i++)
		putchar(ended ? '#' : '~');
	printf("%*s|\n", BAR - to, "");
}

void show_boot(const json_t *answer, const struct arguments *args)
{
	const json_t *b = json_object_get(answer, "boot");
	const json_t *steps = json_object_get(b, "steps"), *step;
	double whole = real_of(b, "last-seconds");
	char text[80];
	size_t i;

	(void)args;
	printf("%-12s %lld\n", "boot", number_of(b, "id"));
	text_line("started", time_of(b, text, sizeof(text)));
	text_line("machine", text_of(b, "machine"));
	text_line("mac", text_of(b, "mac"));
	text_line("ip", text_of(b, "ip"));
	text_line("firmware", text_of(b, "firmware"));
	text_line("arch", text_of(b, "arch"));
	text_line("mode", text_of(b, "mode"));
	text_line("image", text_of(b, "image"));
	text_line("digest", text_of(b, "digest"));
	text_line("outcome", text_of(b, "outcome"));
	text_line("step", text_of(b, "step"));
	text_line("why", text_of(b, "why"));
	if (number_of(b, "attempts") > 1)
		printf("%-12s %lld\n", "attempts", number_of(b, "attempts"));
	show_transfer(b);
	printf("\n%-8s %9s  %9s   0%*.3f s\n", "PHASE", "AT", "SECONDS",
		BAR - 2, whole);
	json_array_foreach(steps, i, step) show_step(step, whole);
}
