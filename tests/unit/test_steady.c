#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/base/steady.h"

#define MAX 6

static const struct {
	const char *name;
	struct {
		double minutes, wall; /* since the first look; both */
		bool steady;
	} looks[MAX];
} cases[] = {
	{"believed after an hour", {{0, 0, false}, {59, 59, false},
					   {60, 60, true}, {9000, 9000, true}}},
	{"an hour between two looks", {{0, 0, false}, {61, 61, true}}},
	{"it is set by less than a minute",
		{{0, 0, false}, {61, 61.9, true}, {62, 62, true}}},
	{"it jumps eighty years, and back",
		{{0, 0, false}, {61, 61, true}, {62, 42e6, false},
			{63, 63, false}, {122, 122, false}, {123, 123, true}}},
	{"it jumps, and stays there",
		{{0, 0, false}, {61, 42e6, false}, {120, 42e6 + 59, false},
			{122, 42e6 + 61, true}}},
	{"it jumps back", {{0, 0, false}, {61, -2, false}, {62, -1, false}}},
};

static void test_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct steady steady = {0};

		for (size_t j = 0; j < MAX; j++) {
			double at = cases[i].looks[j].minutes;
			double wall = 1.8e9 + cases[i].looks[j].wall * 60;
			uint64_t us = 1 + (uint64_t)(at * 60e6);

			if (j && at <= 0)
				break;
			if (steady_look(&steady, wall, us) !=
				cases[i].looks[j].steady)
				fail_msg("%s: after %g minutes", cases[i].name,
					at);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
