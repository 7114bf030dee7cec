/*
 * client: the daemon's control socket, seen from netukictl.
 */
#ifndef DAEMON_CTL_CLIENT_H
#define DAEMON_CTL_CLIENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

/*
 * Connect and send the request; NULL after having said on standard error why
 * it cannot be done. Answers are lines of JSON to be read from the stream.
 */
FILE *client_ask(const char *socket_path, const json_t *request);

/* The next answer; NULL at the end, or after having said what is wrong. */
json_t *client_next(FILE *answers);

#endif
