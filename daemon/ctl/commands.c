#include "daemon/ctl/commands.h"

#include <ctype.h>
#include <string.h>
#include <time.h>

#include "config/config.h"
#include "config/names.h"
#include "daemon/ctl/bench/bench.h"
#include "daemon/ctl/report.h"
#include "daemon/ctl/show.h"
#include "daemon/ctl/since.h"
#include "daemon/ctl/text.h"
#include "proto/arch.h"

/* The daemon tells no more at once. */
#define BOOTS_MAX 10000

static const char for_all[] = "jcVh";

#define AT(member) offsetof(struct arguments, member)

const struct option_row option_rows[] = {
	{'u', "unknown", NULL, "those that are not in the configuration",
		AT(unknown)},
	{'y', "yaml", NULL, "entries to paste into the configuration",
		AT(yaml)},
	{'A', "arch", "ARCH", "the machine's architecture (x64)", AT(arch)},
	{'F', "firmware", "FIRMWARE", "pxe, http, bios or ipxe (pxe)",
		AT(firmware)},
	{'a', "all", NULL, "all machines", AT(all)},
	{'L', "include-local", NULL, "those configured as local, too",
		AT(include_local)},
	{'x', "clear", NULL, "as the configuration says again", AT(clear)},
	{'I', "image", "NAME", "this image instead of its own", AT(image)},
	{'M', "mode", "MODE", "in this mode: ipxe or tftp-uki", AT(mode)},
	{'n', "cancel", NULL, "not any more", AT(cancel)},
	{'f', "follow", NULL, "as they happen, until Ctrl-C", AT(follow)},
	{'b', "by", "WHAT", "mode, image, machine or firmware (mode)", AT(by)},
	{'s', "since", "TIME", "from then on: 12h, 7d, 2024-12-31, ... (all)",
		AT(since)},
	{'l', "limit", "N", "at most so many (20)", AT(limit)},
	{'W', "as", "FIRMWARE", "edk2, ipxe, rom; to boot: http-boot (edk2)",
		AT(as)},
	{'q', "mac", "FIRST", "to boot: the first machine's; they count up",
		AT(mac)},
	{'N', "clients", "N", "so many machines at once (1)", AT(clients)},
	{'3', "loads", "N", "each loads so often (1)", AT(loads)},
	{'R', "rounds", "N", "all of it so often (1; with --compare 5)",
		AT(rounds)},
	{'P', "compare", "URL", "in turns with this one", AT(compare)},
	{'O', "from", "ADDRESSES", "own ones: A, A-B or NET/LEN, in turn",
		AT(from)},
	{'o', "loss", "PERCENT", "of the packets, each way (0)", AT(loss)},
	{'d', "delay", "TIME", "of what is sent, each way: 2ms (0)", AT(delay)},
	{'w', "window", "N", "blocks, not what the firmware asks for",
		AT(window)},
	{'B', "blksize", "N", "bytes, not what the firmware asks for",
		AT(blksize)},
	{'D', "double", NULL, "each ACK is sent twice", AT(twice)},
	{'p', "pause", "TIME", "from load to load of a machine (0)", AT(pause)},
	{'k', "keep-alive", NULL, "HTTP: its loads over one connection",
		AT(keep_alive)},
	{'T', "time-limit", "TIME", "of a round (10min)", AT(time_limit)},
	{'e', "file", "FILE", "what it has to be; else a first load tells",
		AT(file)},
	{'2', "sha256", "DIGEST", "what it has to be", AT(sha256)},
	{'K', "no-check", NULL, "only its size is looked at", AT(no_check)},
	{'m', "missing", NULL, "it is not there: how soon is that said?",
		AT(missing)},
	{'g', "gro", NULL, "packets joined by the kernel (UDP_GRO)", AT(gro)},
	{'E', "seed", "N", "of the losses (1)", AT(seed)},
	{'S', "save", "FILE", "where figures are kept", AT(save)},
	{'X', "no-save", NULL, "they are not kept", AT(no_save)},
	{'v', "saved", NULL, "show those that were kept", AT(saved)},
	{'C', "csv", NULL, "as comma-separated values", AT(csv)},
	{'H', "html", "FILE", "write a page with plots into FILE, too",
		AT(html)},
	{'j', "json", NULL, "the answer as JSON; see netukictl(1)", AT(json)},
	{'c', "control", "PATH", "the daemon's socket", AT(control)},
	{'V', "version", NULL, "print the version", 0},
	{'h', "help", NULL, "print this; COMMAND --help says more", 0},
	{0},
};

