#include "daemon/config_watch.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_HOPS  40 /* of symbolic links on one way, as the kernel's */
#define MAX_SPOTS 65536
#define MAX_DIRS  1024
#define MAX_READS 16 /* at a time: others wait */

#define EVENTS                                                                 \
	(IN_CLOSE_WRITE | IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM |            \
		IN_DELETE | IN_ATTRIB | IN_ONLYDIR)

/* A name in a directory. */
struct spot {
	char *dir;
	char *name; /* "": all that an included directory is read for */
	bool file;  /* not merely on the way to one */
};

/* The spots of one directory. */
struct dir {
	int wd; /* -1: it cannot be watched */
	size_t first, n;
};

struct config_watch {
	int inotify;
	size_t n_spots, cap_spots;
	struct spot *spots; /* sorted */
	size_t n_dirs;
	struct dir dirs[MAX_DIRS];
};

static void add_spot(struct config_watch *w, const char *dir, const char *name,
	size_t len, bool file)
{
	struct spot spot = {strdup(dir), strndup(name, len), file};

	if (w->n_spots == w->cap_spots && w->cap_spots < MAX_SPOTS) {
		size_t cap = w->cap_spots ? 2 * w->cap_spots : 64;
		void *spots = realloc(w->spots, cap * sizeof(*w->spots));

		if (spots) {
			w->spots = spots;
			w->cap_spots = cap;
		}
	}
	if (spot.dir && spot.name && w->n_spots < w->cap_spots) {
		w->spots[w->n_spots++] = spot;
		return;
	}
	free(spot.dir);
	free(spot.name);
}

/* What is still to go of a path, after a link: TARGET/REST. False: too long. */
static bool go_by_link(char rest[PATH_MAX], const char *target, char *at)
{
	char copy[PATH_MAX];
	int n = snprintf(copy, sizeof(copy), "%s/%s", target, rest);

	if (n < 0 || n >= PATH_MAX)
		return false;
	memcpy(rest, copy, (size_t)n + 1);
	if (rest[0] == '/')
		strcpy(at, "/");
	return true;
}

/* `at` and one more name. False: too long. */
static bool join(char at[PATH_MAX], const char *name, size_t len)
{
	size_t at_len = strlen(at);
	bool slash = at[at_len - 1] != '/';

	if (at_len + slash + len >= PATH_MAX)
		return false;
	if (slash)
		at[at_len++] = '/';
	memcpy(at + at_len, name, len);
	at[at_len + len] = '\0';
	return true;
}

/* Go to the source name by name as the kernel does. */
static void follow(struct config_watch *w, const struct config_source *source)
{
	char at[PATH_MAX], rest[PATH_MAX], target[PATH_MAX];
	unsigned hops = 0;

	if (strlen(source->path) >= PATH_MAX)
		return;
	strcpy(rest, source->path);
	strcpy(at, rest[0] == '/' ? "/" : ".");
	for (;;) {
		char *name = rest + strspn(rest, "/");
		size_t len = strcspn(name, "/"), at_len = strlen(at);
		bool last = !name[len + strspn(name + len, "/")];
		ssize_t n;

		if (!len)
			break;
		if (len > 2 || strncmp(name, "..", len) != 0)
			add_spot(w, at, name, len, last);
		if (!join(at, name, len))
			return;
		memmove(rest, name + len, strlen(name + len) + 1);
		n = readlink(at, target, sizeof(target) - 1);
		/* What is not there yet is waited for where it will be. */
		if (n < 0 && errno != EINVAL)
			return;
		if (n < 0)
			continue;
		target[n] = '\0';
		at[at_len] = '\0';
		if (++hops > MAX_HOPS || !go_by_link(rest, target, at))
			return;
	}
	if (source->kind == CONFIG_SOURCE_DIRECTORY)
		add_spot(w, at, "", 0, true);
}

static int compare_spots(const void *a, const void *b)
{
	const struct spot *x = a, *y = b;
	int order = strcmp(x->dir, y->dir);

	return order ? order : strcmp(x->name, y->name);
}

static void watch_dirs(struct config_watch *w)
{
	struct dir *dir = NULL;

	for (size_t i = 0; i < w->n_spots; i++) {
		const char *path = w->spots[i].dir;

		if (!dir || strcmp(path, w->spots[dir->first].dir) != 0) {
			if (w->n_dirs == MAX_DIRS)
				return;
			dir = &w->dirs[w->n_dirs++];
			*dir = (struct dir){.first = i};
			dir->wd = inotify_add_watch(w->inotify, path, EVENTS);
		}
		dir->n++;
	}
}

struct config_watch *config_watch_new(
	int inotify, const struct config_report *report)
{
	struct config_watch *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	w->inotify = inotify;
	/* A part is seen in its directory. */
	for (size_t i = 0; i < report->n_sources; i++)
		if (report->sources[i].kind != CONFIG_SOURCE_PART)
			follow(w, &report->sources[i]);
	if (w->n_spots)
		qsort(w->spots, w->n_spots, sizeof(*w->spots), compare_spots);
	watch_dirs(w);
	return w;
}

