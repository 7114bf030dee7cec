/* images: what the catalogue makes of files, and what clients get of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/images/digester.h"
#include "daemon/images/image_json.h"
#include "daemon/images/images.h"
#include "daemon/policy/check.h"
#include "daemon/policy/decide.h"
#include "tests/unit/pe.h"

#define N(array) (sizeof(array) / sizeof((array)[0]))
#define MANIFEST "application/vnd.oci.image.manifest.v1+json"
#define INDEX	 "application/vnd.oci.image.index.v1+json"
#define UKI	 "application/vnd.ironcore.image.uki"
#define TAG(t)                                                                 \
	",\"annotations\":{\"org.opencontainers.image.ref.name\":\"" t "\"}"

static char dir[] = "/tmp/netuki-images-XXXXXX";
static char uki_digest[DIGEST_TEXT_LEN];
static struct images *images;
static struct config *config;

static void put(const char *name, const void *data, size_t len)
{
	char path[512];
	FILE *out;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	out = fopen(path, "wbe");
	assert_non_null(out);
	assert_int_equal(fwrite(data, 1, len, out), len);
	assert_int_equal(fclose(out), 0);
}

static void put_text(const char *name, const char *text)
{
	put(name, text, strlen(text));
}

static void put_directory(const char *name)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	assert_int_equal(mkdir(path, 0755), 0);
}

/* A blob of the layout `name`; its digest as text. */
static void put_blob(const char *name, const void *data, size_t len,
	char ret[DIGEST_TEXT_LEN])
{
	struct digest digest;
	char path[256];

	digester_hash_bytes(data, len, &digest);
	digest_format(&digest, ret);
	snprintf(path, sizeof(path), "%s/blobs/sha256/%s", name, ret);
	put(path, data, len);
}

/* The UKI as a blob, and a manifest for it: a descriptor without its end. */
static void put_manifest(const char *layout, const struct pe *pe,
	const char *type, char ret[512])
{
	char text[512], blob[DIGEST_TEXT_LEN], manifest[DIGEST_TEXT_LEN];

	put_blob(layout, pe->data, pe->len, blob);
	snprintf(text, sizeof(text),
		"{\"schemaVersion\":2,\"layers\":[{\"mediaType\":\"%s\","
		"\"digest\":\"sha256:%s\",\"size\":%u}]}",
		type, blob, pe->len);
	put_blob(layout, text, strlen(text), manifest);
	snprintf(ret, 512,
		"{\"mediaType\":\"" MANIFEST "\",\"digest\":\"sha256:%s\","
		"\"size\":%zu",
		manifest, strlen(text));
}

static void begin_layout(const char *name)
{
	char path[256];

	put_directory(name);
	snprintf(path, sizeof(path), "%s/blobs", name);
	put_directory(path);
	snprintf(path, sizeof(path), "%s/blobs/sha256", name);
	put_directory(path);
	snprintf(path, sizeof(path), "%s/oci-layout", name);
	put_text(path, "{\"imageLayoutVersion\":\"1.0.0\"}");
}

static void end_layout(const char *name, const char *manifests)
{
	char path[256], text[4096];

	snprintf(path, sizeof(path), "%s/index.json", name);
	snprintf(text, sizeof(text), "{\"schemaVersion\":2,\"manifests\":[%s]}",
		manifests);
	put_text(path, text);
}

static void make_layouts(const struct pe *pe, const struct pe *arm)
{
	char a[512], b[512], list[2048], index[DIGEST_TEXT_LEN];

	begin_layout("one");
	put_manifest("one", pe, UKI, a);
	snprintf(list, sizeof(list), "%s" TAG("1") "},%s" TAG("a/b") "},%s}", a,
		a, a);
	end_layout("one", list);

	begin_layout("many");
	put_manifest("many", pe, UKI, a);
	put_manifest("many", arm, UKI, b);
	snprintf(list, sizeof(list),
		"{\"schemaVersion\":2,\"manifests\":["
		"%s,\"platform\":{\"architecture\":\"amd64\"}},"
		"%s,\"platform\":{\"architecture\":\"arm64\"}}]}",
		a, b);
	put_blob("many", list, strlen(list), index);
	snprintf(a, sizeof(a),
		"{\"mediaType\":\"" INDEX "\",\"digest\":\"sha256:%s\","
		"\"size\":%zu" TAG("2") "}",
		index, strlen(list));
	end_layout("many", a);

	begin_layout("swapped");
	put_manifest("swapped", arm, UKI, a);
	snprintf(list, sizeof(list),
		"%s,\"platform\":{\"architecture\":\"amd64\"}" TAG("1") "}", a);
	end_layout("swapped", list);

	begin_layout("bad");
	put_manifest("bad", pe, "a/b", a);
	snprintf(list, sizeof(list), "%s" TAG("other") "},%s0" TAG("long") "}",
		a, a);
	end_layout("bad", list);

	begin_layout("gone");
	put_manifest("gone", pe, UKI, a);
	snprintf(list, sizeof(list), "%s" TAG("1") "}", a);
	end_layout("gone", list);
	snprintf(
		list, sizeof(list), "%s/gone/blobs/sha256/%s", dir, uki_digest);
	assert_int_equal(unlink(list), 0);

	begin_layout("broken");
	put_text("broken/index.json", "{");
	put_directory("empty");
}

