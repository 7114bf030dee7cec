#include "daemon/boots/watcher.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/base/log.h"
#include "daemon/images/loaders.h"
#include "daemon/policy/clients.h"
#include "daemon/policy/state.h"
#include "proto/path.h"

struct watcher {
	struct journal_reader reader;
	struct netuki *netuki;
};

bool watcher_count_load(struct client_record *record, uint64_t now_us)
{
	if (!record->loads ||
		now_us - record->loads_us > WATCHER_LOOP_WITHIN_US) {
		record->loads = 0;
		record->loads_us = now_us;
		record->loops = false;
	}
	record->loads++;
	if (record->loops || record->loads < WATCHER_LOOP_LOADS)
		return false;
	record->loops = true;
	return true;
}

static bool is_image(const char *file)
{
	return strncmp(file, "images/", 7) == 0 ||
	       strncmp(file, "machines/", 9) == 0;
}

/*
 * The OFFER led on: its form is the one for this machine. Only what is not the
 * usual is worth remembering.
 */
static void take_progress(struct watcher *w, struct client_record *record)
{
	enum config_offer form = record->offer.form;

	record->offer.led_on = true;
	if (form != CONFIG_OFFER_UNSET && w->netuki->state)
		state_set_form(w->netuki->state, &record->mac,
			form == CONFIG_OFFER_DIRECT ? CONFIG_OFFER_UNSET
						    : form);
}

static void take_load(const struct watcher *w, struct client_record *record,
	const struct journal_event *e)
{
	const struct loaders *loaders = w->netuki->loaders;
	bool is_signed = loaders && loaders_signer(loaders, e->file);
	char mac[MAC_TEXT_LEN];

	if (!watcher_count_load(record, e->t_us))
		return;
	mac_format(&record->mac, ':', mac);
	log_warn("%s goes round in a circle: it was given %s %u times within "
		 "%llu s and never asked for its script. Does the network let "
		 "it through to HTTP, and does another DHCP or PXE server "
		 "name a boot file?%s",
		mac, e->file, record->loads,
		(unsigned long long)(e->t_us - record->loads_us) / 1000000,
		is_signed || record->arch == ARCH_BIOS
			? ""
			: " Or is it in Secure Boot mode, which refuses this "
			  "file, as it is not signed?");
}

static void on_event(
	struct journal_reader *reader, const struct journal_event *e)
{
	struct watcher *w = (struct watcher *)(void *)reader;
	struct client_record *record;

	if (!e->has_mac)
		return;
	record = clients_find(w->netuki->clients, &e->mac);
	if (!record)
		return;
	switch (e->kind) {
	case JOURNAL_TFTP_START:
	case JOURNAL_TFTP_ABORTED:
		take_progress(w, record);
		break;
	case JOURNAL_TFTP_DONE:
		take_progress(w, record);
		if (e->file && !is_image(e->file))
			take_load(w, record, e);
		break;
	case JOURNAL_HTTP_DONE:
		if (record->firmware == PXE_FIRMWARE_HTTP && !e->partial &&
			e->file && path_below(e->file, "loaders"))
			take_load(w, record, e);
		break;
	case JOURNAL_SCRIPT:
		record->loads = 0;
		record->loops = false;
		break;
	case JOURNAL_DISCOVER:
	case JOURNAL_OFFER:
	case JOURNAL_REQUEST:
	case JOURNAL_ACK:
	case JOURNAL_IGNORED:
	case JOURNAL_ADVERTISEMENT:
	case JOURNAL_TFTP_FAILED:
	case JOURNAL_TFTP_REFUSED:
	case JOURNAL_HTTP_START:
	case JOURNAL_HTTP_BROKEN:
	case JOURNAL_HTTP_REFUSED:
	case JOURNAL_FILE:
	case JOURNAL_BOOTED:
	case JOURNAL_MAX:
		break;
	}
}

struct watcher *watcher_new(struct netuki *netuki)
{
	struct watcher *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	w->netuki = netuki;
	w->reader.read = on_event;
	journal_add_reader(&netuki->journal, &w->reader);
	return w;
}

void watcher_free(struct watcher *watcher)
{
	if (!watcher)
		return;
	journal_remove_reader(&watcher->netuki->journal, &watcher->reader);
	free(watcher);
}
