#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "proto/ipxe_script.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

#define URL    "http://192.0.2.1/images/debian.efi"
#define KERNEL "http://192.0.2.1/images/debian.efi/linux"
#define INITRD "http://192.0.2.1/images/debian.efi/initrd"

/* What surrounds the commands that fetch and start something. */
#define LOOP_BEGIN                                                             \
	"set try:int32 1\n"                                                    \
	":again\n"                                                             \
	"imgfree\n"
#define LOOP_END                                                               \
	"exit 0\n"                                                             \
	":failed\n"                                                            \
	"echo netuki: try ${try} of 5 failed\n"                                \
	"iseq ${try} 5 && goto give_up ||\n"                                   \
	"inc try\n"                                                            \
	"echo netuki: again in 5 seconds\n"                                    \
	"sleep 5\n"                                                            \
	"goto again\n"                                                         \
	":give_up\n"                                                           \
	"echo netuki: giving up, the firmware goes on with its boot order\n"   \
	"sleep 10\n"                                                           \
	"exit 1\n"
#define SAY_END                                                                \
	"echo netuki: the firmware goes on with its boot order in 15 "         \
	"seconds\n"                                                            \
	"sleep 15\n"                                                           \
	"exit 1\n"

#define VLAN_42                                                                \
	"set trunk ${netX/ifname}\n"                                           \
	"vcreate --tag 42 ${trunk} || goto no_vlan\n"                          \
	"ifclose ${trunk}\n"                                                   \
	"set ${trunk}/ip 0.0.0.0\n"                                            \
	"set try:int32 1\n"                                                    \
	":vlan\n"                                                              \
	"ifconf --configurator dhcp ${trunk}-42 && goto begin ||\n"            \
	"iseq ${try} 5 && goto no_vlan ||\n"                                   \
	"inc try\n"                                                            \
	"goto vlan\n"                                                          \
	":no_vlan\n"                                                           \
	"echo netuki: no DHCP in VLAN 42, or this iPXE is built without "      \
	"VLAN_CMD\n"                                                           \
	"goto give_up\n"                                                       \
	":begin\n"

static const struct {
	const char *name;
	struct ipxe_script script;
	const char *want;
} scripts[] = {
	{"UKI with its own command line",
		{.kind = IPXE_SCRIPT_CHAIN,
			.title = "debian.efi for lab-01",
			.url = URL},
		"#!ipxe\n"
		"echo netuki: debian.efi for lab-01\n" LOOP_BEGIN
		"chain --name= --timeout 30000 " URL
		" || goto failed\n" LOOP_END},
	{"UKI over a VLAN", {.kind = IPXE_SCRIPT_CHAIN, .url = URL, .vlan = 42},
		"#!ipxe\n" VLAN_42 LOOP_BEGIN
		"chain --name= --timeout 30000 " URL
		" || goto failed\n" LOOP_END},
	{"kernel over a VLAN",
		{.kind = IPXE_SCRIPT_KERNEL, .url = KERNEL, .vlan = 42},
		"#!ipxe\n" VLAN_42 LOOP_BEGIN "kernel --timeout 30000 " KERNEL
		" || goto failed\nboot || goto failed\n" LOOP_END},
	{"local disk, whatever the VLAN",
		{.kind = IPXE_SCRIPT_LOCAL, .vlan = 42}, "#!ipxe\nexit 1\n"},
	{"UKI with another command line",
		{.kind = IPXE_SCRIPT_CHAIN,
			.url = URL,
			.cmdline = "console=ttyS0 a=\"b c\" -x --name=y"},
		"#!ipxe\n" LOOP_BEGIN "chain --name= --timeout 30000 " URL
		" console=ttyS0 a=\"b c\" -x --name=y || goto "
		"failed\n" LOOP_END},
	{"a command line of nothing is none",
		{.kind = IPXE_SCRIPT_CHAIN, .url = URL, .cmdline = ""},
		"#!ipxe\n" LOOP_BEGIN "chain --name= --timeout 30000 " URL
		" || goto failed\n" LOOP_END},
	{"a final backslash does not reach the line's end",
		{.kind = IPXE_SCRIPT_CHAIN, .url = URL, .cmdline = "a=b\\"},
		"#!ipxe\n" LOOP_BEGIN "chain --name= --timeout 30000 " URL
		" a=b\\ || goto failed\n" LOOP_END},
	{"kernel and initrd",
		{.kind = IPXE_SCRIPT_KERNEL,
			.title = "debian.efi for lab-01",
			.url = KERNEL,
			.initrd = INITRD,
			.cmdline = "console=ttyS0"},
		"#!ipxe\n"
		"echo netuki: debian.efi for lab-01\n" LOOP_BEGIN
		"kernel --timeout 30000 " KERNEL
		" console=ttyS0 || goto failed\n"
		"initrd --timeout 30000 " INITRD " || goto failed\n"
		"boot || goto failed\n" LOOP_END},
	{"kernel alone", {.kind = IPXE_SCRIPT_KERNEL, .url = KERNEL},
		"#!ipxe\n" LOOP_BEGIN "kernel --timeout 30000 " KERNEL
		" || goto failed\n"
		"boot || goto failed\n" LOOP_END},
	{"local disk", {.kind = IPXE_SCRIPT_LOCAL}, "#!ipxe\nexit 1\n"},
	{"local disk, said so",
		{.kind = IPXE_SCRIPT_LOCAL, .title = "lab-01: local disk"},
		"#!ipxe\necho netuki: lab-01: local disk\nexit 1\n"},
	{"a message",
		{.kind = IPXE_SCRIPT_SAY,
			.message = "no image for this machine"},
		"#!ipxe\necho netuki: nothing to boot: no image for this "
		"machine\n" SAY_END},
	{"no message", {.kind = IPXE_SCRIPT_SAY},
		"#!ipxe\necho netuki: nothing to boot: \n" SAY_END},
};