static bool has_wd(const struct config_watch *w, int wd)
{
	for (size_t i = 0; w && i < w->n_dirs; i++)
		if (w->dirs[i].wd == wd)
			return true;
	return false;
}

void config_watch_free(struct config_watch *w, const struct config_watch *keep,
	const struct config_watch *keep2)
{
	if (!w)
		return;
	for (size_t i = 0; i < w->n_dirs; i++)
		if (w->dirs[i].wd >= 0 && !has_wd(keep, w->dirs[i].wd) &&
			!has_wd(keep2, w->dirs[i].wd))
			inotify_rm_watch(w->inotify, w->dirs[i].wd);
	for (size_t i = 0; i < w->n_spots; i++) {
		free(w->spots[i].dir);
		free(w->spots[i].name);
	}
	free(w->spots);
	free(w);
}

bool config_watch_is_in(
	const struct config_watch *w, const struct config_watch *older)
{
	for (size_t i = 0; i < w->n_dirs; i++)
		if (w->dirs[i].wd >= 0 && !has_wd(older, w->dirs[i].wd))
			return false;
	return true;
}

/* By its change time, which a rename sets too. */
static bool has_changed(const char *path, const struct timespec *since)
{
	struct stat st;

	if (lstat(path, &st) < 0)
		return false;
	return st.st_ctim.tv_sec > since->tv_sec ||
	       (st.st_ctim.tv_sec == since->tv_sec &&
		       st.st_ctim.tv_nsec >= since->tv_nsec);
}

bool config_watch_has_changed(const struct config_watch *w,
	const struct config_report *report, const struct timespec *since)
{
	char path[PATH_MAX];

	for (size_t i = 0; i < w->n_spots; i++) {
		int n = snprintf(path, sizeof(path), "%s/%s", w->spots[i].dir,
			w->spots[i].name);

		if (n < PATH_MAX && has_changed(path, since))
			return true;
	}
	for (size_t i = 0; i < report->n_sources; i++)
		if (has_changed(report->sources[i].path, since))
			return true;
	return false;
}

const char *config_watch_blind(const struct config_watch *w)
{
	for (size_t i = 0; i < w->n_dirs; i++) {
		const struct dir *dir = &w->dirs[i];

		for (size_t j = 0; dir->wd < 0 && j < dir->n; j++)
			if (w->spots[dir->first + j].file)
				return w->spots[dir->first].dir;
	}
	return NULL;
}

/* A file that was just made is empty: wait until it was written and closed. */
static bool is_unwritten(const char *dir, const char *name)
{
	char path[PATH_MAX];
	struct stat st;
	int n = snprintf(path, sizeof(path), "%s/%s", dir, name);

	return n > 0 && n < PATH_MAX && lstat(path, &st) == 0 &&
	       S_ISREG(st.st_mode) && st.st_nlink == 1;
}

/* Would it be read from an included directory? */
static bool is_part(const char *name)
{
	size_t len = strlen(name);

	return name[0] != '.' && len > 5 &&
	       strcmp(name + len - 5, ".yaml") == 0;
}

static bool is_ours(const struct config_watch *w, const struct dir *dir,
	const struct inotify_event *e)
{
	const struct spot *spots = &w->spots[dir->first];
	struct spot key = {.dir = spots->dir};
	char name[NAME_MAX + 1] = "";

	snprintf(name, sizeof(name), "%s", e->name);
	key.name = name;
	/* "" is the least of names. */
	if (!(is_part(name) && !spots->name[0]) &&
		!bsearch(&key, spots, dir->n, sizeof(*spots), compare_spots))
		return false;
	return !(e->mask & IN_CREATE) || !is_unwritten(spots->dir, name);
}

static bool matters(
	const struct config_watch *w, const struct inotify_event *e, bool loose)
{
	if (e->mask & IN_Q_OVERFLOW)
		return true;
	if (!has_wd(w, e->wd)) /* or it is one that was let go */
		return loose && !(e->mask & IN_IGNORED);
	for (size_t i = 0; e->len && i < w->n_dirs; i++)
		if (w->dirs[i].wd == e->wd && is_ours(w, &w->dirs[i], e))
			return true;
	return false;
}

bool config_watch_read(const struct config_watch *w, bool loose)
{
	char buf[4096]
		__attribute__((aligned(__alignof__(struct inotify_event))));
	bool ours = false;

	for (int turn = 0; turn < MAX_READS; turn++) {
		ssize_t n = read(w->inotify, buf, sizeof(buf));

		if (n <= 0)
			break;
		for (char *at = buf; at < buf + n;) {
			const struct inotify_event *e = (void *)at;

			ours = ours || matters(w, e, loose);
			at += sizeof(*e) + e->len;
		}
	}
	return ours;
}