static void put_true(json_t *request, const char *key, bool value)
{
	if (value)
		json_object_set_new(request, key, json_true());
}

static void put_text(json_t *request, const char *key, const char *value)
{
	if (value)
		json_object_set_new(request, key, json_string(value));
}

static void put_machines(
	json_t *request, const struct arguments *args, size_t from)
{
	json_t *list = json_array();

	for (size_t i = from; i < args->n_operands; i++)
		json_array_append_new(list, json_string(args->operand[i]));
	json_object_set_new(request, "machines", list);
}

static const char *ask_machines(json_t *request, const struct arguments *args)
{
	if (args->yaml && !args->unknown)
		return "--yaml is for machines --unknown";
	if (args->yaml && args->json)
		return "--yaml or --json: not both";
	put_true(request, "unknown", args->unknown);
	return NULL;
}

static const char *ask_explain(json_t *request, const struct arguments *args)
{
	if (args->arch && arch_from_name(args->arch) == ARCH_INVALID)
		return "--arch takes one of those of `loaders`, such as x64";
	put_text(request, "machine", args->operand[0]);
	put_text(request, "arch", args->arch);
	put_text(request, "firmware", args->firmware);
	return NULL;
}

static const char *no_mode(const char *what)
{
	static char text[200];

	snprintf(text, sizeof(text),
		"%.80s%sfirst comes a mode: ipxe, tftp-uki, local or alternate",
		what, *what ? " is no mode: " : "");
	return text;
}

static const char *ask_mode(json_t *request, const struct arguments *args)
{
	size_t n = args->n_operands;

	if (!n && !args->clear && !args->all)
		return NULL;
	if (!args->clear) {
		if (!n || config_mode_from_name(args->operand[0]) ==
				  CONFIG_MODE_UNSET)
			return no_mode(n ? args->operand[0] : "");
		put_text(request, "mode", args->operand[0]);
		n--;
	}
	if (!n && !args->all)
		return "which machines? Name them, or say --all";
	if (n && args->all)
		return "machines or --all: not both";
	if (args->include_local && (!args->all || args->clear))
		return "--include-local is for a mode with --all";
	put_machines(request, args, args->n_operands - n);
	put_true(request, "all", args->all);
	put_true(request, "include-local", args->include_local);
	put_true(request, "clear", args->clear);
	return NULL;
}

static const char *ask_boot_once(json_t *request, const struct arguments *args)
{
	bool wishes = args->image || args->mode;

	if (args->all && !args->cancel)
		return "--all is for --cancel only";
	if (args->cancel && wishes)
		return "--cancel takes no image and no mode";
	if (args->n_operands && args->all)
		return "machines or --all: not both";
	if (!args->n_operands && !args->all && (args->cancel || wishes))
		return "which machines?";
	put_machines(request, args, 0);
	put_text(request, "image", args->image);
	put_text(request, "mode", args->mode);
	put_true(request, "cancel", args->cancel);
	put_true(request, "all", args->all);
	return NULL;
}

static const char *put_since(json_t *request, const char *text)
{
	double since;

	if (!text)
		return NULL;
	if (!since_parse(text, (double)time(NULL), &since))
		return SINCE_FORMS;
	json_object_set_new(request, "since", json_real(since));
	return NULL;
}

int arguments_number(const char *text)
{
	int n = 0;

	if (!*text || strlen(text) > 9)
		return 0;
	for (; isdigit((unsigned char)*text); text++)
		n = n * 10 + (*text - '0');
	return *text ? 0 : n;
}

static const char *ask_boots(json_t *request, const struct arguments *args)
{
	int limit = args->limit ? arguments_number(args->limit) : 0;

	if (args->follow && (args->n_operands || args->since || args->limit))
		return "--follow shows all that happens from now on";
	if (args->limit && (!limit || limit > BOOTS_MAX))
		return "--limit takes a number from 1 to 10000";
	if (args->limit)
		json_object_set_new(request, "limit", json_integer(limit));
	put_true(request, "follow", args->follow);
	put_true(request, "progress",
		args->follow && !args->json && text_is_terminal());
	if (args->n_operands)
		put_text(request, "machine", args->operand[0]);
	return put_since(request, args->since);
}

static const char *ask_boot(json_t *request, const struct arguments *args)
{
	int id = arguments_number(args->operand[0]);

	if (id)
		json_object_set_new(request, "id", json_integer(id));
	else
		put_text(request, "machine", args->operand[0]);
	return NULL;
}

static const char *ask_report(json_t *request, const struct arguments *args)
{
	if (args->csv && args->json)
		return "--csv or --json: not both";
	put_text(request, "by", args->by);
	put_true(request, "points", args->html);
	return put_since(request, args->since);
}

