#include "daemon/reading.h"

#include <string.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "daemon/base/netif.h"
#include "daemon/images/digester.h"
#include "daemon/images/images.h"

#define READ_MAX 4 /* while new directories change under our hands */

struct look {
	const struct reading *r;
	struct images_progress *progress; /* NULL: no digest is computed */
};

static void look_at_images(void *arg)
{
	const struct look *look = arg;
	const struct reading *r = look->r;
	struct images *images;

	if (images_new(NULL, NULL, r->config->images, r->pins, &images) < 0)
		return;
	if (look->progress)
		images_hash(
			images, check_wants_digest, r->config, look->progress);
	images_free(images);
}

static void look_at_files(void *arg)
{
	struct reading *r = arg;

	check_files(r->config, &r->report);
}

/*
 * Do the images answer? For a check, to their last byte where it depends on
 * that: the digests are then known here, too.
 */
static bool images_answer(struct reading *r, enum reading_aim aim)
{
	struct images_progress *progress = MAP_FAILED;
	struct look look = {.r = r};
	const char *file;
	bool answers;

	if (aim == READING_AIM_CHECK && digester_share())
		progress = mmap(NULL, sizeof(*progress), PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (progress != MAP_FAILED)
		look.progress = progress;
	answers = patience_try(&r->patience,
		look.progress ? &look.progress->moves : NULL, look_at_images,
		&look);
	file = look.progress ? look.progress->name : "";
	if (!answers)
		config_report_add_absent(&r->report, r->config,
			r->config->images_at, aim == READING_AIM_START,
			"images: the file system of %s does not answer%s%s%s",
			r->config->images, *file ? " for the rest of " : "",
			file,
			aim == READING_AIM_START
				? "; they are served once it does: look after "
				  "its server, or unmount it"
				: "");
	if (look.progress)
		munmap(look.progress, sizeof(*look.progress));
	return answers;
}

/* Does all answer that is to be read? What does not is told. */
static bool answers(struct reading *r, enum reading_aim aim)
{
	bool files = patience_try(&r->patience, NULL, look_at_files, r);

	r->hangs = !images_answer(r, aim);
	if (!files)
		config_report_add_absent(&r->report, NULL,
			(struct config_at){0}, aim == READING_AIM_START,
			"files: the file system of one does not answer");
	return files && !r->hangs;
}

static void check(enum reading_aim aim, struct reading *r,
	const struct check_client *clients, size_t n_clients)
{
	struct config *config = r->config;
	bool may_come = aim == READING_AIM_START;
	struct images *images = NULL;
	struct netifs *netifs = NULL;
	int err = images_new(NULL, NULL, config->images, r->pins, &images);

	if (err)
		config_report_add_absent(&r->report, config, config->images_at,
			may_come, "images: %s cannot be read: %s",
			config->images, strerror(-err));
	if (!err && netifs_new(NULL, config, &netifs) == 0) {
		if (aim == READING_AIM_CHECK)
			images_hash(images, check_wants_digest, config, NULL);
		check_files(config, &r->report);
		check_config(config, images, r->loaders, netifs, may_come,
			&r->report);
		check_seen(config, images, clients, n_clients, &r->report);
	}
	for (size_t i = 0; images && i < images->n; i++)
		r->n_images += images->image[i]->state != IMAGE_STATE_REFUSED;
	images_free(images);
	netifs_free(netifs);
}

/* Once, without watching. A reload has a thread of its own, and may wait. */
static void read_once(const char *path, enum reading_aim aim, struct reading *r,
	const struct check_client *clients, size_t n_clients)
{
	bool waits = aim == READING_AIM_RELOAD;
	bool may_come = aim == READING_AIM_START;

	r->config = config_load(path, &r->report);
	if (!r->config)
		return;
	r->loaders = loaders_new(
		r->config, may_come, waits ? NULL : &r->patience, &r->report);
	r->pins = pins_new(r->config);
	r->n_images = 0;
	if (waits || answers(r, aim))
		check(aim, r, clients, n_clients);
	if (r->report.n_errors || !r->loaders) {
		config_unref(r->config);
		r->config = NULL;
	}
}

/* All but what watches. */
static void forget_reading(struct reading *r)
{
	config_unref(r->config);
	loaders_free(r->loaders);
	pins_unref(r->pins);
	config_report_done(&r->report);
	r->config = NULL;
	r->loaders = NULL;
	r->pins = NULL;
}

/* Can it be read again, and tell when it has changed? Not so a pipe. */
static bool is_regular(const char *path)
{
	struct stat st;

	return stat(path, &st) < 0 || S_ISREG(st.st_mode);
}

/*
 * Read, and watch what was read. What was not watched before may have changed
 * in between: then it is read again.
 */
static void read_and_watch(const char *path, enum reading_aim aim,
	struct reading *r, const struct config_watch *armed,
	const struct check_client *clients, size_t n_clients)
{
	struct config_watch *watch;
	bool changed = true;

	for (int i = 0; changed && i < READ_MAX; i++) {
		struct timespec since;

		forget_reading(r);
		clock_gettime(CLOCK_REALTIME_COARSE, &since);
		read_once(path, aim, r, clients, n_clients);
		if (r->inotify < 0 || !is_regular(path))
			return;
		watch = config_watch_new(r->inotify, &r->report);
		if (!watch)
			return;
		changed = !config_watch_is_in(
				  watch, r->watch ? r->watch : armed) &&
			  config_watch_has_changed(watch, &r->report, &since);
		config_watch_free(r->watch, watch, armed);
		r->watch = watch;
	}
}

void reading_take(const char *path, enum reading_aim aim, struct reading *ret)
{
	*ret = (struct reading){.inotify = -1, .patience = PATIENCE_INIT};
	if (aim != READING_AIM_CHECK)
		ret->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	config_report_init(&ret->report);
	read_and_watch(path, aim, ret, NULL, NULL, 0);
}

void reading_done(struct reading *r)
{
	forget_reading(r);
	config_watch_free(r->watch, NULL, NULL);
	if (r->inotify >= 0)
		close(r->inotify);
	*r = (struct reading){.inotify = -1};
}

void reading_renew(const char *path, struct reading *r,
	const struct config_watch *armed, const struct check_client *clients,
	size_t n_clients)
{
	if (is_regular(path))
		read_and_watch(
			path, READING_AIM_RELOAD, r, armed, clients, n_clients);
	else
		config_report_add(&r->report, NULL, (struct config_at){0},
			false,
			"%s is no regular file, and cannot be read again",
			path);
}
