/*
 * Figures of earlier runs: a file of JSON, one line a run, the latest last.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "daemon/ctl/bench/bench.h"
#include "daemon/ctl/commands.h"
#include "daemon/ctl/json_out.h"
#include "daemon/ctl/save.h"
#include "daemon/ctl/show.h"
#include "daemon/ctl/since.h"

#define FILE_MAX    (16 << 20) /* then a new one is begun */
#define LIMIT	    20
#define PATH_LENGTH 4096

/* As the XDG base directory specification says. */
static bool default_path(char ret[PATH_LENGTH])
{
	const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
	int n = -1;

	if (state && *state == '/')
		n = snprintf(ret, PATH_LENGTH, "%s/netuki/bench.jsonl", state);
	else if (home && *home == '/')
		n = snprintf(ret, PATH_LENGTH,
			"%s/.local/state/netuki/bench.jsonl", home);
	return n > 0 && n < PATH_LENGTH;
}

static void make_folders(char *path)
{
	for (char *p = strchr(path + 1, '/'); p; p = strchr(p + 1, '/')) {
		*p = '\0';
		mkdir(path, 0700);
		*p = '/';
	}
}

/* What is too long is put aside, once; that keeps it bounded. */
static void turn_page(const char *path)
{
	char old[PATH_LENGTH + 4];
	struct stat st;

	if (stat(path, &st) || st.st_size < FILE_MAX || !S_ISREG(st.st_mode))
		return;
	snprintf(old, sizeof(old), "%s.1", path);
	rename(path, old);
}

static bool append(const char *path, const char *text)
{
	int err = save_append(path, text, strlen(text));

	if (err)
		fprintf(stderr,
			"netukictl: the figures cannot be kept in %s: %s\n",
			path, strerror(-err));
	return !err;
}

bool bench_save(const json_t *result, const struct arguments *args)
{
	char path[PATH_LENGTH], *text, *line = NULL;
	bool good = true;

	if (args->no_save)
		return true;
	if (!args->save) {
		if (!default_path(path))
			return true;
		make_folders(path);
		turn_page(path);
	}
	text = json_out_text(result, JSON_COMPACT);
	if (asprintf(&line, "%s\n", text) < 0)
		abort();
	good = append(args->save ? args->save : path, line);
	free(line);
	free(text);
	/* That nobody asked for it is no reason to fail. */
	return good || !args->save;
}

static bool is_run(const json_t *run)
{
	return json_is_number(json_object_get(run, "time")) &&
	       json_is_array(json_object_get(run, "groups"));
}

/* The latest `limit` of the runs since then. */
static json_t *read_runs(FILE *file, const char *path, double since, int limit)
{
	json_t *runs = json_array(), *run;
	unsigned number = 0;
	char *line = NULL;
	size_t room = 0;

	while (getline(&line, &room, file) > 0) {
		number++;
		run = json_loads(line, 0, NULL);
		if (!is_run(run))
			fprintf(stderr, "netukictl: %s:%u: this is no run\n",
				path, number);
		else if (json_number_value(json_object_get(run, "time")) >=
			 since)
			json_array_append(runs, run);
		json_decref(run);
		if (json_array_size(runs) > (size_t)limit)
			json_array_remove(runs, 0);
	}
	free(line);
	return runs;
}

/* Nothing was kept yet: no runs. */
static int show_runs(
	const struct arguments *args, const char *path, double since, int limit)
{
	FILE *file = fopen(path, "re");
	json_t *answer, *runs;

	if (!file && (errno != ENOENT || args->save)) {
		fprintf(stderr, "netukictl: %s: %s\n", path, strerror(errno));
		return EXIT_FAILURE;
	}
	runs = file ? read_runs(file, path, since, limit) : json_array();
	if (file)
		fclose(file);
	answer = json_pack("{s:o}", "runs", runs);
	if (args->json) {
		json_out(answer, JSON_INDENT(2), stdout);
	} else {
		show_clean(answer);
		bench_show_saved(runs, args->since);
	}
	json_decref(answer);
	return EXIT_SUCCESS;
}

int bench_saved(const struct arguments *args, const char **ret_nonsense)
{
	char path[PATH_LENGTH];
	int limit = args->limit ? arguments_number(args->limit) : LIMIT;
	double since = 0;

	if (args->n_operands || args->compare)
		*ret_nonsense = "--saved loads nothing";
	else if (args->csv)
		*ret_nonsense = "--csv is not for --saved";
	else if (!limit)
		*ret_nonsense = "--limit takes a number";
	else if (args->since &&
		 !since_parse(args->since, (double)time(NULL), &since))
		*ret_nonsense = SINCE_FORMS;
	else if (!args->save && !default_path(path))
		*ret_nonsense = "--save FILE is needed: there is no HOME";
	if (*ret_nonsense)
		return EXIT_FAILURE;
	return show_runs(args, args->save ? args->save : path, since, limit);
}