/* A blob that is not what its digest says, with the right size. */
static void make_forged(const struct pe *pe)
{
	char a[512], list[1024], blob[DIGEST_TEXT_LEN], path[256];
	struct digest digest;

	begin_layout("forged");
	put_manifest("forged", pe, UKI, a);
	snprintf(list, sizeof(list), "%s" TAG("1") "}", a);
	end_layout("forged", list);
	digester_hash_bytes(pe->data, pe->len, &digest);
	digest_format(&digest, blob);
	snprintf(path, sizeof(path), "forged/blobs/sha256/%s", blob);
	pe->data[pe->len - 1] ^= 1;
	put(path, pe->data, pe->len);
	pe->data[pe->len - 1] ^= 1;
}

static bool all(void *arg, const struct image *image)
{
	(void)arg, (void)image;
	return true;
}

static void make_files(const struct pe *pe)
{
	struct pe addon;

	put("x.efi", pe->data, pe->len);
	put("cut.efi", pe->data, pe->len - 1);
	put_text("short.efi", "MZ");
	put_text("README", "read me");
	put_text(".hidden.efi", "not seen");
	put_text("b\xc3\xa4 d.efi", "no URL has it");
	pe_init(&addon, NULL);
	pe_add(&addon, ".cmdline", "quiet", 5);
	put("more.addon.efi", addon.data, addon.len);
	pe_done(&addon);
}

static const char yaml[] =
	"loaders: {x64: /boot/x, arm64: /boot/arm, bios: /boot/bios}\n"
	"http: {port: 8080}\n"
	"images: /nowhere/images\n"
	"machines:\n"
	"  - {name: one, mac: 52:54:00:00:00:01, image: 'one:1'}\n"
	"  - {name: many, mac: 52:54:00:00:00:02, image: 'many:2'}\n"
	"  - {name: pinned, mac: 52:54:00:00:00:03, image: x.efi,"
	" sha256: %s}\n"
	"  - {name: other, mac: 52:54:00:00:00:04, image: x.efi, cmdline: a,"
	" sha256: 00%.62s}\n"
	"  - {name: forged, mac: 52:54:00:00:00:05, image: 'forged:1'}\n"
	"  - {name: addon, mac: 52:54:00:00:00:06, image: more.addon.efi}\n";

static int setup(void **state)
{
	struct config_report report;
	struct pe_shape arm_shape = {.machine = 0xaa64};
	struct pe pe, arm;
	char text[2048];
	struct digest digest;

	(void)state;
	assert_non_null(mkdtemp(dir));
	pe_init_uki(&pe);
	/* Without a kernel it is an application, which is enough here. */
	pe_init(&arm, &arm_shape);
	pe_add(&arm, ".text", "\xc3", 1);
	digester_hash_bytes(pe.data, pe.len, &digest);
	digest_format(&digest, uki_digest);
	make_files(&pe);
	make_layouts(&pe, &arm);
	make_forged(&pe);
	pe_done(&pe);
	pe_done(&arm);

	config_report_init(&report);
	snprintf(text, sizeof(text), yaml, uki_digest, uki_digest);
	config = config_load_text("test.yaml", text, strlen(text), &report);
	for (size_t i = 0; i < report.n; i++)
		print_error("%s\n", report.messages[i].text);
	config_report_done(&report);
	assert_int_equal(images_new(NULL, NULL, dir, NULL, &images), 0);
	return config ? 0 : -1;
}

