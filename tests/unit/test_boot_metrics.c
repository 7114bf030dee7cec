/* boot_metrics: each boot once, in buckets that add up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/boots/boot_metrics.h"

#define S(seconds) ((uint64_t)((seconds)*1e6))

static const struct {
	const char *name;
	struct boot boot;
	bool gone;
	const char *want; /* a line that must be there */
} cases[] = {
	{"whole now",
		{.mode = BOOT_MODE_IPXE,
			.outcome = BOOT_OUTCOME_COMPLETE,
			.begin_us = S(1),
			.last_us = S(4),
			.at_us[BOOT_AT_LAST_BYTE] = S(4)},
		false,
		"netuki_boots_total{mode=\"ipxe\",outcome=\"complete\"} 1\n"},
	{"whole for a while",
		{.mode = BOOT_MODE_IPXE,
			.outcome = BOOT_OUTCOME_COMPLETE,
			.begin_us = S(1),
			.last_us = S(5),
			.at_us[BOOT_AT_LAST_BYTE] = S(4)},
		false,
		"netuki_boots_total{mode=\"ipxe\",outcome=\"complete\"} 0\n"},
	{"gone after that",
		{.mode = BOOT_MODE_IPXE,
			.outcome = BOOT_OUTCOME_COMPLETE,
			.begin_us = S(1),
			.last_us = S(4),
			.at_us[BOOT_AT_LAST_BYTE] = S(4)},
		true,
		"netuki_boots_total{mode=\"ipxe\",outcome=\"complete\"} 0\n"},
	{"abandoned",
		{.mode = BOOT_MODE_TFTP_UKI,
			.outcome = BOOT_OUTCOME_ABANDONED,
			.begin_us = S(1),
			.last_us = S(4)},
		true,
		"netuki_boots_total{mode=\"tftp-uki\",outcome=\"abandoned\"} "
		"1\n"},
	{"three seconds are more than 2.5",
		{.mode = BOOT_MODE_HTTP,
			.outcome = BOOT_OUTCOME_COMPLETE,
			.begin_us = S(1),
			.last_us = S(4),
			.at_us[BOOT_AT_LAST_BYTE] = S(4)},
		false,
		"netuki_boot_last_byte_seconds_bucket{mode=\"http\",le=\"2.5\"}"
		" 0\n"
		"netuki_boot_last_byte_seconds_bucket{mode=\"http\",le=\"5\"} "
		"1\n"},
	{"five are not more than 5",
		{.mode = BOOT_MODE_HTTP,
			.outcome = BOOT_OUTCOME_COMPLETE,
			.begin_us = S(1),
			.last_us = S(6),
			.at_us[BOOT_AT_UP] = S(6)},
		false,
		"netuki_boot_up_seconds_bucket{mode=\"http\",le=\"5\"} 1\n"},
	{"longer than all",
		{.mode = BOOT_MODE_UNKNOWN,
			.outcome = BOOT_OUTCOME_COMPLETE,
			.begin_us = S(1),
			.last_us = S(1001),
			.at_us[BOOT_AT_UP] = S(1001)},
		false,
		"netuki_boot_up_seconds_bucket{mode=\"unknown\",le=\"600\"} 0\n"
		"netuki_boot_up_seconds_bucket{mode=\"unknown\",le=\"+Inf\"} "
		"1\n"
		"netuki_boot_up_seconds_sum{mode=\"unknown\"} 1000.000000\n"
		"netuki_boot_up_seconds_count{mode=\"unknown\"} 1\n"},
};

static void test_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct boot_metrics metrics = {0};
		char *text = NULL;
		size_t len;
		FILE *out = open_memstream(&text, &len);

		assert_non_null(out);
		boot_metrics_count(&metrics, &cases[i].boot, cases[i].gone);
		boot_metrics_print(&metrics, out);
		fclose(out);
		if (!strstr(text, cases[i].want))
			fail_msg("%s: no\n%sin\n%s", cases[i].name,
				cases[i].want, text);
		free(text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_cases)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
