/*
 * loaders: the iPXE binaries that the configuration names, by file name. A
 * loader is opened anew when its file was replaced (a package upgrade), so
 * each request gets one whole version.
 */
#ifndef DAEMON_IMAGES_LOADERS_H
#define DAEMON_IMAGES_LOADERS_H

#include "config/config.h"
#include "daemon/images/view.h"

struct loaders;

/*
 * Collect them. Problems (not there, two of one name) go to the report as
 * errors, one that is not there as a warning with may_come: it is served once
 * it is. Default ones that are not installed are left out.
 */
struct loaders *loaders_new(const struct config *config, bool may_come,
	struct config_report *report);
void loaders_free(struct loaders *loaders);
/* The loader's bytes; NULL as from content_find(). */
struct view *loaders_view(
	struct loaders *loaders, const char *name, const char **ret_why);
/*
 * By whom the EFI loader of this path or name says that it is signed, "" if it
 * does not say; NULL if it is not signed, or there is none. Nothing is
 * verified.
 */
const char *loaders_signer(const struct loaders *loaders, const char *path);

#endif