static int remove_one(
	const char *path, const struct stat *st, int what, struct FTW *ftw)
{
	(void)st, (void)what, (void)ftw;
	return remove(path);
}

static int teardown(void **state)
{
	(void)state;
	images_free(images);
	config_unref(config);
	return nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

struct wanted {
	const char *name;
	enum image_state state;
	const char *why; /* a part of it */
};

static void check_states(const struct wanted *wanted, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct image *image = images_find(images, wanted[i].name);

		if (!image)
			fail_msg("%s is not there", wanted[i].name);
		if (image->state != wanted[i].state ||
			!strstr(image->why, wanted[i].why))
			fail_msg("%s: state %d: %s", wanted[i].name,
				(int)image->state, image->why);
	}
}

static void test_before_digests(void **state)
{
	static const struct wanted wanted[] = {
		{"x.efi", IMAGE_STATE_READY, ""},
		{"one:1", IMAGE_STATE_PENDING, "its digest is being checked"},
		{"many:2@x64", IMAGE_STATE_PENDING, "its digest"},
		{"forged:1", IMAGE_STATE_PENDING, "its digest"},
	};

	(void)state;
	check_states(wanted, N(wanted));
}

/* Everything is listed, and for what is not offered there is a reason. */
static void test_after_digests(void **state)
{
	static const struct wanted wanted[] = {
		{"x.efi", IMAGE_STATE_READY, ""},
		{"one:1", IMAGE_STATE_READY, ""},
		{"many:2@x64", IMAGE_STATE_READY, ""},
		{"many:2@arm64", IMAGE_STATE_READY, ""},
		{"forged:1", IMAGE_STATE_REFUSED, "does not match its digest"},
		{"swapped:1", IMAGE_STATE_REFUSED, "not of the architecture"},
		{"gone:1", IMAGE_STATE_REFUSED, uki_digest},
		{"bad:other", IMAGE_STATE_REFUSED, "no layer of type " UKI},
		{"bad:long", IMAGE_STATE_REFUSED, "does not match its digest"},
		{"broken", IMAGE_STATE_REFUSED, "index.json: it is not valid"},
		{"empty", IMAGE_STATE_REFUSED, "no OCI image layout"},
		{"cut.efi", IMAGE_STATE_REFUSED, "beyond the file's end"},
		{"short.efi", IMAGE_STATE_REFUSED, "too short"},
		{"more.addon.efi", IMAGE_STATE_REFUSED, "addon"},
		{"README", IMAGE_STATE_REFUSED, "does not end in .efi"},
		{"b\xc3\xa4 d.efi", IMAGE_STATE_REFUSED, "ASCII"},
	};

	(void)state;
	images_hash(images, all, NULL, NULL);
	check_states(wanted, N(wanted));
	/* "one" itself is the refused entry of a tag "a/b", and of none. */
	assert_int_equal(images->n, N(wanted) + 2);
	assert_null(images_find(images, ".hidden.efi"));
}

static void test_names(void **state)
{
	static const struct {
		const char *name;
		enum arch arch;
		const char *want; /* NULL: none */
	} cases[] = {
		{"x.efi", ARCH_X64, "x.efi"},
		{"x.efi", ARCH_ARM64, "x.efi"},
		{"many:2", ARCH_X64, "many:2@x64"},
		{"many:2", ARCH_BIOS, "many:2@x64"},
		{"many:2", ARCH_ARM64, "many:2@arm64"},
		{"many:2", ARCH_IA32, NULL},
		{"many:2", ARCH_INVALID, NULL},
		{"many:2@arm64", ARCH_X64, "many:2@arm64"},
		{"many", ARCH_X64, NULL},
	};

	(void)state;
	for (size_t i = 0; i < N(cases); i++) {
		const struct image *image =
			images_find_for(images, cases[i].name, cases[i].arch);

		if ((image != NULL) != (cases[i].want != NULL) ||
			(image && strcmp(image->name, cases[i].want) != 0))
			fail_msg("%s for %s: %s", cases[i].name,
				arch_name(cases[i].arch),
				image ? image->name : "none");
	}
	assert_non_null(images_find_any(images, "many:2"));
	assert_null(images_find_any(images, "many:"));
	assert_true(
		image_is_named(images_find(images, "many:2@arm64"), "many:2"));
	assert_false(image_is_named(images_find(images, "x.efi"), "x"));
}

