/* stream: texts that grow in memory, by open_memstream(). */
#ifndef DAEMON_BASE_STREAM_H
#define DAEMON_BASE_STREAM_H

#include <stdio.h>

/*
 * Closes OUT; the text that it wrote, for free(), or NULL if memory was short
 * meanwhile. OUT NULL: open_memstream() failed, for the same reason.
 */
char *stream_end(FILE *out, char **text);

#endif
