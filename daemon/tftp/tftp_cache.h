/*
 * tftp_cache: pieces of files that are being sent in small blocks. A client
 * without a window, or with a small one, asks for a few kilobytes at a time,
 * and a storm of them asks for the same ones: a copy is cheaper by far than
 * a system call for each.
 *
 * What is in here was in the file at some time since the view was made: that
 * the file is still the same then is for view_is_whole to say, as ever.
 */
#ifndef DAEMON_TFTP_TFTP_CACHE_H
#define DAEMON_TFTP_TFTP_CACHE_H

#include <stdint.h>
#include <sys/uio.h>

#include "daemon/images/view.h"

#define TFTP_CACHE_PIECE  32768u
#define TFTP_CACHE_PIECES 96

struct tftp_cache;

struct tftp_cache *tftp_cache_new(void);	/* NULL: memory is short */
void tftp_cache_free(struct tftp_cache *cache); /* NULL is fine */

/* As view_readv with nowait. */
int tftp_cache_readv(struct tftp_cache *cache, struct view *view,
	const struct iovec *iov, int n, uint64_t offset);
/* Let go of this view; NULL: of all. */
void tftp_cache_forget(struct tftp_cache *cache, const struct view *view);

#endif
