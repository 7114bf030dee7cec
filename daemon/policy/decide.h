/*
 * decide: who gets what. A pure function from the configuration, the images
 * and what is known of a client to a plan. ProxyDHCP, TFTP, HTTP and
 * `netukictl explain` all ask it, so that no path can forget a rule.
 *
 * Names in what it hands out:
 *   TFTP  FILE                 a loader, by its file name
 *         images/NAME          an image
 *         machines/ID/NAME     a machine's own image: with its own command
 *                              line, or where it matters who had it whole
 *   HTTP  /ipxe/MAC            the script for iPXE
 *         (NAME may be NAME@v-VERSION: that one, or nothing)
 *         /images/NAME[/linux|/initrd], /machines/ID/NAME[/linux|/initrd],
 *         /loaders/FILE
 */
#ifndef DAEMON_POLICY_DECIDE_H
#define DAEMON_POLICY_DECIDE_H

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"
#include "daemon/images/images.h"
#include "daemon/policy/state.h"
#include "proto/ipxe_script.h"
#include "proto/pxe.h"

/* What is known of a client, from whichever packet. */
struct client {
	enum pxe_firmware firmware;
	enum arch arch; /* ARCH_INVALID: not known */
	bool ipxe_http; /* iPXE that can fetch http:// */
	bool has_mac, has_uuid;
	struct mac mac;
	struct uuid uuid;
	const char *serial; /* NULL: not known */
	uint32_t server;    /* our address it reached us on; host order */
	/* The same, of IPv6: "[ADDRESS]"; NULL: it is not. */
	const char *server6;
	/* Under `offer: auto`: the form to try; UNSET: direct (offer_form). */
	enum config_offer auto_form;
};

/* What decide() goes by, besides the client. */
struct decide_world {
	const struct config *config;
	const struct images *images;
	const struct state *state; /* NULL: nothing was set at run time */
};

/* What of a machine's settings was said at run time, not by the file. */
struct decide_override {
	const char *mode;	     /* by which command: "mode", "mode --all",
					"boot-once"; NULL: by none */
	bool once;		     /* boot-once is in force */
	enum config_mode after_once; /* the mode when it no longer is */
	bool alternate; /* the mode is `alternate`: set.mode is this boot's */
};

/*
 * The settings in force for a machine (NULL: an unknown one), by the
 * configuration and by what was set at run time over it. Everyone who shows or
 * serves something of a machine asks here. An image set by boot-once is the
 * state's text: valid until that changes.
 */
void decide_settings(const struct decide_world *world,
	const struct config_machine *machine, struct config_resolved *ret,
	struct decide_override *ret_override);

enum plan_kind {
	PLAN_SILENCE, /* no answer; `reason` */
	PLAN_LOADER,  /* iPXE itself */
	PLAN_IMAGE,   /* the image, loaded by the firmware */
	PLAN_SCRIPT,  /* iPXE: our script, see decide_script */
	PLAN_LOCAL    /* boot from the disk, now */
};

#define PLAN_FILE_MAX	 512
#define PLAN_CMDLINE_MAX 8192

struct plan {
	enum plan_kind kind;
	const char *reason; /* static text: why so; never NULL */
	const struct config_machine *machine; /* NULL: unknown */
	const char *matched_by; /* "mac", "uuid", ...; NULL if unknown */
	struct config_resolved set;
	struct decide_override override;
	/* NULL: none, not in the catalogue, or on another server (`url`). */
	const struct image *image;
	const char *image_problem; /* NULL, or why the image cannot be had */
	const char *warning;	   /* NULL, or what will disappoint */
	enum pxe_form form;	   /* of the DHCP reply */
	const char *loader;	   /* PLAN_LOADER: its path */
	char file[PLAN_FILE_MAX];  /* for the DHCP reply: file name or URL */
};

void decide(const struct decide_world *world, const struct client *client,
	struct plan *ret);

/* The script of a client that runs iPXE; points into itself and the plan. */
struct script_plan {
	struct ipxe_script script;
	char url[PLAN_FILE_MAX], initrd[PLAN_FILE_MAX];
	char cmdline[PLAN_CMDLINE_MAX];
	char title[200], message[300];
};

void decide_script(const struct decide_world *world,
	const struct client *client, const struct plan *plan,
	struct script_plan *ret);

/* Is the image on another server? Then set->image is its URL. */
bool decide_is_elsewhere(const struct config_resolved *set);
/* NULL, or why such an image cannot be booted on this architecture. */
const char *decide_why_not_elsewhere(
	const struct config_resolved *set, enum arch arch);

/*
 * The kernel's command line: what the image (NULL: nobody knows) carries, then
 * the machine's own. False if it is longer than PLAN_CMDLINE_MAX.
 */
bool decide_cmdline(const struct image *image,
	const struct config_resolved *set, char ret[PLAN_CMDLINE_MAX]);

/*
 * NULL, or why these settings, which pin the image's digest, forbid it.
 */
const char *decide_why_not_pinned(
	const struct image *image, const struct config_resolved *set);
/* Does a BIOS machine fetch an initrd after the kernel? */
bool decide_has_initrd(const struct image *image);

/*
 * Is what this machine gets spliced, that is, must its .cmdline differ from
 * the file's? NULL if not, or if it should but cannot; then *ret_why says why.
 * Else the whole command line, in ret.
 */
const char *decide_splice(const struct image *image,
	const struct config_resolved *set, char ret[PLAN_CMDLINE_MAX],
	const char **ret_why);

/* "ID" of ipxe/ID: the MAC with dashes, else the UUID. */
void decide_client_id(const struct client *client, char ret[UUID_TEXT_LEN]);
/* "direct", "pxe-port", ... */
const char *plan_form_name(enum pxe_form form);
/* "silence", "loader", ... */
const char *plan_kind_name(enum plan_kind kind);

#endif
