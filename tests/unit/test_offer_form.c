/* offer_form: direct first, the other form when an attempt led to nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/offer_form.h"

#define DIRECT CONFIG_OFFER_DIRECT
#define PORT   CONFIG_OFFER_PXE_PORT
#define UNSET  CONFIG_OFFER_UNSET

static void test_choose(void **state)
{
	static const struct {
		const char *name;
		struct offer_memory memory;
		uint32_t xid;
		enum config_offer worked, want;
	} cases[] = {
		{"the first time", {UNSET, 0, false}, 1, UNSET, DIRECT},
		{"the first time since a restart", {UNSET, 0, false}, 1, PORT,
			PORT},
		{"the same attempt", {DIRECT, 1, false}, 1, UNSET, DIRECT},
		{"the same attempt, port", {PORT, 1, false}, 1, DIRECT, PORT},
		{"it led to nothing", {DIRECT, 1, false}, 2, UNSET, PORT},
		{"nor did the other", {PORT, 2, false}, 3, UNSET, DIRECT},
		{"it led on", {DIRECT, 1, true}, 2, UNSET, DIRECT},
		{"the other led on", {PORT, 2, true}, 3, UNSET, PORT},
		{"what worked fails now", {PORT, 2, false}, 3, PORT, DIRECT},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		enum config_offer got = offer_form_choose(
			&cases[i].memory, cases[i].xid, cases[i].worked);

		if (got != cases[i].want)
			fail_msg("%s: %s", cases[i].name,
				config_offer_name(got));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_choose)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
