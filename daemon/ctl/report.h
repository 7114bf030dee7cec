/*
 * report: the samples that the daemon answers become medians and a verdict,
 * for people as text (show_report.c) and as a page (page.c).
 */
#ifndef DAEMON_CTL_REPORT_H
#define DAEMON_CTL_REPORT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct arguments;
struct table;

#define REPORT_COMPARED 4 /* groups, each with each; of many the largest */

/*
 * The samples to medians and comparisons, in place; and the page, if one is
 * asked for. False, after having said why: it cannot be written.
 */
bool refine_report(json_t *answer, const struct arguments *args);

/* The groups, one a row; table_done is the caller's. */
void report_table(const json_t *answer, struct table *ret);

#define REPORT_VERDICT_MAX 1024
/* One comparison as a sentence. */
void report_verdict(const json_t *comparison, char ret[REPORT_VERDICT_MAX]);
/* What is to be said of all of them; "": nothing. */
void report_remarks(const json_t *report, char ret[REPORT_VERDICT_MAX]);

#endif
