/*
 * netukictl: asks the running netukid, and shows its answers.
 */
#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/ctl/client.h"
#include "daemon/ctl/show.h"

#define DEFAULT_CONTROL "/run/netuki/control.sock"

enum { EXIT_NO = 1, EXIT_USAGE = 2, EXIT_NO_DAEMON = 3 };

struct arguments {
	const char *control;
	bool json, unknown, follow;
	const char *arch, *firmware;
	const char *operand;
};

struct command {
	const char *name, *operand, *help;
	const char *options; /* the letters of those it takes */
	void (*show)(const json_t *answer);
};

static const struct command commands[] = {
	{"status", NULL, "how the daemon is, and what it serves", "",
		show_status},
	{"machines", NULL,
		"the machines of the configuration; --unknown: "
		"the others that asked",
		"u", show_machines},
	{"images", NULL, "the images, and why one is not offered", "",
		show_images},
	{"explain", "MACHINE", "what a machine would be given, and why", "AF",
		show_explain},
	{"reload", NULL, "read the configuration again", "", show_reload},
	{"boots", NULL, "what happens; --follow is required as yet", "f",
		show_event},
};
#define N_COMMANDS (sizeof(commands) / sizeof(*commands))

static void usage(FILE *out)
{
	fputs("Usage: netukictl COMMAND [OPTION...]\n\n", out);
	for (size_t i = 0; i < N_COMMANDS; i++)
		fprintf(out, "  %-8s %-8s %s\n", commands[i].name,
			commands[i].operand ? commands[i].operand : "",
			commands[i].help);
	fputs("\n"
	      "  --json            the answer as JSON; its form is in "
	      "netukictl(1)\n"
	      "  --control PATH    the daemon's socket (" DEFAULT_CONTROL ")\n"
	      "  --unknown         machines: those not in the configuration\n"
	      "  --follow          boots: as they happen, until Ctrl-C\n"
	      "  --arch A          explain: x64, arm64, ... (x64)\n"
	      "  --firmware F      explain: pxe, http, bios or ipxe (pxe)\n"
	      "  --version, --help\n"
	      "\n"
	      "Exit status: 0 answered; 1 the daemon says no; 2 the arguments "
	      "are wrong; 3 no\ndaemon answers.\n",
		out);
}

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < N_COMMANDS; i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

static int bad_usage(const char *what, const char *which)
{
	fprintf(stderr, "netukictl: %s%s\nTry `netukictl --help`.\n", what,
		which);
	return EXIT_USAGE;
}

static bool takes(const struct command *command, int letter)
{
	return strchr("jch", letter) || strchr(command->options, letter);
}

/* 0, or the exit status plus 1. */
static int parse_options(int argc, char **argv, const struct command *command,
	struct arguments *ret)
{
	static const struct option longs[] = {
		{"json", no_argument, NULL, 'j'},
		{"control", required_argument, NULL, 'c'},
		{"unknown", no_argument, NULL, 'u'},
		{"follow", no_argument, NULL, 'f'},
		{"arch", required_argument, NULL, 'A'},
		{"firmware", required_argument, NULL, 'F'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	int c;

	*ret = (struct arguments){.control = DEFAULT_CONTROL};
	while ((c = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
		if (c == '?')
			return 1 + EXIT_USAGE;
		if (!takes(command, c))
			return 1 + bad_usage("this option is not for ",
					   command->name);
		switch (c) {
		case 'j':
			ret->json = true;
			break;
		case 'c':
			ret->control = optarg;
			break;
		case 'u':
			ret->unknown = true;
			break;
		case 'f':
			ret->follow = true;
			break;
		case 'A':
			ret->arch = optarg;
			break;
		case 'F':
			ret->firmware = optarg;
			break;
		default:
			usage(stdout);
			return 1;
		}
	}
	if (command->operand && optind == argc)
		return 1 + bad_usage("missing: ", command->operand);
	if (command->operand)
		ret->operand = argv[optind++];
	if (optind < argc)
		return 1 + bad_usage("unexpected: ", argv[optind]);
	return 0;
}

static json_t *make_request(
	const struct command *command, const struct arguments *args)
{
	json_t *o = json_pack("{s:s}", "command", command->name);

	if (args->unknown)
		json_object_set_new(o, "unknown", json_true());
	if (args->follow)
		json_object_set_new(o, "follow", json_true());
	if (args->arch)
		json_object_set_new(o, "arch", json_string(args->arch));
	if (args->firmware)
		json_object_set_new(o, "firmware", json_string(args->firmware));
	if (args->operand)
		json_object_set_new(o, "machine", json_string(args->operand));
	return o;
}

static void print_answer(const struct command *command,
	const struct arguments *args, const json_t *answer)
{
	if (args->json) {
		json_dumpf(answer, stdout,
			args->follow ? JSON_COMPACT : JSON_INDENT(2));
		puts("");
		fflush(stdout);
	} else if (args->unknown) {
		show_unknown(answer);
	} else {
		command->show(answer);
	}
}

static int run(const struct command *command, const struct arguments *args)
{
	json_t *request = make_request(command, args), *answer;
	FILE *answers = client_ask(args->control, request);
	int status = EXIT_NO_DAEMON;

	json_decref(request);
	if (!answers)
		return status;
	while ((answer = client_next(answers))) {
		const char *error =
			json_string_value(json_object_get(answer, "error"));

		status = error ? EXIT_NO : 0;
		if (error)
			fprintf(stderr, "netukictl: %s\n", error);
		else
			print_answer(command, args, answer);
		json_decref(answer);
	}
	fclose(answers);
	if (status == EXIT_NO_DAEMON)
		fprintf(stderr, "netukictl: netukid hung up\n");
	return status;
}

int main(int argc, char **argv)
{
	struct arguments args;
	const struct command *command;
	int status;

	signal(SIGPIPE, SIG_DFL);
	if (argc < 2)
		return bad_usage("a command is missing", "");
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
		usage(stdout);
		return 0;
	}
	if (strcmp(argv[1], "--version") == 0) {
		puts("netukictl " NETUKI_VERSION);
		return 0;
	}
	command = find_command(argv[1]);
	if (!command)
		return bad_usage("no such command: ", argv[1]);
	status = parse_options(argc - 1, argv + 1, command, &args);
	return status ? status - 1 : run(command, &args);
}
