/* pins: what the configuration names, and the catalogue keeps for that. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/images/images.h"
#include "daemon/images/pins.h"

static char dir[] = "/tmp/netuki-pins-XXXXXX";

static int setup(void **state)
{
	(void)state;
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_one(
	const char *path, const struct stat *st, int what, struct FTW *ftw)
{
	(void)st, (void)what, (void)ftw;
	return remove(path);
}

static int teardown(void **state)
{
	(void)state;
	return nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* fNUMBER.efi, which is none. */
static void put(int number)
{
	char path[64];
	FILE *out;

	snprintf(path, sizeof(path), "%s/f%d.efi", dir, number);
	out = fopen(path, "wbe");
	assert_non_null(out);
	assert_int_equal(fclose(out), 0);
}

/*
 * Whatever the order in which the directory is read, too many others do not
 * push out what a machine boots.
 */
static void test_too_many(void **state)
{
	enum { N_FILES = 5000, STEP = 50, N_BOOTED = N_FILES / STEP };
	static char text[128 * N_BOOTED + 512];
	struct config_report report;
	struct config *many;
	struct images *read;
	struct pins *pins;
	char name[64];
	size_t at = 0;

	(void)state;
	for (int i = 0; i < N_FILES; i++) {
		put(i);
	}
	at += (size_t)snprintf(
		text, sizeof(text), "defaults: {image: f7.efi}\nmachines:\n");
	for (int i = 0; i < N_BOOTED; i++)
		at += (size_t)snprintf(text + at, sizeof(text) - at,
			"  - {name: m%d, mac: 02:00:00:00:00:%02x, "
			"image: f%d.efi}\n",
			i, (unsigned int)i, i * STEP);
	config_report_init(&report);
	many = config_load_text("many.yaml", text, at, &report);
	for (size_t i = 0; i < report.n; i++)
		print_error("%s\n", report.messages[i].text);
	config_report_done(&report);
	assert_non_null(many);
	pins = pins_new(many);
	config_unref(many);
	assert_non_null(pins);
	assert_true(pins_want(pins, "f7.efi@x64"));
	assert_false(pins_want(pins, "f8.efi"));
	assert_int_equal(images_new(NULL, NULL, dir, pins, &read), 0);
	pins_unref(pins);
	assert_int_equal(read->n, IMAGES_MAX + IMAGES_MAX_STRAY);
	assert_non_null(images_find(read, "f7.efi"));
	for (int i = 0; i < N_BOOTED; i++) {
		snprintf(name, sizeof(name), "f%d.efi", i * STEP);
		if (!images_find(read, name))
			fail_msg("%s is left out", name);
	}
	images_free(read);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_too_many),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
