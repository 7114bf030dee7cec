/* digest, and the hashing of files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/images/digester.h"
#include "proto/digest.h"

#define N(array) (sizeof(array) / sizeof((array)[0]))
/* FIPS 180-4: of "" and of "abc". */
#define EMPTY "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define ABC   "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

static void test_text(void **state)
{
	static const struct {
		const char *text;
		const char *want; /* NULL: refused */
	} cases[] = {
		{ABC, ABC},
		{"sha256:" ABC, ABC},
		{"BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61"
		 "F20015AD",
			ABC},
		{"", NULL},
		{"sha256:", NULL},
		{"SHA256:" ABC, NULL},
		{"sha256:sha256:" ABC, NULL},
		{"sha512:" ABC, NULL},
		{ABC "0", NULL},
		{" " ABC, NULL},
		{"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f2001"
		 "5a",
			NULL},
		{"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f2001"
		 "5ag",
			NULL},
		{"../"
		 "7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f2001"
		 "5ad",
			NULL},
	};

	(void)state;
	for (size_t i = 0; i < N(cases); i++) {
		char out[DIGEST_TEXT_LEN] = "";
		struct digest digest;
		bool ok = digest_parse(
			cases[i].text, strlen(cases[i].text), &digest);

		if (ok)
			digest_format(&digest, out);
		if (ok != (cases[i].want != NULL) ||
			(ok && strcmp(out, cases[i].want) != 0))
			fail_msg("\"%s\": %s", cases[i].text,
				ok ? out : "refused");
	}
}

static void write_file(const char *path, const char *text)
{
	FILE *out = fopen(path, "wbe");

	assert_non_null(out);
	fputs(text, out);
	assert_int_equal(fclose(out), 0);
}

/* What is known is known of the file as it was, not of its name. */
static void test_files(void **state)
{
	char path[] = "/tmp/netuki-digest-XXXXXX", text[DIGEST_TEXT_LEN];
	int fd = mkstemp(path);
	atomic_bool stop = true;
	struct digest digest, known;
	struct file *file;

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	write_file(path, "abc");
	assert_int_equal(file_open(path, &file), 0);
	assert_false(digester_find(file, &known));
	assert_int_equal(digester_hash(file, &stop, NULL, &digest), -ECANCELED);
	assert_int_equal(digester_hash(file, NULL, NULL, &digest), 0);
	digest_format(&digest, text);
	assert_string_equal(text, ABC);
	digester_remember(file, &digest);
	assert_true(digester_find(file, &known));
	assert_true(digest_equal(&known, &digest));

	/* Rewritten in place: the open file is not what it was. */
	write_file(path, "abcd");
	assert_false(digester_find(file, &known));
	assert_int_equal(digester_hash(file, NULL, NULL, &digest), -ESTALE);
	digester_remember(file, &digest);
	file_unref(file);
	assert_int_equal(file_open(path, &file), 0);
	assert_false(digester_find(file, &known));
	file_unref(file);
	unlink(path);

	digester_hash_bytes("", 0, &digest);
	digest_format(&digest, text);
	assert_string_equal(text, EMPTY);
}

/* Another process hashes, and this one knows. */
static void test_shared(void **state)
{
	char path[] = "/tmp/netuki-digest-XXXXXX";
	int fd = mkstemp(path), status;
	struct digest digest, known;
	atomic_uint moves = 0;
	struct file *file;
	pid_t pid;

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	write_file(path, "abc");
	assert_int_equal(file_open(path, &file), 0);
	assert_int_equal(digester_hash(file, NULL, &moves, &digest), 0);
	assert_int_equal(moves, 1);
	assert_true(digester_share());
	pid = fork();
	if (pid == 0) {
		digester_remember(file, &digest);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_true(digester_find(file, &known));
	assert_true(digest_equal(&known, &digest));
	file_unref(file);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_shared),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
