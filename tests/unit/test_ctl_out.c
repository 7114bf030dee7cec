/* What netukictl prints: numbers of JSON, and text for a terminal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/ctl/bench/bench.h"
#include "daemon/ctl/commands.h"
#include "daemon/ctl/json_out.h"
#include "daemon/ctl/report.h"
#include "daemon/ctl/show.h"
#include "daemon/ctl/text.h"

#define N(array) (sizeof(array) / sizeof((array)[0]))

static const struct {
	double value;
	const char *text;
} numbers[] = {
	{0, "0.0"},
	{-2, "-2.0"},
	{0.000735, "0.000735"},
	{1795387762.67, "1795387762.67"},
	{0.1 + 0.2, "0.30000000000000004"},
	{1.0 / 3, "0.3333333333333333"},
	{1e300, "1e+300"},
	{2.5e-7, "2.5e-07"},
	{123456789012345680.0, "1.2345678901234568e17"},
};

static void test_numbers(void **state)
{
	(void)state;
	for (size_t i = 0; i < N(numbers); i++) {
		json_t *list = json_pack("[f]", numbers[i].value), *again;
		char *text = json_out_text(list, JSON_COMPACT), wanted[60];

		snprintf(wanted, sizeof(wanted), "[%s]", numbers[i].text);
		if (strcmp(text, wanted) != 0)
			fail_msg("%s: %s", numbers[i].text, text);
		again = json_loads(text, 0, NULL);
		if (!json_equal(list, again))
			fail_msg("%s: it reads as another", text);
		json_decref(again);
		json_decref(list);
		free(text);
	}
}

/* All else is as jansson writes it. */
static void test_rest(void **state)
{
	static const char text[] =
		"{\"0.50000000000000000\":[true,false,null,-12,"
		"\"1.00000000000000001 \\\"0.10000000000000001\\\\\",\"\"],"
		"\"e\":{}}";
	json_t *value = json_loads(text, 0, NULL);
	char *out = json_out_text(value, JSON_COMPACT);

	(void)state;
	assert_string_equal(out, text);
	free(out);
	json_decref(value);
}

static const struct {
	const char *name, *text, *shown;
} texts[] = {
	{"plain", "lab-01", "lab-01"},
	{"empty", "", ""},
	{"other scripts", "b\xc3\xbcro \xe6\xa9\x9f \xf0\x9f\x90\xa7",
		"b\xc3\xbcro \xe6\xa9\x9f \xf0\x9f\x90\xa7"},
	{"a script's lines", "a\nb\n", "a\nb\n"},
	{"escape", "\x1b[2Ja\r\tb\x7f", "?[2Ja??b?"},
	{"C1", "\xc2\x9b\x32J\xc2\xa0", "?2J\xc2\xa0"},
	{"soft hyphen",
		"a\xc2\xad"
		"b",
		"a?b"},
	{"turned round",
		"a\xe2\x80\xae"
		"b\xe2\x80\xac",
		"a?b?"},
	{"isolated", "\xe2\x81\xa6x\xe2\x81\xa9", "?x?"},
	{"marks", "\xe2\x80\x8e\xe2\x80\x8f\xd8\x9c", "???"},
	{"no width",
		"a\xe2\x80\x8b"
		"b\xef\xbb\xbf",
		"a?b?"},
	{"line separator",
		"a\xe2\x80\xa8"
		"b",
		"a?b"},
	{"their neighbours", "\xe2\x80\x8a\xe2\x80\x90\xe2\x80\xaf",
		"\xe2\x80\x8a\xe2\x80\x90\xe2\x80\xaf"},
	{"tags", "a\xf3\xa0\x81\xa1\xf3\xa0\x82\x80", "a?\xf3\xa0\x82\x80"},
};

static void test_clean(void **state)
{
	(void)state;
	for (size_t i = 0; i < N(texts); i++) {
		json_t *answer = json_pack(
			"{s:[{s:s}]}", "boots", "machine", texts[i].text);
		const char *shown;

		assert_non_null(answer);
		show_clean(answer);
		shown = json_string_value(json_object_get(
			json_array_get(json_object_get(answer, "boots"), 0),
			"machine"));
		if (strcmp(shown, texts[i].shown) != 0)
			fail_msg("%s: '%s'", texts[i].name, shown);
		json_decref(answer);
	}
}

/* What it prints; the caller frees. */
static char *printed(
	void (*show)(const json_t *answer, const struct arguments *args),
	const json_t *answer)
{
	struct arguments args = {.json = false};
	FILE *out = stdout;
	char *text = NULL;
	size_t len;

	stdout = open_memstream(&text, &len);
	assert_non_null(stdout);
	show(answer, &args);
	fclose(stdout);
	stdout = out;
	return text;
}

static const struct {
	const char *name;
	double begin, seconds, whole; /* seconds < 0: it has not ended */
	const char *bar;
} bars[] = {
	{"all of it", 0, 2, 2,
		"|###############################################|"},
	{"the first half", 0, 1, 2,
		"|########################                       |"},
	{"no time at the end", 2, 0, 2,
		"|                                              #|"},
	{"no end", 1, -1, 2,
		"|                       ~~~~~~~~~~~~~~~~~~~~~~~~|"},
	{"nothing at all", 0, 0, 0,
		"|#                                              |"},
	/* Their sum is more than the whole, by a bit of a double. */
	{"a bit too long", 0.1, 0.2, 0.3,
		"|               ################################|"},
};

