#include "daemon/images/view.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "daemon/base/clock.h"

#define PIECE 65536
/* The kernel reads ahead by about so much, and so do we. */
#define UNIT (128u << 10)
/*
 * What was in the page cache so long ago is taken to be there still; if it is
 * not, one read waits. WARM: RWF_NOWAIT has said so. NEAR: it does not tell,
 * but a helper has read it in; and whoever has just asked its server about a
 * file commonly (NFS, libfuse) does not ask again within a second.
 */
#define WARM_US 100000
#define NEAR_US 800000

struct file {
	unsigned refs;
	int fd;
	struct stat st;
	bool blind; /* RWF_NOWAIT does not tell */
	/*
	 * When each UNIT was last in the page cache, in us; 0: never. Set by
	 * helper threads of a blind file.
	 */
	_Atomic uint64_t *cached_us;
};

struct extent {
	struct file *file; /* NULL: memory */
	uint64_t offset;   /* in the file */
	uint8_t *memory;   /* NULL, and no file: zeros */
	uint64_t len;
};

struct view {
	unsigned refs;
	const char *type;
	uint64_t size;
	char etag[VIEW_ETAG_LEN];
	size_t n;
	struct extent extent[VIEW_MAX_EXTENTS];
};

/* What is in memory anyway does not tell, either, but never waits. */
static bool is_blind(int fd)
{
	char byte;
	struct iovec iov = {&byte, 1};
	struct statfs fs;

	return preadv2(fd, &iov, 1, 0, RWF_NOWAIT) < 0 && errno == EOPNOTSUPP &&
	       (fstatfs(fd, &fs) ||
		       (fs.f_type != TMPFS_MAGIC && fs.f_type != RAMFS_MAGIC));
}

int file_open(const char *path, struct file **ret)
{
	struct file *file = calloc(1, sizeof(*file));
	int err;

	if (!file)
		return -ENOMEM;
	file->refs = 1;
	/* O_NONBLOCK: a FIFO of that name must not hold up the daemon. */
	file->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (file->fd < 0 || fstat(file->fd, &file->st) < 0) {
		err = -errno;
		goto fail;
	}
	if (!S_ISREG(file->st.st_mode)) {
		err = S_ISDIR(file->st.st_mode) ? -EISDIR : -EINVAL;
		goto fail;
	}
	file->blind = is_blind(file->fd);
	file->cached_us =
		calloc(file_size(file) / UNIT + 1, sizeof(*file->cached_us));
	if (!file->cached_us) {
		err = -ENOMEM;
		goto fail;
	}
	*ret = file;
	return 0;
fail:
	if (file->fd >= 0)
		close(file->fd);
	free(file);
	return err;
}

bool file_is_shortage(int err)
{
	return err == -EMFILE || err == -ENFILE || err == -ENOMEM;
}

struct file *file_ref(struct file *file)
{
	file->refs++;
	return file;
}

void file_unref(struct file *file)
{
	if (!file || --file->refs)
		return;
	close(file->fd);
	free(file->cached_us);
	free(file);
}

uint64_t file_size(const struct file *file)
{
	return (uint64_t)file->st.st_size;
}

int64_t file_mtime(const struct file *file)
{
	return file->st.st_mtim.tv_sec;
}

const struct stat *file_stat(const struct file *file)
{
	return &file->st;
}

bool file_is_remote(const struct file *file)
{
	return file->blind;
}

bool file_is_at(const struct file *file, const struct stat *st)
{
	return st->st_dev == file->st.st_dev && st->st_ino == file->st.st_ino &&
	       st->st_size == file->st.st_size &&
	       st->st_mtim.tv_sec == file->st.st_mtim.tv_sec &&
	       st->st_mtim.tv_nsec == file->st.st_mtim.tv_nsec;
}

