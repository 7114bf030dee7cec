#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "config/dump.h"
#include "config/names.h"
#include "config/schema.h"
#include "config/settings.h"

/*
 * Whether a text means itself without quotes, to us and to a reader of YAML
 * 1.1, to whom 52:54:00:12:34:56 is a number and off a boolean.
 */
static bool is_plain(const char *text)
{
	static const char *const words[] = {
		"y", "n", "yes", "no", "on", "off", "true", "false", "null"};
	static const char first[] = "abcdefghijklmnopqrstuvwxyz"
				    "ABCDEFGHIJKLMNOPQRSTUVWXYZ/";
	static const char all[] = "abcdefghijklmnopqrstuvwxyz"
				  "ABCDEFGHIJKLMNOPQRSTUVWXYZ/0123456789._+=-";

	if (!*text || !strchr(first, *text) || text[strspn(text, all)])
		return false;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcasecmp(text, words[i]) == 0)
			return false;
	}
	return true;
}

static void put_text(FILE *out, const char *text)
{
	if (is_plain(text)) {
		fputs(text, out);
		return;
	}
	fputc('"', out);
	for (const char *p = text; *p; p++) {
		unsigned char c = (unsigned char)*p;

		if (c < 0x20 || c == 0x7f) {
			fprintf(out, "\\x%02x", c);
			continue;
		}
		if (c == '"' || c == '\\')
			fputc('\\', out);
		fputc(c, out);
	}
	fputc('"', out);
}

static void put_number(FILE *out, uint32_t number)
{
	fprintf(out, "%u", number);
}

static void put_ipv4(FILE *out, uint32_t address)
{
	struct in_addr in = {htonl(address)};
	char text[INET_ADDRSTRLEN];

	put_text(out, inet_ntop(AF_INET, &in, text, sizeof(text)) ? text : "");
}

/* The enum at field, by its type's names; NULL if it is unset. */
static const char *enum_name(enum schema_type type, const void *field)
{
	static const struct name_row *const rows[VALUE_SCALARS] = {
		[VALUE_MODE] = names_mode,
		[VALUE_OFFER] = names_offer,
		[VALUE_UNKNOWN] = names_unknown};
	unsigned value;

	if (!rows[type])
		return NULL;
	memcpy(&value, field, sizeof(value));
	return names_text(rows[type], value);
}

static bool is_text(enum schema_type type)
{
	return type >= VALUE_URL && type < VALUE_SCALARS;
}

/* "key: value" after indent; nothing if the value is unset. */
static void put_scalar(FILE *out, const char *indent,
	const struct schema_key *key, const void *base)
{
	const void *field = (const char *)base + key->offset;
	const char *text = enum_name(key->type, field);

	if (is_text(key->type))
		text = *(const char *const *)field;
	/* A number that may not be 0 and is: nobody said it. */
	if (key->type == VALUE_NUMBER && key->min > 0 &&
		*(const uint32_t *)field == 0)
		return;
	/* Two keys have one field. */
	if (text &&
		((key->type == VALUE_IMAGE && strchr(text, '/')) ||
			(key->type == VALUE_IMAGE_URL && !strchr(text, '/'))))
		return;
	if (!text && (is_text(key->type) || key->type == VALUE_MODE ||
			     key->type == VALUE_OFFER)) {
		if (key->type == VALUE_URL)
			fprintf(out, "%s%s: null\n", indent, key->name);
		return;
	}
	fprintf(out, "%s%s: ", indent, key->name);
	if (text)
		put_text(out, text);
	else if (key->type == VALUE_BOOL)
		fputs(names_text(names_bool, *(const bool *)field), out);
	else if (key->type == VALUE_SWITCH)
		put_text(out, names_text(names_switch, *(const bool *)field));
	else if (key->type == VALUE_PORT)
		put_number(out, *(const uint16_t *)field);
	else if (key->type == VALUE_IPV4)
		put_ipv4(out, *(const uint32_t *)field);
	else
		put_number(out, *(const uint32_t *)field);
	fputc('\n', out);
}

static void put_networks(FILE *out, const char *indent,
	const struct schema_key *key, const struct config *config)
{
	fprintf(out, "%s%s: [", indent, key->name);
	for (size_t i = 0; i < config->tftp.n_allow; i++) {
		const struct config_network *network = &config->tftp.allow[i];
		struct in_addr in = {htonl(network->addr)};
		char text[INET_ADDRSTRLEN];

		fprintf(out, "%s%s/%d", i ? ", " : "",
			inet_ntop(AF_INET, &in, text, sizeof(text)),
			__builtin_popcount(network->mask));
	}
	fputs("]\n", out);
}

static void put_section(FILE *out, const char *indent,
	enum schema_section section, const void *base)
{
	for (size_t i = 0; i < schema_n_keys; i++) {
		if (schema_keys[i].section != section)
			continue;
		if (schema_keys[i].type < VALUE_SCALARS)
			put_scalar(out, indent, &schema_keys[i], base);
		else if (schema_keys[i].type == VALUE_NETWORKS)
			put_networks(out, indent, &schema_keys[i], base);
	}
}