static void test_scripts(void **state)
{
	char out[2048];

	(void)state;
	for (size_t i = 0; i < COUNT(scripts); i++) {
		size_t len =
			ipxe_script_build(&scripts[i].script, out, sizeof(out));

		if (len == 0 || len != strlen(out) ||
			strcmp(out, scripts[i].want) != 0)
			fail_msg("%s: %s", scripts[i].name, out);
	}
}

/* One byte less than it needs: nothing; and never a byte behind the end. */
static void test_every_capacity(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(scripts); i++) {
		size_t want = strlen(scripts[i].want);

		for (size_t cap = 0; cap <= want + 1; cap++) {
			char *out = malloc(cap ? cap : 1);
			size_t len;

			assert_non_null(out);
			len = ipxe_script_build(&scripts[i].script, out, cap);
			if (len != (cap > want ? want : 0) ||
				(cap > 0 && strlen(out) != len))
				fail_msg("%s: %zu bytes of %zu",
					scripts[i].name, len, cap);
			free(out);
		}
	}
}

static const struct {
	const char *cmdline;
	const char *why; /* NULL: safe */
} cmdlines[] = {
	{"", NULL},
	{"quiet", NULL},
	{"  root=/dev/sda1   ro  ", NULL},
	{"a=\"b c\" d=\"\"", NULL},
	{"a|b a||b ||a a|| & | &&& ;; a; ;a", NULL},
	{"a#b", NULL},
	{"$ { $a {b} $$ }", NULL},
	{"a=b\\ \\", NULL},
	{"!\"%'()*+,-./:<=>?@[]^_`~", NULL},
	{"a=\"b c\"  d", NULL},
	{"a=${net0/mac}", "it holds \"${\", which iPXE expands"},
	{"$${x}", "it holds \"${\", which iPXE expands"},
	{"${", "it holds \"${\", which iPXE expands"},
	{"a || b", "a word of it is \"||\", \"&&\" or \";\", which ends an "
		   "iPXE command"},
	{"&&", "a word of it is \"||\", \"&&\" or \";\", which ends an iPXE "
	       "command"},
	{"a ;", "a word of it is \"||\", \"&&\" or \";\", which ends an iPXE "
		"command"},
	{"a=\"b ; c\"", "a word of it is \"||\", \"&&\" or \";\", which ends "
			"an iPXE command"},
	{"a #b", "a word of it begins with \"#\", which begins a comment in "
		 "iPXE"},
	{"#", "a word of it begins with \"#\", which begins a comment in iPXE"},
	{"a=\"b  c\"",
		"it holds several spaces within quotes, which iPXE makes one"},
	{"a\nexit", "it holds a control character"},
	{"a\rb", "it holds a control character"},
	{"a\tb", "it holds a control character"},
	{"a\x7f", "it holds a control character"},
	{"a=\xc3\xa9", "it holds a character outside ASCII"},
	{"a=\xff", "it holds a character outside ASCII"},
};

static void test_cmdlines(void **state)
{
	static const enum ipxe_script_kind kinds[] = {
		IPXE_SCRIPT_CHAIN, IPXE_SCRIPT_KERNEL};
	char out[2048];

	(void)state;
	for (size_t i = 0; i < COUNT(cmdlines); i++) {
		const char *why = NULL;
		bool safe = ipxe_cmdline_is_safe(cmdlines[i].cmdline, &why);

		if (safe != !cmdlines[i].why ||
			(!safe && strcmp(why, cmdlines[i].why) != 0))
			fail_msg("\"%s\": %s", cmdlines[i].cmdline,
				why ? why : "safe");
		for (size_t j = 0; j < COUNT(kinds); j++) {
			const struct ipxe_script script = {.kind = kinds[j],
				.url = URL,
				.cmdline = cmdlines[i].cmdline};
			size_t len =
				ipxe_script_build(&script, out, sizeof(out));

			if ((len > 0) != safe || strlen(out) != len)
				fail_msg("\"%s\": script of %zu bytes",
					cmdlines[i].cmdline, len);
		}
	}
}

/*
 * The words that iPXE's shell would give to the command of this line, as its
 * core/exec.c takes them: at white space, up to an operator or a comment.
 */
