/*
 * show: the daemon's answers as text for people, one function a command.
 */
#ifndef DAEMON_CTL_SHOW_H
#define DAEMON_CTL_SHOW_H

#include <jansson.h>

void show_status(const json_t *answer);
void show_machines(const json_t *answer);
void show_unknown(const json_t *answer);
void show_images(const json_t *answer);
void show_explain(const json_t *answer);
void show_reload(const json_t *answer);
void show_event(const json_t *answer);

#endif
