#include <stdio.h>
#include <string.h>

#include "daemon/ctl/commands.h"
#include "daemon/ctl/show.h"
#include "daemon/ctl/table.h"
#include "daemon/ctl/text.h"

/* What names it best: an address, else a prefix, a UUID or a serial number. */
static const char *identity(const json_t *m, char *buf, size_t cap)
{
	const json_t *macs = json_object_get(m, "macs");
	const json_t *prefixes = json_object_get(m, "mac-prefixes");
	size_t n = json_array_size(macs);

	if (n) {
		snprintf(buf, cap, "%s%s",
			json_string_value(json_array_get(macs, 0)),
			n > 1 ? ", ..." : "");
		return buf;
	}
	if (json_array_size(prefixes)) {
		snprintf(buf, cap, "%s:*",
			json_string_value(json_array_get(prefixes, 0)));
		return buf;
	}
	return text_of(m, "uuid") ? text_of(m, "uuid") : text_of(m, "serial");
}

/* Each command that is in force: "mode, boot-once". */
static const char *set_by(const json_t *m, char *buf, size_t cap)
{
	const char *mode = text_of(m, "mode-set-by");

	if (!is_true(m, "boot-once"))
		return mode;
	if (!mode || strcmp(mode, "boot-once") == 0)
		return "boot-once";
	snprintf(buf, cap, "%s, boot-once", mode);
	return buf;
}

static void show_known(const json_t *answer)
{
	static const char *const headings[] = {"NAME", "IDENTITY", "MODE",
		"SET BY", "IMAGE", "ADDRESS", "LAST SEEN", "CMDLINE"};
	struct table table;
	size_t i;
	json_t *m;

	table_init(&table, 8, headings);
	json_array_foreach(json_object_get(answer, "machines"), i, m)
	{
		char ago[40], who[64], mode[40], seen[64], by[64];
		const char *cells[] = {text_of(m, "name"),
			identity(m, who, sizeof(who)), mode,
			set_by(m, by, sizeof(by)), text_of(m, "image"),
			text_of(m, "ip"), ago_text(m, ago, sizeof(ago)),
			text_of(m, "cmdline")};

		if (cells[6] && is_true(m, "loops")) {
			snprintf(seen, sizeof(seen), "%s, in a loop", cells[6]);
			cells[6] = seen;
		}
		snprintf(mode, sizeof(mode), "%s%s", text_of(m, "mode"),
			is_true(m, "alternate") ? " (alternate)" : "");
		table_add(&table, cells);
	}
	table_print(&table);
	table_done(&table);
}

static void show_unknown(const json_t *answer)
{
	static const char *const headings[] = {
		"MAC", "ARCH", "FIRMWARE", "LAST SEEN", "UUID", "VENDOR CLASS"};
	struct table table;
	size_t i;
	json_t *m;

	table_init(&table, 6, headings);
	json_array_foreach(json_object_get(answer, "machines"), i, m)
	{
		char ago[40];
		const char *cells[] = {text_of(m, "mac"), text_of(m, "arch"),
			text_of(m, "firmware"), ago_text(m, ago, sizeof(ago)),
			text_of(m, "uuid"), text_of(m, "vendor")};

		table_add(&table, cells);
	}
	table_print(&table);
	table_done(&table);
}

/* "new-525400123456": a name that no other of them gets. */
static void print_name(const char *mac)
{
	fputs("new-", stdout);
	for (; *mac; mac++)
		if (*mac != ':')
			putchar(*mac);
}

/* "# x64 uefi, asked 3 times, 12 s ago: PXEClient:..." */
static void print_comment(const json_t *m)
{
	const char *arch = text_of(m, "arch"), *vendor = text_of(m, "vendor");
	const char *firmware = text_of(m, "firmware");
	char ago[40] = "";

	ago_text(m, ago, sizeof(ago));
	printf("  # %s%s%s%s", arch ? arch : "", arch ? " " : "",
		firmware ? firmware : "", arch || firmware ? ", " : "");
	if (number_of(m, "asked"))
		printf("asked %lld times, ", number_of(m, "asked"));
	printf("%s%s%s\n", ago, vendor && *vendor ? ": " : "",
		vendor ? vendor : "");
}

/*
 * Entries as they stand in the configuration. The UUID is a comment: boards
 * of one maker may share it, and the address alone finds the machine.
 */
static void show_yaml(const json_t *answer)
{
	json_t *list = json_object_get(answer, "machines"), *m;
	size_t i;

	json_array_foreach(list, i, m)
	{
		print_comment(m);
		fputs("  - name: ", stdout);
		print_name(text_of(m, "mac"));
		printf("\n    mac: %s\n", text_of(m, "mac"));
		if (text_of(m, "uuid"))
			printf("    # uuid: %s\n", text_of(m, "uuid"));
	}
	if (!json_array_size(list))
		puts("  # nobody has asked that is not in the configuration");
}

void show_machines(const json_t *answer, const struct arguments *args)
{
	if (args->yaml)
		show_yaml(answer);
	else if (args->unknown)
		show_unknown(answer);
	else
		show_known(answer);
}
