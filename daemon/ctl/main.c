/*
 * netukictl: asks the running netukid, and shows its answers.
 */
#include <getopt.h>
#include <locale.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/ctl/client.h"
#include "daemon/ctl/commands.h"
#include "daemon/ctl/json_out.h"
#include "daemon/ctl/show.h"

#define DEFAULT_CONTROL "/run/netuki/control.sock"
#define MAX_OPTIONS	64

enum { EXIT_NO = 1, EXIT_USAGE = 2, EXIT_NO_DAEMON = 3 };

static int bad_usage(
	const struct command *command, const char *what, const char *which)
{
	fprintf(stderr, "netukictl: %s%s\nTry `netukictl %s%s--help`.\n", what,
		which, command ? command->name : "", command ? " " : "");
	return EXIT_USAGE;
}

static int no_command(const char *name)
{
	const char *near = command_nearest(name);

	fprintf(stderr,
		"netukictl: no such command: %s%s%s%s\nTry `netukictl "
		"--help`.\n",
		name, near ? "; did you mean " : "", near ? near : "",
		near ? "?" : "");
	return EXIT_USAGE;
}

static void make_longs(struct option ret[MAX_OPTIONS])
{
	size_t n = 0;

	for (const struct option_row *row = option_rows;
		row->letter && n < MAX_OPTIONS - 1; row++)
		ret[n++] = (struct option){
			.name = row->name,
			.has_arg =
				row->argument ? required_argument : no_argument,
			.val = row->letter,
		};
	ret[n] = (struct option){0};
}

/*
 * NULL, or why it takes no such text. --help and --version, which have no place
 * in args, are done before.
 */
static const char *take_option(int letter, struct arguments *args)
{
	const struct option_row *row = option_rows;
	void *at;

	while (row->letter != letter)
		row++;
	at = (char *)args + row->at;

	if (row->argument)
		*(const char **)at = optarg;
	else
		*(bool *)at = true;
	return row->argument ? option_refuses(row, optarg) : NULL;
}

/*
 * The options up to the command (command NULL), or all that follow it. 0: go
 * on at optind; else the exit status plus 1.
 */
static int parse_options(int argc, char **argv, const struct command *command,
	struct arguments *args)
{
	struct option longs[MAX_OPTIONS];
	const char *wrong;
	int letter;

	make_longs(longs);
	optind = 0;
	while ((letter = getopt_long(
			argc, argv, command ? "h" : "+h", longs, NULL)) != -1) {
		if (letter == '?')
			return 1 + EXIT_USAGE;
		if (letter == 'h') {
			command_help(command, stdout);
			return 1;
		}
		if (letter == 'V') {
			puts("netukictl " NETUKI_VERSION);
			return 1;
		}
		if (!command_takes(command, letter))
			return 1 + bad_usage(command,
					   command ? "this option is not for "
						   : "first a command, then "
						     "its options",
					   command ? command->name : "");
		wrong = take_option(letter, args);
		if (wrong)
			return 1 + bad_usage(command, wrong, "");
	}
	return 0;
}

static int parse_operands(int argc, char **argv, const struct command *command,
	struct arguments *args)
{
	args->operand = argv + optind;
	args->n_operands = (size_t)(argc - optind);
	if (args->n_operands < command->min)
		return 1 + bad_usage(command, "missing: ", command->operands);
	if (args->n_operands > command->max)
		return 1 + bad_usage(command,
				   "unexpected: ", args->operand[command->max]);
	return 0;
}

/* Errors go to standard error as text; with --json all goes out as JSON. */
static int take_answer(const struct command *command,
	const struct arguments *args, json_t *answer)
{
	const char *error = json_string_value(json_object_get(answer, "error"));
	bool ok = !error;

	if (!error && command->refine)
		ok = command->refine(answer, args);
	if (args->json)
		json_out(answer, args->follow ? JSON_COMPACT : JSON_INDENT(2),
			stdout);
	show_clean(answer);
	if (error)
		show_error(answer);
	else if (!args->json)
		command->show(answer, args);
	fflush(stdout);
	return ok ? EXIT_SUCCESS : EXIT_NO;
}

static int run_itself(
	const struct command *command, const struct arguments *args)
{
	const char *nonsense = NULL;
	int status = command->run(args, &nonsense);

	return nonsense ? bad_usage(command, nonsense, "") : status;
}

static int run(const struct command *command, const struct arguments *args)
{
	json_t *request = json_pack("{s:s}", "command", command->name), *answer;
	const char *nonsense =
		command->ask ? command->ask(request, args) : NULL;
	int status = EXIT_NO_DAEMON;
	FILE *answers;

	if (nonsense) {
		json_decref(request);
		return bad_usage(command, nonsense, "");
	}
	answers = client_ask(args->control, request);
	json_decref(request);
	if (!answers)
		return status;
	while (!ferror(stdout) && (answer = client_next(answers))) {
		status = take_answer(command, args, answer);
		json_decref(answer);
	}
	fclose(answers);
	/* What is followed has no end of its own. */
	if (args->follow && status == EXIT_SUCCESS && !ferror(stdout))
		status = EXIT_NO_DAEMON;
	if (status == EXIT_NO_DAEMON)
		fprintf(stderr, "netukictl: netukid hung up\n");
	return status;
}

static int run_arguments(int argc, char **argv)
{
	static char name[] = "netukictl"; /* for getopt's messages */
	struct arguments args = {.control = DEFAULT_CONTROL};
	const struct command *command;
	int status = parse_options(argc, argv, NULL, &args);

	if (status)
		return status - 1;
	if (optind == argc)
		return bad_usage(NULL, "a command is missing", "");
	command = command_find(argv[optind]);
	if (!command)
		return no_command(argv[optind]);
	argc -= optind;
	argv += optind;
	argv[0] = name;
	status = parse_options(argc, argv, command, &args);
	if (!status)
		status = parse_operands(argc, argv, command, &args);
	if (status)
		return status - 1;
	return command->run ? run_itself(command, &args) : run(command, &args);
}

int main(int argc, char **argv)
{
	int status;

	/* What is shown is UTF-8, as JSON is, whatever the user's own is. */
	setlocale(LC_CTYPE, "C.UTF-8");
	signal(SIGPIPE, SIG_DFL);
	status = run_arguments(argc, argv);
	/* A full disk is to be no success to a script. */
	if (fflush(stdout) || ferror(stdout)) {
		fprintf(stderr, "netukictl: the answer could not be written\n");
		if (status == EXIT_SUCCESS)
			status = EXIT_NO;
	}
	return status;
}
