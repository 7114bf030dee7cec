/*
 * commands: what netukictl can do: each command's options, help, request and
 * text. Everything that prints help or takes options reads these tables.
 */
#ifndef DAEMON_CTL_COMMANDS_H
#define DAEMON_CTL_COMMANDS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* What the arguments say. */
struct arguments {
	const char *control;
	bool json, csv, unknown, yaml, follow, all, include_local, clear,
		cancel;
	const char *arch, *firmware, *image, *mode, *by, *since, *limit, *html;
	/* Of bench. */
	bool saved, no_save, no_check, missing, twice, gro, keep_alive;
	const char *as, *mac, *clients, *loads, *rounds, *compare, *from;
	const char *loss, *delay, *blksize, *window, *pause, *time_limit;
	const char *file, *sha256, *save, *seed;
	size_t n_operands;
	char **operand;
};

/* A number of at most nine digits; 0: it is none. */
int arguments_number(const char *text);

struct command {
	const char *name;
	const char *operands; /* for the usage; NULL: it takes none */
	const char *more;     /* another usage, or NULL */
	size_t min, max;      /* how many operands */
	const char *options;  /* the letters of those it takes */
	const char *summary;  /* of one line */
	const char *help;     /* more of it; lines of at most 79 characters */
	/*
	 * Put what the arguments say into the request; NULL, or why they make
	 * no sense. May be NULL: there is nothing to put.
	 */
	const char *(*ask)(json_t *request, const struct arguments *args);
	/*
	 * Make of the daemon's answer what is shown, as JSON too. False, after
	 * having said why: it failed. May be NULL.
	 */
	bool (*refine)(json_t *answer, const struct arguments *args);
	void (*show)(const json_t *answer, const struct arguments *args);
	/*
	 * Or all of it, for what the daemon is not asked: an exit status, or in
	 * *ret_nonsense why the arguments make no sense.
	 */
	int (*run)(const struct arguments *args, const char **ret_nonsense);
};

/* NULL: there is none. */
const struct command *command_find(const char *name);
/* The name of the one that may be meant; NULL: none is near. */
const char *command_nearest(const char *name);

struct option_row {
	int letter;
	const char *name, *argument; /* argument NULL: it takes none */
	const char *help;
	size_t at; /* in struct arguments: its text, or without one a bool */
};
extern const struct option_row option_rows[]; /* ends with a letter of 0 */
/* Does the command take this option? NULL: is it one for all commands? */
bool command_takes(const struct command *command, int letter);

/* NULL, or why it takes no such text. */
const char *option_refuses(const struct option_row *row, const char *text);

/* The help for one command; NULL: for all. */
void command_help(const struct command *command, FILE *out);

#endif
