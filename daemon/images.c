#include "daemon/images.h"

#include <dirent.h>
#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <time.h>
#include <unistd.h>

#include "daemon/log.h"

/* A file written to so recently may not be whole yet. */
#define SETTLE_S 2

struct images_private {
	struct event_base *base;
	char *directory;
	int inotify;
	int watch; /* -1: the directory is not there (yet) */
	struct event *readable;
	struct event *again;
};

static const struct timeval soon = {0, 50000};
static const struct timeval later = {1, 0};

static bool is_image_name(const char *name)
{
	size_t len = strlen(name);

	return len > 4 && len <= IMAGE_NAME_MAX && name[0] != '.' &&
	       strcasecmp(name + len - 4, ".efi") == 0;
}

static bool is_fresh(const struct stat *st)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return st->st_mtim.tv_sec <= now.tv_sec &&
	       now.tv_sec - st->st_mtim.tv_sec < SETTLE_S;
}

const struct image *images_find(const struct images *images, const char *name)
{
	size_t low = 0, high = images->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		int order = strcmp(name, images->image[mid]->name);

		if (order == 0)
			return images->image[mid];
		if (order < 0)
			high = mid;
		else
			low = mid + 1;
	}
	return NULL;
}

/* The image of before, if the file is the very same; it is taken over. */
static struct image *keep(
	struct images *old, const char *name, const struct stat *st)
{
	for (size_t i = 0; i < old->n; i++) {
		struct image *image = old->image[i];

		if (image && strcmp(image->name, name) == 0 &&
			image->state != IMAGE_STATE_PENDING && image->file &&
			file_is_at(image->file, st)) {
			old->image[i] = NULL;
			return image;
		}
	}
	return NULL;
}

static struct image *look_at(struct images *old, const char *directory,
	const char *name, bool watching)
{
	char path[4096];
	struct stat st;
	struct image *image;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	if (stat(path, &st) < 0)
		return NULL; /* gone since readdir */
	image = keep(old, name, &st);
	if (image)
		return image;
	image = image_open(path, name);
	if (image && watching && is_fresh(&st)) {
		image->state = IMAGE_STATE_PENDING;
		snprintf(image->why, sizeof(image->why),
			"changed a moment ago: waiting until it is whole");
	}
	return image;
}

static int by_name(const void *a, const void *b)
{
	const struct image *const *x = a, *const *y = b;

	return strcmp((*x)->name, (*y)->name);
}

static void say(const struct image *image)
{
	switch (image->state) {
	case IMAGE_STATE_READY:
		log_info("image %s: %s, %s, %.1f MB%s", image->name,
			image->uki.kind == UKI_KIND_UKI ? "UKI"
							: "EFI application",
			arch_name(image->uki.arch), (double)image->size / 1e6,
			image->uki.cert_size ? ", signed" : "");
		break;
	case IMAGE_STATE_REFUSED:
		log_warn("image %s: not offered: %s", image->name, image->why);
		break;
	case IMAGE_STATE_PENDING:
		break;
	}
}

static void read_directory(struct images *images)
{
	struct images_private *p = images->private;
	struct images old = *images;
	DIR *dir = opendir(p->directory);
	struct dirent *entry;
	bool pending = false;

	images->n = 0;
	images->image = calloc(IMAGES_MAX, sizeof(*images->image));
	while (dir && images->image && images->n < IMAGES_MAX &&
		(entry = readdir(dir))) {
		struct image *image;
		size_t kept = images->n;

		if (!is_image_name(entry->d_name))
			continue;
		image = look_at(
			&old, p->directory, entry->d_name, p->base != NULL);
		if (!image)
			continue;
		images->image[kept] = image;
		images->n++;
		if (image->state == IMAGE_STATE_PENDING)
			pending = true;
	}
	if (dir)
		closedir(dir);
	if (images->image)
		qsort(images->image, images->n, sizeof(*images->image),
			by_name);
	for (size_t i = 0; i < old.n; i++)
		image_free(old.image[i]);
	free(old.image);
	if (pending)
		event_add(p->again, &later);
}

