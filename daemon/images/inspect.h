/*
 * inspect: `netukid --inspect FILE.efi`: all that netuki knows of a file, with
 * no configuration and no running daemon.
 */
#ifndef DAEMON_IMAGES_INSPECT_H
#define DAEMON_IMAGES_INSPECT_H

#include <stdbool.h>

/*
 * Print it to standard output. Returns the exit status: 0 for an image that
 * can be booted, else 1.
 */
int inspect_file(const char *path, bool json);

#endif
