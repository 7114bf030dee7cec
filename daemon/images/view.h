/*
 * view: the one way in which bytes reach TFTP and HTTP. A view is a sequence
 * of extents, each a range of an open file or a small piece of memory: a whole
 * UKI, its kernel, a UKI with another command line, a generated script.
 *
 * Files and views are counted references. A file is opened once and never
 * again, so replacing it by rename disturbs no transfer that has begun.
 */
#ifndef DAEMON_IMAGES_VIEW_H
#define DAEMON_IMAGES_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/uio.h>

struct file;

/* A regular file, opened for reading: 0, or -errno. */
int file_open(const char *path, struct file **ret);
/* Too many descriptors or too little memory: the error will pass. */
bool file_is_shortage(int err);
struct file *file_ref(struct file *file);
void file_unref(struct file *file); /* NULL is fine */
uint64_t file_size(const struct file *file);
int64_t file_mtime(const struct file *file);
/* Is it on a file system that cannot tell whether a read would wait? */
bool file_is_remote(const struct file *file);
/* As it was when it was opened. */
const struct stat *file_stat(const struct file *file);
/* Is this path still this very file, as it was when it was opened? */
bool file_is_at(const struct file *file, const struct stat *st);
/*
 * False once somebody wrote into the file or cut it short. nowait: as far as
 * is known here; a file server is not asked.
 */
bool file_is_unchanged(const struct file *file, bool nowait);
/* Exactly len bytes from offset: 0, -errno, or -EIO where the file ends. */
int file_read(const struct file *file, void *buf, size_t len, uint64_t offset);

#define VIEW_ETAG_LEN	 40
#define VIEW_MAX_EXTENTS 20

struct view;

/*
 * Build: view_new, then extents in order, then hand out references. NULL:
 * memory is short.
 */
struct view *view_new(const char *type); /* media type; static text */
/* Takes its own reference to the file. */
void view_add_file(
	struct view *view, struct file *file, uint64_t offset, uint64_t len);
/* Takes the memory (from malloc) over; NULL: zeros. */
void view_add_memory(struct view *view, void *memory, uint64_t len);
/* A view of nothing but a copy of this text. */
struct view *view_of_text(const char *type, const char *text, size_t len);

struct view *view_ref(struct view *view);
void view_unref(struct view *view); /* NULL is fine */

uint64_t view_size(const struct view *view);
const char *view_type(const struct view *view);
/* Strong, with quotes; the same after a restart if no byte has changed. */
const char *view_etag(struct view *view);
int64_t view_mtime(const struct view *view); /* seconds; -1: none */
/*
 * False: a file under it was changed in place; nothing more may go out. Does
 * not wait: of a file server's files it knows what view_read_in has seen.
 */
bool view_is_whole(const struct view *view);

/*
 * Read len bytes from offset, all of them, into n buffers: 0; -EAGAIN if
 * `nowait` and something is not in the page cache; -EIO where a file has
 * become shorter; else -errno.
 */
int view_readv(const struct view *view, const struct iovec *iov, int n,
	uint64_t offset, bool nowait);
/*
 * Read this range, as far as the view has it, into the page cache: 0; -ESTALE
 * if a file server's file has changed; else as view_readv. Waits, for a
 * worker's thread.
 */
int view_read_in(const struct view *view, uint64_t offset, uint64_t len);
/*
 * False: sending some of this range would wait, or it is on a file system that
 * cannot tell whether a read would (NFS, FUSE, overlay, ...), and view_read_in
 * has not been there in the last moments. Then view_readv says -EAGAIN with
 * `nowait`. What was there a moment ago is not asked for again.
 */
bool view_is_warm(const struct view *view, uint64_t offset, uint64_t len);
/*
 * Send up to len bytes from offset to a socket: the count sent (at least 1),
 * -EAGAIN if it would block, -EIO where a file has become shorter, else
 * -errno. more: more will follow at once (MSG_MORE).
 */
int64_t view_send(const struct view *view, int fd, uint64_t offset,
	uint64_t len, bool more);

#endif