#define MANY 100000

static const struct command commands[] = {
	{.name = "status",
		.options = "",
		.summary = "how the daemon is, and what it serves",
		.help = "Its version, the interfaces that it serves, what is "
			"wrong if a changed\n"
			"configuration could not be taken over or the state "
			"not be saved, what was set\n"
			"at run time, and the counters of each protocol.\n",
		.show = show_status},
	{.name = "machines",
		.options = "uy",
		.summary = "the machines, or those that nobody named",
		.help = "What each machine of the configuration boots, and "
			"when it was last heard of.\n"
			"SET BY is the command that overrides its entry in "
			"the configuration.\n"
			"--unknown lists the others that asked; with --yaml "
			"as entries that can be\n"
			"pasted below `machines:`.\n",
		.ask = ask_machines,
		.show = show_machines},
	{.name = "images",
		.options = "",
		.summary = "the images, and why one is not offered",
		.help = "BIOS says whether a machine with BIOS can boot it, "
			"too.\n",
		.show = show_images},
	{.name = "explain",
		.operands = "MACHINE",
		.min = 1,
		.max = 1,
		.options = "AF",
		.summary = "what a machine would be given, and why",
		.help = "MACHINE is a name, a MAC address or a UUID. Which "
			"entry it matched, whence each\n"
			"setting comes, what it would be offered, the script "
			"for iPXE, and the command\n"
			"line that reaches its kernel.\n",
		.ask = ask_explain,
		.show = show_explain},
	{.name = "mode",
		.operands = "MODE MACHINE...|--all",
		.more = "--clear MACHINE...|--all",
		.max = MANY,
		.options = "axL",
		.summary = "set how machines boot, over the configuration",
		.help = "MODE is ipxe, tftp-uki, local or alternate (ipxe and "
			"tftp-uki in turn). It is in\n"
			"force until --clear, restarts included. What is set "
			"for a machine goes before\n"
			"what is set for --all, and that before the "
			"configuration; --clear --all clears\n"
			"both. --all means unknown machines, too, where those "
			"are booted, but leaves\n"
			"those that the configuration sets to local to their "
			"disks, unless\n"
			"--include-local is said. MACHINE is a name, a MAC "
			"address or a UUID. Without\n"
			"arguments: what is set.\n",
		.ask = ask_mode,
		.show = show_mode},
	{.name = "boot-once",
		.operands = "MACHINE... [--image NAME] [--mode MODE]",
		.more = "--cancel MACHINE...|--all",
		.max = MANY,
		.options = "IMna",
		.summary = "netboot the next time, and then no more",
		.help = "A machine in mode local boots from the network once, "
			"in mode ipxe unless --mode\n"
			"says otherwise; --image gives it another image this "
			"once. It is used up when the\n"
			"image's last byte has gone out, and not before: a "
			"boot that fails earlier is\n"
			"tried again. Restarts do not matter. Without "
			"arguments: what is set.\n",
		.ask = ask_boot_once,
		.show = show_boot_once},
	{.name = "reload",
		.options = "",
		.summary = "read the configuration again",
		.help = "If anything is wrong with it, that is printed, and "
			"the one of before stays in\n"
			"force.\n",
		.show = show_reload},
	{.name = "boots",
		.operands = "[MACHINE] [--since TIME] [--limit N]",
		.more = "--follow",
		.max = 1,
		.options = "fsl",
		.summary = "the latest boots, or those that run now",
		.help = "One line a boot, the latest first. MACHINE is a name "
			"or a MAC address. STEP is\n"
			"the furthest one that was begun; IMAGE WHOLE and UP "
			"are the times from the\n"
			"machine's first packet to the image's last byte, and "
			"to the guest's own word\n"
			"that it is up. --follow shows the boots that run, "
			"with a bar for what each\n"
			"loads, and says how each ended; if it is not to a "
			"terminal, "
			"one line a step.\n",
		.ask = ask_boots,
		.show = show_boots},
	{.name = "boot",
		.operands = "ID|MACHINE",
		.min = 1,
		.max = 1,
		.options = "",
		.summary = "one boot, phase by phase",
		.help = "ID is what `boots` prints; of a MACHINE the latest "
			"boot is shown.\n",
		.ask = ask_boot,
		.show = show_boot},
	{.name = "report",
		.operands = "[--by WHAT] [--since TIME] [--html FILE]",
		.options = "bsCH",
		.summary = "how long boots take, and which way is faster",
		.help = "Of each mode, image, machine or firmware: how many "
			"boots, how many came to the\n"
			"image's last byte, medians and 95th percentiles of "
			"the times from the machine's\n"
			"first packet, the speed of the image, and the share "
			"of TFTP blocks sent again;\n"
			"then whether the difference could be chance, by "
			"Mann and Whitney's rank\n"
			"test, corrected by Holm's method where several "
			"groups are compared.\n"
			"--html writes the same with plots into one file, "
			"which any browser opens,\n"
			"without a network.\n",
		.ask = ask_report,
		.refine = refine_report,
		.show = show_report},
	{.name = "bench",
		.operands = "URL|dhcp://SERVER [--compare URL]",
		.more = "--saved [--since TIME] [--limit N]",
		.max = 1,
		.options = "WqN3RPOodwBDpkTe2KmgESXvslC",
		.summary = "load or boot as firmware does, and see how fast",
		.help = "Of any server: tftp://HOST/FILE or http://HOST/FILE. "
			"As EDK2 it asks for the\n"
			"size first; then windows of 4 blocks, or over HTTP "
			"the file. As iPXE and as a\n"
			"BIOS ROM it gets one block at a time. Each byte is "
			"compared. Of dhcp://SERVER\n"
			"it boots: whole machines, from DISCOVER over loader "
			"and script to the image.\n"
			"Status 1: something failed. The daemon is not asked. "
			"TIME is 500us, 2ms, 1.5s\n"
			"or 10min.\n",
		.run = bench_run},
};
#define N_COMMANDS (sizeof(commands) / sizeof(*commands))

