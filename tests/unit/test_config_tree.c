#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/arena.h"
#include "config/tree.h"

#define N(array) (sizeof(array) / sizeof((array)[0]))

/* NOLINTNEXTLINE(misc-no-recursion): the tree's depth is bounded. */
static void put_node(FILE *out, const struct node *node)
{
	const struct node *child;

	fprintf(out, "%u:%u", node->line, node->column);
	switch ((enum node_type)node->type) {
	case NODE_SCALAR:
		fprintf(out, node_is_null(node) ? "~" : "<%s>", node->text);
		break;
	case NODE_LIST:
		fputs("[", out);
		for (child = node->first; child; child = child->next)
			put_node(out, child);
		fprintf(out, "]%u", node->len);
		break;
	case NODE_MAPPING:
		fputs("{", out);
		for (child = node->first; child; child = child->next) {
			put_node(out, child);
			put_node(out, child->value);
		}
		fprintf(out, "}%u", node->len);
		break;
	}
}

static const struct {
	const char *yaml;
	const char *tree;   /* "-": there is none */
	const char *errors; /* the beginnings, one a line */
} cases[] = {
	{"", "", ""},
	{"# only a comment\n", "", ""},
	{"---\n...\n", "2:1~", ""},
	{"a", "1:1<a>", ""},
	{"~", "1:1~", ""},
	{"'~'", "1:1<~>", ""},
	{"\xef\xbb\xbf"
	 "a: b",
		"1:1{1:1<a>1:4<b>}1", ""},
	{"a:\n  - b\n  - {c: d, e: [f]}\n",
		"1:1{1:1<a>2:3[2:5<b>3:5{3:6<c>3:9<d>3:12<e>3:15[3:16<f>]1}2]2"
		"}1",
		""},
	/* Columns count characters, not bytes. */
	{"\xc3\xa9\xc3\xa9: b", "1:1{1:1<\xc3\xa9\xc3\xa9>1:5<b>}1", ""},
	{"a:\nb: null\nc: \"null\"\nd: ''\n",
		"1:1{1:1<a>1:3~2:1<b>2:4~3:1<c>3:4<null>4:1<d>4:4<>}4", ""},
	{"52:54:00:12:34:56", "1:1<52:54:00:12:34:56>", ""},
	{"{m: 52:54:00:12:34:56}", "1:1{1:2<m>1:5<52:54:00:12:34:56>}1", ""},
	{"a: 1\nb: 2\na: 3\na: 4\n", "1:1{1:1<a>1:4<1>2:1<b>2:4<2>}2",
		"3:1: 'a': this key was already given in line 1\n"
		"4:1: 'a': this key was already given in line 1\n"},
	{"{a: {b: 1, b: 2}, a: 3}", "1:1{1:2<a>1:5{1:6<b>1:9<1>}1}1",
		"1:12: 'b': this key\n1:19: 'a': this key\n"},
	/* An alias takes its key with it. */
	{"a: &x b\nc: *x\nd: [*x, e]\n*x : f\n",
		"1:1{1:1<a>1:4<b>3:1<d>3:4[3:9<e>]1}2",
		"1:4: 'x': anchors\n2:4: 'x': aliases\n3:5: 'x': aliases\n"
		"4:1: 'x': aliases\n"},
	{"&a [*a]", "1:1[]0", "1:1: 'a': anchors\n1:5: 'a': aliases\n"},
	{"&a {b: *a}", "1:1{}0", "1:1: 'a': anchors\n1:8: 'a': aliases\n"},
	{"*a", "", "1:1: 'a': aliases\n"},
	{"!!int 3", "1:1<3>", "1:1: 'tag:yaml.org,2002:int': tags\n"},
	{"! a", "1:1<a>", "1:1: '!': tags\n"},
	{"!a {b: !c [d]}", "1:1{1:5<b>1:8[1:12<d>]1}1",
		"1:1: '!a': tags\n1:8: '!c': tags\n"},
	{"? [a]\n: b\n? {c: d}\n: e\nf: g\n", "1:1{5:1<f>5:4<g>}1",
		"1:3: a key must be a word, here it is a list\n"
		"3:3: a key must be a word, here it is a mapping\n"},
	{"\"a\\0b\"", "1:1<a>", "1:1: a text with a NUL character\n"},
	{"a\n---\nb\n", "-", "2:1: a second document\n"},
	{"--- a\n--- b\n", "-", "2:1: a second document\n"},
	{"[[[[[[[[[[[[[[[[ ]]]]]]]]]]]]]]]]",
		"1:1[1:2[1:3[1:4[1:5[1:6[1:7[1:8[1:9[1:10[1:11[1:12[1:13[1:14["
		"1:15[1:16[]0]1]1]1]1]1]1]1]1]1]1]1]1]1]1]1",
		""},
	{"[[[[[[[[[[[[[[[[[ ]]]]]]]]]]]]]]]]]", "-",
		"1:17: more than 16 levels deep\n"},
	{"a: [b\nc: d\n", "-", "2:2: not YAML: did not find expected ','"},
	{"a: b: c", "-", "1:5: not YAML: mapping values are not allowed"},
	{"\ta: b", "-", "1:1: not YAML: found character that cannot start"},
	{"a: \"b", "-", "1:4: not YAML: found unexpected end of stream"},
	{"a: b\n c\nd", "-", "3:1: not YAML: could not find expected ':'"},
	{"a: b\nc: \xff", "-", "2:4: not UTF-8 text"},
	{"a: \x01", "-", "1:4: not UTF-8 text"},
	{"%YAML 1.3\n---\na", "-", "1:1: not YAML: found incompatible YAML"},
};

