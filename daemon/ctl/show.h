/*
 * show: the daemon's answers as text for people, one function a command.
 */
#ifndef DAEMON_CTL_SHOW_H
#define DAEMON_CTL_SHOW_H

#include <jansson.h>

struct arguments;

/*
 * Make what came from the network harmless for a terminal: control characters
 * become '?', in all texts of the answer.
 */
void show_clean(json_t *answer);
/* To standard error. */
void show_error(const json_t *answer);

void show_status(const json_t *answer, const struct arguments *args);
void show_machines(const json_t *answer, const struct arguments *args);
void show_images(const json_t *answer, const struct arguments *args);
void show_explain(const json_t *answer, const struct arguments *args);
void show_mode(const json_t *answer, const struct arguments *args);
void show_boot_once(const json_t *answer, const struct arguments *args);
void show_reload(const json_t *answer, const struct arguments *args);
void show_boots(const json_t *answer, const struct arguments *args);
void show_boot(const json_t *answer, const struct arguments *args);
void show_report(const json_t *answer, const struct arguments *args);
void show_event(const json_t *e, const struct arguments *args);

#endif