/* What cannot be booted is never silence: iPXE says it on the screen. */
static void test_plans(void **state)
{
	static const struct {
		uint8_t mac;
		enum pxe_firmware firmware;
		enum arch arch;
		enum plan_kind kind;
		const char *file;    /* a part of it */
		const char *message; /* a part; NULL: the script boots */
	} cases[] = {
		{1, PXE_FIRMWARE_HTTP, ARCH_X64, PLAN_IMAGE, "images/one:1",
			NULL},
		{1, PXE_FIRMWARE_HTTP, ARCH_ARM64, PLAN_LOADER, "loaders/arm",
			"another architecture"},
		{2, PXE_FIRMWARE_HTTP, ARCH_X64, PLAN_IMAGE,
			"images/many:2@x64", NULL},
		{2, PXE_FIRMWARE_HTTP, ARCH_ARM64, PLAN_IMAGE,
			"images/many:2@arm64", NULL},
		{2, PXE_FIRMWARE_HTTP, ARCH_IA32, PLAN_SILENCE, "", NULL},
		{2, PXE_FIRMWARE_BIOS, ARCH_BIOS, PLAN_LOADER, "bios", NULL},
		{3, PXE_FIRMWARE_HTTP, ARCH_X64, PLAN_IMAGE,
			"machines/52-54-00-00-00-03/x.efi", NULL},
		{4, PXE_FIRMWARE_HTTP, ARCH_X64, PLAN_LOADER, "loaders/x",
			"not what `sha256` says"},
		{5, PXE_FIRMWARE_HTTP, ARCH_X64, PLAN_LOADER, "loaders/x",
			"does not match its digest"},
		{6, PXE_FIRMWARE_HTTP, ARCH_X64, PLAN_LOADER, "loaders/x",
			"addon"},
		{6, PXE_FIRMWARE_BIOS, ARCH_BIOS, PLAN_LOADER, "bios", "addon"},
	};
	struct decide_world world = {.config = config, .images = images};

	(void)state;
	for (size_t i = 0; i < N(cases); i++) {
		struct client client = {
			.firmware = cases[i].firmware,
			.arch = cases[i].arch,
			.ipxe_http = true,
			.has_mac = true,
			.mac = {{0x52, 0x54, 0, 0, 0, cases[i].mac}},
			.server = 0x7f000001,
		};
		static struct script_plan script;
		struct plan plan;

		decide(&world, &client, &plan);
		if (plan.kind != cases[i].kind ||
			!strstr(plan.file, cases[i].file))
			fail_msg("row %zu: %s %s: %s", i,
				plan_kind_name(plan.kind), plan.file,
				plan.reason);
		client.firmware = PXE_FIRMWARE_IPXE;
		decide(&world, &client, &plan);
		if (plan.kind != PLAN_SCRIPT)
			continue;
		decide_script(&world, &client, &plan, &script);
		if (cases[i].message &&
			(script.script.kind != IPXE_SCRIPT_SAY ||
				!strstr(script.message, cases[i].message)))
			fail_msg("row %zu: script %d: %s", i,
				(int)script.script.kind, script.message);
		if (!cases[i].message && cases[i].kind == PLAN_IMAGE)
			assert_int_equal(script.script.kind, IPXE_SCRIPT_CHAIN);
	}
}

/* Its architecture is known once it has asked. */
static void test_seen(void **state)
{
	static const struct {
		uint8_t mac;
		enum arch arch;
		const char *want; /* a part; NULL: nothing to say */
	} cases[] = {
		{1, ARCH_X64, NULL},
		{1, ARCH_BIOS, NULL},
		{1, ARCH_ARM64,
			"one:1 does not suit one, which last asked as "
			"arm64: the image is of another architecture"},
		{2, ARCH_ARM64, NULL},
		{2, ARCH_IA32, "has none for that"},
		{1, ARCH_INVALID, NULL},
		{99, ARCH_ARM64, NULL},
	};

	(void)state;
	for (size_t i = 0; i < N(cases); i++) {
		struct clients *clients = clients_new();
		struct mac mac = {{0x52, 0x54, 0, 0, 0, cases[i].mac}};
		struct config_report report;
		struct check_client *list;
		size_t n;

		assert_non_null(clients);
		clients_touch(clients, &mac, 1)->arch = cases[i].arch;
		config_report_init(&report);
		list = check_clients(clients, &n);
		check_seen(config, images, list, n, &report);
		free(list);
		if (report.n != (cases[i].want != NULL) ||
			(report.n && !strstr(report.messages[0].text,
					     cases[i].want)))
			fail_msg("row %zu: %s", i,
				report.n ? report.messages[0].text : "nothing");
		assert_int_equal(report.n_errors, 0);
		config_report_done(&report);
		clients_free(clients);
	}
}

