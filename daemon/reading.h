/*
 * reading: the configuration and all that it names, read and checked: at
 * start, for --check, and for a reload. It is a value: nothing that runs is
 * touched.
 *
 * What is on a file system that does not answer is not waited for at start and
 * by --check: `patience` has asked before whether it does.
 */
#ifndef DAEMON_READING_H
#define DAEMON_READING_H

#include "config/config.h"
#include "daemon/base/patience.h"
#include "daemon/config_watch.h"
#include "daemon/images/loaders.h"
#include "daemon/images/pins.h"
#include "daemon/policy/check.h"

/* What one reading of the configuration brings. */
struct reading {
	struct config *config; /* NULL: there are errors, see the report */
	struct loaders *loaders;
	struct pins *pins;
	size_t n_images;	  /* that are not refused */
	bool hangs;		  /* the images' directory did not answer */
	struct patience patience; /* of a start or check: what is left of it */
	struct config_report report;
	int inotify; /* -1: nothing is watched */
	struct config_watch *watch;
};

/* What a reading is for. */
enum reading_aim {
	/* Images and loaders that are not there may still be mounted. */
	READING_AIM_START,
	READING_AIM_RELOAD,
	/*
	 * Digests that are not known and that something depends on are
	 * computed, which may take as long as reading the images takes; the
	 * others wait for no more than the heads of files.
	 */
	READING_AIM_CHECK
};

/*
 * Read the file, check what it refers to, and, but for a check, begin to watch
 * all that was read. For reading_done.
 */
void reading_take(const char *path, enum reading_aim aim, struct reading *ret);
/* Frees all that is left in it. */
void reading_done(struct reading *reading);
/*
 * The same for a reload, in whatever thread: *reading has an inotify and is
 * empty else. What is watched by `armed` is not begun anew. Those clients were
 * seen, and are told of what has become of them.
 */
void reading_renew(const char *path, struct reading *reading,
	const struct config_watch *armed, const struct check_client *clients,
	size_t n_clients);

#endif
