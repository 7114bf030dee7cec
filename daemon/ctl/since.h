/*
 * since: points in time as people write them.
 */
#ifndef DAEMON_CTL_SINCE_H
#define DAEMON_CTL_SINCE_H

#include <stdbool.h>

#define SINCE_FORMS                                                            \
	"--since takes 90s, 30min, 12h, 7d or 4w, or 'YYYY-MM-DD HH:MM'"

/*
 * "90s", "30min", "12h", "7d" or "4w" before `now`; "YYYY-MM-DD[ HH:MM[:SS]]"
 * in local time; "@SECONDS": Unix time. In *ret as Unix time.
 */
bool since_parse(const char *text, double now, double *ret);

#endif
