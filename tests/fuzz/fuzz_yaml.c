/*
 * A text is loaded or refused with at least one error. What was loaded dumps
 * to a text that loads without errors and dumps the same, and every machine
 * is found by all that it is known by.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/config.h"
#include "config/dump.h"

#define CHECK(condition)                                                       \
	do {                                                                   \
		if (!(condition)) {                                            \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__,     \
				#condition);                                   \
			abort();                                               \
		}                                                              \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct config *load(const char *text, size_t len)
{
	struct config_report report;
	struct config *config;
	size_t n_errors = 0;

	config_report_init(&report);
	config =
		config_load_text("/etc/netuki/netuki.yaml", text, len, &report);
	for (size_t i = 0; i < report.n; i++) {
		CHECK(strncmp(report.messages[i].text, "/etc/netuki/", 12) ==
			0);
		n_errors += !report.messages[i].warning;
	}
	CHECK(report.n <= CONFIG_REPORT_MAX);
	CHECK((config == NULL) == (report.n_errors > 0));
	CHECK((report.n_errors > 0) == (n_errors > 0));
	config_report_done(&report);
	return config;
}

static void check_machine(
	const struct config *config, const struct config_machine *machine)
{
	struct config_resolved resolved;
	const char *by = NULL;

	CHECK(config_find_name(config, machine->name) == machine);
	for (size_t i = 0; i < machine->n_macs; i++) {
		CHECK(config_find(config, &machine->macs[i], NULL, NULL, &by) ==
			machine);
		CHECK(strcmp(by, "mac") == 0);
	}
	if (machine->serial)
		CHECK(config_find(config, NULL, NULL, machine->serial, NULL) ==
			machine);
	if (machine->has_uuid) {
		struct uuid other = uuid_swap(&machine->uuid);
		const struct config_machine *want =
			uuid_is_junk(&machine->uuid) ? NULL : machine;

		CHECK(config_find(config, NULL, &machine->uuid, NULL, NULL) ==
			want);
		CHECK(config_find(config, NULL, &other, NULL, NULL) == want);
	}
	for (size_t i = 0; i < machine->n_prefixes; i++) {
		struct mac mac = {{0}};

		memcpy(mac.b, machine->prefixes[i].b, machine->prefixes[i].len);
		CHECK(config_find(config, &mac, NULL, NULL, NULL));
	}
	config_resolve(config, machine, &resolved);
	CHECK(resolved.cmdline && resolved.mode != CONFIG_MODE_UNSET);
	CHECK(resolved.offer != CONFIG_OFFER_UNSET);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config *config = load((const char *)data, size), *again;
	char *dump, *dump_again;

	if (!config)
		return 0;
	for (size_t i = 0; i < config->n_machines; i++)
		check_machine(config, &config->machines[i]);
	dump = config_dump(config);
	CHECK(dump);
	again = load(dump, strlen(dump));
	CHECK(again);
	dump_again = config_dump(again);
	CHECK(dump_again);
	CHECK(strcmp(dump, dump_again) == 0);
	free(dump);
	free(dump_again);
	config_unref(config);
	config_unref(again);
	return 0;
}
