#include "daemon/ctl/show.h"

#include <stdio.h>
#include <string.h>

#include "daemon/ctl/table.h"

static const char *text(const json_t *o, const char *key)
{
	return json_string_value(json_object_get(o, key));
}

static json_int_t number(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

/* "512 B", "16.7 MB" */
static const char *size_text(json_int_t bytes, char *buf, size_t cap)
{
	if (bytes < 10000)
		snprintf(buf, cap, "%lld B", (long long)bytes);
	else if (bytes < 10000000)
		snprintf(buf, cap, "%.1f kB", (double)bytes / 1e3);
	else
		snprintf(buf, cap, "%.1f MB", (double)bytes / 1e6);
	return buf;
}

static const char *ago_text(const json_t *o, char *buf, size_t cap)
{
	const json_t *value = json_object_get(o, "seconds-ago");
	long long s = json_integer_value(value);

	if (!value)
		return NULL;
	if (s < 120)
		snprintf(buf, cap, "%lld s ago", s);
	else if (s < 7200)
		snprintf(buf, cap, "%lld min ago", s / 60);
	else
		snprintf(buf, cap, "%lld h ago", s / 3600);
	return buf;
}

static void show_counts(json_t *counts)
{
	const char *protocol, *key;
	json_t *values, *value;

	json_object_foreach(counts, protocol, values)
	{
		printf("%-12s", protocol);
		json_object_foreach(values, key, value) printf(
			" %s %lld", key, (long long)json_integer_value(value));
		puts("");
	}
}

void show_status(const json_t *answer)
{
	const json_t *interfaces = json_object_get(answer, "interfaces");
	size_t i;
	json_t *one;

	printf("netukid      %s, up %lld s\n", text(answer, "version"),
		(long long)number(answer, "uptime"));
	printf("config       %s\n", text(answer, "config"));
	if (text(answer, "config-error"))
		printf("NOT RELOADED %s\n", text(answer, "config-error"));
	printf("machines     %lld; unknown ones: %s\n",
		(long long)number(answer, "machines"),
		text(answer, "unknown-machines"));
	printf("images       %lld ready, %lld not offered\n",
		(long long)number(answer, "images"),
		(long long)number(answer, "images-refused"));
	if (!json_array_size(interfaces))
		puts("interfaces   none: nobody is served");
	json_array_foreach(interfaces, i, one) printf("%s%s %s, MTU %lld\n",
		i ? "             " : "interfaces   ", text(one, "name"),
		text(one, "address"), (long long)number(one, "mtu"));
	show_counts(json_object_get(answer, "counts"));
}

void show_machines(const json_t *answer)
{
	static const char *const headings[] = {"NAME", "MAC", "MODE", "IMAGE",
		"ADDRESS", "LAST SEEN", "CMDLINE"};
	struct table table;
	size_t i;
	json_t *m;

	table_init(&table, 7, headings);
	json_array_foreach(json_object_get(answer, "machines"), i, m)
	{
		char ago[40];
		const char *cells[] = {text(m, "name"),
			json_string_value(
				json_array_get(json_object_get(m, "macs"), 0)),
			text(m, "mode"), text(m, "image"), text(m, "ip"),
			ago_text(m, ago, sizeof(ago)), text(m, "cmdline")};

		table_add(&table, cells);
	}
	table_print(&table);
	table_done(&table);
}

void show_unknown(const json_t *answer)
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
		const char *cells[] = {text(m, "mac"), text(m, "arch"),
			text(m, "firmware"), ago_text(m, ago, sizeof(ago)),
			text(m, "uuid"), text(m, "vendor")};

		table_add(&table, cells);
	}
	table_print(&table);
	table_done(&table);
}

void show_images(const json_t *answer)
{
	static const char *const headings[] = {"NAME", "STATE", "KIND", "ARCH",
		"SIZE", "SIGNED", "BIOS", "SYSTEM"};
	struct table table;
	size_t i;
	json_t *m;

	table_init(&table, 8, headings);
	json_array_foreach(json_object_get(answer, "images"), i, m)
	{
		char size[40];
		int ready = strcmp(text(m, "state"), "ready") == 0;
		const char *cells[] = {text(m, "name"), text(m, "state"),
			text(m, "kind"), text(m, "arch"),
			size_text(number(m, "size"), size, sizeof(size)),
			!ready					     ? NULL
			: json_is_true(json_object_get(m, "signed")) ? "yes"
								     : "no",
			!ready					   ? NULL
			: json_is_true(json_object_get(m, "bios")) ? "yes"
								   : "no",
			ready ? text(m, "os") : text(m, "why")};

		table_add(&table, cells);
	}
	table_print(&table);
	table_done(&table);
}

static void line(const char *label, const char *value)
{
	if (value && *value)
		printf("%-12s %s\n", label, value);
}

void show_explain(const json_t *answer)
{
	const json_t *set = json_object_get(answer, "settings");
	const json_t *from = json_object_get(answer, "from");
	static const char *const keys[] = {"image", "mode", "cmdline"};

	line("machine",
		text(answer, "machine") ? text(answer, "machine") : "unknown");
	line("matched by", text(answer, "matched-by"));
	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++)
		if (text(set, keys[i]) && *text(set, keys[i]))
			printf("%-12s %s (%s)\n", keys[i], text(set, keys[i]),
				text(from, keys[i]));
	line("answer", text(answer, "plan"));
	line("because", text(answer, "reason"));
	line("file", text(answer, "file"));
	line("problem", text(answer, "problem"));
	line("warning", text(answer, "warning"));
	line("kernel gets", text(answer, "cmdline"));
	if (text(answer, "script"))
		printf("script:\n%s", text(answer, "script"));
}

void show_reload(const json_t *answer)
{
	(void)answer;
	puts("reloaded");
}

void show_event(const json_t *e)
{
	char size[40] = "";

	if (!text(e, "event"))
		return;
	if (json_object_get(e, "bytes"))
		size_text(number(e, "bytes"), size, sizeof(size));
	printf("%12.3f  %-14s %-17s %-15s %s %s %s\n",
		json_real_value(json_object_get(e, "t")), text(e, "event"),
		text(e, "mac") ? text(e, "mac") : "-",
		text(e, "ip") ? text(e, "ip") : "-",
		text(e, "file") ? text(e, "file") : "", size,
		text(e, "detail") ? text(e, "detail") : "");
	fflush(stdout);
}
