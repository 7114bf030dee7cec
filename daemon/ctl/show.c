#include "daemon/ctl/show.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/ctl/table.h"
#include "daemon/ctl/text.h"

/*
 * What a terminal would obey, or what shows nothing and may turn round what
 * stands beside it: controls, and Unicode's format characters. A script keeps
 * its lines.
 */
static bool is_hidden(uint32_t c)
{
	static const struct {
		uint32_t first, last;
	} ranges[] = {{0, 9}, {0x0b, 0x1f}, {0x7f, 0x9f}, {0xad, 0xad},
		{0x061c, 0x061c}, {0x180e, 0x180e}, {0x200b, 0x200f},
		{0x2028, 0x202e}, {0x2060, 0x206f}, {0xfeff, 0xfeff},
		{0xfff9, 0xfffb}, {0xe0000, 0xe007f}};

	for (size_t i = 0; i < sizeof(ranges) / sizeof(*ranges); i++)
		if (c >= ranges[i].first && c <= ranges[i].last)
			return true;
	return false;
}

/* The character at text, which jansson has seen to be UTF-8; its length. */
static size_t take_character(const unsigned char *text, uint32_t *ret)
{
	size_t len = *text < 0x80 ? 1 : *text < 0xe0 ? 2 : *text < 0xf0 ? 3 : 4;

	*ret = len == 1 ? *text : *text & (0xffu >> (len + 1));
	for (size_t i = 1; i < len; i++)
		*ret = *ret << 6 | (text[i] & 0x3f);
	return len;
}

/* In place: the text becomes no longer. */
static void clean_text(json_t *value)
{
	char *copy = strdup(json_string_value(value)), *to = copy;
	const unsigned char *from = (const void *)copy;
	uint32_t c;

	if (!copy)
		abort();
	while (*from) {
		size_t len = take_character(from, &c);

		if (is_hidden(c))
			*to++ = '?';
		else
			for (size_t i = 0; i < len; i++)
				*to++ = (char)from[i];
		from += len;
	}
	*to = '\0';
	json_string_set(value, copy);
	free(copy);
}

void show_clean(json_t *answer)
{
	const char *key;
	json_t *value;
	size_t i;

	if (json_is_string(answer))
		clean_text(answer);
	json_object_foreach(answer, key, value) show_clean(value);
	json_array_foreach(answer, i, value) show_clean(value);
}

static void show_messages(const json_t *answer, FILE *out)
{
	size_t i;
	json_t *m;

	json_array_foreach(json_object_get(answer, "messages"), i, m)
		fprintf(out, "%s%s\n", is_true(m, "warning") ? "warning: " : "",
			text_of(m, "text"));
}

void show_error(const json_t *answer)
{
	show_messages(answer, stderr);
	fprintf(stderr, "netukictl: %s\n", text_of(answer, "error"));
}

/* What was set at run time, if anything. */
static void show_overrides(const json_t *overrides)
{
	const char *all = text_of(overrides, "mode-for-all");
	long long modes = number_of(overrides, "modes");
	long long once = number_of(overrides, "boot-once");

	if (!all && !modes && !once)
		return;
	printf("set          mode for all%s: %s; modes of machines: %lld; "
	       "boot-once: %lld\n",
		all && !is_true(overrides, "include-local") ? " but local" : "",
		all ? all : "none", modes, once);
}

/* "67 and 4011": where it listens; false: nowhere. */
static bool print_listeners(const json_t *listeners, const char *protocol)
{
	bool any = false;
	size_t i;
	json_t *one;

	json_array_foreach(listeners, i, one)
	{
		const char *address = text_of(one, "address");
		bool all = !address || strcmp(address, "0.0.0.0") == 0;

		if (strcmp(word_of(one, "protocol"), protocol) != 0)
			continue;
		printf("%s%s%s%lld", any ? " and " : "port ",
			all ? "" : address, all ? "" : ":",
			number_of(one, "port"));
		any = true;
	}
	return any;
}

/* Each protocol: where it listens, and what it has done. */
static void show_protocols(const json_t *answer)
{
	static const char *const protocols[] = {"dhcp", "tftp", "http"};
	const json_t *listeners = json_object_get(answer, "listeners");
	json_t *counts = json_object_get(answer, "counts"), *value;
	const char *key;

	for (size_t i = 0; i < sizeof(protocols) / sizeof(*protocols); i++) {
		printf("%-12s ", protocols[i]);
		if (!print_listeners(listeners, protocols[i])) {
			puts("off");
			continue;
		}
		fputs(":", stdout);
		json_object_foreach(json_object_get(counts, protocols[i]), key,
			value) printf(" %s %lld", key,
			(long long)json_integer_value(value));
		puts("");
	}
}

/* How the latest reading of a changed configuration went. */
static void show_config(const json_t *answer)
{
	const json_t *last = json_object_get(answer, "last-reload");
	char ago[40];

	printf("config       %s", text_of(answer, "config"));
	if (is_true(last, "ok"))
		printf(", reloaded %s", ago_text(last, ago, sizeof(ago)));
	puts("");
	if (text_of(answer, "config-error"))
		printf("NOT RELOADED %s: %s\n",
			ago_text(last, ago, sizeof(ago)),
			text_of(answer, "config-error"));
}

