/* watcher: the loader again and again is a loop, said once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/boots/watcher.h"
#include "daemon/policy/clients.h"

#define S(seconds) ((seconds)*1000000ull)

static void test_count(void **state)
{
	struct client_record r;

	(void)state;
	memset(&r, 0, sizeof(r));
	assert_false(watcher_count_load(&r, S(1)));
	assert_false(watcher_count_load(&r, S(61)));
	assert_true(watcher_count_load(&r, S(121)));
	assert_true(r.loops);
	/* Said once. */
	assert_false(watcher_count_load(&r, S(181)));
	/* Ten quiet minutes later it is another story. */
	assert_false(watcher_count_load(&r, S(1000)));
	assert_false(r.loops);
	assert_int_equal(r.loads, 1);
}

static void test_journal(void **state)
{
	static const struct mac mac = {{0x52, 0x54, 0, 0, 0, 1}};
	struct netuki netuki = {.clients = clients_new()};
	struct watcher *watcher;
	struct client_record *r = clients_touch(netuki.clients, &mac, S(1));
	struct journal_event load = {
		.kind = JOURNAL_TFTP_DONE,
		.t_us = S(2),
		.has_mac = true,
		.mac = mac,
		.firmware = PXE_FIRMWARE_MAX,
		.arch = ARCH_INVALID,
		.file = "snponly.efi",
	};
	struct journal_event image = load, script = load, http = load;

	(void)state;
	http.kind = JOURNAL_HTTP_DONE;
	http.file = "loaders/snponly.efi";
	image.file = "images/x.efi";
	script.kind = JOURNAL_SCRIPT;
	journal_init(&netuki.journal);
	watcher = watcher_new(&netuki);
	assert_false(r->offer.led_on);
	journal_write(&netuki.journal, &load);
	assert_true(r->offer.led_on);
	journal_write(&netuki.journal, &load);
	journal_write(&netuki.journal, &script);
	assert_int_equal(r->loads, 0);
	for (int i = 0; i < 5; i++)
		journal_write(&netuki.journal, &image);
	assert_false(r->loops);
	for (int i = 0; i < 3; i++)
		journal_write(&netuki.journal, &load);
	assert_true(r->loops);
	journal_write(&netuki.journal, &script);
	/* Over HTTP only what firmware loads: people load files, too. */
	for (int i = 0; i < 3; i++)
		journal_write(&netuki.journal, &http);
	assert_false(r->loops);
	r->firmware = PXE_FIRMWARE_HTTP;
	for (int i = 0; i < 3; i++)
		journal_write(&netuki.journal, &http);
	assert_true(r->loops);
	watcher_free(watcher);
	clients_free(netuki.clients);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_count),
		cmocka_unit_test(test_journal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