/* Each message must begin as its line of want says. */
static void check_errors(
	const char *yaml, const struct diag *diag, const char *want)
{
	for (size_t i = 0; i < diag->n; i++) {
		size_t len = strcspn(want, "\n");
		char is[512];

		snprintf(is, sizeof(is), "%u:%u: %s", diag->items[i].at.line,
			diag->items[i].at.column, diag->items[i].text);
		if (len == 0 || strncmp(is, want, len) != 0)
			fail_msg("%s\nis     %s\nwanted %.*s", yaml, is,
				(int)len, want);
		want += len + (want[len] == '\n');
	}
	if (*want)
		fail_msg("%s\nno message: %s", yaml, want);
}

static void test_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < N(cases); i++) {
		struct node *root = NULL;
		struct arena arena;
		struct diag diag;
		char *tree = NULL;
		size_t len = 0;
		FILE *out = open_memstream(&tree, &len);

		assert_non_null(out);
		arena_init(&arena, 1 << 24);
		diag_init(&diag);
		if (tree_parse(cases[i].yaml, strlen(cases[i].yaml), 0, &arena,
			    &diag, &root) < 0)
			fputs("-", out);
		else if (root)
			put_node(out, root);
		assert_int_equal(fclose(out), 0);
		if (strcmp(tree, cases[i].tree) != 0)
			fail_msg("%s\nis     %s\nwanted %s", cases[i].yaml,
				tree, cases[i].tree);
		check_errors(cases[i].yaml, &diag, cases[i].errors);
		free(tree);
		diag_done(&diag);
		arena_done(&arena);
	}
}

/* Among many keys, too, each that is there twice is told once. */
static void test_many_keys(void **state)
{
	const struct node *value;
	struct node *root = NULL;
	struct arena arena;
	struct diag diag;
	char *yaml = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&yaml, &len);

	(void)state;
	assert_non_null(out);
	for (int i = 0; i < 5000; i++)
		fprintf(out, "k%d: %d\n", i, i);
	fputs("k4999: x\nk17: y\nk17: z\n", out);
	assert_int_equal(fclose(out), 0);
	arena_init(&arena, 1 << 24);
	diag_init(&diag);
	assert_int_equal(tree_parse(yaml, len, 0, &arena, &diag, &root), 0);
	assert_int_equal(diag.n_errors, 3);
	check_errors("many", &diag,
		"5002:1: 'k17': this key was already given in line 18\n"
		"5003:1: 'k17': this key was already given in line 18\n"
		"5001:1: 'k4999': this key was already given in line 5000\n");
	assert_int_equal(root->len, 5000);
	value = node_get(root, "k17");
	assert_non_null(value);
	assert_string_equal(value->text, "17");
	assert_null(node_get(root, "k5000"));
	assert_null(node_get(value, "k17"));
	diag_done(&diag);
	arena_done(&arena);
	free(yaml);
}

