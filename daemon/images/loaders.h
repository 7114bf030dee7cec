/*
 * loaders: the iPXE binaries that the configuration names, by file name. A
 * loader is opened anew when its file was replaced (a package upgrade), so
 * each request gets one whole version. Of one on a file server, that is the
 * version which was there when it was last looked for: each offer and each
 * request begin a look in a worker's thread, and wait for none.
 */
#ifndef DAEMON_IMAGES_LOADERS_H
#define DAEMON_IMAGES_LOADERS_H

#include "config/config.h"
#include "daemon/base/patience.h"
#include "daemon/base/worker.h"
#include "daemon/images/view.h"

struct loaders;

/*
 * Collect them. Problems (not there, two of one name) go to the report as
 * errors, one that is not there as a warning with may_come: it is served once
 * it is. Default ones that are not installed are left out. One whose file
 * system does not answer while there is patience left is not there; patience
 * NULL: all are waited for.
 */
struct loaders *loaders_new(const struct config *config, bool may_come,
	struct patience *patience, struct config_report *report);
/* Before the worker of loaders_view. */
void loaders_free(struct loaders *loaders);
/* The one of this path was offered, and will be asked for. */
void loaders_expect(
	struct loaders *loaders, struct worker *worker, const char *path);
/*
 * The loader's bytes; NULL as from content_find(), be it that it was not there
 * yet and is being looked for.
 */
struct view *loaders_view(struct loaders *loaders, struct worker *worker,
	const char *name, const char **ret_why);
/*
 * By whom the EFI loader of this path or name says that it is signed, "" if it
 * does not say; NULL if it is not signed, or there is none. Nothing is
 * verified.
 */
const char *loaders_signer(const struct loaders *loaders, const char *path);

#endif
