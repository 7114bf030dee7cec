/*
 * netuki: the parts of the running daemon, and who owns them. main.c makes
 * and frees them; everyone else is handed the whole and takes what it needs.
 */
#ifndef DAEMON_NETUKI_H
#define DAEMON_NETUKI_H

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"
#include "daemon/boots/journal.h"
#include "daemon/policy/decide.h"

struct event_base;

struct netuki {
	struct event_base *base;
	const char *config_path;
	struct config *config;
	struct netifs *netifs;
	struct images *images;
	struct loaders *loaders;
	struct clients *clients;
	struct worker *worker;
	struct state *state;
	struct history *history;
	struct timeline *timeline;
	struct boot_once *boot_once;
	struct journal journal;
	struct dhcp_service *dhcp; /* NULL: dhcp is not enabled */
	struct ra_service *ra;	   /* NULL: off, or not permitted */
	struct tftp_service *tftp;
	struct http_service *http;
	struct control *control;
	struct reloader *reloader;
	struct drain *drain;
	struct watcher *watcher;
	char reload_error[512]; /* of the latest reload; "": it went well */
	uint64_t reloaded_us;	/* when that was; 0: not yet */
	uint64_t started_us;
};

static inline struct decide_world netuki_world(const struct netuki *netuki)
{
	return (struct decide_world){
		.config = netuki->config,
		.images = netuki->images,
		.state = netuki->state,
	};
}

#endif
