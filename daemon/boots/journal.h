/*
 * journal: every step of a boot, as one event, written in one place. The log,
 * `netukictl boots --follow`, the timeline and the metrics all read it.
 */
#ifndef DAEMON_BOOTS_JOURNAL_H
#define DAEMON_BOOTS_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "daemon/base/log.h"
#include "proto/arch.h"
#include "proto/id.h"
#include "proto/pxe.h"

enum journal_kind {
#define EVENT(NAME, text, by, line) JOURNAL_##NAME,
#include "daemon/boots/journal.def"
#undef EVENT
	JOURNAL_MAX
};

/* How the file goes that an event tells of. */
enum journal_file {
	JOURNAL_NO_FILE,
	JOURNAL_BY_TFTP,
	JOURNAL_BY_HTTP,
};

#define JOURNAL_TEXT_MAX 256

struct journal_event {
	enum journal_kind kind;
	uint64_t t_us; /* CLOCK_MONOTONIC; 0: now */
	bool has_mac;
	struct mac mac;
	uint32_t ip;		    /* the client's; host order; 0: not known */
	const char *ip6;	    /* the same, of IPv6; NULL: it is not */
	enum pxe_firmware firmware; /* PXE_FIRMWARE_MAX: not known */
	enum arch arch;		    /* ARCH_INVALID: not known */
	const char *file;	    /* file name, path or URL; NULL: none */
	uint64_t bytes;		    /* sent so far */
	bool partial;	/* a range was asked for, and it ends before the file */
	uint64_t us;	/* how long it took; 0: not said */
	uint32_t xid;	/* DISCOVER and REQUEST: the DHCP transaction */
	bool local;	/* it sends the client to its own disk */
	bool elsewhere; /* it sends the client to another server's image */
	bool ours;	/* it failed at our end: the file, or memory */
	/* The end of a TFTP transfer; 0 blocks: nothing of the file went out */
	uint64_t blocks; /* sent, those sent again too */
	uint64_t resent_timer, resent_rollback;
	uint32_t blksize, windowsize;
	const char *detail; /* form of the offer, what went wrong; NULL */
};

struct journal_reader {
	TAILQ_ENTRY(journal_reader) link;
	void (*read)(struct journal_reader *, const struct journal_event *);
};

struct journal {
	TAILQ_HEAD(, journal_reader) readers;
	uint64_t counts[JOURNAL_MAX];
	/* Lines of what anybody can bring about: failures, and all else. */
	struct log_limit few, many;
};

void journal_init(struct journal *journal);
/* The reader belongs to the caller; it may remove itself while it reads. */
void journal_add_reader(struct journal *journal, struct journal_reader *r);
void journal_remove_reader(struct journal *journal, struct journal_reader *r);

/* For a download that runs: its start, with what it has sent so far. */
typedef void journal_progress(
	void *arg, const struct journal_event *e, uint64_t size);

void journal_write(struct journal *journal, const struct journal_event *e);
/* "tftp-done" */
const char *journal_kind_name(enum journal_kind kind);
enum journal_file journal_file_of(enum journal_kind kind);

#endif
