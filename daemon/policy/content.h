/*
 * content: from the name that a client asks for to the bytes it gets. TFTP
 * and HTTP share it; names are those that decide() hands out.
 */
#ifndef DAEMON_POLICY_CONTENT_H
#define DAEMON_POLICY_CONTENT_H

#include "daemon/images/view.h"
#include "daemon/netuki.h"

/*
 * The view of a normalised path ("images/debian.efi", "snponly.efi"): a new
 * reference, or NULL if there is nothing of that name; *ret_why then says so
 * in static text. NULL and a NULL there: memory is short or a loader is being
 * looked for, it may come again.
 */
struct view *content_find(
	struct netuki *netuki, const char *path, const char **ret_why);

enum content_part { CONTENT_WHOLE, CONTENT_KERNEL, CONTENT_INITRD };

/* A path that names an image: images/NAME or machines/ID/NAME, or a part. */
struct content_name {
	const char *id; /* within the path; NULL: images/ */
	size_t id_len;
	char image[IMAGE_NAME_MAX + 1];
	char version[IMAGE_VERSION_LEN]; /* of NAME@v-VERSION; "": any */
	enum content_part part;
};

/*
 * machines/ID/NAME, of a name that a file of the machine's own can have, and
 * no image: see `files`. All point into the normalised path.
 */
bool content_parse_file(const char *path, const char **ret_id,
	size_t *ret_id_len, const char **ret_name);
/* False: the normalised path names no image. */
bool content_parse_name(const char *path, struct content_name *ret);

/*
 * "52-54-00-12-34-56" or a UUID, as in ipxe/ID and machines/ID, the first
 * len bytes of id: sets what it names in *ret. False if it is neither.
 */
bool content_parse_id(const char *id, size_t len, struct client *ret);
/*
 * The machine that machines/ID means: ID may be its name, too. False: there
 * is none; true with NULL: an unknown machine, and such are booted.
 */
bool content_find_machine(const struct config *config, const char *id,
	size_t len, const struct config_machine **ret);

#endif
