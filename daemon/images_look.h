/*
 * images_look: a look at the images directory from a helper thread, for file
 * systems whose changes inotify does not tell: those of file servers. It also
 * brings what the catalogue will ask into the kernel's caches.
 */
#ifndef DAEMON_IMAGES_LOOK_H
#define DAEMON_IMAGES_LOOK_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/worker.h"

/* Can others change this directory without inotify telling? */
bool images_look_is_needed(const char *directory);
/*
 * call(arg, sum) is called from the loop; the sum is another one once a file
 * there or in an OCI layout there has come, gone or changed. seen: the last
 * one. The job is gone by then. NULL: memory is short. To be ended early with
 * worker_cancel.
 */
struct worker_job *images_look_start(struct worker *worker,
	const char *directory, uint64_t seen,
	void (*call)(void *arg, uint64_t sum), void *arg);

#endif
