#include "daemon/policy/decide_url.h"

#include <string.h>

void decide_client_id(const struct client *client, char ret[UUID_TEXT_LEN])
{
	if (client->has_mac)
		mac_format(&client->mac, '-', ret);
	else
		uuid_format(&client->uuid, ret);
}

void decide_url_put_base(struct wire_writer *w, const struct config *config,
	const struct client *client)
{
	if (config->http.base_url) {
		wire_put_text(w, config->http.base_url);
		return;
	}
	wire_put_text(w, "http://");
	if (client->server6)
		wire_put_text(w, client->server6);
	else
		wire_put_ipv4(w, client->server);
	if (config->http.port != 80) {
		wire_put_text(w, ":");
		wire_put_dec(w, config->http.port);
	}
}

void decide_url_put_name(struct wire_writer *w, const char *name)
{
	for (const unsigned char *p = (const void *)name; *p; p++) {
		bool plain = (*p >= 'a' && *p <= 'z') ||
			     (*p >= 'A' && *p <= 'Z') ||
			     (*p >= '0' && *p <= '9') || strchr("-._~:+@", *p);

		if (plain) {
			wire_put_u8(w, *p);
		} else {
			wire_put_text(w, "%");
			wire_put_hex(w, *p, 2);
		}
	}
}

/* "ID" of machines/ID: what finds the same machine again. */
static void put_machine_id(struct wire_writer *w, const struct client *client,
	const struct plan *plan)
{
	const char *by = plan->matched_by;
	char id[UUID_TEXT_LEN];

	if (plan->machine && by && strcmp(by, "serial") == 0 &&
		!strchr(plan->machine->name, '/')) {
		decide_url_put_name(w, plan->machine->name);
		return;
	}
	if (by && strcmp(by, "uuid") == 0)
		uuid_format(&client->uuid, id);
	else
		decide_client_id(client, id);
	wire_put_text(w, id);
}

void decide_url_put_folder(struct wire_writer *w, const struct client *client,
	const struct plan *plan, bool spliced)
{
	/* A pin is looked at again when the image is asked for. */
	if (spliced || plan->override.once || plan->override.alternate ||
		plan->set.sha256) {
		wire_put_text(w, "machines/");
		put_machine_id(w, client, plan);
		wire_put_text(w, "/");
	} else {
		wire_put_text(w, "images/");
	}
}
