/* offer_form: direct first, the other form when an attempt led to nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/policy/offer_form.h"

#define DIRECT CONFIG_OFFER_DIRECT
#define PORT   CONFIG_OFFER_PXE_PORT
#define UNSET  CONFIG_OFFER_UNSET

#define GOES_ON "of the attempt that goes on"
#define LED_ON	"it led on the last time"
#define OTHER	"the other one led to nothing the last time"

static void test_choose(void **state)
{
	static const struct {
		const char *name;
		struct offer_memory memory;
		uint32_t xid;
		enum config_offer worked, want;
		const char *why;
	} cases[] = {
		{"the first time", {UNSET, 0, false}, 1, UNSET, DIRECT,
			"the first to be tried"},
		{"the first time since a restart", {UNSET, 0, false}, 1, PORT,
			PORT, "it led to a boot before"},
		{"the same attempt", {DIRECT, 1, false}, 1, UNSET, DIRECT,
			GOES_ON},
		{"the same attempt, port", {PORT, 1, false}, 1, DIRECT, PORT,
			GOES_ON},
		{"it led to nothing", {DIRECT, 1, false}, 2, UNSET, PORT,
			OTHER},
		{"nor did the other", {PORT, 2, false}, 3, UNSET, DIRECT,
			OTHER},
		{"it led on", {DIRECT, 1, true}, 2, UNSET, DIRECT, LED_ON},
		{"the other led on", {PORT, 2, true}, 3, UNSET, PORT, LED_ON},
		{"what worked fails now", {PORT, 2, false}, 3, PORT, DIRECT,
			OTHER},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const char *why = NULL;
		enum config_offer got = offer_form_choose(
			&cases[i].memory, cases[i].xid, cases[i].worked, &why);

		if (got != cases[i].want)
			fail_msg("%s: %s", cases[i].name,
				config_offer_name(got));
		if (strcmp(why, cases[i].why) != 0)
			fail_msg("%s: %s", cases[i].name, why);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_choose)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