static size_t split(char *line, char **words, size_t max)
{
	size_t n = 0;
	char *save;

	for (char *w = strtok_r(line, " \t\r\v\f", &save); w && n < max;
		w = strtok_r(NULL, " \t\r\v\f", &save)) {
		if (w[0] == '#' || strcmp(w, "||") == 0 ||
			strcmp(w, "&&") == 0 || strcmp(w, ";") == 0)
			break;
		words[n++] = w;
	}
	return n;
}

/* iPXE joins its arguments with single spaces. */
static void test_words_arrive(void **state)
{
	char out[2048], copy[256], *want[64], *got[64], *line, *end;

	(void)state;
	for (size_t i = 0; i < COUNT(cmdlines); i++) {
		const struct ipxe_script script = {.kind = IPXE_SCRIPT_CHAIN,
			.url = URL,
			.cmdline = cmdlines[i].cmdline};
		size_t n;

		if (cmdlines[i].why)
			continue;
		assert_int_not_equal(
			ipxe_script_build(&script, out, sizeof(out)), 0);
		line = strstr(out, "\nchain ");
		assert_non_null(line);
		end = strchr(++line, '\n');
		assert_non_null(end);
		*end = '\0';
		assert_int_not_equal(end[-1], '\\');
		strcpy(copy, cmdlines[i].cmdline);
		n = split(copy, want, COUNT(want));
		assert_int_equal(split(line, got, COUNT(got)), n + 5);
		assert_string_equal(got[4], URL);
		for (size_t j = 0; j < n; j++)
			assert_string_equal(got[5 + j], want[j]);
	}
}

static void test_urls(void **state)
{
	static const char *const bad[] = {NULL, "", "-x", "#x", "||", "&&", ";",
		"http://a/b c", "http://a/\nexit", "http://a/${uuid}",
		"http://a/\xc3\xa9", " http://a/", "http://a/ "};
	char out[2048];

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		const struct ipxe_script cases[] = {
			{.kind = IPXE_SCRIPT_CHAIN, .url = bad[i]},
			{.kind = IPXE_SCRIPT_KERNEL, .url = bad[i]},
			{.kind = IPXE_SCRIPT_KERNEL,
				.url = URL,
				.initrd = bad[i]},
		};

		for (size_t j = 0; j < COUNT(cases); j++) {
			size_t len =
				ipxe_script_build(&cases[j], out, sizeof(out));

			/* No initrd is no error. */
			if ((len > 0) != (j == 2 && !bad[i]))
				fail_msg("row %zu, %zu: %s", i, j, out);
		}
	}
}

/* The line as it stands in the script, behind our own words. */
static void test_shown(void **state)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{"plain text: 1 + 1 = 2", "plain text: 1 + 1 = 2"},
		{"line\nexit 0\r\n\tend", "line exit 0   end"},
		{"${net0/mac} $${x} $", "?{net0/mac} $?{x} $"},
		{"a || b && c ; d", "a ?| b ?& c ? d"},
		{"# a #b c#d", "? a ?b c#d"},
		{"a|b a;b", "a|b a;b"},
		{"|| x", "?| x"},
		{"\x01# \x1b[2J", " ?  [2J"},
		{"caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x90\xa7", "caf? ? ?"},
		{"\x80\xbf broken", " broken"},
		{"\x7f", "?"},
		{"ends in \\", "ends in /"},
		{"-n --help", "-n --help"},
		{"~}|", "~}|"},
		{"", ""},
	};
	char out[2048], want[2048];

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct ipxe_script say = {
			.kind = IPXE_SCRIPT_SAY, .message = cases[i].text};
		const struct ipxe_script local = {
			.kind = IPXE_SCRIPT_LOCAL, .title = cases[i].text};

		assert_int_not_equal(
			ipxe_script_build(&say, out, sizeof(out)), 0);
		strcpy(want, "#!ipxe\necho netuki: nothing to boot: ");
		strcat(want, cases[i].want);
		strcat(want, "\n" SAY_END);
		assert_string_equal(out, want);
		assert_int_not_equal(
			ipxe_script_build(&local, out, sizeof(out)), 0);
		strcpy(want, "#!ipxe\necho netuki: ");
		strcat(want, cases[i].want);
		strcat(want, "\nexit 1\n");
		assert_string_equal(out, want);
	}
}

static void test_shown_is_bounded(void **state)
{
	static char text[100000];
	const struct ipxe_script script = {
		.kind = IPXE_SCRIPT_LOCAL, .title = text};
	char out[512];

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	assert_int_equal(ipxe_script_build(&script, out, sizeof(out)),
		strlen("#!ipxe\necho netuki: \nexit 1\n") + 200);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_scripts),
		cmocka_unit_test(test_every_capacity),
		cmocka_unit_test(test_cmdlines),
		cmocka_unit_test(test_words_arrive),
		cmocka_unit_test(test_urls),
		cmocka_unit_test(test_shown),
		cmocka_unit_test(test_shown_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
