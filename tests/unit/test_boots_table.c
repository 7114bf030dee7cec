/* boots: the table of those that run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/boots/boots.h"

/* Whoever invents machines makes room for his own at the others' cost only. */
static void test_bounded(void **state)
{
	struct boots_hooks hooks = {0};
	struct boots *boots = boots_new(&hooks);
	struct journal_event e = {
		.kind = JOURNAL_REQUEST,
		.has_mac = true,
		.firmware = PXE_FIRMWARE_UEFI,
		.arch = ARCH_X64,
	};

	(void)state;
	for (uint32_t i = 1; i <= BOOTS_MAX + 1000; i++) {
		e.t_us = i;
		e.ip = i;
		memcpy(e.mac.b + 2, &i, sizeof(i));
		boots_take(boots, &e);
	}
	assert_int_equal(boots_count(boots), BOOTS_MAX);
	boots_tick(boots, e.t_us + BOOTS_IDLE_US + 1);
	assert_int_equal(boots_count(boots), 0);
	boots_free(boots);
}

static void keep(void *arg, const struct boot *b)
{
	*(struct boot *)arg = *b;
}

/* What runs is seen while it runs, and no longer. */
static void test_progress(void **state)
{
	struct boots_hooks hooks = {0};
	struct boots *boots = boots_new(&hooks);
	struct journal_event script = {
		.kind = JOURNAL_SCRIPT, .has_mac = true, .t_us = 1, .ip = 7};
	struct journal_event e = {.kind = JOURNAL_HTTP_START,
		.t_us = 2,
		.ip = 7,
		.file = "images/x.efi",
		.bytes = 30,
		.us = 200000};
	struct boot seen = {0};

	(void)state;
	boots_take(boots, &script);
	boots_take(boots, &e);
	boots_note_progress(boots, &e, 100);
	e.ip = 8; /* nobody's */
	e.bytes = 40;
	boots_note_progress(boots, &e, 100);
	boots_each(boots, keep, &seen);
	assert_int_equal(seen.now_bytes, 30);
	assert_int_equal(seen.now_size, 100);
	assert_int_equal(seen.now_us, 200000);
	boots_forget_progress(boots);
	boots_each(boots, keep, &seen);
	assert_int_equal(seen.now_size, 0);
	boots_free(boots);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bounded),
		cmocka_unit_test(test_progress),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