static void test_bars(void **state)
{
	(void)state;
	for (size_t i = 0; i < N(bars); i++) {
		json_t *answer = json_pack(
			"{s:{s:i, s:f, s:[{s:s, s:f, s:o}]}}", "boot", "id", 1,
			"last-seconds", bars[i].whole, "steps", "step", "image",
			"begin", bars[i].begin, "seconds",
			bars[i].seconds < 0 ? json_null()
					    : json_real(bars[i].seconds));
		char *text = printed(show_boot, answer);
		char *bar = strchr(text, '|');

		assert_non_null(bar);
		bar[strcspn(bar, "\n")] = '\0';
		if (strcmp(bar, bars[i].bar) != 0)
			fail_msg("%s: %s", bars[i].name, bar);
		free(text);
		json_decref(answer);
	}
}

static const struct {
	const char *name;
	bool enough;
	const char *faster; /* NULL: nobody */
	double difference;  /* a's median less b's */
	const char *said;
} verdicts[] = {
	{"too few", false, NULL, -1,
		"Image whole, ipxe or tftp-uki: too few boots to conclude (5 "
		"of each are the least)"},
	{"chance", true, NULL, -1,
		"Image whole, ipxe or tftp-uki: no difference shown (p = "
		"0.04)"},
	{"a", true, "ipxe", -1.5,
		"Image whole: ipxe is faster than tftp-uki, by 1.500 s in the "
		"median (p = 0.04)"},
	{"b", true, "tftp-uki", 1.5,
		"Image whole: tftp-uki is faster than ipxe, by 1.500 s in the "
		"median (p = 0.04)"},
	/* As of 20 s for half of a's boots and 1 s for the rest. */
	{"but not in the median", true, "ipxe", 1.5,
		"Image whole: ipxe is faster than tftp-uki in most cases, but "
		"not in the median (p = 0.04)"},
	{"with the same median", true, "tftp-uki", 0,
		"Image whole: tftp-uki is faster than ipxe in most cases, but "
		"not in the median (p = 0.04)"},
};

static void test_verdicts(void **state)
{
	(void)state;
	for (size_t i = 0; i < N(verdicts); i++) {
		json_t *c = json_pack("{s:s, s:s, s:s, s:b, s:f, s:f, s:s?}",
			"measure", "last-byte", "a", "ipxe", "b", "tftp-uki",
			"enough", verdicts[i].enough, "p-corrected", 0.04,
			"difference", verdicts[i].difference, "faster",
			verdicts[i].faster);
		char said[REPORT_VERDICT_MAX];

		report_verdict(c, said);
		if (strcmp(said, verdicts[i].said) != 0)
			fail_msg("%s: %s", verdicts[i].name, said);
		json_decref(c);
	}
}

static const struct {
	const char *name;
	double a, b; /* medians */
	const char *said;
} ratios[] = {
	{"twice as fast", 1, 2,
		"tftp://a/f is faster: the other takes 2.00 times as long"},
	{"not in the median", 2, 1,
		"tftp://a/f is faster in most rounds, but not in the median"},
};

static json_t *bench_group(const char *name, double median)
{
	return json_pack(
		"{s:s, s:{s:f}}", "name", name, "last-byte", "median", median);
}

static void test_bench(void **state)
{
	(void)state;
	for (size_t i = 0; i < N(ratios); i++) {
		json_t *result = json_pack("{s:s, s:i, s:i, s:o, s:o,"
					   " s:[{s:s, s:s, s:b, s:f, s:s}]}",
			"as", "http-boot", "blksize", 65464, "windowsize",
			65535, "mac", json_null(), "groups",
			json_pack("[o, o]",
				bench_group("tftp://a/f", ratios[i].a),
				bench_group("tftp://b/f", ratios[i].b)),
			"comparisons", "a", "tftp://a/f", "b", "tftp://b/f",
			"enough", true, "p", 0.01, "faster", "tftp://a/f");
		char *text = printed(bench_show, result);

		if (!strstr(text, ratios[i].said) ||
			!strstr(text, "http-boot (blksize 65464, window "
				      "65535), "))
			fail_msg("%s: %s", ratios[i].name, text);
		free(text);
		json_decref(result);
	}
}

static const struct {
	const char *name, *text;
	size_t columns;
} widths[] = {
	{"plain", "lab-01", 6},
	{"empty", "", 0},
	{"accented", "b\xc3\xbcro", 4},
	{"wide", "\xe5\x9b\xbe\xe5\x83\x8f.efi", 8},
	{"emoji", "\xf0\x9f\x90\xa7", 2},
	{"marks above letters", "e\xcc\x81te\xcc\x81", 3},
	{"not UTF-8", "a\xff\xe5", 3},
};

static void test_width(void **state)
{
	(void)state;
	for (size_t i = 0; i < N(widths); i++)
		if (text_width(widths[i].text) != widths[i].columns)
			fail_msg("%s: %zu", widths[i].name,
				text_width(widths[i].text));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_rest),
		cmocka_unit_test(test_clean),
		cmocka_unit_test(test_bars),
		cmocka_unit_test(test_verdicts),
		cmocka_unit_test(test_bench),
		cmocka_unit_test(test_width),
	};

	/* As netukictl does. */
	setlocale(LC_CTYPE, "C.UTF-8");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