bool file_is_unchanged(const struct file *file, bool nowait)
{
	struct stat st;
	struct statx now;

	if (!file->blind)
		return fstat(file->fd, &st) == 0 && file_is_at(file, &st);
	if (statx(file->fd, "",
		    AT_EMPTY_PATH |
			    (nowait ? AT_STATX_DONT_SYNC : AT_STATX_FORCE_SYNC),
		    STATX_SIZE | STATX_MTIME, &now))
		return false;
	st = file->st;
	st.st_size = (off_t)now.stx_size;
	st.st_mtim.tv_sec = now.stx_mtime.tv_sec;
	st.st_mtim.tv_nsec = now.stx_mtime.tv_nsec;
	return file_is_at(file, &st);
}

int file_read(const struct file *file, void *buf, size_t len, uint64_t offset)
{
	uint8_t *at = buf;

	while (len) {
		ssize_t n = pread(file->fd, at, len, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		at += n;
		len -= (size_t)n;
		offset += (uint64_t)n;
	}
	return 0;
}

struct view *view_new(const char *type)
{
	struct view *view = calloc(1, sizeof(*view));

	if (!view)
		return NULL;
	view->refs = 1;
	view->type = type;
	return view;
}

void view_add_file(
	struct view *view, struct file *file, uint64_t offset, uint64_t len)
{
	if (!len)
		return;
	assert(view->n < VIEW_MAX_EXTENTS);
	assert(offset <= file_size(file) && len <= file_size(file) - offset);
	view->extent[view->n++] = (struct extent){
		.file = file_ref(file),
		.offset = offset,
		.len = len,
	};
	view->size += len;
}

void view_add_memory(struct view *view, void *memory, uint64_t len)
{
	if (!len) {
		free(memory);
		return;
	}
	assert(view->n < VIEW_MAX_EXTENTS);
	view->extent[view->n++] = (struct extent){
		.memory = memory,
		.len = len,
	};
	view->size += len;
}

struct view *view_of_text(const char *type, const char *text, size_t len)
{
	struct view *view = view_new(type);
	char *copy = view ? malloc(len ? len : 1) : NULL;

	if (!copy) {
		view_unref(view);
		return NULL;
	}
	memcpy(copy, text, len);
	view_add_memory(view, copy, len);
	return view;
}

struct view *view_ref(struct view *view)
{
	view->refs++;
	return view;
}

void view_unref(struct view *view)
{
	if (!view || --view->refs)
		return;
	for (size_t i = 0; i < view->n; i++) {
		file_unref(view->extent[i].file);
		free(view->extent[i].memory);
	}
	free(view);
}

uint64_t view_size(const struct view *view)
{
	return view->size;
}

const char *view_type(const struct view *view)
{
	return view->type;
}

/* FNV-1a, 64 bits; two of them with different bases make the tag. */
static uint64_t hash(uint64_t h, const void *data, size_t len)
{
	const uint8_t *p = data;

	while (len--)
		h = (h ^ *p++) * 0x100000001b3u;
	return h;
}

static uint64_t hash_extent(uint64_t h, const struct extent *e)
{
	if (e->file) {
		const struct stat *st = &e->file->st;
		uint64_t facts[] = {
			(uint64_t)st->st_ino,
			(uint64_t)st->st_size,
			(uint64_t)st->st_mtim.tv_sec,
			(uint64_t)st->st_mtim.tv_nsec,
			e->offset,
		};
		h = hash(h, facts, sizeof(facts));
	} else if (e->memory) {
		h = hash(h, e->memory, e->len);
	}
	return hash(h, &e->len, sizeof(e->len));
}

const char *view_etag(struct view *view)
{
	uint64_t a = 0xcbf29ce484222325u, b = 0x84222325cbf29ce4u;

	if (!view->etag[0]) {
		for (size_t i = 0; i < view->n; i++) {
			a = hash_extent(a, &view->extent[i]);
			b = hash_extent(b, &view->extent[i]);
		}
		snprintf(view->etag, sizeof(view->etag), "\"%016llx%016llx\"",
			(unsigned long long)a, (unsigned long long)b);
	}
	return view->etag;
}

int64_t view_mtime(const struct view *view)
{
	int64_t newest = -1;

	for (size_t i = 0; i < view->n; i++)
		if (view->extent[i].file &&
			file_mtime(view->extent[i].file) > newest)
			newest = file_mtime(view->extent[i].file);
	return newest;
}

bool view_is_whole(const struct view *view)
{
	const struct file *seen = NULL;

	for (size_t i = 0; i < view->n; i++) {
		const struct file *file = view->extent[i].file;

		/* Neighbours are mostly of one file: ask once. */
		if (file && file != seen && !file_is_unchanged(file, true))
			return false;
		if (file)
			seen = file;
	}
	return true;
}

/* The extent that holds this offset, and the offset within it. */
static const struct extent *extent_at(
	const struct view *view, uint64_t offset, uint64_t *ret_within)
{
	for (size_t i = 0; i < view->n; i++) {
		if (offset < view->extent[i].len) {
			*ret_within = offset;
			return &view->extent[i];
		}
		offset -= view->extent[i].len;
	}
	return NULL;
}

/* One buffer, wholly within one extent. */
static int read_piece(const struct extent *e, uint64_t within, uint8_t *buf,
	size_t len, bool nowait)
{
	while (len) {
		struct iovec iov = {buf, len};
		ssize_t n;

		if (!e->file) {
			if (e->memory)
				memcpy(buf, e->memory + within, len);
			else
				memset(buf, 0, len);
			return 0;
		}
		n = preadv2(e->file->fd, &iov, 1, (off_t)(e->offset + within),
			nowait ? RWF_NOWAIT : 0);
		if (n < 0 && nowait && errno == EOPNOTSUPP) {
			nowait = false; /* tmpfs and others: never wait */
			continue;
		}
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		buf += n;
		len -= (size_t)n;
		within += (uint64_t)n;
	}
	return 0;
}

static int read_by_pieces(const struct view *view, const struct iovec *iov,
	int n, uint64_t offset, bool nowait)
{
	for (int i = 0; i < n; i++) {
		uint8_t *buf = iov[i].iov_base;
		size_t left = iov[i].iov_len;

		while (left) {
			uint64_t within;
			const struct extent *e =
				extent_at(view, offset, &within);
			size_t piece;
			int err;

			if (!e)
				return -EIO;
			piece = left < e->len - within ? left : e->len - within;
			err = read_piece(e, within, buf, piece, nowait);
			if (err)
				return err;
			buf += piece;
			left -= piece;
			offset += piece;
		}
	}
	return 0;
}

/*
 * The part of an extent, which begins at *at in its view, that is in this
 * range, as offsets in its file. False: none is. *at moves on to the next.
 */
static bool clip(const struct extent *e, uint64_t offset, uint64_t len,
	uint64_t *at, uint64_t *ret_from, uint64_t *ret_to)
{
	uint64_t begin = *at, end = begin + e->len;
	uint64_t from = offset > begin ? offset : begin;
	uint64_t to = offset + len < end ? offset + len : end;

	*at = end;
	if (!e->file || from >= to)
		return false;
	*ret_from = e->offset + (from - begin);
	*ret_to = e->offset + (to - begin);
	return true;
}

/* Its first byte tells of a whole unit. */
static bool is_unit_warm(struct file *file, uint64_t unit, uint64_t now)
{
	char byte;
	struct iovec iov = {&byte, 1};
	uint64_t cached = atomic_load(&file->cached_us[unit]);

	if (cached + (file->blind ? NEAR_US : WARM_US) >= now)
		return true;
	if (file->blind || (preadv2(file->fd, &iov, 1, (off_t)(unit * UNIT),
				    RWF_NOWAIT) < 0 &&
				   errno == EAGAIN))
		return false;
	atomic_store(&file->cached_us[unit], now);
	return true;
}

/* Those of blind files alone, or all. */
static bool is_cached(
	const struct view *view, uint64_t offset, uint64_t len, bool all)
{
	uint64_t at = 0, from, to, now = clock_us();

	for (size_t i = 0; i < view->n; i++) {
		const struct extent *e = &view->extent[i];

		if (!clip(e, offset, len, &at, &from, &to) ||
			(!all && !e->file->blind))
			continue;
		for (uint64_t unit = from / UNIT; unit * UNIT < to; unit++)
			if (!is_unit_warm(e->file, unit, now))
				return false;
	}
	return true;
}

bool view_is_warm(const struct view *view, uint64_t offset, uint64_t len)
{
	return is_cached(view, offset, len, true);
}

int view_readv(const struct view *view, const struct iovec *iov, int n,
	uint64_t offset, bool nowait)
{
	uint64_t within;
	const struct extent *e = extent_at(view, offset, &within);
	size_t len = 0;

	for (int i = 0; i < n; i++)
		len += iov[i].iov_len;
	if (!len)
		return 0;
	if (nowait && !is_cached(view, offset, len, false))
		return -EAGAIN;
	/* The usual case, all in one file, is one system call. */
	if (e && e->file && len <= e->len - within) {
		ssize_t got = preadv2(e->file->fd, iov, n,
			(off_t)(e->offset + within), nowait ? RWF_NOWAIT : 0);

		if (got == (ssize_t)len)
			return 0;
		if (got < 0 && errno != EOPNOTSUPP && errno != EINTR)
			return -errno;
	}
	return read_by_pieces(view, iov, n, offset, nowait);
}

static int read_in(struct file *file, uint64_t from, uint64_t to)
{
	static __thread uint8_t buf[PIECE];
	uint64_t first = from / UNIT, end = (to + UNIT - 1) / UNIT, now;

	from = first * UNIT;
	to = end * UNIT < file_size(file) ? end * UNIT : file_size(file);
	while (from < to) {
		size_t len = to - from < PIECE ? (size_t)(to - from) : PIECE;
		int err = file_read(file, buf, len, from);

		if (err)
			return err;
		from += len;
	}
	if (!file->blind)
		return 0;
	if (!file_is_unchanged(file, false))
		return -ESTALE;
	now = clock_us();
	for (uint64_t unit = first; unit < end; unit++)
		atomic_store(&file->cached_us[unit], now);
	return 0;
}

int view_read_in(const struct view *view, uint64_t offset, uint64_t len)
{
	uint64_t at = 0, from, to;
	int err = 0;

	for (size_t i = 0; i < view->n && !err; i++)
		if (clip(&view->extent[i], offset, len, &at, &from, &to))
			err = read_in(view->extent[i].file, from, to);
	return err;
}

int64_t view_send(const struct view *view, int fd, uint64_t offset,
	uint64_t len, bool more)
{
	static const uint8_t zeros[4096];
	uint64_t within;
	const struct extent *e = extent_at(view, offset, &within);
	ssize_t n;

	if (!e)
		return -EIO;
	if (len > e->len - within) {
		len = e->len - within;
		more = true;
	}
	if (e->file) {
		off_t at = (off_t)(e->offset + within);

		n = sendfile(fd, e->file->fd, &at, len);
	} else if (e->memory) {
		n = send(fd, e->memory + within, len,
			MSG_NOSIGNAL | (more ? MSG_MORE : 0));
	} else {
		if (len > sizeof(zeros)) {
			len = sizeof(zeros);
			more = true;
		}
		n = send(fd, zeros, len, MSG_NOSIGNAL | (more ? MSG_MORE : 0));
	}
	if (n < 0)
		return errno == EWOULDBLOCK ? -EAGAIN : -errno;
	return n ? n : -EIO;
}
