#include "daemon/images/images_watch.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "daemon/base/clock.h"
#include "daemon/base/log.h"

#define MAX_WRITERS	  64
#define WRITER_TIMEOUT_US 60000000u
#define DIRECTORY_EVENTS                                                       \
	(IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE |            \
		IN_CREATE | IN_MODIFY | IN_ATTRIB | IN_DELETE_SELF |           \
		IN_MOVE_SELF | IN_ONLYDIR | IN_MASK_ADD)
#define LAYOUT_EVENTS                                                          \
	(IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE |            \
		IN_CREATE | IN_ONLYDIR | IN_MASK_ADD)
#define PARENT_EVENTS                                                          \
	(IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_CREATE | IN_ONLYDIR |    \
		IN_MASK_ADD)

/* A file of the directory that was written to and not closed since. */
struct writer {
	char name[NAME_MAX + 1];
	uint64_t last_us;
};

struct images_watch {
	void (*refresh)(void *arg);
	void *arg;
	char *directory;
	int inotify;
	int wd;	    /* -1: the directory is not there (yet) */
	int parent; /* its name may come to mean another; -1: not watched */
	int mounts; /* says when something was mounted or unmounted */
	struct event *readable, *mounted, *again;
	struct event *look; /* pending: inotify does not tell all */
	bool due;	    /* a change is waiting for its refresh */
	uint64_t refreshed_us;
	size_t n_writers;
	struct writer writer[MAX_WRITERS];
	struct images_layouts layouts; /* the inotify there is unused */
};

/*
 * The first change is taken up at once; while a large file is being copied in
 * they come without end.
 */
static const struct timeval soon = {0, 50000};
static const struct timeval in_a_burst = {0, 500000};
static const struct timeval later = {1, 0};
static const struct timeval between_looks = {10, 0};

static struct writer *find_writer(struct images_watch *w, const char *name)
{
	for (size_t i = 0; i < w->n_writers; i++)
		if (strcmp(w->writer[i].name, name) == 0)
			return &w->writer[i];
	return NULL;
}

static void drop_writer(struct images_watch *w, struct writer *writer)
{
	if (writer)
		*writer = w->writer[--w->n_writers];
}

static void note_writer(struct images_watch *w, const char *name)
{
	struct writer *writer = find_writer(w, name);

	if (!writer && w->n_writers == MAX_WRITERS)
		return;
	if (!writer)
		writer = &w->writer[w->n_writers++];
	snprintf(writer->name, sizeof(writer->name), "%s", name);
	writer->last_us = clock_us();
}

bool images_watch_is_written(const struct images_watch *w, const char *name)
{
	for (size_t i = 0; i < w->n_writers; i++)
		if (strcmp(w->writer[i].name, name) == 0)
			return clock_us() - w->writer[i].last_us <
			       WRITER_TIMEOUT_US;
	return false;
}

static bool is_in(const struct images_layouts *layouts, int wd)
{
	for (size_t i = 0; i < layouts->n; i++)
		if (layouts->wd[i] == wd)
			return true;
	return false;
}

bool images_layouts_init(
	struct images_layouts *layouts, const struct images_watch *w)
{
	layouts->n = 0;
	layouts->directory = layouts->parent = -1;
	layouts->inotify = fcntl(w->inotify, F_DUPFD_CLOEXEC, 0);
	return layouts->inotify >= 0;
}

void images_layouts_done(struct images_layouts *layouts)
{
	if (layouts->inotify >= 0)
		close(layouts->inotify);
}

