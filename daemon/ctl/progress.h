/*
 * progress: the boots that run, as bars that stay at the bottom of a terminal,
 * below a line for each that ended. The terminal is left as it is: the cursor
 * always stands below the bars, so that nothing is to be restored, however
 * the program ends.
 */
#ifndef DAEMON_CTL_PROGRESS_H
#define DAEMON_CTL_PROGRESS_H

#include <jansson.h>

/* One line of the daemon's: what runs, or news of one boot. */
void progress_show(const json_t *answer);

#endif
