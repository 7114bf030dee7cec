#include "daemon/control/control_boots.h"

#include <float.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/worker.h"
#include "daemon/boots/history.h"
#include "daemon/boots/history_query.h"
#include "daemon/control/control_json.h"

#define ROWS 20 /* if nobody says how many */

struct control_query {
	struct history_query query;
	const char *directory;
	char *answer;
	struct worker_job *job;
	void (*done)(void *arg, const char *answer);
	void *arg;
};

static unsigned running;

static const struct {
	const char *name;
	enum history_query_kind kind;
} commands[] = {
	{"boots", HISTORY_QUERY_BOOTS},
	{"boot", HISTORY_QUERY_BOOT},
	{"report", HISTORY_QUERY_REPORT},
};
#define N_COMMANDS (sizeof(commands) / sizeof(*commands))

static size_t find_command(const json_t *request)
{
	const char *name = control_text(request, "command");
	size_t i = 0;

	while (i < N_COMMANDS && (!name || strcmp(commands[i].name, name) != 0))
		i++;
	return i;
}

bool control_boots_is(const json_t *request)
{
	return find_command(request) < N_COMMANDS;
}

/* NULL, or what is wrong with it. */
static json_t *parse(const json_t *request, struct history_query *ret)
{
	const char *machine = control_text(request, "machine");
	const char *by = control_text(request, "by");
	const json_t *since = json_object_get(request, "since");
	const json_t *until = json_object_get(request, "until");
	const json_t *limit = json_object_get(request, "limit");
	json_int_t rows = limit ? json_integer_value(limit) : ROWS;

	*ret = (struct history_query){
		.kind = commands[find_command(request)].kind,
		.since = json_number_value(since),
		.until = until ? json_number_value(until) : DBL_MAX,
		.id = json_integer_value(json_object_get(request, "id")),
		.points = json_is_true(json_object_get(request, "points")),
	};
	if (rows < 1 || rows > HISTORY_QUERY_MAX_ROWS)
		return control_error("a limit is a number from 1 to %d",
			HISTORY_QUERY_MAX_ROWS);
	ret->limit = (uint32_t)rows;
	if (machine && strlen(machine) > BOOT_MACHINE_MAX)
		return control_error("there is no such machine");
	if (machine)
		snprintf(ret->machine, sizeof(ret->machine), "%s", machine);
	if (ret->kind == HISTORY_QUERY_BOOT && !ret->id && !machine)
		return control_error("which boot?");
	while (by && ret->by < HISTORY_BY_MAX &&
		strcmp(history_by_name(ret->by), by) != 0)
		ret->by++;
	if (ret->by == HISTORY_BY_MAX)
		return control_error("a report is by mode, image, machine or "
				     "firmware");
	return NULL;
}

static void query_work(void *arg)
{
	struct control_query *q = arg;

	q->answer = history_query_run(q->directory, &q->query);
}

static void query_done(void *arg)
{
	struct control_query *q = arg;

	q->done(q->arg,
		q->answer ? q->answer : "{\"error\":\"memory is short\"}");
}

static void query_drop(void *arg)
{
	struct control_query *q = arg;

	running--;
	free(q->answer);
	free(q);
}

struct control_query *control_boots_ask(struct netuki *netuki,
	const json_t *request, void (*done)(void *arg, const char *answer),
	void *arg, json_t **ret_error)
{
	struct worker_task task = {query_work, query_done, query_drop, NULL};
	struct history_query query;
	struct control_query *q;
	json_t *error = parse(request, &query);

	if (!error && running >= CONTROL_BOOTS_AT_ONCE)
		error = control_error("others are asking for the history: "
				      "try again in a moment");
	q = error ? NULL : calloc(1, sizeof(*q));
	if (q) {
		q->query = query;
		q->directory = history_directory(netuki->history);
		q->done = done;
		q->arg = arg;
		task.arg = q;
		q->job = worker_start(netuki->worker, &task);
		if (q->job) {
			running++;
			return q;
		}
		free(q);
	}
	*ret_error = error ? error : control_error("memory is short");
	return NULL;
}

void control_boots_cancel(struct control_query *query)
{
	worker_cancel(query->job);
}
