#include "daemon/images/images.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "daemon/base/clock.h"
#include "daemon/base/log.h"
#include "daemon/base/worker.h"
#include "daemon/images/digester.h"
#include "daemon/images/images_read.h"
#include "daemon/images/images_watch.h"
#include "daemon/images/pins.h"
#include "daemon/images/retired.h"

/*
 * A digest that could not be computed is tried again at the next look at a
 * file server, and then ever more rarely: each time may read most of it.
 */
#define DIGEST_AGAIN_US	    8000000u
#define DIGEST_MAX_DOUBLING 6

/* A reading in a helper thread. */
struct refreshing {
	struct images *images;
	struct images_read *read;
	bool stale; /* the catalogue was read anew meanwhile */
};

struct images_private {
	char *directory;
	struct worker *worker;
	struct images_watch *watch; /* NULL: read once */
	struct digester *digester;  /* NULL: likewise */
	struct pins *pins;	    /* NULL: none */
	struct refreshing *running; /* NULL: none is; else by this job: */
	struct worker_job *job;
	bool due; /* one more after it */
};

static int by_name(const void *a, const void *b)
{
	const struct image *const *x = a, *const *y = b;

	return strcmp((*x)->name, (*y)->name);
}

/* What is wrong with it by itself is said rather. */
static void refuse_double(struct image *image)
{
	if (image->state == IMAGE_STATE_REFUSED)
		return;
	image->state = IMAGE_STATE_REFUSED;
	image->unsure = true;
	snprintf(image->why, sizeof(image->why), "two images have this name");
}

/* A file and an OCI tag may come to the same name: then it means neither. */
static void refuse_doubles(struct images *images)
{
	for (size_t i = 1; i < images->n; i++) {
		struct image *a = images->image[i - 1], *b = images->image[i];

		if (strcmp(a->name, b->name) != 0)
			continue;
		refuse_double(a);
		refuse_double(b);
	}
}

/* What a BIOS machine may have begun to fetch is kept for a while. */
static void retire(struct images *images, struct image *image)
{
	if (images->retired && !image_why_not_bios(image) &&
		file_is_unchanged(image->file, true))
		retired_add(images->retired, image);
	else
		image_free(image);
}

/* Is it to be looked at again, though nothing should change? */
static bool is_unsettled(const struct image *image)
{
	return image->unsure ||
	       (image->state == IMAGE_STATE_PENDING && !image->is_checked_next);
}

/* True: look again in a second. */
static bool take_images(struct images *images, struct images_read *r)
{
	struct images_private *p = images->private;
	struct images old = *images;
	struct image **list = calloc(r->n + 1, sizeof(*list));
	bool again = r->again;

	/* The old catalogue is better than none. */
	if (!list || r->error) {
		free(list);
		return true;
	}
	images->n = 0;
	images->image = list;
	for (size_t i = 0; i < r->n; i++) {
		struct images_read_found *found = &r->found[i];
		struct image **from =
			found->image ? &found->image : &old.image[found->old];
		struct image *image = *from;

		*from = NULL;
		list[images->n++] = image;
		if (p->watch && !image->must_match &&
			images_watch_is_written(p->watch, image->name))
			images_read_wait(image, "it is still being written");
		again |= is_unsettled(image);
	}
	qsort(list, images->n, sizeof(*list), by_name);
	refuse_doubles(images);
	for (size_t i = 0; i < old.n; i++)
		if (old.image[i])
			retire(images, old.image[i]);
	free(old.image);
	/* Without a watch it may be a helper thread, which does not log. */
	if (r->too_many && p->watch && !images->too_many)
		log_warn("%s holds more than %d images: the rest is left out, "
			 "of those that no machine boots",
			p->directory, IMAGES_MAX);
	images->too_many = r->too_many;
	return again;
}

static void say(const struct image *image)
{
	switch (image->state) {
	case IMAGE_STATE_READY:
		log_info("image %s: %s, %s, %.1f MB%s%s%s", image->name,
			image->uki.kind == UKI_KIND_UKI ? "UKI"
							: "EFI application",
			arch_name(image->uki.arch), (double)image->size / 1e6,
			image->uki.cert_size ? ", signed" : "",
			*image->signer ? " by " : "", image->signer);
		break;
	case IMAGE_STATE_REFUSED:
		if (image->stray)
			log_info("%s: no image: %s", image->name, image->why);
		else
			log_warn("image %s: not offered: %s", image->name,
				image->why);
		break;
	case IMAGE_STATE_PENDING:
		log_debug("image %s: not yet: %s", image->name, image->why);
		break;
	}
}

