/*
 * save: text into files of the person who calls netukictl, so that a full disk
 * takes nothing of what they had.
 */
#ifndef DAEMON_CTL_SAVE_H
#define DAEMON_CTL_SAVE_H

#include <stddef.h>

/* At the end of a file, which may be new: all of it or nothing. 0 or -errno. */
int save_append(const char *path, const char *text, size_t len);
/*
 * As a file, in the place of one that is there once it is whole; into what is
 * no regular file, such as a pipe, as it comes. 0 or -errno.
 */
int save_replace(const char *path, const char *text, size_t len);

#endif