const struct command *command_find(const char *name)
{
	for (size_t i = 0; i < N_COMMANDS; i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

const char *command_nearest(const char *name)
{
	struct suggest suggest;

	suggest_init(&suggest, name);
	for (size_t i = 0; i < N_COMMANDS; i++)
		suggest_try(&suggest, commands[i].name);
	return suggest_best(&suggest);
}

bool command_takes(const struct command *command, int letter)
{
	return strchr(for_all, letter) ||
	       (command && strchr(command->options, letter));
}

const char *option_refuses(const struct option_row *row, const char *text)
{
	static const struct {
		int letter;
		const char *word[5];
	} takes[] = {
		{'F', {"pxe", "http", "bios", "ipxe"}},
		{'M', {"ipxe", "tftp-uki"}},
		{'b', {"mode", "image", "machine", "firmware"}},
	};
	static char why[100];

	for (size_t i = 0; i < sizeof(takes) / sizeof(*takes); i++) {
		const char *const *word = takes[i].word;

		if (takes[i].letter != row->letter)
			continue;
		for (; *word; word++)
			if (strcmp(*word, text) == 0)
				return NULL;
		snprintf(why, sizeof(why), "%.20s is not what --%s takes: %s",
			text, row->name, row->help);
		return why;
	}
	return NULL;
}

static void print_options(const struct command *command, FILE *out)
{
	char text[40];

	for (const struct option_row *row = option_rows; row->letter; row++) {
		if (!command_takes(command, row->letter) ||
			(command && row->letter == 'V'))
			continue;
		snprintf(text, sizeof(text), "--%s%s%s", row->name,
			row->argument ? " " : "",
			row->argument ? row->argument : "");
		fprintf(out, "  %-20s %s\n", text, row->help);
	}
}

static void help_for_all(FILE *out)
{
	fputs("Usage: netukictl COMMAND [OPTION...]\n\nCommands:\n", out);
	for (size_t i = 0; i < N_COMMANDS; i++)
		fprintf(out, "  %-20s %s\n", commands[i].name,
			commands[i].summary);
	fputs("\nOptions:\n", out);
	print_options(NULL, out);
	fputs("\nExit status: 0 done; 1 the daemon says no; 2 the arguments "
	      "are wrong; 3 no daemon\nanswers. See netukictl(1).\n",
		out);
}

void command_help(const struct command *command, FILE *out)
{
	if (!command) {
		help_for_all(out);
		return;
	}
	fprintf(out, "Usage: netukictl %s [OPTION...]", command->name);
	if (command->operands)
		fprintf(out, "%s%s", command->min ? " " : "\n",
			command->min ? command->operands : "");
	if (command->operands && !command->min)
		fprintf(out, "       netukictl %s %s", command->name,
			command->operands);
	if (command->more)
		fprintf(out, "\n       netukictl %s %s", command->name,
			command->more);
	fprintf(out, "\n\n%c%s.\n%s\nOptions:\n",
		toupper((unsigned char)command->summary[0]),
		command->summary + 1, command->help);
	print_options(command, out);
}
