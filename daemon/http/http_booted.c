#include "daemon/http/http_booted.h"

#include <string.h>

#include "daemon/http/http_peer.h"
#include "daemon/http/http_send.h"
#include "daemon/policy/content.h"
#include "proto/path.h"

/* "ID" of machines/ID/booted; NULL: the path is another. */
static const char *id_of(const char *path, size_t *ret_len)
{
	const char *id = path_below(path, "machines");
	const char *slash = id ? strchr(id, '/') : NULL;

	if (!slash || strcmp(slash, "/booted") != 0)
		return NULL;
	*ret_len = (size_t)(slash - id);
	return id;
}

bool http_booted_is(const char *path)
{
	size_t len;

	return id_of(path, &len) != NULL;
}

bool http_booted_take(struct http_conn *conn, const char *path, bool note)
{
	const struct config_machine *machine;
	size_t len;
	const char *id = id_of(path, &len);
	struct mac mac;

	if (!id ||
		!content_find_machine(
			conn->service->netuki->config, id, len, &machine) ||
		!http_peer_mac_of(conn, id, len, machine, &mac))
		return false;
	if (note) {
		conn->mac = mac;
		conn->has_mac = true;
		http_note(conn, JOURNAL_BOOTED, NULL, NULL);
	}
	return true;
}
