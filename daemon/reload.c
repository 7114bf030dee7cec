#include "daemon/reload.h"

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "daemon/check.h"
#include "daemon/loaders.h"
#include "daemon/log.h"
#include "daemon/netif.h"
#include "daemon/pins.h"

/* Editors write in several steps; one reading serves them all. */
static const struct timeval settle = {0, 200000};

struct reloader {
	struct netuki *netuki;
	int inotify;
	char *name; /* of the file within its directory */
	struct event *hangup, *readable, *settled;
};

struct config *reload_read(
	const char *path, bool hash, struct config_report *report)
{
	struct config *config = config_load(path, report);
	struct images *images = NULL;
	struct netifs *netifs = NULL;

	if (!config)
		return NULL;
	loaders_free(loaders_new(config, report));
	if (images_new(NULL, NULL, config->images, &images) == 0 &&
		netifs_new(NULL, config, &netifs) == 0) {
		if (hash)
			images_hash(images, check_wants_digest, config);
		check_config(config, images, netifs, report);
	}
	images_free(images);
	netifs_free(netifs);
	if (!report->n_errors)
		return config;
	config_unref(config);
	return NULL;
}

static bool needs_restart(const struct config *a, const struct config *b)
{
	return a->dhcp.enabled != b->dhcp.enabled ||
	       a->dhcp.listen != b->dhcp.listen ||
	       a->dhcp.port != b->dhcp.port ||
	       a->dhcp.pxe_port != b->dhcp.pxe_port ||
	       a->dhcp.ipxe_ra != b->dhcp.ipxe_ra ||
	       a->tftp.listen != b->tftp.listen ||
	       a->tftp.port != b->tftp.port ||
	       a->tftp.single_port != b->tftp.single_port ||
	       a->http.listen != b->http.listen ||
	       a->http.port != b->http.port ||
	       a->history_max_boots != b->history_max_boots ||
	       a->history_max_days != b->history_max_days ||
	       strcmp(a->control, b->control) != 0 ||
	       strcmp(a->state, b->state) != 0;
}

/*
 * What cannot change while we run stays as it is in force: URLs and replies
 * name the ports that are open, and the next reload compares with these.
 */
static void keep_running(struct config *config, const struct config *running)
{
	config->dhcp.enabled = running->dhcp.enabled;
	config->dhcp.listen = running->dhcp.listen;
	config->dhcp.port = running->dhcp.port;
	config->dhcp.pxe_port = running->dhcp.pxe_port;
	config->dhcp.ipxe_ra = running->dhcp.ipxe_ra;
	config->tftp.listen = running->tftp.listen;
	config->tftp.port = running->tftp.port;
	config->tftp.single_port = running->tftp.single_port;
	config->http.listen = running->http.listen;
	config->http.port = running->http.port;
}

/* False: the next start takes over the rest. */
static bool swap(
	struct netuki *netuki, struct config *config, struct loaders *loaders)
{
	struct config *old = netuki->config;
	bool restart = needs_restart(old, config);

	keep_running(config, old);
	loaders_free(netuki->loaders);
	netuki->loaders = loaders;
	netuki->config = config;
	netifs_set_config(netuki->netifs, config);
	images_set_pins(netuki->images, pins_new(config));
	images_set_directory(netuki->images, config->images);
	if (restart)
		log_warn("addresses, ports, `state` and `control` are taken "
			 "over at the next start only");
	config_unref(old);
	return !restart;
}

/* False: memory is short, and nothing has changed. */
static bool take_over(
	struct netuki *netuki, struct config *config, bool *ret_restart)
{
	struct config_report report;
	struct loaders *loaders;

	config_report_init(&report);
	loaders = loaders_new(config, &report);
	config_report_done(&report);
	if (loaders)
		*ret_restart = !swap(netuki, config, loaders);
	else
		config_unref(config);
	return loaders != NULL;
}

static void note_failure(
	struct netuki *netuki, const struct config_report *report)
{
	for (size_t i = 0; i < report->n; i++) {
		if (report->messages[i].warning)
			continue;
		snprintf(netuki->reload_error, sizeof(netuki->reload_error),
			"%s", report->messages[i].text);
		break;
	}
	log_error("configuration not reloaded: %zu errors; the old one stays "
		  "in force",
		report->n_errors);
}