/* A scalar past the limit is an error, one at the limit is none. */
static void test_long_text(void **state)
{
	char *yaml = malloc(TREE_TEXT_MAX + 2);

	(void)state;
	assert_non_null(yaml);
	memset(yaml, 'a', TREE_TEXT_MAX + 2);
	for (size_t more = 0; more < 2; more++) {
		struct node *root = NULL;
		struct arena arena;
		struct diag diag;

		arena_init(&arena, 1 << 24);
		diag_init(&diag);
		assert_int_equal(tree_parse(yaml, TREE_TEXT_MAX + more, 0,
					 &arena, &diag, &root),
			0);
		assert_int_equal(diag.n_errors, more);
		diag_done(&diag);
		arena_done(&arena);
	}
	free(yaml);
}

/* Without memory there is no tree, and the arena knows. */
static void test_no_memory(void **state)
{
	struct node *root = NULL;
	struct arena arena;
	struct diag diag;

	(void)state;
	arena_init(&arena, 1000);
	diag_init(&diag);
	assert_int_equal(tree_parse("a: b", 4, 0, &arena, &diag, &root), -1);
	assert_true(arena.failed);
	assert_null(root);
	diag_done(&diag);
	arena_done(&arena);
}

static void test_arena(void **state)
{
	static const size_t aligns[] = {1, 2, 4, 8, 16};
	struct arena arena;
	uint8_t *p, *large;

	(void)state;
	arena_init(&arena, 1 << 20);
	for (size_t i = 0; i < 1000; i++) {
		size_t align = aligns[i % N(aligns)];

		p = arena_alloc(&arena, 1 + i % 37, align);
		assert_non_null(p);
		assert_int_equal((uintptr_t)p % align, 0);
		for (size_t j = 0; j < 1 + i % 37; j++)
			assert_int_equal(p[j], 0);
		memset(p, 0xff, 1 + i % 37);
	}
	/* Larger than a chunk; then the limit. */
	large = arena_alloc(&arena, 500000, 8);
	assert_non_null(large);
	assert_int_equal(large[0] | large[499999], 0);
	assert_false(arena.failed);
	assert_null(arena_alloc(&arena, 500000, 8));
	assert_true(arena.failed);
	assert_null(arena_alloc(&arena, SIZE_MAX - 8, 8));
	arena_done(&arena);
	assert_int_equal(arena.total, 0);
}

static void test_intern(void **state)
{
	const char *texts[5000];
	struct intern intern;
	struct arena arena;
	char text[16];

	(void)state;
	arena_init(&arena, 1 << 20);
	intern_init(&intern, &arena);
	for (unsigned round = 0; round < 2; round++) {
		for (unsigned i = 0; i < N(texts); i++) {
			int len = snprintf(text, sizeof(text), "%u", i);
			const char *is =
				intern_text(&intern, text, (size_t)len);

			assert_string_equal(is, text);
			if (round == 0)
				texts[i] = is;
			assert_ptr_equal(is, texts[i]);
		}
	}
	/* Only the bytes that were asked for. */
	assert_ptr_equal(intern_text(&intern, "1234x", 4), texts[1234]);
	assert_string_equal(intern_text(&intern, "x", 0), "");
	intern_done(&intern);
	assert_string_equal(texts[17], "17");
	arena_done(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_many_keys),
		cmocka_unit_test(test_long_text),
		cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_arena),
		cmocka_unit_test(test_intern),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
