/*
 * history_query: the history read, with a connection of its own, by a helper
 * thread: questions in, one line of JSON out. The answers are those of the
 * control socket's commands `boots`, `boot` and `report`; netukictl(1) has
 * their form.
 */
#ifndef DAEMON_BOOTS_HISTORY_QUERY_H
#define DAEMON_BOOTS_HISTORY_QUERY_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/boots/boots.h"

#define HISTORY_QUERY_MAX_ROWS 10000

enum history_query_kind {
	HISTORY_QUERY_BOOTS, /* the latest first */
	HISTORY_QUERY_BOOT,  /* one: by id, else the latest of a machine */
	HISTORY_QUERY_REPORT /* the samples of each group */
};

enum history_by {
	HISTORY_BY_MODE,
	HISTORY_BY_IMAGE,
	HISTORY_BY_MACHINE,
	HISTORY_BY_FIRMWARE,
	HISTORY_BY_MAX
};
/* "mode", ... */
const char *history_by_name(enum history_by by);

struct history_query {
	enum history_query_kind kind;
	double since, until;		    /* Unix time of the start */
	char machine[BOOT_MACHINE_MAX + 1]; /* name or MAC; "": all */
	int64_t id;			    /* BOOT; 0: by machine */
	uint32_t limit;			    /* BOOTS */
	enum history_by by;		    /* REPORT */
	bool points;			    /* REPORT: single boots, too */
};

/* {"error": TEXT} if it cannot be answered. For free(). */
char *history_query_run(
	const char *directory, const struct history_query *query);

#endif
