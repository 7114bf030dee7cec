#include "daemon/http/http_extra.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/http/http_peer.h"
#include "daemon/http/http_reply.h"
#include "daemon/http/http_send.h"
#include "daemon/images/extra.h"
#include "daemon/policy/clients.h"
#include "daemon/policy/content.h"

#define WARNINGS_A_MINUTE 60
/* Of expanded templates, for clients that do not read what they asked for. */
#define MADE_MAX ((size_t)64 << 20)

/* Whose file it is, and what stands in for ${...} in it. */
struct owner {
	const struct config_machine *machine; /* NULL: an unknown one */
	const char *id, *name;		      /* of machines/ID/NAME */
	size_t id_len;
	char mac[MAC_TEXT_LEN], uuid[UUID_TEXT_LEN], ip[INET6_ADDRSTRLEN];
};

bool http_extra_is(const char *path)
{
	const char *id, *name;
	size_t id_len;

	return content_parse_file(path, &id, &id_len, &name);
}

static const struct config_file *find_file(
	const struct config *config, const struct owner *owner)
{
	struct config_resolved set;

	config_resolve(config, owner->machine, &set);
	return config_resolved_file(&set, owner->name);
}

static void describe_uuid(
	struct http_conn *conn, struct owner *o, const struct mac *mac)
{
	const struct client_record *record = NULL;
	struct client client = {0};

	if (mac)
		record = clients_find(conn->service->netuki->clients, mac);
	if (o->machine && o->machine->has_uuid)
		uuid_format(&o->machine->uuid, o->uuid);
	else if (content_parse_id(o->id, o->id_len, &client) && client.has_uuid)
		uuid_format(&client.uuid, o->uuid);
	else if (record && record->has_uuid)
		uuid_format(&record->uuid, o->uuid);
}

/* What is not known stays "". */
static void describe_owner(struct http_conn *conn, struct owner *o)
{
	struct mac mac;
	bool has_mac =
		http_peer_mac_of(conn, o->id, o->id_len, o->machine, &mac);

	if (has_mac)
		mac_format(&mac, ':', o->mac);
	describe_uuid(conn, o, has_mac ? &mac : NULL);
	http_peer_text(conn, o->ip);
}

static const char *known(const char *value)
{
	return *value ? value : NULL;
}

static enum template_result expand(const struct owner *o,
	const struct extra *extra, char *ret, size_t *ret_len,
	const char **ret_name)
{
	const char *name = o->machine ? o->machine->name : known(o->mac);
	const struct extra_values values = {
		.mac = known(o->mac),
		.uuid = known(o->uuid),
		.name = name ? name : known(o->uuid),
		.ip = known(o->ip),
	};

	return extra_expand(
		extra->text, extra->len, &values, ret, ret_len, ret_name);
}

static struct view *view_of_file(const struct extra *extra)
{
	bool is_text = extra->text && !memchr(extra->text, '\0', extra->len);
	struct view *view =
		view_new(is_text ? "text/plain" : "application/octet-stream");

	if (view)
		view_add_file(view, extra->file, 0, file_size(extra->file));
	return view;
}

/* Wrong here, and to be mended here; but anybody can ask again and again. */
static void warn(const char *path, const char *file, const char *why)
{
	static struct log_limit few = {.burst = WARNINGS_A_MINUTE};

	if (log_allow(&few))
		log_warn(
			"HTTP: %s: %s%s%s", path, file, *file ? ": " : "", why);
}

static void refuse(struct http_conn *conn, const struct http_request *request,
	unsigned status, const char *path, const char *why)
{
	http_reply_status(conn, request, status, why);
	http_note(conn, JOURNAL_HTTP_REFUSED, path, why);
}

static void answer_made(struct http_conn *conn,
	const struct http_request *request, const char *path, const char *text,
	size_t len)
{
	struct http_service *s = conn->service;

	if (len > MADE_MAX - s->made_bytes) {
		refuse(conn, request, 503, path, "too many at once");
		return;
	}
	s->made_bytes += len;
	conn->made_len = len;
	http_reply_view(conn, request, view_of_text("text/plain", text, len));
}

static void answer(struct http_conn *conn, const struct http_request *request,
	const char *path, struct owner *o)
{
	static char text[EXTRA_EXPANDED_MAX]; /* large; one loop, one thread */
	const struct extra *extra = conn->extra;
	enum template_result result = TEMPLATE_PLAIN;
	const char *name;
	char why[80] = "";
	size_t len;

	if (extra->text) {
		describe_owner(conn, o);
		result = expand(o, extra, text, &len, &name);
	}
	switch (result) {
	case TEMPLATE_PLAIN:
		http_reply_view(conn, request, view_of_file(extra));
		break;
	case TEMPLATE_MADE:
		answer_made(conn, request, path, text, len);
		break;
	case TEMPLATE_UNKNOWN:
		snprintf(why, sizeof(why),
			"it wants ${%s}, and that is not known", name);
		break;
	case TEMPLATE_TOO_LONG:
		snprintf(why, sizeof(why), "with its values it is too long");
		break;
	}
	if (*why) {
		warn(path, "", why);
		refuse(conn, request, 500, path, why);
		return;
	}
	http_bulk_begin(conn);
	if (conn->view && request->method == HTTP_METHOD_GET)
		http_note(conn, JOURNAL_FILE, path, NULL);
}

void http_extra_drop(struct http_conn *conn)
{
	if (conn->extra)
		extra_done(conn->extra);
	free(conn->extra);
	conn->extra = NULL;
}

/* Whoever asks again may find it. */
static bool is_passing(int err)
{
	return err == -EAGAIN || file_is_shortage(err);
}

static void on_open(void *arg, struct extra *extra)
{
	struct http_conn *conn = arg;

	conn->job = NULL;
	conn->extra = malloc(sizeof(*extra));
	if (!conn->extra) {
		http_conn_free(conn);
		return;
	}
	*conn->extra = *extra;
	*extra = (struct extra){0};
	http_conn_resume(conn);
}

void http_extra_reply(struct http_conn *conn,
	const struct http_request *request, const char *path)
{
	struct netuki *netuki = conn->service->netuki;
	const struct config_file *file = NULL;
	struct owner o = {0};

	if (content_parse_file(path, &o.id, &o.id_len, &o.name) &&
		content_find_machine(
			netuki->config, o.id, o.id_len, &o.machine))
		file = find_file(netuki->config, &o);
	if (!file) {
		refuse(conn, request, 404, path,
			"no file of this name for such a machine");
	} else if (!conn->extra) {
		conn->job =
			extra_start(netuki->worker, file->path, on_open, conn);
		if (!conn->job)
			refuse(conn, request, 503, path, "memory is short");
		return;
	} else if (conn->extra->err) {
		const char *why = extra_why(conn->extra->err);

		warn(path, file->path, why);
		refuse(conn, request, is_passing(conn->extra->err) ? 503 : 404,
			path, why);
	} else {
		answer(conn, request, path, &o);
	}
	http_extra_drop(conn);
}
