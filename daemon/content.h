/*
 * content: from the name that a client asks for to the bytes it gets. TFTP
 * and HTTP share it; names are those that decide() hands out.
 */
#ifndef DAEMON_CONTENT_H
#define DAEMON_CONTENT_H

#include "daemon/netuki.h"
#include "daemon/view.h"

/*
 * The view of a normalised path ("images/debian.efi", "snponly.efi"): a new
 * reference, or NULL if there is nothing of that name; *ret_why then says so
 * in static text.
 */
struct view *content_find(
	struct netuki *netuki, const char *path, const char **ret_why);

/*
 * "52-54-00-12-34-56" or a UUID, as in ipxe/ID and machines/ID, the first
 * len bytes of id: sets what it names in *ret. False if it is neither.
 */
bool content_parse_id(const char *id, size_t len, struct client *ret);

#endif
