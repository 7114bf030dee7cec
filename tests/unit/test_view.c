/* view: extents of files and memory, read and sent as one. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/images/view.h"

static char path[] = "/tmp/test_view.XXXXXX";
static uint8_t content[10000];

static int setup(void **state)
{
	int fd = mkstemp(path);

	(void)state;
	for (size_t i = 0; i < sizeof(content); i++)
		content[i] = (uint8_t)(i * 7 + i / 256);
	if (fd < 0 || write(fd, content, sizeof(content)) != sizeof(content))
		return -1;
	return close(fd);
}

static int teardown(void **state)
{
	(void)state;
	return unlink(path);
}

static struct file *open_it(void)
{
	struct file *file;

	assert_int_equal(file_open(path, &file), 0);
	return file;
}

/* file[100..5100), "spliced", three zeros, file[6000..9000) */
static struct view *make(struct file *file, uint8_t *ret_want)
{
	struct view *view = view_new("application/efi");

	view_add_file(view, file, 100, 5000);
	view_add_memory(view, strdup("spliced"), 7);
	view_add_memory(view, NULL, 3);
	view_add_file(view, file, 6000, 3000);
	view_add_file(view, file, 0, 0); /* nothing */
	memcpy(ret_want, content + 100, 5000);
	memcpy(ret_want + 5000, "spliced\0\0\0", 10);
	memcpy(ret_want + 5010, content + 6000, 3000);
	return view;
}

static void test_read(void **state)
{
	static const struct {
		uint64_t offset;
		size_t len;
		int want;
	} cases[] = {
		{0, 8010, 0},
		{0, 1, 0},
		{4999, 2, 0},
		{5000, 7, 0},
		{5003, 5, 0},
		{5009, 2, 0},
		{8009, 1, 0},
		{8010, 0, 0},
		{8010, 1, -EIO},
		{8000, 11, -EIO},
		{UINT64_MAX, 1, -EIO},
	};
	struct file *file = open_it();
	uint8_t want[8010], got[8100];
	struct view *view = make(file, want);

	(void)state;
	assert_int_equal(view_size(view), sizeof(want));
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		size_t half = cases[i].len / 2;
		struct iovec iov[2] = {
			{got, half}, {got + half, cases[i].len - half}};
		int err = view_readv(view, iov, 2, cases[i].offset, false);

		if (err != cases[i].want)
			fail_msg("row %zu: %d", i, err);
		if (!err && memcmp(got, want + cases[i].offset, cases[i].len))
			fail_msg("row %zu: other bytes", i);
	}
	view_unref(view);
	file_unref(file);
}

static void test_send(void **state)
{
	struct file *file = open_it();
	uint8_t want[8010], got[8010];
	struct view *view = make(file, want);
	uint64_t at = 0, read_at = 0;
	int pair[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	while (at < sizeof(want)) {
		int64_t n =
			view_send(view, pair[0], at, sizeof(want) - at, false);

		assert_true(n > 0);
		at += (uint64_t)n;
	}
	while (read_at < sizeof(got)) {
		ssize_t n = read(pair[1], got + read_at, sizeof(got) - read_at);

		assert_true(n > 0);
		read_at += (uint64_t)n;
	}
	assert_memory_equal(got, want, sizeof(want));
	assert_int_equal(view_send(view, pair[0], 8010, 1, false), -EIO);
	close(pair[0]);
	close(pair[1]);
	view_unref(view);
	file_unref(file);
}

static void test_etag(void **state)
{
	struct file *file = open_it();
	uint8_t want[8010];
	struct view *a = make(file, want), *b = make(file, want);
	struct view *whole = view_new("application/efi");
	struct view *other = view_of_text("text/plain", "one", 3);
	struct view *another = view_of_text("text/plain", "two", 3);
	char first[VIEW_ETAG_LEN];

	(void)state;
	view_add_file(whole, file, 0, 10000);
	strcpy(first, view_etag(a));
	assert_int_equal(first[0], '"');
	assert_int_equal(first[strlen(first) - 1], '"');
	assert_string_equal(first, view_etag(b));
	assert_string_not_equal(first, view_etag(whole));
	assert_string_not_equal(view_etag(other), view_etag(another));
	assert_true(view_mtime(a) > 0);
	assert_int_equal(view_mtime(other), -1);
	view_unref(a);
	view_unref(b);
	view_unref(whole);
	view_unref(other);
	view_unref(another);
	file_unref(file);
}

static void test_change_is_seen(void **state)
{
	struct file *file = open_it();
	struct view *view = view_new("application/efi");
	uint8_t buf[100];
	struct iovec iov = {buf, sizeof(buf)};
	int fd = open(path, O_WRONLY);

	(void)state;
	view_add_file(view, file, 0, 10000);
	assert_true(view_is_whole(view));
	usleep(20000); /* the clock of time stamps ticks */
	assert_int_equal(pwrite(fd, "x", 1, 5), 1);
	assert_false(view_is_whole(view));
	assert_int_equal(ftruncate(fd, 5000), 0);
	assert_int_equal(view_readv(view, &iov, 1, 4950, false), -EIO);
	assert_int_equal(
		pwrite(fd, content, sizeof(content), 0), sizeof(content));
	close(fd);
	view_unref(view);
	file_unref(file);
}

static void test_what_is_no_file(void **state)
{
	struct file *file;

	(void)state;
	assert_int_equal(file_open("/tmp", &file), -EISDIR);
	assert_int_equal(file_open("/dev/null", &file), -EINVAL);
	assert_int_equal(file_open("/nonexistent/x", &file), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read),
		cmocka_unit_test(test_send),
		cmocka_unit_test(test_etag),
		cmocka_unit_test(test_change_is_seen),
		cmocka_unit_test(test_what_is_no_file),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
