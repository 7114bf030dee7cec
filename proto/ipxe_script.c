#include "proto/ipxe_script.h"

#include <stdint.h>
#include <string.h>

#include "proto/wire.h"

/* Longest text that a line for the screen takes from the caller. */
#define MAX_SHOWN 200

/*
 * A transfer that makes no progress for so long is given up. iPXE of 2019 has
 * no such limit of its own, and would wait for a dead server for ever.
 */
#define IDLE_MS "30000"

#define MAX_TRIES   "5"
#define RETRY_S	    "5"
#define GIVE_UP_S   "10"
#define SAY_PAUSE_S "15"

static size_t word_len(const char *word)
{
	const char *space = strchr(word, ' ');

	return space ? (size_t)(space - word) : strlen(word);
}

static bool is_terminator(const char *word, size_t len)
{
	return (len == 2 && (memcmp(word, "||", 2) == 0 ||
				    memcmp(word, "&&", 2) == 0)) ||
	       (len == 1 && word[0] == ';');
}

/* One word: iPXE looks for operators and comments at the start of words. */
static const char *find_bad_word(const char *word)
{
	if (is_terminator(word, word_len(word)))
		return "a word of it is \"||\", \"&&\" or \";\", which ends an "
		       "iPXE command";
	if (word[0] == '#')
		return "a word of it begins with \"#\", which begins a comment "
		       "in iPXE";
	return NULL;
}

static const char *find_bad_char(const char *at, bool in_quotes)
{
	uint8_t c = (uint8_t)at[0];

	if (c < 0x20 || c == 0x7f)
		return "it holds a control character";
	/* iPXE makes one UTF-16 character of each byte. */
	if (c > 0x7f)
		return "it holds a character outside ASCII";
	if (c == '$' && at[1] == '{')
		return "it holds \"${\", which iPXE expands";
	if (in_quotes && c == ' ' && at[1] == ' ')
		return "it holds several spaces within quotes, which iPXE "
		       "makes one";
	return NULL;
}

bool ipxe_cmdline_is_safe(const char *cmdline, const char **ret_why)
{
	const char *why = NULL;
	bool in_quotes = false;

	for (const char *at = cmdline; *at && !why; at++) {
		if (*at == '"')
			in_quotes = !in_quotes;
		why = find_bad_char(at, in_quotes);
		if (!why && *at != ' ' && (at == cmdline || at[-1] == ' '))
			why = find_bad_word(at);
	}
	if (why)
		*ret_why = why;
	return !why;
}

/* One word, which iPXE takes neither as an option nor for expansion. */
static bool url_is_safe(const char *url)
{
	const char *why;

	return url && url[0] != '\0' && url[0] != '-' && !strchr(url, ' ') &&
	       ipxe_cmdline_is_safe(url, &why);
}

static char shown_char(const char *at)
{
	uint8_t c = (uint8_t)at[0];

	if (c < 0x20)
		return ' ';
	if (c > 0x7e || (c == '$' && at[1] == '{'))
		return '?';
	/* At the line's end it would join the next line to this one. */
	if (c == '\\')
		return '/';
	return (char)c;
}

/*
 * Text for an `echo` of ours, behind a word of ours. Every character outside
 * ASCII becomes one '?'; operators and comments lose their meaning.
 */
static void put_shown(struct wire_writer *w, const char *text)
{
	size_t n = 0;
	char last = ' ';

	for (const char *at = text; *at && n < MAX_SHOWN; at++) {
		char c = shown_char(at);

		if (((uint8_t)at[0] & 0xc0) == 0x80)
			continue; /* inside a UTF-8 character */
		if (last == ' ' &&
			(c == '#' || c == '|' || c == '&' || c == ';'))
			c = '?';
		wire_put_u8(w, (uint8_t)c);
		last = c;
		n++;
	}
}

static void put_line(struct wire_writer *w, const char *a, const char *b,
	const char *c, const char *d)
{
	wire_put_text(w, a);
	wire_put_text(w, b);
	wire_put_text(w, c);
	wire_put_text(w, d);
}

static void put_fetch(struct wire_writer *w, const char *command,
	const char *url, const char *cmdline)
{
	put_line(w, command, " --timeout " IDLE_MS " ", url, "");
	if (cmdline && cmdline[0])
		put_line(w, " ", cmdline, "", "");
	/* The operator at its end keeps a final '\' of the text harmless. */
	wire_put_text(w, " || goto failed\n");
}

/*
 * The images are freed before each try: what a failed one left behind would
 * be offered to the next kernel as an initrd.
 */
static void put_loop_begin(struct wire_writer *w)
{
	wire_put_text(w, "set try:int32 1\n"
			 ":again\n"
			 "imgfree\n");
}

