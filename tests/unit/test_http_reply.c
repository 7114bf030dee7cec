#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/http/http_conn.h"
#include "daemon/http/http_reply.h"

static struct http_service service;

static struct http_request get(void)
{
	return (struct http_request){
		.method = HTTP_METHOD_GET, .minor = 1, .keep_alive = true};
}

static void done(struct http_conn *conn)
{
	view_unref(conn->view);
	free(conn->out);
}

/* An answer whose head cannot be built is a 500 and a close, and no body. */
static void test_head_that_fails(void **state)
{
	static const struct {
		const char *name, *type;
		unsigned status;
	} cases[] = {
		{"a type", "text/plain", 200},
		{"no type", NULL, 200},
		{"a line break in it", "text/plain\r\nX: y", 500},
		{"a control character", "text/\x01plain", 500},
	};
	static char too_long[4096];

	(void)state;
	memset(too_long, 'x', sizeof(too_long) - 1);
	for (size_t i = 0; i <= sizeof(cases) / sizeof(*cases); i++) {
		bool last = i == sizeof(cases) / sizeof(*cases);
		const char *type = last ? too_long : cases[i].type;
		unsigned status = last ? 500 : cases[i].status;
		struct http_conn conn = {.service = &service, .fd = -1};
		struct http_request request = get();
		char *head;

		/* With and without an end that was wanted anyway. */
		conn.close_after = i % 2;
		http_reply_view(
			&conn, &request, view_of_text(type, "hello", 5));
		assert_non_null(conn.out);
		head = strndup(conn.out, conn.out_len);
		if ((unsigned)strtoul(head + 9, NULL, 10) != status)
			fail_msg("%s: %s", last ? "too long" : cases[i].name,
				head);
		assert_int_equal(conn.view_at, conn.view_end);
		assert_true(conn.close_after == (i % 2 || status == 500));
		assert_int_equal(strstr(head, "hello") != NULL, status == 200);
		assert_int_equal(strstr(head, "Connection: close\r\n") != NULL,
			i % 2 || status == 500);
		free(head);
		done(&conn);
	}
}

/* What is small and at hand leaves with its head; the rest is the view's. */
static void test_body(void **state)
{
	static const struct {
		size_t size;
		bool with_head;
	} cases[] = {{0, true}, {1, true}, {16384, true}, {16385, false}};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct http_conn conn = {.service = &service, .fd = -1};
		struct http_request request = get();
		char *text = calloc(1, cases[i].size + 1);
		uint64_t left;

		http_reply_view(&conn, &request,
			view_of_text(NULL, text, cases[i].size));
		left = conn.view_end - conn.view_at;
		if (left != (cases[i].with_head ? 0 : cases[i].size))
			fail_msg("%zu bytes: %llu left", cases[i].size,
				(unsigned long long)left);
		assert_false(conn.close_after);
		free(text);
		done(&conn);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_head_that_fails),
		cmocka_unit_test(test_body),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
