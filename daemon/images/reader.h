/*
 * reader: brings cold file data into the page cache, in a worker's thread.
 */
#ifndef DAEMON_IMAGES_READER_H
#define DAEMON_IMAGES_READER_H

#include <stdint.h>

#include "daemon/base/worker.h"
#include "daemon/images/view.h"

#define READER_CHUNK (1u << 20) /* read ahead by so much for each miss */

/*
 * Read this range of the view in; then call(arg, err) from the loop, err as
 * from view_read_in. The job is gone by then. NULL: memory is short. To be
 * ended early with worker_cancel.
 */
struct worker_job *reader_start(struct worker *worker, struct view *view,
	uint64_t offset, uint64_t len, void (*call)(void *arg, int err),
	void *arg);

#endif