/* An image that returned without an error is for the firmware to judge. */
static void put_loop_end(struct wire_writer *w)
{
	wire_put_text(w,
		"exit 0\n"
		":failed\n"
		"echo netuki: try ${try} of " MAX_TRIES " failed\n"
		"iseq ${try} " MAX_TRIES " && goto give_up ||\n"
		"inc try\n"
		"echo netuki: again in " RETRY_S " seconds\n"
		"sleep " RETRY_S "\n"
		"goto again\n"
		":give_up\n"
		"echo netuki: giving up, the firmware goes on with its boot "
		"order\n"
		"sleep " GIVE_UP_S "\n"
		"exit 1\n");
}

/*
 * The parent loses its address and with it its routes: the VLAN opens it again,
 * and what is in its network would be fetched untagged. DHCP alone configures
 * the VLAN: `dhcp` would wait for an IPv6 router as well.
 */
static void put_vlan(struct wire_writer *w, uint16_t vlan)
{
	if (!vlan)
		return;
	wire_put_text(w, "set trunk ${netX/ifname}\nvcreate --tag ");
	wire_put_dec(w, vlan);
	wire_put_text(w, " ${trunk} || goto no_vlan\n"
			 "ifclose ${trunk}\n"
			 "set ${trunk}/ip 0.0.0.0\n"
			 "set try:int32 1\n"
			 ":vlan\n"
			 "ifconf --configurator dhcp ${trunk}-");
	wire_put_dec(w, vlan);
	wire_put_text(w, " && goto begin ||\n"
			 "iseq ${try} " MAX_TRIES " && goto no_vlan ||\n"
			 "inc try\n"
			 "goto vlan\n"
			 ":no_vlan\n"
			 "echo netuki: no DHCP in VLAN ");
	wire_put_dec(w, vlan);
	wire_put_text(w, ", or this iPXE is built without VLAN_CMD\n"
			 "goto give_up\n"
			 ":begin\n");
}

static bool put_chain(struct wire_writer *w, const struct ipxe_script *script)
{
	if (!url_is_safe(script->url))
		return false;
	put_vlan(w, script->vlan);
	put_loop_begin(w);
	put_fetch(w, "chain --name=", script->url, script->cmdline);
	put_loop_end(w);
	return true;
}

static bool put_kernel(struct wire_writer *w, const struct ipxe_script *script)
{
	if (!url_is_safe(script->url) ||
		(script->initrd && !url_is_safe(script->initrd)))
		return false;
	put_vlan(w, script->vlan);
	put_loop_begin(w);
	put_fetch(w, "kernel", script->url, script->cmdline);
	if (script->initrd)
		put_fetch(w, "initrd", script->initrd, NULL);
	wire_put_text(w, "boot || goto failed\n");
	put_loop_end(w);
	return true;
}

static void put_say(struct wire_writer *w, const struct ipxe_script *script)
{
	wire_put_text(w, "echo netuki: nothing to boot: ");
	put_shown(w, script->message ? script->message : "");
	wire_put_text(w, "\n"
			 "echo netuki: the firmware goes on with its boot "
			 "order in " SAY_PAUSE_S " seconds\n"
			 "sleep " SAY_PAUSE_S "\n"
			 "exit 1\n");
}

static bool put_script(struct wire_writer *w, const struct ipxe_script *script)
{
	wire_put_text(w, "#!ipxe\n");
	if (script->title) {
		wire_put_text(w, "echo netuki: ");
		put_shown(w, script->title);
		wire_put_text(w, "\n");
	}
	switch (script->kind) {
	case IPXE_SCRIPT_CHAIN:
		return put_chain(w, script);
	case IPXE_SCRIPT_KERNEL:
		return put_kernel(w, script);
	case IPXE_SCRIPT_LOCAL:
		/*
		 * An error, so that the firmware tries its next boot entry. A
		 * BIOS ROM shows its banner first, once more, for two seconds:
		 * what boots a disk from here (sanboot) would spare them, but
		 * choose the disk itself and leave iPXE in its memory.
		 */
		wire_put_text(w, "exit 1\n");
		return true;
	case IPXE_SCRIPT_SAY:
		put_say(w, script);
		return true;
	}
	return false;
}

size_t ipxe_script_build(
	const struct ipxe_script *script, char *out, size_t cap)
{
	struct wire_writer w;
	const char *why;

	wire_writer_init(&w, out, cap);
	if ((!script->cmdline || ipxe_cmdline_is_safe(script->cmdline, &why)) &&
		put_script(&w, script) && wire_terminate(&w))
		return w.len;
	if (cap > 0)
		out[0] = '\0';
	return 0;
}