/* Who cannot be booted without it comes first. */
static int hurry(const struct images *images, const struct image *image)
{
	if (image->is_checked_next)
		return 3;
	if (image->state != IMAGE_STATE_READY)
		return 0;
	return pins_name(images->private->pins, image) ? 2 : 1;
}

/*
 * Take over the digests that are known by now, and have the next computed.
 * hashed: nothing but this file's is new; NULL: look all up. tell: log what
 * came of it.
 */
static void hash_next(
	struct images *images, const struct file *hashed, bool tell)
{
	struct images_private *p = images->private;
	struct image *next = NULL;
	uint64_t now_us = clock_us();
	int most = 0;

	for (size_t i = 0; i < images->n; i++) {
		struct image *image = images->image[i];
		enum image_state before = image->state;
		struct digest digest;

		if (!image->file || image->has_digest)
			continue;
		if ((!hashed || hashed == image->file) &&
			digester_find(image->file, &digest)) {
			image_set_digest(image, &digest, 0);
			if (image->state != before && tell)
				say(image);
			/* A helper thread, without a watch, does not log. */
			if (p->watch)
				pins_check(p->pins, image);
		} else if (hurry(images, image) > most &&
			   now_us >= image->digest_again_us) {
			most = hurry(images, image);
			next = image;
		}
	}
	if (next && p->digester && !digester_is_busy(p->digester) &&
		!digester_start(p->digester, next->file))
		images_watch_again(p->watch);
}

static void put_off(struct image *image)
{
	image->digest_again_us =
		clock_us() + (DIGEST_AGAIN_US << image->digest_failures);
	if (image->digest_failures < DIGEST_MAX_DOUBLING)
		image->digest_failures++;
}

static void on_digest(void *arg, const struct file *file, int err)
{
	struct images *images = arg;

	for (size_t i = 0; err && i < images->n; i++) {
		struct image *image = images->image[i];

		if (image->file != file)
			continue;
		if (image->digest_error != err)
			log_warn("image %s: its digest could not be computed: "
				 "%s",
				image->name, strerror(-err));
		put_off(image);
		image_set_digest(image, NULL, err);
	}
	hash_next(images, file, true);
}

void images_hash(struct images *images,
	bool (*wanted)(void *arg, const struct image *image), void *arg,
	struct images_progress *progress)
{
	for (size_t i = 0; i < images->n; i++) {
		struct image *image = images->image[i];
		struct digest digest;
		int err;

		if (!image->file || image->has_digest ||
			image->state == IMAGE_STATE_REFUSED ||
			!wanted(arg, image))
			continue;
		if (progress)
			memcpy(progress->name, image->name,
				sizeof(progress->name));
		err = digester_hash(image->file, NULL,
			progress ? &progress->moves : NULL, &digest);
		if (!err)
			digester_remember(image->file, &digest);
		image_set_digest(image, &digest, err);
	}
}

/* What the log has said of an image, to tell what is new. */
struct said {
	char name[IMAGE_NAME_MAX + 1];
	enum image_state state;
	char why[sizeof(((struct image *)NULL)->why)];
	const void *file;
};

static int by_said_name(const void *name, const void *said)
{
	return strcmp(name, ((const struct said *)said)->name);
}

static bool was_said(
	const struct said *said, size_t n, const struct image *image)
{
	said = bsearch(image->name, said, n, sizeof(*said), by_said_name);
	return said && said->state == image->state &&
	       strcmp(said->why, image->why) == 0 &&
	       (said->file == image->file || image->state != IMAGE_STATE_READY);
}

/* What was read is the catalogue now; log what is new. */
static void take(struct images *images, struct images_read *r)
{
	struct images_private *p = images->private;
	size_t n = images->n;
	struct said *said = calloc(n + 1, sizeof(*said));
	bool again;

	for (size_t i = 0; said && i < n; i++) {
		const struct image *image = images->image[i];

		said[i] = (struct said){
			.state = image->state,
			.file = image->file,
		};
		memcpy(said[i].name, image->name, sizeof(image->name));
		memcpy(said[i].why, image->why, sizeof(image->why));
	}
	again = take_images(images, r);
	if (p->watch && r->error)
		images_watch_again(p->watch);
	else if (p->watch)
		images_watch_took(p->watch, &r->layouts, again);
	hash_next(images, NULL, false);
	for (size_t i = 0; said && p->watch && i < images->n; i++)
		if (!was_said(said, n, images->image[i]))
			say(images->image[i]);
	for (size_t i = 0; said && i < n; i++)
		if (!images_find(images, said[i].name))
			log_info("image %s: gone", said[i].name);
	free(said);
}

