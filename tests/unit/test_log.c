#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/base/log.h"

/* Standard error while a test has put something in its place. */
static int real_stderr;

static struct event_base *begin(int in_place)
{
	struct event_base *base = event_base_new();

	assert_non_null(base);
	real_stderr = dup(STDERR_FILENO);
	assert_int_equal(dup2(in_place, STDERR_FILENO), STDERR_FILENO);
	close(in_place);
	log_init(false);
	log_begin_turns(base);
	return base;
}

static void end(struct event_base *base)
{
	log_end_turns();
	event_base_free(base);
	dup2(real_stderr, STDERR_FILENO);
	close(real_stderr);
}

/* A socket of datagrams: each write is one of them. Returns its lines. */
static unsigned lines_of_write(int fd)
{
	char text[65536];
	ssize_t n = recv(fd, text, sizeof(text), MSG_DONTWAIT);
	unsigned lines = 0;

	for (ssize_t i = 0; i < n; i++)
		lines += text[i] == '\n';
	return lines;
}

static void test_turns(void **state)
{
	struct event_base *base;
	int fd[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, fd), 0);
	base = begin(fd[1]);
	for (int i = 0; i < 10; i++)
		log_info("line %d", i);
	assert_int_equal(lines_of_write(fd[0]), 0);
	event_base_loop(base, EVLOOP_NONBLOCK);
	assert_int_equal(lines_of_write(fd[0]), 10);
	assert_int_equal(lines_of_write(fd[0]), 0);

	log_info("before");
	log_warn("at once");
	assert_int_equal(lines_of_write(fd[0]), 2);
	event_base_loop(base, EVLOOP_NONBLOCK);
	assert_int_equal(lines_of_write(fd[0]), 0);

	log_info("the last of the loop");
	end(base);
	assert_int_equal(lines_of_write(fd[0]), 1);
	close(fd[0]);
}

/* Each line is whole and the next of its number, or is counted. */
static unsigned long count_lines(FILE *in, unsigned long next, bool *told)
{
	char line[2000];

	while (fgets(line, sizeof(line), in)) {
		const char *text = strchr(line, ' ');
		const char *mark = text ? strstr(text, " lines were left") : 0;

		assert_non_null(text);
		if (mark) {
			assert_memory_equal(text, " warning: ", 10);
			next += strtoul(text + 10, NULL, 10);
			*told = true;
			continue;
		}
		assert_int_equal(strtoul(text, NULL, 10), next);
		assert_string_equal(line + strlen(line) - 5, "end.\n");
		next++;
	}
	return next;
}

/* Who reads no more, or not for now, stops nobody; what he misses is told. */
static void test_nobody_reads(void **state)
{
	enum { LINES = 20000 };
	struct event_base *base;
	unsigned long next;
	bool told = false;
	FILE *in;
	int fd[2];

	(void)state;
	assert_int_equal(pipe(fd), 0);
	in = fdopen(fd[0], "r");
	assert_non_null(in);
	base = begin(fd[1]);
	for (int i = 0; i < LINES; i++) {
		log_info("%d is a line of some length, to its end.", i);
		if (i % 7 == 0)
			event_base_loop(base, EVLOOP_NONBLOCK);
	}
	assert_int_equal(fcntl(fd[0], F_SETFL, O_NONBLOCK), 0);
	next = count_lines(in, 0, &told);
	assert_false(told);
	assert_in_range(next, 1000, LINES / 2);
	/* He reads on: the rest comes by itself. */
	for (int i = 0; i < 50 && !told; i++) {
		event_base_loop(base, EVLOOP_ONCE);
		clearerr(in);
		next = count_lines(in, next, &told);
	}
	assert_true(told);
	assert_int_equal(next, LINES);
	log_info("%d is said again, to its end.", LINES);
	event_base_loop(base, EVLOOP_NONBLOCK);
	clearerr(in);
	assert_int_equal(count_lines(in, next, &told), LINES + 1);

	fclose(in);
	for (int i = 0; i < LINES; i++)
		log_info("Nobody is there any more.");
	end(base);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_turns),
		cmocka_unit_test(test_nobody_reads),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
