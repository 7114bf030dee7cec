#include "daemon/boots/boot_once.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/base/clock.h"
#include "daemon/base/log.h"
#include "daemon/policy/clients.h"
#include "daemon/policy/content.h"
#include "daemon/policy/state.h"
#include "proto/path.h"

/* A boot takes no longer, from the last DHCP request to the image's end. */
#define BOOT_US 1800000000u

struct boot_once {
	struct journal_reader reader;
	struct netuki *netuki;
};

/* Was it the whole of something, to its end? */
static bool is_complete(const struct journal_event *e)
{
	return (e->kind == JOURNAL_TFTP_DONE || e->kind == JOURNAL_HTTP_DONE) &&
	       e->file && !e->partial;
}

/*
 * Nobody knows whose address it is, as behind a relay: is it one that the
 * machine may have? Where no DHCP is heard, the name alone has to do.
 */
static bool may_be_its_own(const struct netuki *netuki,
	const struct journal_event *e, const struct config_machine *machine)
{
	uint64_t now_us = clock_us();
	const struct client_record *r;

	if (!netuki->dhcp)
		return true;
	TAILQ_FOREACH_REVERSE(
		r, clients_list(netuki->clients), client_list, lru)
	{
		if (now_us - r->seen_us > BOOT_US)
			break;
		if (r->answered && (!r->ip || !e->ip || r->ip == e->ip) &&
			clients_machine(netuki->config, r) == machine)
			return true;
	}
	return false;
}

/* NULL: nobody who is known. */
static const struct config_machine *who_fetched(
	const struct netuki *netuki, const struct journal_event *e)
{
	const struct client_record *r =
		e->has_mac ? clients_find(netuki->clients, &e->mac) : NULL;

	if (r)
		return clients_machine(netuki->config, r);
	return e->has_mac
		       ? config_find(netuki->config, &e->mac, NULL, NULL, NULL)
		       : NULL;
}

/* Somebody else's download of what bears a machine's name is no boot of it. */
static bool is_its_own(const struct netuki *netuki,
	const struct journal_event *e, const struct config_machine *machine)
{
	return e->has_mac ? who_fetched(netuki, e) == machine
			  : may_be_its_own(netuki, e, machine);
}

/*
 * BIOS machines fetch the kernel first and then the initrd, if the image has
 * one: the last of them ends the boot's part that is ours.
 */
static bool is_last_part(
	const struct netuki *netuki, const struct content_name *name)
{
	const struct image *image;

	if (name->part != CONTENT_KERNEL)
		return true;
	image = images_find(netuki->images, name->image);
	return image && image->state == IMAGE_STATE_READY &&
	       !decide_has_initrd(image);
}

/* An index of several architectures has another name for each. */
static bool is_this_image(const struct netuki *netuki,
	const struct content_name *name, const char *wanted)
{
	const struct image *image = images_find(netuki->images, name->image);

	return strcmp(name->image, wanted) == 0 ||
	       (image && image_is_named(image, wanted));
}

static void finish(struct netuki *netuki, const struct config_machine *machine,
	const struct config_resolved *set,
	const struct decide_override *override)
{
	struct state_machine m = state_get(netuki->state, machine->name);

	if (override->alternate)
		m.last_mode = set->mode;
	m.once = false;
	if (!state_put(netuki->state, &m))
		log_error("%s: that it has booted in mode %s cannot be "
			  "remembered: too many machines",
			machine->name, config_mode_name(set->mode));
	if (override->once)
		log_info("%s: boot-once is used up", machine->name);
}

static void on_journal(
	struct journal_reader *reader, const struct journal_event *e)
{
	struct boot_once *b = (struct boot_once *)(void *)reader;
	struct netuki *netuki = b->netuki;
	struct decide_world world = netuki_world(netuki);
	const struct config_machine *machine = NULL;
	struct config_resolved set;
	struct decide_override override;
	char path[PATH_MAX_LEN + 1];
	struct content_name name;

	/* TFTP names are in the journal as they were asked for. */
	if (!is_complete(e) ||
		!path_normalise(e->file, strlen(e->file), false, path) ||
		!content_parse_name(path, &name))
		return;
	if (!name.id)
		machine = who_fetched(netuki, e);
	else if (!content_find_machine(
			 netuki->config, name.id, name.id_len, &machine))
		return;
	if (!machine)
		return;
	decide_settings(&world, machine, &set, &override);
	if ((override.once || override.alternate) && set.image &&
		is_this_image(netuki, &name, set.image) &&
		is_last_part(netuki, &name) &&
		(!name.id || is_its_own(netuki, e, machine)))
		finish(netuki, machine, &set, &override);
}

struct boot_once *boot_once_new(struct netuki *netuki)
{
	struct boot_once *b = calloc(1, sizeof(*b));

	if (!b)
		return NULL;
	b->netuki = netuki;
	b->reader.read = on_journal;
	journal_add_reader(&netuki->journal, &b->reader);
	return b;
}

void boot_once_free(struct boot_once *b)
{
	if (!b)
		return;
	journal_remove_reader(&b->netuki->journal, &b->reader);
	free(b);
}