void show_status(const json_t *answer, const struct arguments *args)
{
	const json_t *interfaces = json_object_get(answer, "interfaces");
	size_t i;
	json_t *one;

	(void)args;
	printf("netukid      %s, up %lld s\n", text_of(answer, "version"),
		number_of(answer, "uptime"));
	show_config(answer);
	if (text_of(answer, "state-problem"))
		printf("NOT SAVED    %s\n", text_of(answer, "state-problem"));
	if (text_of(json_object_get(answer, "history"), "problem"))
		printf("NO HISTORY   %s\n",
			text_of(json_object_get(answer, "history"), "problem"));
	printf("machines     %lld; unknown ones: %s\n",
		number_of(answer, "machines"),
		text_of(answer, "unknown-machines"));
	show_overrides(json_object_get(answer, "overrides"));
	printf("images       %lld ready, %lld not offered\n",
		number_of(answer, "images"),
		number_of(answer, "images-refused"));
	if (!json_array_size(interfaces))
		puts("interfaces   none: nobody is served");
	json_array_foreach(interfaces, i, one) printf("%s%s %s, MTU %lld\n",
		i ? "             " : "interfaces   ", text_of(one, "name"),
		text_of(one, "address"), number_of(one, "mtu"));
	text_line("control", text_of(answer, "control"));
	show_protocols(answer);
}

void show_images(const json_t *answer, const struct arguments *args)
{
	static const char *const headings[] = {"NAME", "STATE", "KIND", "ARCH",
		"SIZE", "SIGNED", "BIOS", "SYSTEM"};
	struct table table;
	size_t i;
	json_t *m;

	(void)args;
	table_init(&table, 8, headings);
	json_array_foreach(json_object_get(answer, "images"), i, m)
	{
		char size[40];
		int ready = strcmp(word_of(m, "state"), "ready") == 0;
		const char *cells[] = {text_of(m, "name"), text_of(m, "state"),
			text_of(m, "kind"), text_of(m, "arch"),
			size_text(number_of(m, "size"), size, sizeof(size)),
			!ready					     ? NULL
			: json_is_true(json_object_get(m, "signed")) ? "yes"
								     : "no",
			!ready					   ? NULL
			: json_is_true(json_object_get(m, "bios")) ? "yes"
								   : "no",
			ready ? text_of(m, "os") : text_of(m, "why")};

		table_add(&table, cells);
	}
	table_print(&table);
	table_done(&table);
}

/* The settings in force, each with whence it came. */
static void show_settings(const json_t *answer)
{
	static const char *const keys[] = {"image", "mode", "cmdline", "offer"};
	const json_t *set = json_object_get(answer, "settings");
	const json_t *from = json_object_get(answer, "from");

	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++)
		if (text_of(set, keys[i]) && *text_of(set, keys[i]))
			printf("%-12s %s (%s)\n", keys[i],
				text_of(set, keys[i]), text_of(from, keys[i]));
	if (json_is_integer(json_object_get(set, "vlan")))
		printf("%-12s %lld (%s)\n", "vlan", number_of(set, "vlan"),
			text_of(from, "vlan"));
	if (is_true(set, "boot-once"))
		printf("boot-once    until its image has gone out; then %s\n",
			text_of(set, "mode-after-once"));
	else if (is_true(set, "alternate"))
		text_line("alternate", "the other mode the next time");
}

static void show_files(const json_t *answer)
{
	const json_t *file;
	size_t i;

	json_array_foreach(json_object_get(answer, "files"), i, file) printf(
		"%-12s %s: %s (%s)\n", i ? "" : "files", text_of(file, "name"),
		text_of(file, "path"), text_of(file, "from"));
}

void show_explain(const json_t *answer, const struct arguments *args)
{
	const char *machine = text_of(answer, "machine");

	(void)args;
	text_line("machine", machine ? machine : "unknown");
	text_line("matched by", text_of(answer, "matched-by"));
	text_line("entry", text_of(answer, "entry"));
	text_line("group", text_of(answer, "group"));
	show_settings(answer);
	show_files(answer);
	text_line("answer", text_of(answer, "plan"));
	text_line("because", text_of(answer, "reason"));
	if (text_of(answer, "form-because"))
		printf("%-12s %s (%s)\n", "form", text_of(answer, "form"),
			text_of(answer, "form-because"));
	else
		text_line("form", text_of(answer, "form"));
	text_line("file", text_of(answer, "file"));
	if (text_of(answer, "loader"))
		printf("%-12s %s (%s)\n", "loader", text_of(answer, "loader"),
			text_of(json_object_get(answer, "from"), "loader"));
	text_line("problem", text_of(answer, "problem"));
	text_line("warning", text_of(answer, "warning"));
	text_line("secure boot", text_of(answer, "secure-boot"));
	text_line("kernel gets", text_of(answer, "cmdline"));
	if (text_of(answer, "script"))
		printf("script:\n%s", text_of(answer, "script"));
}

void show_reload(const json_t *answer, const struct arguments *args)
{
	(void)args;
	show_messages(answer, stderr);
	puts("reloaded");
	if (is_true(answer, "needs-restart"))
		puts("Some of it is taken over at the next start only: "
		     "systemctl restart netukid");
}

void show_event(const json_t *e, const struct arguments *args)
{
	char size[40] = "";

	(void)args;
	if (!text_of(e, "event"))
		return;
	if (json_object_get(e, "bytes"))
		size_text(number_of(e, "bytes"), size, sizeof(size));
	printf("%12.3f  %-14s %-17s %-15s %s %s %s\n",
		json_real_value(json_object_get(e, "t")), text_of(e, "event"),
		text_of(e, "mac") ? text_of(e, "mac") : "-",
		text_of(e, "ip") ? text_of(e, "ip") : "-",
		text_of(e, "file") ? text_of(e, "file") : "", size,
		text_of(e, "detail") ? text_of(e, "detail") : "");
	fflush(stdout);
}