/* Read it here and now. 0 or -errno. */
static int read_now(struct images *images)
{
	struct images_private *p = images->private;
	struct images_read *r =
		images_read_new(images, p->directory, p->watch, p->pins);
	int err = -ENOMEM;

	if (p->running)
		p->running->stale = true;
	if (r) {
		images_read_run(r);
		take(images, r);
		err = r->error;
	} else if (p->watch) {
		images_watch_again(p->watch);
	}
	images_read_free(r);
	return err;
}

static void refresh(void *arg);

static void refresh_work(void *arg)
{
	images_read_run(((struct refreshing *)arg)->read);
}

static void refresh_done(void *arg)
{
	struct refreshing *job = arg;
	struct images_private *p = job->images->private;

	p->running = NULL;
	if (job->stale)
		images_watch_left(p->watch, &job->read->layouts);
	else
		take(job->images, job->read);
	if (p->due)
		refresh(job->images);
}

static void refresh_drop(void *arg)
{
	struct refreshing *job = arg;

	images_read_free(job->read);
	free(job);
}

/* Read again, in a helper thread. */
static void refresh(void *arg)
{
	struct images *images = arg;
	struct images_private *p = images->private;
	struct refreshing *job;
	struct worker_task task = {
		refresh_work, refresh_done, refresh_drop, NULL};

	p->due = p->running != NULL;
	if (p->running)
		return;
	task.arg = job = calloc(1, sizeof(*job));
	if (job) {
		job->images = images;
		job->read = images_read_new(
			images, p->directory, p->watch, p->pins);
	}
	if (job && job->read)
		p->job = worker_start_slow(p->worker, &task);
	if (job && job->read && p->job) {
		p->running = job;
		return;
	}
	if (job)
		refresh_drop(job);
	images_watch_again(p->watch);
}

/* All but the reading. */
static int prepare(struct event_base *base, struct worker *worker,
	const char *directory, struct pins *pins, struct images **ret)
{
	struct images *images = calloc(1, sizeof(*images));
	struct images_private *p = calloc(1, sizeof(*p));

	if (!images || !p || !(p->directory = strdup(directory))) {
		free(images);
		free(p);
		return -ENOMEM;
	}
	images->private = p;
	p->worker = worker;
	p->pins = pins_ref(pins);
	if (worker)
		p->digester = digester_new(worker, on_digest, images);
	if (base)
		p->watch = images_watch_new(base, refresh, images);
	if (base)
		images->retired = retired_new(base);
	if ((worker && !p->digester) ||
		(base && !(p->watch && images->retired))) {
		images_free(images);
		return -ENOMEM;
	}
	if (base)
		images_watch_directory(p->watch, directory);
	*ret = images;
	return 0;
}

int images_new(struct event_base *base, struct worker *worker,
	const char *directory, struct pins *pins, struct images **ret)
{
	struct images *images;
	int err = prepare(base, worker, directory, pins, &images);

	if (err)
		return err;
	err = read_now(images);
	if (err && !base) {
		images_free(images);
		return err;
	}
	*ret = images;
	return 0;
}

int images_new_unread(struct event_base *base, struct worker *worker,
	const char *directory, struct pins *pins, struct images **ret)
{
	int err = prepare(base, worker, directory, pins, ret);

	if (!err)
		refresh(*ret);
	return err;
}

void images_free(struct images *images)
{
	if (!images)
		return;
	for (size_t i = 0; i < images->n; i++)
		image_free(images->image[i]);
	free(images->image);
	if (images->private) {
		if (images->private->running)
			worker_cancel(images->private->job);
		digester_free(images->private->digester);
		images_watch_free(images->private->watch);
		pins_unref(images->private->pins);
		retired_free(images->retired);
		free(images->private->directory);
		free(images->private);
	}
	free(images);
}

void images_set_pins(struct images *images, struct pins *pins)
{
	pins_unref(images->private->pins);
	images->private->pins = pins;
	for (size_t i = 0; i < images->n; i++) {
		struct image *image = images->image[i];

		if (image->has_digest)
			pins_check(pins, image);
		/* Whoever reloads may have put it right. */
		image->digest_failures = 0;
		image->digest_again_us = 0;
	}
	hash_next(images, NULL, true);
}

void images_set_directory(struct images *images, const char *directory)
{
	struct images_private *p = images->private;
	char *copy;

	if (strcmp(directory, p->directory) == 0) {
		refresh(images);
		return;
	}
	copy = strdup(directory);
	if (!copy)
		return;
	free(p->directory);
	p->directory = copy;
	images_watch_directory(p->watch, directory);
	/* A reload has just looked at it: it does not wait for the disk. */
	read_now(images);
}
