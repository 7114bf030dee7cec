/* tftp_cache: the bytes are the view's, and what it holds is bounded. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/tftp/tftp_cache.h"
#include "tests/unit/tftp_file.h"

#define SIZE (5 * TFTP_CACHE_PIECE + 100)

static uint8_t *bytes;

static int make(void **state)
{
	(void)state;
	bytes = tftp_file_bytes(SIZE);
	return 0;
}

static int unmake(void **state)
{
	(void)state;
	free(bytes);
	return 0;
}

static void test_reads(void **state)
{
	static const struct {
		const char *name;
		uint64_t offset;
		size_t len[3];
		int ret;
	} cases[] = {
		{"one block", 0, {512}, 0},
		{"three blocks", 1000, {1468, 1468, 1468}, 0},
		{"across pieces", TFTP_CACHE_PIECE - 700, {1468, 1468}, 0},
		{"the last, short", SIZE - 100, {100}, 0},
		{"up to the end", SIZE - 2000, {1468, 532}, 0},
		{"nothing, at the end", SIZE, {0}, 0},
		{"past the end", SIZE - 10, {11}, -EIO},
		{"behind the end", SIZE + 1000000, {1}, -EIO},
	};
	struct tftp_cache *cache = tftp_cache_new();
	struct view *view = tftp_file_view(bytes, SIZE);

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint8_t got[3][2000] = {0};
		struct iovec iov[3];
		uint64_t at = cases[i].offset;
		int ret;

		for (size_t j = 0; j < 3; j++)
			iov[j] = (struct iovec){got[j], cases[i].len[j]};
		ret = tftp_cache_readv(cache, view, iov, 3, at);
		if (ret != cases[i].ret)
			fail_msg("%s: %d", cases[i].name, ret);
		for (size_t j = 0; !ret && j < 3; at += cases[i].len[j++])
			if (cases[i].len[j] && memcmp(got[j], bytes + at,
						       cases[i].len[j]) != 0)
				fail_msg("%s: block %zu", cases[i].name, j);
	}
	tftp_cache_free(cache);
	view_unref(view);
}

/* Far more than it holds, of several views, in several orders. */
static void test_bounded(void **state)
{
	enum { VIEWS = 60 };
	struct tftp_cache *cache = tftp_cache_new();
	struct view *view[VIEWS];

	(void)state;
	for (int i = 0; i < VIEWS; i++)
		view[i] = tftp_file_view(bytes, SIZE);
	for (uint32_t turn = 0; turn < 3000; turn++) {
		uint32_t n = turn * 2654435761u >> 8;
		uint64_t at = n % (SIZE - 1500);
		uint8_t got[1500];
		struct iovec iov = {got, sizeof(got)};

		assert_int_equal(tftp_cache_readv(cache, view[turn % VIEWS],
					 &iov, 1, at),
			0);
		assert_memory_equal(got, bytes + at, sizeof(got));
		if (turn % 500 == 0)
			tftp_cache_forget(cache, view[turn / 500]);
		if (turn == 2000)
			tftp_cache_forget(cache, NULL);
	}
	tftp_cache_free(cache);
	for (int i = 0; i < VIEWS; i++)
		view_unref(view[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reads),
		cmocka_unit_test(test_bounded),
	};

	return cmocka_run_group_tests(tests, make, unmake);
}
