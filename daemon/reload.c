#include "daemon/reload.h"

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

#include "daemon/base/clock.h"
#include "daemon/base/log.h"
#include "daemon/base/netif.h"
#include "daemon/base/worker.h"
#include "daemon/images/loaders.h"
#include "daemon/images/pins.h"

/*
 * Editors write in several steps, and a `git pull` many files: one reading
 * serves them all, unless they have no end.
 */
static const struct timeval settle = {0, 200000};
#define SETTLE_MAX_US 5000000

#define LATE_S 20 /* so long those who ask wait for a disk that may hang */

static const struct config_report no_report;

TAILQ_HEAD(waiters, reload_waiter);

/* A reading in a helper thread; belongs to the worker. */
struct job {
	struct reloader *reloader; /* the loop's alone */
	struct worker_job *job;
	const char *path;
	struct check_client *clients;
	size_t n_clients;
	struct config_watch *armed; /* what the loop looks at meanwhile */
	int inotify;
	bool orphan; /* the reloader is no more: both are the job's */
	struct reading reading;
};

/* What was opened at start and is not read from the configuration again. */
struct opened {
	char *state, *control;
	uint32_t max_boots, max_days;
};

struct reloader {
	struct netuki *netuki;
	struct opened opened;
	int inotify;
	struct config_watch *watch; /* NULL: nothing is watched */
	struct event *hangup, *readable, *settled, *late;
	uint64_t changed_us; /* the first change that was not taken up; or 0 */
	struct job *running;
	bool due;		       /* one more after it */
	bool is_late;		       /* nobody waits for the running one */
	struct waiters asking, served; /* by the next, the running reading */
};

/* Warn of all that only the next start takes over. False: there is nothing. */
static bool tell_restart(const struct config *old, const struct opened *opened,
	const struct config *new, struct config_report *report)
{
	const struct {
		const char *key;
		struct config_at at;
		bool differs;
	} keys[] = {
#define ROW(section, name, member)                                             \
	{#section "." name, new->section.at,                                   \
		old->section.member != new->section.member}
		ROW(dhcp, "enabled", enabled),
		ROW(dhcp, "listen", listen),
		ROW(dhcp, "port", port),
		ROW(dhcp, "pxe-port", pxe_port),
		ROW(dhcp, "ipxe-ra", ipxe_ra),
		ROW(tftp, "listen", listen),
		ROW(tftp, "port", port),
		ROW(tftp, "single-port", single_port),
		ROW(http, "listen", listen),
		ROW(http, "port", port),
#undef ROW
		{"state", {0}, strcmp(opened->state, new->state) != 0},
		{"history", {0},
			opened->max_boots != new->history_max_boots ||
				opened->max_days != new->history_max_days},
		{"control", {0}, strcmp(opened->control, new->control) != 0},
	};
	bool any = false;

	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
		if (!keys[i].differs)
			continue;
		config_report_add(report, new, keys[i].at, true,
			"%s: taken over at the next start only", keys[i].key);
		any = true;
	}
	return any;
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

static void swap(struct netuki *netuki, struct reading *r)
{
	struct config *old = netuki->config, *config = r->config;

	keep_running(config, old);
	loaders_free(netuki->loaders);
	netuki->loaders = r->loaders;
	netuki->config = config;
	netifs_set_config(netuki->netifs, config);
	images_set_pins(netuki->images, r->pins);
	images_set_directory(netuki->images, config->images);
	r->config = NULL;
	r->loaders = NULL;
	r->pins = NULL;
	reload_drop_config(netuki, old);
}

static void note_failure(
	struct netuki *netuki, const struct config_report *report)
{
	snprintf(netuki->reload_error, sizeof(netuki->reload_error),
		"memory is short");
	for (size_t i = 0; i < report->n; i++) {
		if (report->messages[i].warning)
			continue;
		snprintf(netuki->reload_error, sizeof(netuki->reload_error),
			"%s", report->messages[i].text);
		break;
	}
	log_error("configuration not reloaded: %zu error%s; the old one stays "
		  "in force",
		report->n_errors, report->n_errors == 1 ? "" : "s");
}