static const char *last_part(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* Is it a file server's, where others change things unknown to inotify? */
static bool is_remote(const char *directory)
{
	static const uint32_t remote[] = {
		NFS_SUPER_MAGIC,
		FUSE_SUPER_MAGIC,
		SMB_SUPER_MAGIC,
		CIFS_SUPER_MAGIC,
		SMB2_SUPER_MAGIC,
		V9FS_MAGIC,
		CEPH_SUPER_MAGIC,
		AFS_FS_MAGIC,
		OCFS2_SUPER_MAGIC,
	};
	struct statfs fs;

	if (statfs(directory, &fs))
		return false;
	for (size_t i = 0; i < sizeof(remote) / sizeof(*remote); i++)
		if ((uint32_t)fs.f_type == remote[i])
			return true;
	return false;
}

/* A directory that is a symbolic link is switched to another one there. */
static int watch_parent(int inotify, const char *directory)
{
	const char *name = last_part(directory);
	char path[PATH_MAX];

	if (snprintf(path, sizeof(path), "%.*s.", (int)(name - directory),
		    directory) >= (int)sizeof(path))
		return -1;
	return inotify_add_watch(inotify, path, PARENT_EVENTS);
}

void images_layouts_begin(struct images_layouts *layouts, const char *directory)
{
	layouts->parent = watch_parent(layouts->inotify, directory);
	layouts->directory = inotify_add_watch(
		layouts->inotify, directory, DIRECTORY_EVENTS);
	layouts->remote = is_remote(directory);
}

void images_layouts_watch(struct images_layouts *layouts, const char *folder)
{
	static const char *const parts[] = {"", "/blobs", "/blobs/sha256"};

	for (size_t i = 0; i < 3 && layouts->n < IMAGES_WATCH_MAX; i++) {
		char path[PATH_MAX];
		int wd;

		if (snprintf(path, sizeof(path), "%s%s", folder, parts[i]) >=
			(int)sizeof(path))
			return;
		wd = inotify_add_watch(layouts->inotify, path, LAYOUT_EVENTS);
		if (wd >= 0 && !is_in(layouts, wd))
			layouts->wd[layouts->n++] = wd;
	}
}

void images_watch_again(struct images_watch *w)
{
	event_add(w->again, &later);
}

/* No more for the sake of this one; the directory may be in it, by a link. */
static void leave(struct images_watch *w, int wd)
{
	if (wd >= 0 && wd != w->wd && wd != w->parent &&
		!is_in(&w->layouts, wd))
		inotify_rm_watch(w->inotify, wd);
}

void images_watch_left(
	struct images_watch *w, const struct images_layouts *layouts)
{
	leave(w, layouts->directory);
	leave(w, layouts->parent);
	for (size_t i = 0; i < layouts->n; i++)
		leave(w, layouts->wd[i]);
}

void images_watch_took(struct images_watch *w,
	const struct images_layouts *layouts, bool again)
{
	struct images_layouts old = w->layouts;

	old.directory = w->wd;
	old.parent = w->parent;
	w->layouts = *layouts;
	w->wd = layouts->directory;
	w->parent = layouts->parent;
	images_watch_left(w, &old);
	if (!layouts->remote)
		event_del(w->look);
	else if (!event_pending(w->look, EV_TIMEOUT, NULL))
		event_add(w->look, &between_looks);
	/* What is not there is looked for from time to time. */
	if (again || w->wd < 0)
		images_watch_again(w);
	w->refreshed_us = clock_us();
}

static void call_refresh(struct images_watch *w)
{
	w->due = false;
	w->refresh(w->arg);
}

static void on_again(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	call_refresh(arg);
}

static void on_look(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	call_refresh(arg);
}

/* True: it may be about the directory itself. */
static bool note_parent(struct images_watch *w, const struct inotify_event *e)
{
	if (e->mask & IN_IGNORED)
		w->parent = -1;
	return e->mask & IN_IGNORED ||
	       (e->len && strcmp(e->name, last_part(w->directory)) == 0);
}

/* True: something may have changed. */
static bool note(struct images_watch *w, const struct inotify_event *e)
{
	if (e->mask & IN_Q_OVERFLOW)
		w->n_writers = 0;
	if (e->wd == w->parent && !note_parent(w, e) && e->wd != w->wd)
		return false;
	if (e->wd != w->wd)
		return true;
	if (e->mask & IN_IGNORED)
		w->wd = -1;
	else if (e->len && (e->mask & IN_MODIFY))
		note_writer(w, e->name);
	else if (e->len && (e->mask & (IN_CLOSE_WRITE | IN_MOVED_TO |
					      IN_MOVED_FROM | IN_DELETE)))
		drop_writer(w, find_writer(w, e->name));
	return true;
}

static void refresh_soon(struct images_watch *w)
{
	bool burst = clock_us() - w->refreshed_us < 1000000;

	if (w->due)
		return;
	event_add(w->again, burst ? &in_a_burst : &soon);
	w->due = true;
}

/* On the old directory, nothing happened. */
static void on_mounted(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	refresh_soon(arg);
}

static void on_inotify(evutil_socket_t fd, short what, void *arg)
{
	struct images_watch *w = arg;
	char buf[4096]
		__attribute__((aligned(__alignof__(struct inotify_event))));
	bool changed = false;
	ssize_t n;

	(void)what;
	while ((n = read(fd, buf, sizeof(buf))) > 0) {
		for (char *at = buf; at < buf + n;) {
			const struct inotify_event *e = (void *)at;

			changed |= note(w, e);
			at += sizeof(*e) + e->len;
		}
	}
	if (changed)
		refresh_soon(w);
}

/* Without /proc one does without. The kernel tells of each change once. */
static void watch_mounts(struct images_watch *w, struct event_base *base)
{
	w->mounts = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
	if (w->mounts < 0)
		return;
	w->mounted = event_new(
		base, w->mounts, EV_READ | EV_ET | EV_PERSIST, on_mounted, w);
	if (w->mounted)
		event_add(w->mounted, NULL);
}

struct images_watch *images_watch_new(
	struct event_base *base, void (*refresh)(void *arg), void *arg)
{
	struct images_watch *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	w->refresh = refresh;
	w->arg = arg;
	w->wd = w->parent = w->mounts = -1;
	w->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (w->inotify < 0)
		log_error("images: cannot be watched: inotify: %s: the user's "
			  "other programs may hold too many "
			  "(fs.inotify.max_user_instances)",
			strerror(errno));
	w->again = evtimer_new(base, on_again, w);
	w->look = event_new(base, -1, EV_PERSIST, on_look, w);
	if (w->inotify >= 0)
		w->readable = event_new(
			base, w->inotify, EV_READ | EV_PERSIST, on_inotify, w);
	if (!w->readable || !w->again || !w->look ||
		event_add(w->readable, NULL)) {
		images_watch_free(w);
		return NULL;
	}
	watch_mounts(w, base);
	return w;
}

void images_watch_free(struct images_watch *w)
{
	if (!w)
		return;
	if (w->readable)
		event_free(w->readable);
	if (w->mounted)
		event_free(w->mounted);
	if (w->again)
		event_free(w->again);
	if (w->look)
		event_free(w->look);
	if (w->mounts >= 0)
		close(w->mounts);
	if (w->inotify >= 0)
		close(w->inotify);
	free(w->directory);
	free(w);
}

void images_watch_directory(struct images_watch *w, const char *directory)
{
	char *copy = strdup(directory);

	if (!copy)
		return;
	free(w->directory);
	w->directory = copy;
	w->n_writers = 0;
	if (w->wd >= 0)
		inotify_rm_watch(w->inotify, w->wd);
	if (w->parent >= 0)
		inotify_rm_watch(w->inotify, w->parent);
	w->wd = w->parent = -1;
}
