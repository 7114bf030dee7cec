/*
 * check: does what the configuration refers to exist and suit? Used by
 * `netukid --check`, at start and at a reload.
 */
#ifndef DAEMON_POLICY_CHECK_H
#define DAEMON_POLICY_CHECK_H

#include "config/config.h"
#include "daemon/base/netif.h"
#include "daemon/images/images.h"
#include "daemon/images/loaders.h"
#include "daemon/policy/clients.h"

/*
 * Errors: an image that a machine, a group or the defaults name and that
 * cannot be had; a warning with may_come. Warnings: what will disappoint.
 * loaders and netifs may be NULL.
 */
void check_config(const struct config *config, const struct images *images,
	const struct loaders *loaders, const struct netifs *netifs,
	bool may_come, struct config_report *report);

/*
 * Warnings for what `files:` names and that cannot be read. Waits for the disk,
 * as check_config() does.
 */
void check_files(const struct config *config, struct config_report *report);

/*
 * Warnings for ports that another program holds, but for a netukid: it may be
 * the one that runs.
 */
void check_ports(const struct config *config, struct config_report *report);

/* Of a client that has asked: what tells which machine it is, and its kind. */
struct check_client {
	struct mac mac;
	bool has_uuid;
	struct uuid uuid;
	enum arch arch;
};
/*
 * Those of which the architecture is known, for a helper thread: malloc'ed,
 * NULL if there is none.
 */
struct check_client *check_clients(
	const struct clients *clients, size_t *ret_n);

/*
 * Warnings for machines that have asked before and whose image is for another
 * architecture.
 */
void check_seen(const struct config *config, const struct images *images,
	const struct check_client *clients, size_t n,
	struct config_report *report);

/*
 * For images_hash, with the configuration as arg: is it named there, and pinned
 * or to match a digest of its own?
 */
bool check_wants_digest(void *arg, const struct image *image);

#endif