bool reload_now(
	struct netuki *netuki, struct config_report *report, bool *ret_restart)
{
	struct config *config = reload_read(netuki->config_path, false, report);

	if (config)
		check_seen(config, netuki->images, netuki->clients, report);
	for (size_t i = 0; i < report->n; i++) {
		if (report->messages[i].warning)
			log_warn("%s", report->messages[i].text);
		else
			log_error("%s", report->messages[i].text);
	}
	netuki->reload_error[0] = '\0';
	if (!config) {
		note_failure(netuki, report);
		return false;
	}
	if (!take_over(netuki, config, ret_restart)) {
		snprintf(netuki->reload_error, sizeof(netuki->reload_error),
			"memory is short");
		log_error("configuration not reloaded: memory is short; the "
			  "old one stays in force");
		return false;
	}
	log_info("configuration reloaded: %zu machines",
		netuki->config->n_machines);
	return true;
}

static void reload(struct netuki *netuki)
{
	struct config_report report;
	bool restart;

	config_report_init(&report);
	reload_now(netuki, &report, &restart);
	config_report_done(&report);
}

static void on_hangup(evutil_socket_t signal, short what, void *arg)
{
	struct reloader *r = arg;

	(void)signal, (void)what;
	reload(r->netuki);
}

static void on_settled(evutil_socket_t fd, short what, void *arg)
{
	struct reloader *r = arg;

	(void)fd, (void)what;
	reload(r->netuki);
}

static void on_inotify(evutil_socket_t fd, short what, void *arg)
{
	struct reloader *r = arg;
	char buf[4096]
		__attribute__((aligned(__alignof__(struct inotify_event))));
	bool ours = false;
	ssize_t n;

	(void)what;
	while ((n = read(fd, buf, sizeof(buf))) > 0) {
		for (char *at = buf; at < buf + n;) {
			const struct inotify_event *e = (void *)at;

			ours |= e->len && strcmp(e->name, r->name) == 0;
			at += sizeof(*e) + e->len;
		}
	}
	if (ours)
		event_add(r->settled, &settle);
}

/* Watch the directory: editors replace the file by rename. */
static int watch(struct reloader *r, const char *path)
{
	const char *slash = strrchr(path, '/');
	char *directory =
		slash ? strndup(path, (size_t)(slash - path + 1)) : strdup(".");
	int err = 0;

	r->name = strdup(slash ? slash + 1 : path);
	r->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (!directory || !r->name || r->inotify < 0 ||
		inotify_add_watch(r->inotify, directory,
			IN_CLOSE_WRITE | IN_MOVED_TO) < 0)
		err = errno ? -errno : -ENOMEM;
	free(directory);
	return err;
}

int reloader_new(struct netuki *netuki, struct reloader **ret)
{
	struct reloader *r = calloc(1, sizeof(*r));
	int err;

	if (!r)
		return -ENOMEM;
	r->netuki = netuki;
	r->inotify = -1;
	err = watch(r, netuki->config_path);
	if (err)
		log_warn("%s is not watched for changes: %s",
			netuki->config_path, strerror(-err));
	r->hangup = evsignal_new(netuki->base, SIGHUP, on_hangup, r);
	r->settled = evtimer_new(netuki->base, on_settled, r);
	if (r->inotify >= 0)
		r->readable = event_new(netuki->base, r->inotify,
			EV_READ | EV_PERSIST, on_inotify, r);
	if (!r->hangup || !r->settled) {
		reloader_free(r);
		return -ENOMEM;
	}
	event_add(r->hangup, NULL);
	if (r->readable)
		event_add(r->readable, NULL);
	*ret = r;
	return 0;
}

void reloader_free(struct reloader *r)
{
	if (!r)
		return;
	if (r->hangup)
		event_free(r->hangup);
	if (r->readable)
		event_free(r->readable);
	if (r->settled)
		event_free(r->settled);
	if (r->inotify >= 0)
		close(r->inotify);
	free(r->name);
	free(r);
}
