#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "proto/arch.h"

static const struct {
	enum arch arch;
	const char *name;
	uint16_t pe; /* 0: none */
} cases[] = {
	{ARCH_BIOS, "bios", 0},
	{ARCH_IA32, "ia32", 0x014c},
	{ARCH_X64, "x64", 0x8664},
	{ARCH_ARM32, "arm32", 0x01c2},
	{ARCH_ARM64, "arm64", 0xaa64},
	{ARCH_RISCV32, "riscv32", 0x5032},
	{ARCH_RISCV64, "riscv64", 0x5064},
	{ARCH_LOONGARCH32, "loongarch32", 0x6232},
	{ARCH_LOONGARCH64, "loongarch64", 0x6264},
};

static void test_every_arch(void **state)
{
	size_t i;

	(void)state;
	/* A new row of arch.def wants a row here. */
	assert_int_equal(sizeof(cases) / sizeof(cases[0]), ARCH_MAX);
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (strcmp(arch_name(cases[i].arch), cases[i].name) != 0)
			fail_msg("%s: named %s", cases[i].name,
				arch_name(cases[i].arch));
		if (arch_from_name(cases[i].name) != cases[i].arch)
			fail_msg("%s: not found by name", cases[i].name);
		if (cases[i].pe && arch_from_pe(cases[i].pe) != cases[i].arch)
			fail_msg("%s: not found by machine", cases[i].name);
	}
}

static void test_unknown(void **state)
{
	static const char *const names[] = {
		"", "X64", "x6", "x640", "x64 ", "amd64", "?"};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (arch_from_name(names[i]) != ARCH_INVALID)
			fail_msg("\"%s\" is taken for an architecture",
				names[i]);
	assert_string_equal(arch_name(ARCH_INVALID), "?");
	assert_string_equal(arch_name(ARCH_MAX), "?");
	/* BIOS has no PE machine: 0 must not find it. */
	assert_int_equal(arch_from_pe(0), ARCH_INVALID);
	assert_int_equal(arch_from_pe(0x0200), ARCH_INVALID);
	assert_int_equal(arch_from_pe(0xffff), ARCH_INVALID);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_arch),
		cmocka_unit_test(test_unknown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
