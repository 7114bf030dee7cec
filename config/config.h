/*
 * config: the YAML file of netuki as an immutable value.
 *
 * config_load reads the file (and what it includes) into a struct config, or
 * into a list of messages, all of them at once, each with file, line and
 * column. A struct config never changes: a reload makes another one and swaps
 * the pointer; whoever still needs the old one holds a reference.
 *
 * All texts and tables belong to the struct config. This layer knows keys and
 * types; which offer or script follows from them is daemon/decide's.
 */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/files.h"
#include "config/report.h"
#include "proto/arch.h"
#include "proto/id.h"

enum config_mode {
	CONFIG_MODE_UNSET,
	CONFIG_MODE_IPXE,
	CONFIG_MODE_TFTP_UKI,
	CONFIG_MODE_LOCAL,
	CONFIG_MODE_ALTERNATE, /* ipxe and tftp-uki in turn */
	CONFIG_MODE_MAX
};

enum config_offer {
	CONFIG_OFFER_UNSET,
	CONFIG_OFFER_AUTO,
	CONFIG_OFFER_DIRECT,
	CONFIG_OFFER_PXE_PORT,
	CONFIG_OFFER_MAX
};

/* "ipxe", "tftp-uki", ...; NULL for UNSET. Likewise below. */
const char *config_mode_name(enum config_mode mode);
enum config_mode config_mode_from_name(const char *name);
const char *config_offer_name(enum config_offer offer);

/* An address is in it if its bits under the mask are addr. Host order. */
struct config_network {
	uint32_t addr, mask;
};

/* What may be said for one machine, a group, or as defaults. */
struct config_settings {
	const char *image;   /* NULL: not said here; with a '/': a URL */
	const char *cmdline; /* likewise */
	const char *sha256;  /* likewise; of the image: 64 digits, a to f */
	enum config_mode mode;
	enum config_offer offer;
	uint32_t vlan;		   /* 0: not said here */
	const char *const *loader; /* ARCH_MAX absolute paths; NULL: likewise */
	const struct config_files *files; /* NULL: not said here */
	struct config_at image_at, cmdline_at, mode_at, offer_at, loaders_at,
		sha256_at, vlan_at;
};

/* The first 1 to 5 bytes of MAC addresses. */
struct config_prefix {
	uint8_t len, b[5];
};

struct config_machine {
	const char *name;   /* unique; never NULL */
	const char *group;  /* NULL: none */
	const char *serial; /* NULL: none */
	const struct mac *macs;
	const struct config_prefix *prefixes;
	uint8_t n_macs, n_prefixes; /* at most 64 */
	bool has_uuid;
	struct uuid uuid;
	const struct config_settings *settings;
	struct config_at at;
};

struct config_group {
	const char *name;
	const struct config_settings *settings;
	struct config_at at;
};

/* unknown-machines: */
enum config_unknown { CONFIG_UNKNOWN_IGNORE, CONFIG_UNKNOWN_DEFAULT };

struct config {
	const char *const *files; /* [0]: the main file */
	size_t n_files;

	size_t n_interfaces; /* 0: every one that has an IPv4 address but lo */
	const char *const *interfaces;
	const struct config_at *interfaces_at;

	const char *images; /* a directory */
	struct config_at images_at;
	const char *loaders[ARCH_MAX];	       /* paths; NULL: none */
	struct config_at loaders_at[ARCH_MAX]; /* line 0: the default */

	struct {
		bool enabled;
		uint32_t listen; /* host order; 0: every address */
		uint16_t port, pxe_port;
		enum config_offer offer;
		bool ipxe_ra; /* auto: true; off: false */
		struct config_at at;
	} dhcp;
	struct {
		uint32_t listen;
		uint16_t port;
		uint32_t max_windowsize; /* 1..64 */
		bool single_port;
		size_t n_allow;
		const struct config_network *allow;
		struct config_at at;
	} tftp;
	struct {
		uint32_t listen;
		uint16_t port;
		const char *base_url; /* NULL: http://ADDRESS[:PORT] */
		uint32_t max_rate;    /* bytes a second; 0: no limit */
		uint32_t max_bulk;    /* 0: no limit */
		struct config_at at;
	} http;
	uint32_t drain_s;  /* for transfers, after SIGTERM */
	const char *state; /* a directory */
	uint32_t history_max_boots, history_max_days;
	const char *control; /* a socket's path */
	enum config_unknown unknown;
	struct config_settings defaults;
	size_t n_groups;
	const struct config_group *groups;
	size_t n_machines, n_local; /* these: in mode local */
	const struct config_machine *machines;

	struct config_private *private; /* arena, index, reference count */
};

/* NULL: errors, as the report says; without line if it cannot be read. */
struct config *config_load(const char *path, struct config_report *report);
/* The same from memory, for tests and fuzzing; name stands for the file. */
struct config *config_load_text(const char *name, const char *text, size_t len,
	struct config_report *report);
struct config *config_ref(struct config *config);
void config_unref(struct config *config); /* NULL is fine */

/*
 * The machine that these facts name, in constant time; any may be absent
 * (NULL). A MAC counts before a UUID, that before a serial, that before the
 * longest MAC prefix; *ret_by (may be NULL) says which it was ("mac", ...).
 * A UUID matches in either byte order; junk UUIDs never match.
 */
const struct config_machine *config_find(const struct config *config,
	const struct mac *mac, const struct uuid *uuid, const char *serial,
	const char **ret_by);
const struct config_machine *config_find_name(
	const struct config *config, const char *name);

/* Whence a resolved value came. */
enum config_origin {
	CONFIG_ORIGIN_BUILTIN,
	CONFIG_ORIGIN_DEFAULTS,
	CONFIG_ORIGIN_GROUP,
	CONFIG_ORIGIN_MACHINE,
	CONFIG_ORIGIN_OVERRIDE, /* the daemon's, never config's */
	CONFIG_ORIGIN_MAX
};
const char *config_origin_name(enum config_origin origin);

/* One machine's settings, machine before group before defaults. */
struct config_resolved {
	const char *image;   /* NULL: none said anywhere; with a '/': a URL */
	const char *cmdline; /* "" if none; see below */
	/* NULL: none said with the image, nor before it in this order. */
	const char *sha256;
	enum config_mode mode;
	enum config_offer offer;
	uint32_t vlan; /* 0: none */
	const char *loader[ARCH_MAX];
	const struct config_files *files[CONFIG_ORIGIN_MAX]; /* or NULL */
	enum config_origin image_from, cmdline_from, mode_from, offer_from,
		vlan_from, loader_from[ARCH_MAX];
	struct config_at image_at, cmdline_at, mode_at, offer_at, sha256_at;
	struct config_at vlan_at, loader_at[ARCH_MAX];
};

/* machine NULL: an unknown one, by `defaults`. */
void config_resolve(const struct config *config,
	const struct config_machine *machine, struct config_resolved *ret);
/* The file of this name, machine before group before defaults; or NULL. */
const struct config_file *config_resolved_file(
	const struct config_resolved *set, const char *name);

#endif