/* What was read takes the old one's place, if it is good. */
static void take(struct netuki *netuki, const struct opened *opened,
	struct reading *r, struct reload_result *ret)
{
	*ret = (struct reload_result){
		.taken = r->config != NULL, .report = &r->report};
	if (ret->taken)
		ret->needs_restart = tell_restart(
			netuki->config, opened, r->config, &r->report);
	for (size_t i = 0; i < r->report.n; i++) {
		if (r->report.messages[i].warning)
			log_warn("%s", r->report.messages[i].text);
		else
			log_error("%s", r->report.messages[i].text);
	}
	netuki->reload_error[0] = '\0';
	netuki->reloaded_us = clock_us();
	if (!ret->taken) {
		note_failure(netuki, &r->report);
		return;
	}
	swap(netuki, r);
	log_info("configuration reloaded: %zu machines",
		netuki->config->n_machines);
}

static void watch_from_now(struct reloader *r, struct config_watch *watch)
{
	const char *blind = watch ? config_watch_blind(watch) : NULL;

	if (!watch)
		return;
	if (blind && !(r->watch && config_watch_blind(r->watch)))
		log_warn("changes of the configuration in %s are not noticed: "
			 "it cannot be watched; say `netukictl reload`",
			blind);
	config_watch_free(r->watch, watch, NULL);
	r->watch = watch;
}

static void tell(struct waiters *waiters, const struct reload_result *result)
{
	struct reload_waiter *w;

	while ((w = TAILQ_FIRST(waiters))) {
		TAILQ_REMOVE(waiters, w, link);
		w->done(w->arg, result);
	}
}

static void job_work(void *arg)
{
	struct job *job = arg;

	reading_renew(job->path, &job->reading, job->armed, job->clients,
		job->n_clients);
}

/* The reading goes on, and is taken up when it ends; who asked is told. */
static void tell_late(struct reloader *r, struct waiters *waiters)
{
	struct config_report report;

	config_report_init(&report);
	config_report_add(&report, NULL, (struct config_at){0}, false,
		"%s is still being read after %d s: does the disk or file "
		"server hang that it, its images or loaders are on? Until it "
		"has been read the old configuration stays in force",
		r->netuki->config_path, LATE_S);
	if (!r->is_late) {
		log_error("%s", report.n ? report.messages[0].text : "");
		note_failure(r->netuki, &report);
		r->netuki->reloaded_us = clock_us();
	}
	r->is_late = true;
	tell(waiters, &(struct reload_result){.report = &report});
	config_report_done(&report);
}

static void on_late(evutil_socket_t fd, short what, void *arg)
{
	struct reloader *r = arg;

	(void)fd, (void)what;
	tell_late(r, &r->served);
	tell_late(r, &r->asking);
}

static void start_job(struct reloader *r);

static void job_done(void *arg)
{
	struct job *job = arg;
	struct reloader *r = job->reloader;
	struct reload_result result;

	r->running = NULL;
	r->is_late = false;
	event_del(r->late);
	take(r->netuki, &r->opened, &job->reading, &result);
	watch_from_now(r, job->reading.watch);
	job->reading.watch = NULL;
	tell(&r->served, &result);
	if (r->due)
		start_job(r);
}

static void job_drop(void *arg)
{
	struct job *job = arg;

	job->reading.inotify = -1;
	reading_done(&job->reading);
	if (job->orphan) {
		config_watch_free(job->armed, NULL, NULL);
		close(job->inotify);
	}
	free(job->clients);
	free(job);
}

/* What has changed up to now is read by it, and who has asked is served. */
static void start_job(struct reloader *r)
{
	static const struct timeval late = {LATE_S, 0};
	struct job *job = calloc(1, sizeof(*job));
	struct worker_task task = {job_work, job_done, job_drop, job};

	if (r->watch)
		config_watch_read(r->watch, false);
	event_del(r->settled);
	r->changed_us = 0;
	r->due = false;
	TAILQ_CONCAT(&r->served, &r->asking, link);
	if (job) {
		job->reloader = r;
		job->path = r->netuki->config_path;
		job->armed = r->watch;
		job->inotify = job->reading.inotify = r->inotify;
		config_report_init(&job->reading.report);
		job->clients =
			check_clients(r->netuki->clients, &job->n_clients);
		job->job = worker_start_reload(r->netuki->worker, &task);
	}
	if (job && job->job) {
		r->running = job;
		event_add(r->late, &late);
		return;
	}
	log_error("configuration not reloaded: memory is short");
	tell(&r->served, &(struct reload_result){.report = &no_report});
	if (job)
		free(job->clients);
	free(job);
}

