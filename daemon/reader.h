/*
 * reader: helper threads that bring cold file data into the page cache, so
 * that the event loop never waits for a disk.
 *
 * A job holds a reference to its view, which only the loop's thread takes and
 * drops; the threads do nothing but read.
 */
#ifndef DAEMON_READER_H
#define DAEMON_READER_H

#include <stdint.h>

#include "daemon/view.h"

struct event_base;
struct reader;
struct reader_job;

#define READER_THREADS 4
#define READER_CHUNK   (1u << 20) /* read ahead by so much for each miss */

/* NULL if threads cannot be had. */
struct reader *reader_new(struct event_base *base);
void reader_free(struct reader *reader);

/*
 * Read this range in; then call done(arg, err) from the loop, err as from
 * view_readv. The job is gone by then. NULL: memory is short.
 */
struct reader_job *reader_start(struct reader *reader, struct view *view,
	uint64_t offset, uint64_t len, void (*done)(void *arg, int err),
	void *arg);
/* Nobody waits for it any more: done will not be called. */
void reader_cancel(struct reader_job *job);

#endif
