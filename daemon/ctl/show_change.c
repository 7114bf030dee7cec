#include <stdio.h>
#include <string.h>

#include "daemon/ctl/commands.h"
#include "daemon/ctl/show.h"
#include "daemon/ctl/table.h"
#include "daemon/ctl/text.h"

static const char *or_dash(const char *text)
{
	return text ? text : "-";
}

/* What is in force for one machine, and whose word it is. */
static void print_mode(const json_t *m)
{
	const char *by = text_of(m, "mode-set-by");
	const char *configured = text_of(m, "configured-mode");

	if (!is_true(m, "configured"))
		printf("%s: %s; it is not in the configuration\n",
			text_of(m, "name"),
			text_of(m, "set-mode") ? text_of(m, "set-mode")
					       : "cleared");
	else if (by)
		printf("%s: %s, set by `netukictl %s`; configured: %s\n",
			text_of(m, "name"), or_dash(text_of(m, "mode")), by,
			or_dash(configured));
	else
		printf("%s: %s, as configured\n", text_of(m, "name"),
			or_dash(configured));
}

static void mode_table(const json_t *answer)
{
	static const char *const headings[] = {
		"NAME", "SET MODE", "CONFIGURED", "BOOTS NEXT"};
	const char *all = text_of(answer, "mode-for-all");
	struct table table;
	size_t i;
	json_t *m;

	table_init(&table, 4, headings);
	if (all) {
		const char *cells[] = {is_true(answer, "include-local")
					       ? "(all)"
					       : "(all but local)",
			all, NULL, NULL};

		table_add(&table, cells);
	}
	json_array_foreach(json_object_get(answer, "machines"), i, m)
	{
		const char *cells[] = {text_of(m, "name"),
			text_of(m, "set-mode"), text_of(m, "configured-mode"),
			is_true(m, "configured") ? text_of(m, "mode")
						 : "not in the configuration"};

		table_add(&table, cells);
	}
	if (table.n_rows > 1)
		table_print(&table);
	else
		puts("no mode is set: the configuration counts");
	table_done(&table);
}

static const char *plural(long long n)
{
	return n == 1 ? "" : "s";
}

/* For how many machines that counts, and for which not. */
static void print_all(const json_t *answer, const char *mode)
{
	long long n = number_of(answer, "for-all");
	long long local = number_of(answer, "left-local");
	long long once = number_of(answer, "boot-once");

	if (!mode) {
		puts("all machines: as configured");
		if (once)
			printf("boot-once stays set for %lld machine%s: "
			       "`netukictl boot-once`\n",
				once, plural(once));
		return;
	}
	printf("%lld machine%s: %s\n", n, plural(n), mode);
	if (local)
		printf("%lld machine%s: local as configured, and so left alone "
		       "(--include-local, or name them)\n",
			local, plural(local));
	if (json_array_size(json_object_get(answer, "machines")))
		puts("and these keep what was set for them:");
}

void show_mode(const json_t *answer, const struct arguments *args)
{
	const char *all = text_of(answer, "mode-for-all");
	size_t i;
	json_t *m;

	if (!is_true(answer, "changed")) {
		mode_table(answer);
		return;
	}
	if (args->all)
		print_all(answer, all);
	json_array_foreach(json_object_get(answer, "machines"), i, m)
		print_mode(m);
}

static void print_once(const json_t *m)
{
	const char *name = text_of(m, "name");
	const char *image = text_of(m, "image"), *mode = text_of(m, "mode");
	const char *configured = text_of(m, "configured-mode");
	bool wishes = text_of(m, "once-image") || text_of(m, "once-mode");

	if (!is_true(m, "boot-once")) {
		printf("%s: not any more\n", name);
		return;
	}
	printf("%s: next: %s in mode %s; then %s\n", name,
		image ? image : "no image", or_dash(mode),
		or_dash(text_of(m, "mode-after-once")));
	if (!image)
		printf("%s: no image is configured for it: say --image\n",
			name);
	else if (!wishes && configured && strcmp(configured, "local") != 0 &&
		 !text_of(m, "mode-set-by"))
		printf("%s: that is what it boots every time\n", name);
}

static void once_table(const json_t *answer)
{
	static const char *const headings[] = {"NAME", "BOOTS NEXT", "IMAGE"};
	struct table table;
	size_t i;
	json_t *m;

	table_init(&table, 3, headings);
	json_array_foreach(json_object_get(answer, "machines"), i, m)
	{
		const char *cells[] = {text_of(m, "name"),
			is_true(m, "configured") ? text_of(m, "mode")
						 : "not in the configuration",
			text_of(m, "image")};

		table_add(&table, cells);
	}
	if (table.n_rows > 1)
		table_print(&table);
	else
		puts("no machine is set to boot once");
	table_done(&table);
}

void show_boot_once(const json_t *answer, const struct arguments *args)
{
	size_t i;
	json_t *m;

	if (!is_true(answer, "changed")) {
		once_table(answer);
		return;
	}
	if (args->all)
		puts("all machines: not any more");
	json_array_foreach(json_object_get(answer, "machines"), i, m)
		print_once(m);
}
