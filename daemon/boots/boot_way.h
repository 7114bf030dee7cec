/*
 * boot_way: one boot on its way: what an event does to it. Between boots.c,
 * which finds the boot that an event belongs to, and nobody else.
 */
#ifndef DAEMON_BOOTS_BOOT_WAY_H
#define DAEMON_BOOTS_BOOT_WAY_H

#include "daemon/boots/boots.h"
#include "daemon/policy/content.h"

struct boot_way {
	struct boot b;
	enum pxe_firmware firmware; /* of the latest attempt */
	uint32_t xid;		    /* likewise */
	uint64_t xid_us;	    /* its latest DISCOVER; 0: none */
	bool loaded;	  /* a loader was begun in the latest attempt */
	bool kernel_done; /* BIOS: the first part of the image */
	bool ours;	  /* the latest trouble was of our making */
	bool loops;
	uint64_t loads_us;  /* the first of b.loads */
	unsigned transfers; /* that run now */
};

/* What an event is about. */
enum way_subject_kind { WAY_NOTHING, WAY_LOADER, WAY_IMAGE };

struct way_subject {
	enum way_subject_kind kind;
	bool is_file; /* the event is of TFTP or HTTP */
	bool has_mac; /* the image is this machine's own */
	bool own;     /* it is below machines/ */
	struct mac mac;
	struct content_name name; /* of an image; its id is not valid */
};

struct way_subject way_subject_of(const struct journal_event *e);

/* Does the event begin a boot of a machine that has none? */
bool way_begins(const struct journal_event *e, const struct way_subject *s);
/*
 * Where DHCP is not ours, no DISCOVER tells of the next boot: does one of
 * these events that begin one?
 */
bool way_begins_anew(const struct boot_way *w, const struct journal_event *e);

void way_begin(struct boot_way *w, const struct boots_hooks *hooks,
	const struct mac *mac, const struct journal_event *e);
/* False: it belongs to the next boot, and nothing was done. */
bool way_take_discover(struct boot_way *w, const struct journal_event *e);
/* Every other event. */
void way_take(const struct boots_hooks *hooks, struct boot_way *w,
	const struct journal_event *e, const struct way_subject *s);
bool way_is_over(const struct boot_way *w, uint64_t now_us);
/* Give it its outcome, if it has none. lost: why nobody will know, or NULL. */
void way_end(struct boot_way *w, const char *lost);

#endif
