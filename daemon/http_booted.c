#include "daemon/http_booted.h"

#include <string.h>

#include "daemon/content.h"
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

/* Under which MAC address it boots; by name or UUID it may have several. */
static bool find_mac(
	struct http_conn *conn, const char *id, size_t len, struct mac *ret)
{
	const struct config *config = conn->service->netuki->config;
	const struct config_machine *machine;
	struct client client = {0};

	if (!content_find_machine(config, id, len, &machine))
		return false;
	http_peer_identify(conn);
	if (content_parse_id(id, len, &client) && client.has_mac)
		*ret = client.mac;
	else if (conn->has_mac &&
		 config_find(config, &conn->mac, NULL, NULL, NULL) == machine)
		*ret = conn->mac;
	else if (machine && machine->n_macs)
		*ret = machine->macs[0];
	else
		return false;
	return true;
}

bool http_booted_take(struct http_conn *conn, const char *path, bool note)
{
	size_t len;
	const char *id = id_of(path, &len);
	struct mac mac;

	if (!id || !find_mac(conn, id, len, &mac))
		return false;
	if (note) {
		conn->mac = mac;
		conn->has_mac = true;
		http_note(conn, JOURNAL_BOOTED, NULL, NULL);
	}
	return true;
}
