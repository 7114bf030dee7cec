/*
 * report: messages about a configuration, each with its place. The loader
 * fills one, and so does everybody else who checks what a configuration says.
 */
#ifndef CONFIG_REPORT_H
#define CONFIG_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct config;

/* Where something was said: config_at_text makes "FILE:LINE:COLUMN" of it. */
struct config_at {
	uint32_t line; /* from 1; 0: nowhere, it is built in */
	uint16_t column;
	uint16_t file; /* index into config->files */
};

struct config_message {
	bool warning; /* it stops nothing */
	char *text;   /* "FILE:LINE:COLUMN: message" */
	/* A warning that came again is one, with a count after so many bytes.
	 */
	size_t len, times;
};

enum config_source_kind {
	CONFIG_SOURCE_FILE,
	CONFIG_SOURCE_DIRECTORY,
	CONFIG_SOURCE_PART /* a regular file of such a directory */
};

/* What was read, or could not be. */
struct config_source {
	enum config_source_kind kind;
	char *path; /* as it was opened */
};

struct config_report {
	size_t n_errors, n_warnings; /* all, those past the cap too */
	size_t n_absent;	     /* errors that let a start go on */
	size_t n;		     /* kept: at most CONFIG_REPORT_MAX */
	struct config_message *messages;
	/* Where a change may change the outcome; errors or none. */
	size_t n_sources, cap_sources;
	struct config_source *sources;
};
#define CONFIG_REPORT_MAX 200

void config_report_init(struct config_report *report);
void config_report_done(struct config_report *report);
/*
 * Add a message about a place in config's files; about the main file as a
 * whole if the place is nowhere. When there is no more room, an error takes
 * that of a warning.
 */
void config_report_add(struct config_report *report,
	const struct config *config, struct config_at at, bool warning,
	const char *format, ...) __attribute__((format(printf, 5, 6)));

/*
 * The same of what is not there, or not yet: a warning with may_come, else an
 * error, but none that a start would not go on with.
 */
void config_report_add_absent(struct config_report *report,
	const struct config *config, struct config_at at, bool may_come,
	const char *format, ...) __attribute__((format(printf, 5, 6)));

/* Note a source; without memory it is left out. */
void config_report_source(struct config_report *report, const char *path,
	enum config_source_kind kind);

/* "FILE:LINE:COLUMN" into ret; "built in" for line 0. Returns ret. */
const char *config_at_text(const struct config *config, struct config_at at,
	char *ret, size_t cap);

#endif