static void reload(struct reloader *r)
{
	r->due = true;
	if (!r->running)
		start_job(r);
	else if (r->is_late)
		tell_late(r, &r->asking);
}

void reloader_ask(struct reloader *r, struct reload_waiter *waiter,
	void (*done)(void *arg, const struct reload_result *result), void *arg)
{
	*waiter = (struct reload_waiter){.done = done, .arg = arg};
	TAILQ_INSERT_TAIL(&r->asking, waiter, link);
	reload(r);
}

static void forget(struct waiters *waiters, const struct reload_waiter *waiter)
{
	struct reload_waiter *w;

	TAILQ_FOREACH (w, waiters, link)
		if (w == waiter)
			break;
	if (w)
		TAILQ_REMOVE(waiters, w, link);
}

void reloader_forget(struct reloader *r, const struct reload_waiter *waiter)
{
	forget(&r->asking, waiter);
	forget(&r->served, waiter);
}

static void on_hangup(evutil_socket_t signal, short what, void *arg)
{
	(void)signal, (void)what;
	reload(arg);
}

static void on_settled(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	reload(arg);
}

static void on_inotify(evutil_socket_t fd, short what, void *arg)
{
	struct reloader *r = arg;
	uint64_t now_us = clock_us();

	(void)fd, (void)what;
	if (!config_watch_read(r->watch, r->running != NULL))
		return;
	if (!r->changed_us)
		r->changed_us = now_us;
	if (now_us - r->changed_us < SETTLE_MAX_US)
		event_add(r->settled, &settle);
}

int reloader_new(
	struct netuki *netuki, struct reading *reading, struct reloader **ret)
{
	struct reloader *r = calloc(1, sizeof(*r));
	bool watches = reading->watch != NULL;

	if (!r)
		return -ENOMEM;
	r->netuki = netuki;
	r->opened = (struct opened){
		.state = strdup(netuki->config->state),
		.control = strdup(netuki->config->control),
		.max_boots = netuki->config->history_max_boots,
		.max_days = netuki->config->history_max_days,
	};
	TAILQ_INIT(&r->asking);
	TAILQ_INIT(&r->served);
	r->inotify = reading->inotify;
	reading->inotify = -1;
	watch_from_now(r, reading->watch);
	reading->watch = NULL;
	if (!watches)
		log_warn("%s is not watched for changes", netuki->config_path);
	r->hangup = evsignal_new(netuki->base, SIGHUP, on_hangup, r);
	r->settled = evtimer_new(netuki->base, on_settled, r);
	r->late = evtimer_new(netuki->base, on_late, r);
	if (watches)
		r->readable = event_new(netuki->base, r->inotify,
			EV_READ | EV_PERSIST, on_inotify, r);
	if (!r->hangup || !r->settled || !r->late ||
		(watches && !r->readable) || !r->opened.state ||
		!r->opened.control) {
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
	if (r->late)
		event_free(r->late);
	if (r->running) {
		worker_cancel(r->running->job);
		r->running->orphan = true;
	} else {
		config_watch_free(r->watch, NULL, NULL);
		if (r->inotify >= 0)
			close(r->inotify);
	}
	free(r->opened.state);
	free(r->opened.control);
	free(r);
}

struct old_config {
	struct config *config;
};

static void old_work(void *arg)
{
	struct old_config *old = arg;

	config_unref(old->config);
	old->config = NULL;
}

static void old_drop(void *arg)
{
	struct old_config *old = arg;

	config_unref(old->config);
	free(old);
}

void reload_drop_config(struct netuki *netuki, struct config *config)
{
	struct old_config *old = malloc(sizeof(*old));
	struct worker_task task = {old_work, NULL, old_drop, old};

	if (!old) {
		config_unref(config);
		return;
	}
	old->config = config;
	if (!worker_start(netuki->worker, &task))
		old_drop(old);
}
