/* oci: indexes and manifests. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "daemon/images/oci.h"

#define N(array)  (sizeof(array) / sizeof((array)[0]))
#define AB	  "abababababababababababababababab"
#define HEX	  AB AB
#define DIGEST	  "'digest': 'sha256:" HEX "'"
#define MANIFEST  "'mediaType': 'application/vnd.oci.image.manifest.v1+json'"
#define INDEX	  "'mediaType': 'application/vnd.oci.image.index.v1+json'"
#define UKI	  "'mediaType': 'application/vnd.ironcore.image.uki'"
#define TAG(t)	  "'annotations': {'org.opencontainers.image.ref.name': '" t "'}"
#define ARCH(a)	  "'platform': {'os': 'linux', 'architecture': '" a "'}"
#define LIST(l)	  "{'schemaVersion': 2, 'manifests': [" l "]}"
#define LAYERS(l) "{'schemaVersion': 2, 'layers': [" l "]}"

/* Rows are easier to read with single quotes. */
static size_t json(const char *text, char *ret, size_t cap)
{
	size_t len = strlen(text);

	assert_true(len < cap);
	for (size_t i = 0; i <= len; i++)
		ret[i] = text[i] == '\'' ? '"' : text[i];
	return len;
}

static const struct {
	const char *name, *text;
	const char *want; /* "TYPE TAG ARCH SIZE; ..."; NULL: refused */
} index_cases[] = {
	{"one", LIST("{" MANIFEST "," DIGEST ", 'size': 412," TAG("v2") "}"),
		"0 v2 ? 412; "},
	{"none", LIST(""), ""},
	{"arches",
		LIST("{" MANIFEST "," DIGEST ", 'size': 1," ARCH(
			"amd64") "},"
				 "{" MANIFEST "," DIGEST
				 ", 'size': 2," ARCH("arm64") "}"),
		"0  x64 1; 0  arm64 2; "},
	{"nested", LIST("{" INDEX "," DIGEST ", 'size': 1," TAG("m") "}"),
		"1 m ? 1; "},
	{"other things",
		LIST("{'mediaType': 'text/plain'," DIGEST
		     ", 'size': 1," ARCH("s390x") "}"),
		"2  ? 1; "},
	{"a tag that is no text",
		LIST("{" MANIFEST "," DIGEST ", 'size': 1, 'annotations':"
		     " {'org.opencontainers.image.ref.name': 5}}"),
		"0  ? 1; "},
	{"no version", "{'manifests': []}", NULL},
	{"version 1", "{'schemaVersion': 1, 'manifests': []}", NULL},
	{"no list", "{'schemaVersion': 2}", NULL},
	{"a list of numbers", LIST("1"), NULL},
	{"no digest", LIST("{" MANIFEST ", 'size': 1}"), NULL},
	{"no size", LIST("{" MANIFEST "," DIGEST "}"), NULL},
	{"size below zero", LIST("{" MANIFEST "," DIGEST ", 'size': -1}"),
		NULL},
	{"size as text", LIST("{" MANIFEST "," DIGEST ", 'size': '1'}"), NULL},
	{"another digest",
		LIST("{" MANIFEST ", 'digest': 'sha512:" HEX HEX
		     "', 'size': 1}"),
		NULL},
	{"no kind of digest",
		LIST("{" MANIFEST ", 'digest': '" HEX "', 'size': 1}"), NULL},
	{"a path for a digest",
		LIST("{" MANIFEST ", 'digest': 'sha256:../../../../etc/passwd',"
		     " 'size': 1}"),
		NULL},
	{"upper case in a digest",
		LIST("{" MANIFEST ", 'digest': 'sha256:AB" AB
		     "ababababababababababababababab', 'size': 1}"),
		NULL},
	{"a key twice",
		"{'schemaVersion': 2, 'schemaVersion': 2,"
		" 'manifests': []}",
		NULL},
	{"a list", "[]", NULL},
	{"nothing", "", NULL},
	{"cut", "{'schemaVersion': 2, 'manifests': [", NULL},
	{"something behind it", LIST("") "x", NULL},
};

