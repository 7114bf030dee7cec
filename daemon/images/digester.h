/*
 * digester: SHA-256 of files, in a helper thread, one file at a time, so that
 * hashing never takes more than one core or one disk's queue from the boots
 * that go on meanwhile.
 *
 * What was computed is remembered for the process's life by device, inode,
 * size and modification time: a reload, or a file that was only looked at
 * again, costs nothing. Only the loop's thread may call these, except
 * digester_hash.
 */
#ifndef DAEMON_IMAGES_DIGESTER_H
#define DAEMON_IMAGES_DIGESTER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "daemon/base/worker.h"
#include "daemon/images/view.h"
#include "proto/digest.h"

#define DIGESTER_MAX_KNOWN 8192 /* more push out the oldest */

struct digester;

/* Of some bytes in memory, at once. */
void digester_hash_bytes(const void *data, size_t len, struct digest *ret);
/*
 * Of a whole file, waiting for the disk; *moves (may be NULL) is counted up for
 * each piece of it. 0; -ECANCELED once *stop (may be NULL) is set; -ESTALE if
 * the file changed meanwhile; else -errno.
 */
int digester_hash(const struct file *file, const atomic_bool *stop,
	atomic_uint *moves, struct digest *ret);

/*
 * What processes forked later have known, this one knows, too. False: memory
 * is short. Only one of them may have something known at a time.
 */
bool digester_share(void);
/* Whether this process knows the digest of this file, as it is now. */
bool digester_find(const struct file *file, struct digest *ret);
/* Have it known; for who has hashed a file by himself. */
void digester_remember(const struct file *file, const struct digest *digest);

/*
 * call(arg, file, err) is called from the loop when a file is through: 0, and
 * the digest is known, or as from digester_hash. NULL: memory is short.
 */
struct digester *digester_new(struct worker *worker,
	void (*call)(void *arg, const struct file *file, int err), void *arg);
/* Before worker_free: what is being hashed is given up. NULL is fine. */
void digester_free(struct digester *digester);
bool digester_is_busy(const struct digester *digester);
/* Begin with this file. False: memory is short, or it is busy. */
bool digester_start(struct digester *digester, struct file *file);

#endif
