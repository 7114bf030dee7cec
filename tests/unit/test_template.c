/* template: ${name} of ours is exchanged, everything else stays. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "proto/template.h"

static const struct template_value values[] = {
	{"mac", "52:54:00:00:00:01"},
	{"uuid", NULL},
	{"name", "lab-01"},
	{"ip", "10.0.0.7"},
};
#define N_VALUES (sizeof(values) / sizeof(*values))

static const struct {
	const char *name, *text;
	enum template_result want;
	const char *ret; /* MADE: the text; UNKNOWN: the name */
} cases[] = {
	{"empty", "", TEMPLATE_PLAIN, NULL},
	{"nothing", "hello $ { } $$ world", TEMPLATE_PLAIN, NULL},
	{"one", "${mac}", TEMPLATE_MADE, "52:54:00:00:00:01"},
	{"in a text", "a ${name}, at ${ip}.\n", TEMPLATE_MADE,
		"a lab-01, at 10.0.0.7.\n"},
	{"neighbours", "${name}${name}${ip}", TEMPLATE_MADE,
		"lab-01lab-0110.0.0.7"},
	{"others'", "${names} ${NAME} ${ name} ${name:-x} $name $(name)",
		TEMPLATE_PLAIN, NULL},
	{"others' and ours", "${HOME}/${name} ${#name}", TEMPLATE_MADE,
		"${HOME}/lab-01 ${#name}"},
	{"escaped", "echo $${name}", TEMPLATE_MADE, "echo ${name}"},
	{"escaped, not known", "$${uuid}", TEMPLATE_MADE, "${uuid}"},
	{"escaped, not ours", "$${HOME} $$ ${ip}", TEMPLATE_MADE,
		"$${HOME} $$ 10.0.0.7"},
	{"three dollars", "$$${name}", TEMPLATE_MADE, "$${name}"},
	{"cut: ${", "x${", TEMPLATE_PLAIN, NULL},
	{"cut: ${name", "x${name", TEMPLATE_PLAIN, NULL},
	{"cut: $", "x$", TEMPLATE_PLAIN, NULL},
	{"cut: $$", "x$$", TEMPLATE_PLAIN, NULL},
	{"cut: $${", "$${name", TEMPLATE_PLAIN, NULL},
	{"nested", "${${name}}", TEMPLATE_MADE, "${lab-01}"},
	{"not expanded twice", "$${${name}}", TEMPLATE_MADE, "$${lab-01}"},
	{"not known", "id ${uuid} of ${name}", TEMPLATE_UNKNOWN, "uuid"},
	{"bytes from 0x80 on", "\xff\xc3${ip}\x80", TEMPLATE_MADE,
		"\xff\xc3"
		"10.0.0.7\x80"},
};

static void test_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const char *name = NULL;
		char ret[100];
		size_t len = SIZE_MAX;
		enum template_result got = template_expand(cases[i].text,
			strlen(cases[i].text), values, N_VALUES, ret,
			sizeof(ret), &len, &name);

		if (got != cases[i].want)
			fail_msg("%s: %d", cases[i].name, got);
		if (got == TEMPLATE_UNKNOWN)
			assert_string_equal(name, cases[i].ret);
		if (got == TEMPLATE_MADE &&
			(len != strlen(cases[i].ret) ||
				memcmp(ret, cases[i].ret, len) != 0))
			fail_msg("%s: %.*s", cases[i].name, (int)len, ret);
	}
}

static void test_limits(void **state)
{
	static char text[TEMPLATE_MAX + 1], ret[TEMPLATE_MAX];
	const char *name;
	size_t len;

	(void)state;
	/* Exactly the room that there is, and one byte less. */
	assert_int_equal(template_expand("${name}", 7, values, N_VALUES, ret, 6,
				 &len, &name),
		TEMPLATE_MADE);
	assert_int_equal(len, 6);
	assert_int_equal(template_expand("${name}", 7, values, N_VALUES, ret, 5,
				 &len, &name),
		TEMPLATE_TOO_LONG);
	/* A NUL anywhere, and a byte too many. */
	assert_int_equal(template_expand("${name}\0", 8, values, N_VALUES, ret,
				 sizeof(ret), &len, &name),
		TEMPLATE_PLAIN);
	memset(text, 'x', sizeof(text));
	memcpy(text, "${ip}", 5);
	assert_int_equal(template_expand(text, TEMPLATE_MAX, values, N_VALUES,
				 ret, sizeof(ret), &len, &name),
		TEMPLATE_TOO_LONG);
	assert_int_equal(template_expand(text, TEMPLATE_MAX, values + 3, 0, ret,
				 sizeof(ret), &len, &name),
		TEMPLATE_PLAIN);
	assert_int_equal(template_expand(text, TEMPLATE_MAX + 1, values,
				 N_VALUES, ret, sizeof(ret), &len, &name),
		TEMPLATE_PLAIN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