static void test_index(void **state)
{
	static struct oci_index index;

	(void)state;
	for (size_t i = 0; i < N(index_cases); i++) {
		char text[1024], is[256] = "";
		size_t n = 0,
		       len = json(index_cases[i].text, text, sizeof(text));
		const char *why = NULL;
		bool ok = oci_parse_index(text, len, &index, &why);

		for (size_t j = 0; ok && j < index.n; j++) {
			const struct oci_descriptor *d = &index.entry[j];

			n += (size_t)snprintf(is + n, sizeof(is) - n,
				"%d %s %s %llu; ", (int)d->type, d->tag,
				arch_name(d->arch),
				(unsigned long long)d->size);
		}
		if (ok != (index_cases[i].want != NULL) || ok != !why ||
			(ok && strcmp(is, index_cases[i].want) != 0))
			fail_msg("%s: %s", index_cases[i].name, ok ? is : why);
	}
}

static void test_manifest(void **state)
{
	static const struct {
		const char *name, *text;
		const char *why; /* NULL: taken; else a part of the reason */
	} cases[] = {
		{"one", LAYERS("{" UKI "," DIGEST ", 'size': 7}"), NULL},
		{"among others",
			LAYERS("{'mediaType': 'a/b'}, 5, {" UKI "," DIGEST
			       ", 'size': 7}"),
			NULL},
		{"two",
			LAYERS("{" UKI "," DIGEST ", 'size': 7}, {" UKI
			       "," DIGEST ", 'size': 7}"),
			"several layers"},
		{"none", LAYERS("{'mediaType': 'a/b'}"), "no layer of type"},
		{"no layers", "{'schemaVersion': 2}", "no layers"},
		{"a type that only begins so",
			LAYERS("{'mediaType':"
			       " 'application/vnd.ironcore.image.uki.v1',"
			       " " DIGEST ", 'size': 7}"),
			"no layer of type"},
		{"no digest", LAYERS("{" UKI ", 'size': 7}"), "digest"},
	};

	(void)state;
	for (size_t i = 0; i < N(cases); i++) {
		char text[1024], digest[DIGEST_TEXT_LEN];
		size_t len = json(cases[i].text, text, sizeof(text));
		struct oci_descriptor layer;
		const char *why = NULL;
		bool ok = oci_parse_manifest(text, len, &layer, &why);

		if (ok != !cases[i].why || (!ok && !strstr(why, cases[i].why)))
			fail_msg("%s: %s", cases[i].name, ok ? "taken" : why);
		if (!ok)
			continue;
		digest_format(&layer.digest, digest);
		assert_string_equal(digest, HEX);
		assert_int_equal(layer.size, 7);
	}
}

static void test_limits(void **state)
{
	static char text[OCI_MAX_JSON + 2];
	static struct oci_index index;
	const char *why = NULL;

	(void)state;
	memset(text, '[', 1000);
	assert_false(oci_parse_index(text, 1000, &index, &why));
	assert_non_null(strstr(why, "deep"));
	/* Brackets in a text nest nothing. */
	memcpy(text, "{\"a\\\"\":\"", 8);
	memcpy(text + 999, "\"}", 3);
	assert_false(oci_parse_index(text, 1001, &index, &why));
	assert_null(strstr(why, "deep"));
	memset(text, ' ', sizeof(text));
	assert_false(oci_parse_index(text, OCI_MAX_JSON + 1, &index, &why));
	assert_non_null(strstr(why, "longer"));
}

static void test_tags(void **state)
{
	static const struct {
		const char *tag;
		bool plain;
	} cases[] = {{"v1", true}, {"12", true}, {"_x", true},
		{"a.b_c-d", true}, {"", false}, {".a", false}, {"-a", false},
		{"a/b", false}, {"a b", false}, {"a@b", false}, {"a:b", false},
		{"\xc3\xa4", false}, {"a\n", false}};

	(void)state;
	for (size_t i = 0; i < N(cases); i++)
		if (oci_tag_is_plain(cases[i].tag) != cases[i].plain)
			fail_msg("\"%s\"", cases[i].tag);
}

static void test_layout(void **state)
{
	static const struct {
		const char *text;
		bool ok;
	} cases[] = {{"{'imageLayoutVersion': '1.0.0'}", true},
		{"{'imageLayoutVersion': '2.0.0'}", false},
		{"{'imageLayoutVersion': 1}", false}, {"{}", false},
		{"", false}};

	(void)state;
	for (size_t i = 0; i < N(cases); i++) {
		const char *why = NULL;
		char text[64];
		size_t len = json(cases[i].text, text, sizeof(text));

		if (oci_check_layout(text, len, &why) != cases[i].ok ||
			cases[i].ok != !why)
			fail_msg("%s", cases[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_index),
		cmocka_unit_test(test_manifest),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_tags),
		cmocka_unit_test(test_layout),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