/* presets: an arch that has none although Debian has one is worth a null. */
static void put_loaders(
	FILE *out, const char *indent, const char *const *loaders, bool presets)
{
	bool any = false;

	for (int i = 0; i < ARCH_MAX; i++) {
		enum arch arch = (enum arch)i;

		if (!loaders[i] && !(presets && schema_loader(arch)))
			continue;
		if (!any)
			fprintf(out, "%sloaders:\n", indent);
		any = true;
		fprintf(out, "%s  %s: ", indent, arch_name(arch));
		if (loaders[i])
			put_text(out, loaders[i]);
		else
			fputs("null", out);
		fputc('\n', out);
	}
}

static void put_files(
	FILE *out, const char *indent, const struct config_files *files)
{
	fprintf(out, "%sfiles:\n", indent);
	for (size_t i = 0; i < files->n; i++) {
		fprintf(out, "%s  ", indent);
		put_text(out, files->file[i].name);
		fputs(": ", out);
		put_text(out, files->file[i].path);
		fputc('\n', out);
	}
}

static void put_settings(
	FILE *out, const char *indent, const struct config_settings *settings)
{
	put_section(out, indent, SECTION_SETTINGS, settings);
	put_loaders(out, indent, settings->loader, false);
	if (settings->files)
		put_files(out, indent, settings->files);
}

/* One after another: alone, or in brackets with commas. */
static void put_item(FILE *out, size_t i, size_t n, const char *text)
{
	if (n > 1)
		fputs(i == 0 ? "[" : ", ", out);
	put_text(out, text);
	if (n > 1 && i == n - 1)
		fputs("]", out);
}

/* The indent of a list's item: '- ' before its first key, then blanks. */
static const char *item_indent(bool *started)
{
	const char *indent = *started ? "    " : "  - ";

	*started = true;
	return indent;
}

static void put_machine(FILE *out, const struct config_machine *machine)
{
	char text[MACHINE_NAME_LEN];
	bool started = false;

	machine_default_name(machine, text);
	if (strcmp(text, machine->name) != 0) {
		fprintf(out, "%sname: ", item_indent(&started));
		put_text(out, machine->name);
		fputc('\n', out);
	}
	for (size_t i = 0; i < machine->n_macs; i++) {
		mac_format(&machine->macs[i], ':', text);
		if (i == 0)
			fprintf(out, "%smac: ", item_indent(&started));
		put_item(out, i, machine->n_macs, text);
		if (i + 1 == machine->n_macs)
			fputc('\n', out);
	}
	for (size_t i = 0; i < machine->n_prefixes; i++) {
		prefix_format(&machine->prefixes[i], text);
		if (i == 0)
			fprintf(out, "%smac-prefix: ", item_indent(&started));
		put_item(out, i, machine->n_prefixes, text);
		if (i + 1 == machine->n_prefixes)
			fputc('\n', out);
	}
	if (machine->has_uuid) {
		uuid_format(&machine->uuid, text);
		fprintf(out, "%suuid: ", item_indent(&started));
		fprintf(out, "\"%s\"\n", text);
	}
	if (machine->serial) {
		fprintf(out, "%sserial: ", item_indent(&started));
		put_text(out, machine->serial);
		fputc('\n', out);
	}
	if (machine->group) {
		fprintf(out, "%sgroup: ", item_indent(&started));
		put_text(out, machine->group);
		fputc('\n', out);
	}
	put_settings(out, "    ", machine->settings);
}

static void put_top(
	FILE *out, const struct schema_key *key, const struct config *config)
{
	static const enum schema_section sections[VALUE_MAX] = {
		[VALUE_DHCP] = SECTION_DHCP,
		[VALUE_TFTP] = SECTION_TFTP,
		[VALUE_HTTP] = SECTION_HTTP,
		[VALUE_HISTORY] = SECTION_HISTORY};

	if (key->type < VALUE_SCALARS) {
		put_scalar(out, "", key, config);
	} else if (sections[key->type] != SECTION_TOP) {
		fprintf(out, "%s:\n", key->name);
		put_section(out, "  ", sections[key->type], config);
	} else if (key->type == VALUE_LOADERS) {
		put_loaders(out, "", config->loaders, true);
	} else if (key->type == VALUE_DEFAULTS) {
		fprintf(out, "%s:\n", key->name);
		put_settings(out, "  ", &config->defaults);
	} else if (key->type == VALUE_INTERFACES) {
		fprintf(out, "%s: [", key->name);
		for (size_t i = 0; i < config->n_interfaces; i++) {
			fputs(i ? ", " : "", out);
			put_text(out, config->interfaces[i]);
		}
		fputs("]\n", out);
	} else if (key->type == VALUE_GROUPS) {
		fprintf(out, "%s:%s\n", key->name,
			config->n_groups ? "" : " []");
		for (size_t i = 0; i < config->n_groups; i++) {
			fputs("  - name: ", out);
			put_text(out, config->groups[i].name);
			fputc('\n', out);
			put_settings(out, "    ", config->groups[i].settings);
		}
	} else if (key->type == VALUE_MACHINES) {
		fprintf(out, "%s:%s\n", key->name,
			config->n_machines ? "" : " []");
		for (size_t i = 0; i < config->n_machines; i++)
			put_machine(out, &config->machines[i]);
	}
}

char *config_dump(const struct config *config)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	bool failed;

	if (!out)
		return NULL;
	for (size_t i = 0; i < schema_n_keys; i++) {
		if (schema_keys[i].section == SECTION_TOP)
			put_top(out, &schema_keys[i], config);
	}
	failed = ferror(out) != 0;
	failed |= fclose(out) != 0;
	if (failed) {
		free(text);
		return NULL;
	}
	return text;
}