/* What the configuration asks for and the catalogue cannot give. */
static void test_check(void **state)
{
	static const char *const wanted[] = {
		"images: there is no /nowhere/images",
		"sha256: x.efi has another digest",
		"image: forged:1 cannot be booted: its content does not match",
		"image: more.addon.efi cannot be booted: it is an addon",
	};
	struct config_report report;
	bool seen[N(wanted)] = {false};

	(void)state;
	config_report_init(&report);
	check_config(config, images, NULL, NULL, false, &report);
	for (size_t i = 0; i < report.n; i++) {
		bool known = false;

		for (size_t j = 0; j < N(wanted); j++)
			if (strstr(report.messages[i].text, wanted[j]))
				known = seen[j] = true;
		if (!known)
			fail_msg("%s", report.messages[i].text);
	}
	for (size_t j = 0; j < N(wanted); j++)
		if (!seen[j])
			fail_msg("not said: %s", wanted[j]);
	assert_int_equal(report.n_errors, 2);
	config_report_done(&report);
}

/* A pin goes with an image that is said in the same place or later. */
static void test_resolve_pin(void **state)
{
#define A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
	static const char text[] =
		"defaults: {image: d.efi, sha256: " A "}\n"
		"groups: {g: {image: g.efi}, p: {sha256: " B "}}\n"
		"machines:\n"
		"  - {name: plain, serial: A}\n"
		"  - {name: other, serial: B, group: g}\n"
		"  - {name: group, serial: C, group: p}\n"
		"  - {name: own, serial: D, group: g, sha256: " B "}\n"
		"  - {name: image, serial: E, group: p, image: m.efi}\n";
	static const struct {
		const char *machine, *image, *sha256;
	} cases[] = {
		{"plain", "d.efi", A},
		{"other", "g.efi", NULL},
		{"group", "d.efi", B},
		{"own", "g.efi", B},
		{"image", "m.efi", NULL},
	};
#undef A
#undef B
	struct config_report report;
	struct config *pinned;

	(void)state;
	config_report_init(&report);
	pinned = config_load_text("pins.yaml", text, sizeof(text) - 1, &report);
	assert_non_null(pinned);
	for (size_t i = 0; i < N(cases); i++) {
		struct config_resolved r;

		config_resolve(
			pinned, config_find_name(pinned, cases[i].machine), &r);
		if (!r.image || strcmp(r.image, cases[i].image) != 0 ||
			!r.sha256 != !cases[i].sha256 ||
			(r.sha256 && strcmp(r.sha256, cases[i].sha256) != 0))
			fail_msg("%s: %s %s", cases[i].machine, r.image,
				r.sha256 ? r.sha256 : "none");
	}
	config_unref(pinned);
	config_report_done(&report);
}

static void test_json(void **state)
{
	const struct image *image = images_find(images, "x.efi");
	json_t *o = image_json(image);
	const json_t *paths = json_object_get(o, "paths");

	(void)state;
	assert_string_equal(
		json_string_value(json_object_get(o, "sha256")), uki_digest);
	assert_string_equal(
		json_string_value(json_object_get(o, "cmdline")), "quiet");
	assert_int_equal(json_array_size(json_object_get(o, "sections")), 5);
	for (int p = 0; p < IMAGE_PATH_MAX; p++) {
		const json_t *path = json_object_get(
			paths, image_path_name((enum image_path)p));

		assert_true(json_is_true(json_object_get(path, "works")));
		assert_true(
			json_is_true(json_object_get(path, "cmdline-added")));
	}
	json_decref(o);
	/* All are JSON, whatever they hold. */
	for (size_t i = 0; i < images->n; i++) {
		o = image_json(images->image[i]);
		assert_non_null(json_object_get(o, "name"));
		json_decref(o);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_before_digests),
		cmocka_unit_test(test_after_digests),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_plans),
		cmocka_unit_test(test_seen),
		cmocka_unit_test(test_check),
		cmocka_unit_test(test_resolve_pin),
		cmocka_unit_test(test_json),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
