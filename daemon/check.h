/*
 * check: does what the configuration refers to exist and suit? Used by
 * `netukid --check`, at start and at a reload.
 */
#ifndef DAEMON_CHECK_H
#define DAEMON_CHECK_H

#include "config/config.h"
#include "daemon/images.h"
#include "daemon/netif.h"

/*
 * Errors: an image that a machine, a group or the defaults name and that
 * cannot be had. Warnings: what will disappoint. netifs may be NULL.
 */
void check_config(const struct config *config, const struct images *images,
	const struct netifs *netifs, struct config_report *report);

#endif