/* Log what is new: what the old catalogue did not hold in this form. */
static void refresh(struct images *images)
{
	struct {
		char name[IMAGE_NAME_MAX + 1];
		const void *was;
		enum image_state state;
	} *before = calloc(images->n + 1, sizeof(*before));
	size_t n = images->n;

	for (size_t i = 0; before && i < n; i++) {
		memcpy(before[i].name, images->image[i]->name,
			sizeof(before[i].name));
		before[i].was = images->image[i];
		before[i].state = images->image[i]->state;
	}
	read_directory(images);
	for (size_t i = 0; before && i < images->n; i++) {
		bool known = false;

		for (size_t j = 0; j < n; j++)
			known |= before[j].was == images->image[i] &&
				 before[j].state == images->image[i]->state;
		if (!known)
			say(images->image[i]);
	}
	for (size_t i = 0; before && i < n; i++)
		if (!images_find(images, before[i].name))
			log_info("image %s: gone", before[i].name);
	free(before);
}

static void watch(struct images *images)
{
	struct images_private *p = images->private;

	p->watch = inotify_add_watch(p->inotify, p->directory,
		IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE |
			IN_CREATE | IN_MODIFY | IN_ATTRIB | IN_DELETE_SELF |
			IN_MOVE_SELF | IN_ONLYDIR);
	if (p->watch < 0) /* not there: look again from time to time */
		event_add(p->again, &later);
}

static void on_again(evutil_socket_t fd, short what, void *arg)
{
	struct images *images = arg;

	(void)fd, (void)what;
	if (images->private->watch < 0) {
		watch(images);
		if (images->private->watch < 0)
			return;
	}
	refresh(images);
}

static void on_inotify(evutil_socket_t fd, short what, void *arg)
{
	struct images *images = arg;
	struct images_private *p = images->private;
	char buf[4096]
		__attribute__((aligned(__alignof__(struct inotify_event))));
	ssize_t n;

	(void)what;
	while ((n = read(fd, buf, sizeof(buf))) > 0) {
		for (char *at = buf; at < buf + n;) {
			const struct inotify_event *e = (void *)at;

			if (e->wd == p->watch &&
				(e->mask & (IN_IGNORED | IN_MOVE_SELF)))
				p->watch = -1;
			at += sizeof(*e) + e->len;
		}
	}
	if (!event_pending(p->again, EV_TIMEOUT, NULL))
		event_add(p->again, &soon);
}

int images_new(
	struct event_base *base, const char *directory, struct images **ret)
{
	struct images *images = calloc(1, sizeof(*images));
	struct images_private *p = calloc(1, sizeof(*p));

	if (!images || !p || !(p->directory = strdup(directory))) {
		free(images);
		free(p);
		return -ENOMEM;
	}
	images->private = p;
	p->base = base;
	p->inotify = -1;
	p->watch = -1;
	if (base) {
		p->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
		p->again = evtimer_new(base, on_again, images);
		if (p->inotify >= 0)
			p->readable = event_new(base, p->inotify,
				EV_READ | EV_PERSIST, on_inotify, images);
		if (!p->readable || !p->again) {
			images_free(images);
			return -ENOMEM;
		}
		event_add(p->readable, NULL);
		watch(images);
		refresh(images);
	} else {
		read_directory(images);
	}
	*ret = images;
	return 0;
}

void images_free(struct images *images)
{
	if (!images)
		return;
	for (size_t i = 0; i < images->n; i++)
		image_free(images->image[i]);
	free(images->image);
	if (images->private) {
		struct images_private *p = images->private;

		if (p->readable)
			event_free(p->readable);
		if (p->again)
			event_free(p->again);
		if (p->inotify >= 0)
			close(p->inotify);
		free(p->directory);
		free(p);
	}
	free(images);
}

void images_set_directory(struct images *images, const char *directory)
{
	struct images_private *p = images->private;
	char *copy;

	if (strcmp(p->directory, directory) != 0) {
		copy = strdup(directory);
		if (!copy)
			return;
		free(p->directory);
		p->directory = copy;
		if (p->watch >= 0)
			inotify_rm_watch(p->inotify, p->watch);
		watch(images);
	}
	refresh(images);
}
