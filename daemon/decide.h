/*
 * decide: who gets what. A pure function from the configuration, the images
 * and what is known of a client to a plan. ProxyDHCP, TFTP, HTTP and
 * `netukictl explain` all ask it, so that no path can forget a rule.
 *
 * Names in what it hands out:
 *   TFTP  FILE                 a loader, by its file name
 *         images/NAME          an image
 *         machines/ID/NAME     an image with the machine's own command line
 *   HTTP  /ipxe/MAC            the script for iPXE
 *         /images/NAME[/linux|/initrd], /machines/ID/NAME, /loaders/FILE
 */
#ifndef DAEMON_DECIDE_H
#define DAEMON_DECIDE_H

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"
#include "daemon/images.h"
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
};

/* What decide() goes by, besides the client. */
struct decide_world {
	const struct config *config;
	const struct images *images;
};

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
	const struct image *image; /* NULL: none, or not in the catalogue */
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

/*
 * The kernel's command line: what the image carries, then the machine's own.
 * False if it is longer than PLAN_CMDLINE_MAX.
 */
bool decide_cmdline(const struct image *image,
	const struct config_resolved *set, char ret[PLAN_CMDLINE_MAX]);

/* "ID" of machines/ID/NAME: the MAC with dashes, else the UUID. */
void decide_client_id(const struct client *client, char ret[UUID_TEXT_LEN]);
/* "silence", "loader", ... */
const char *plan_kind_name(enum plan_kind kind);

#endif
