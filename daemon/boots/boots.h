/*
 * boots: the journal's events put together to boots. Events in, boots out; it
 * reads no clock, and what it must know of the configuration and the images
 * it asks through hooks.
 *
 * A boot is one machine's way, known by its MAC address, from the first packet
 * to the last byte of the image, and on to the guest's own word. Nothing on
 * the wire says where one ends and the next begins. The rules:
 *
 *  - A boot begins with a DISCOVER that is answered, or, for who has its
 *    address and file name from elsewhere, with the REQUEST on port 4011, a
 *    loader or image by TFTP, a script, or an image by HTTP below machines/ID
 *    (one below images/ may be anybody's download).
 *  - A firmware's DISCOVER (one of iPXE, too, if no loader was given, as from
 *    a ROM) begins a new boot if the machine had come as far as the script or
 *    the image: the machine was started anew, or its firmware went on with
 *    the next entry of its boot order. What had been begun was then abandoned,
 *    and counts as such: a mode that fails must not hide behind the one that
 *    the firmware falls back to. For the same reason it is a new boot when
 *    firmware that had a loader by PXE comes again by HTTP Boot, or that was
 *    sent to the disk as what it began as.
 *  - Before that, it is another attempt of the same boot: EDK2's PXE that goes
 *    unheard and its HTTP Boot after that are one power-on, and one waiting
 *    human. The same xid within 75 s is not even that: EDK2 repeats a DISCOVER
 *    after 4, 8, 16 and 32 s. Some firmware uses one xid for ever, so that
 *    after the image's last byte the xid says nothing.
 *  - The image is complete with the last byte of the UKI, or, of a BIOS
 *    machine, of the initrd (of the kernel, if the image has no initrd). Byte
 *    ranges that end before the file do not count; a range from where the
 *    connection broke to the end does. A whole download after that changes no
 *    time: iPXE trying again after the image did not start, or the guest's
 *    installer.
 *  - Loaders in a row without a script, or the image in a row without the
 *    guest's word, three times: it goes round in a circle.
 *  - Of an image that another server has (`url`) nothing is seen: who was sent
 *    there is `elsewhere`, and kept as a complete one is.
 *  - A boot without an event for 3 minutes, and without a transfer, is over,
 *    as is one without an image after an hour; a complete one is kept for 15
 *    minutes to be told when the guest is up.
 *
 * The table of running boots is bounded: the one not heard of for longest
 * makes room.
 */
#ifndef DAEMON_BOOTS_BOOTS_H
#define DAEMON_BOOTS_BOOTS_H

#include "daemon/boots/journal.h"
#include "daemon/images/images.h"
#include "proto/digest.h"

#define BOOTS_MAX	 16384
#define BOOTS_IDLE_US	 180000000ull
#define BOOTS_LONGEST_US 3600000000ull
#define BOOTS_UP_US	 900000000ull
#define BOOTS_RETRY_US	 75000000ull
#define BOOTS_LOOP	 3 /* loads of the same in a row */

enum boot_at {
#define AT(NAME, name) BOOT_AT_##NAME,
#include "daemon/boots/boots.def"
#undef AT
	BOOT_AT_MAX
};

enum boot_step {
#define STEP(NAME, name, begin, end, hint) BOOT_STEP_##NAME,
#include "daemon/boots/boots.def"
#undef STEP
	BOOT_STEP_MAX
};

enum boot_outcome {
#define OUTCOME(NAME, name) BOOT_OUTCOME_##NAME,
#include "daemon/boots/boots.def"
#undef OUTCOME
	BOOT_OUTCOME_MAX
};

/* By what it was loaded, or would have been by the offer. */
enum boot_mode {
	BOOT_MODE_UNKNOWN,
	BOOT_MODE_IPXE,
	BOOT_MODE_TFTP_UKI,
	BOOT_MODE_HTTP, /* UEFI HTTP Boot */
	BOOT_MODE_LOCAL,
	BOOT_MODE_MAX
};

#define BOOT_MACHINE_MAX 128
#define BOOT_WHY_MAX	 160

struct boot {
	uint64_t seq; /* 1.. */
	struct mac mac;
	uint32_t ip;		    /* 0: not known */
	enum pxe_firmware firmware; /* of the first packet; or _MAX */
	enum arch arch;
	char machine[BOOT_MACHINE_MAX + 1]; /* "": not in the configuration */
	enum boot_mode mode;
	char image[IMAGE_NAME_MAX + 1]; /* "": not known yet */
	bool has_digest;
	struct digest digest;
	enum boot_outcome outcome;
	enum boot_step step;	     /* the furthest one begun */
	char why[BOOT_WHY_MAX];	     /* what went wrong last; "": nothing */
	uint32_t attempts;	     /* of the firmware; 1.. */
	uint32_t loads;		     /* of loaders since the last script */
	uint32_t image_loads;	     /* whole downloads of the image */
	uint32_t broken;	     /* downloads of it that were not ended */
	uint64_t begin_us, last_us;  /* the first event and the latest */
	uint64_t at_us[BOOT_AT_MAX]; /* the clock's; 0: not reached */
	/* Of the image, all downloads up to its last byte. */
	uint64_t bytes, transfer_us;
	bool by_tftp; /* the four after it are known */
	uint64_t blocks, resent_timer, resent_rollback;
	uint32_t blksize, windowsize;
	/* Of the download that runs, by boots_note_progress. 0 of 0: none */
	uint64_t now_bytes, now_size, now_us;
};

const char *boot_at_name(enum boot_at at);
const char *boot_step_name(enum boot_step step);
const char *boot_step_hint(enum boot_step step);
/* What went wrong, or else may be why nothing more came. */
const char *boot_reason(const struct boot *boot);
/* The moments between which the step lies. */
enum boot_at boot_step_begin(enum boot_step step);
enum boot_at boot_step_end(enum boot_step step);
const char *boot_outcome_name(enum boot_outcome outcome);
const char *boot_mode_name(enum boot_mode mode); /* NULL if unknown */

struct boots_hooks {
	/*
	 * Fill in what the events do not tell: machine, and, once the image is
	 * known, digest. May be NULL.
	 */
	void (*describe)(void *arg, struct boot *boot);
	/* Does an initrd follow after this image's kernel? NULL: yes. */
	bool (*has_initrd)(void *arg, const char *image);
	/*
	 * The boot is new or other than before. `gone`: this is the last word
	 * on it; the outcome is no more RUNNING.
	 */
	void (*changed)(void *arg, const struct boot *boot, bool gone);
	void *arg;
};

struct boots;

/* NULL: out of memory. */
struct boots *boots_new(const struct boots_hooks *hooks);
/* Boots that still run are told as LOST. */
void boots_free(struct boots *boots);

/* The events, in the order of their times. */
void boots_take(struct boots *boots, const struct journal_event *e);
/* To be called now and then: boots without events end. */
void boots_tick(struct boots *boots, uint64_t now_us);
size_t boots_count(const struct boots *boots);
/* Is there a boot of this machine? */
bool boots_has(const struct boots *boots, const struct mac *mac);

/*
 * What runs at the moment, for whoever watches: forget what was noted before,
 * then note each download: its start, with the bytes and the time so far.
 */
void boots_forget_progress(struct boots *boots);
void boots_note_progress(
	struct boots *boots, const struct journal_event *e, uint64_t size);
/* Each that runs and was answered; `each` must not change them. */
void boots_each(const struct boots *boots,
	void (*each)(void *arg, const struct boot *boot), void *arg);

#endif
