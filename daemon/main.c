/*
 * netukid: reads the arguments and the configuration, makes the parts, runs
 * the loop, and takes the parts down again.
 */
#include <errno.h>
#include <event2/event.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "daemon/base/clock.h"
#include "daemon/base/log.h"
#include "daemon/base/netif.h"
#include "daemon/base/notify.h"
#include "daemon/base/privileges.h"
#include "daemon/base/turn.h"
#include "daemon/base/worker.h"
#include "daemon/boots/boot_once.h"
#include "daemon/boots/history.h"
#include "daemon/boots/timeline.h"
#include "daemon/boots/watcher.h"
#include "daemon/control/control.h"
#include "daemon/dhcp/dhcp_service.h"
#include "daemon/dhcp/ra_service.h"
#include "daemon/drain.h"
#include "daemon/http/http_service.h"
#include "daemon/images/inspect.h"
#include "daemon/images/loaders.h"
#include "daemon/images/pins.h"
#include "daemon/netuki.h"
#include "daemon/policy/check.h"
#include "daemon/policy/clients.h"
#include "daemon/policy/state.h"
#include "daemon/reload.h"
#include "daemon/tftp/tftp_service.h"

#define DEFAULT_CONFIG "/etc/netuki/netuki.yaml"
#define EXIT_ABSENT    3 /* the unit knows it, too */

struct options {
	const char *config;
	const char *inspect; /* NULL, or the file */
	const char *user;    /* NULL: not said */
	bool check, debug, json;
};

static void usage(FILE *out)
{
	fprintf(out,
		"Usage: netukid [--config FILE] [--check] [--user NAME] "
		"[--debug]\n"
		"       netukid --inspect FILE.efi [--json]\n"
		"\n"
		"Boots machines from Unified Kernel Images, beside the DHCP "
		"server that is\n"
		"already there: ProxyDHCP, TFTP and HTTP in one process, in "
		"the foreground.\n"
		"\n"
		"  -c, --config FILE  the configuration (" DEFAULT_CONFIG ")\n"
		"  -t, --check        check the configuration and what it "
		"refers to, and exit\n"
		"  -i, --inspect FILE print what is in an image, how it can be "
		"booted, and exit\n"
		"      --json         the same as JSON\n"
		"  -u, --user NAME    started as root, who to become once the "
		"ports are open;\n"
		"                     root: nobody else (netuki, if there is "
		"such a user)\n"
		"  -d, --debug        log every step of every boot\n"
		"  -V, --version      print the version\n"
		"  -h, --help         print this\n"
		"\n"
		"Exit status: 0 all is well; 1 the configuration is wrong, a "
		"part cannot\n"
		"start, or FILE cannot be booted; 2 the arguments are wrong; "
		"3 it would start,\n"
		"but what the configuration names is not there.\n"
		"See netukid(8), netuki.yaml(5).\n");
}

/* 0: go on; else the exit status plus 1. */
static int parse_options(int argc, char **argv, struct options *ret)
{
	static const struct option longs[] = {
		{"config", required_argument, NULL, 'c'},
		{"check", no_argument, NULL, 't'},
		{"inspect", required_argument, NULL, 'i'},
		{"json", no_argument, NULL, 'j'},
		{"user", required_argument, NULL, 'u'},
		{"debug", no_argument, NULL, 'd'},
		{"version", no_argument, NULL, 'V'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	int c;

	*ret = (struct options){.config = DEFAULT_CONFIG};
	while ((c = getopt_long(argc, argv, "c:ti:u:dVh", longs, NULL)) != -1) {
		switch (c) {
		case 'c':
			ret->config = optarg;
			break;
		case 't':
			ret->check = true;
			break;
		case 'i':
			ret->inspect = optarg;
			break;
		case 'j':
			ret->json = true;
			break;
		case 'u':
			ret->user = optarg;
			break;
		case 'd':
			ret->debug = true;
			break;
		case 'V':
			puts("netukid " NETUKI_VERSION);
			return 1;
		case 'h':
			usage(stdout);
			return 1;
		default:
			fprintf(stderr, "Try `netukid --help`.\n");
			return 3;
		}
	}
	if (ret->json && !ret->inspect) {
		fprintf(stderr, "netukid: --json goes with --inspect\n");
		return 3;
	}
	if (optind < argc) {
		fprintf(stderr, "netukid: unexpected argument: %s\n",
			argv[optind]);
		return 3;
	}
	return 0;
}

static void print_report(const struct config_report *report)
{
	for (size_t i = 0; i < report->n; i++) {
		const char *text = report->messages[i].text;
		const char *what = strstr(text, ": ");
		int place = what ? (int)(what + 2 - text) : 0;

		fprintf(stderr, "%.*s%s%s\n", place, text,
			report->messages[i].warning ? "warning: " : "",
			text + place);
	}
	if (report->n < report->n_errors + report->n_warnings)
		fprintf(stderr, "... and %zu more\n",
			report->n_errors + report->n_warnings - report->n);
}

static const char *plural(size_t n)
{
	return n == 1 ? "" : "s";
}

/* What --check says of a good configuration. */
static void say_ok(const char *path, const struct reading *reading)
{
	size_t machines = reading->config->n_machines;
	size_t images = reading->n_images,
	       warnings = reading->report.n_warnings;

	printf("%s: ok, %zu machine%s, %zu image%s", path, machines,
		plural(machines), images, plural(images));
	if (warnings)
		printf(", %zu warning%s", warnings, plural(warnings));
	puts("");
}

/* What is wrong, and would it start all the same? */
static int status_of(const struct reading *reading)
{
	const struct config_report *report = &reading->report;

	if (reading->config)
		return 0;
	return report->n_errors && report->n_errors == report->n_absent
		       ? EXIT_ABSENT
		       : 1;
}

/* Descriptors are what a storm of clients needs most. */
static void raise_limits(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

/* While the parts are made, a SIGHUP waits for the one that handles it. */
static void hold_hangup(int how)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	sigprocmask(how, &set, NULL);
}

static int start_base(struct netuki *netuki)
{
	static const struct timeval slice = {0, 2000};
	struct event_config *config = event_config_new();

	if (config) {
		event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
		event_config_set_flag(
			config, EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST);
		/* Between downloads look for DHCP each so often. */
		event_config_set_max_dispatch_interval(
			config, &slice, -1, TURN_PRIORITY_NORMAL);
		netuki->base = event_base_new_with_config(config);
		event_config_free(config);
	}
	if (!netuki->base)
		return -ENOMEM;
	event_base_priority_init(netuki->base, TURN_PRIORITY_MAX);
	return 0;
}

/* Those that are not there: the user that it becomes could not. */
static void make_directories(
	const struct config *config, const struct privileges *privileges)
{
	char *control = strdup(config->control);
	char *slash = control ? strrchr(control, '/') : NULL;

	privileges_make_directory(privileges, config->state);
	if (slash && slash != control) {
		*slash = '\0';
		privileges_make_directory(privileges, control);
	}
	free(control);
}

/* What is needed before the first socket, and touches no file. */
static int start_basis(struct netuki *netuki)
{
	int err = start_base(netuki);

	journal_init(&netuki->journal);
	netuki->started_us = clock_us();
	netuki->clients = clients_new();
	if (!err && !netuki->clients)
		err = -ENOMEM;
	if (!err)
		err = netifs_new(netuki->base, netuki->config, &netuki->netifs);
	if (!err && !(netuki->worker = worker_new(netuki->base)))
		err = -ENOMEM;
	if (!err && !(netuki->watcher = watcher_new(netuki)))
		err = -ENOMEM;
	if (!err && !(netuki->timeline = timeline_new(netuki)))
		err = -ENOMEM;
	if (!err && !(netuki->boot_once = boot_once_new(netuki)))
		err = -ENOMEM;
	return err;
}

static int start_sockets(struct netuki *netuki)
{
	const struct config *config = netuki->config;
	int err = 0;

	if (config->dhcp.enabled)
		err = dhcp_service_new(netuki, &netuki->dhcp);
	if (!err && netuki->dhcp && config->dhcp.ipxe_ra)
		err = ra_service_new(netuki, &netuki->ra);
	if (!err)
		err = tftp_service_new(netuki, &netuki->tftp);
	if (!err)
		err = http_service_new(netuki, &netuki->http);
	if (!err)
		err = control_new(netuki, &netuki->control);
	return err;
}

/* What reads and writes files, and has threads. */
static int start_files(struct netuki *netuki, struct reading *reading)
{
	const struct config *config = netuki->config;
	const struct history_limits limits = {
		.max_boots = config->history_max_boots,
		.max_days = config->history_max_days,
	};
	int err = worker_run(netuki->worker);

	if (!err)
		err = (reading->hangs ? images_new_unread : images_new)(
			netuki->base, netuki->worker, config->images,
			reading->pins, &netuki->images);
	if (err) {
		log_error("cannot start: %s", strerror(-err));
		return err;
	}
	err = state_new(
		netuki->base, netuki->worker, config->state, &netuki->state);
	if (err)
		return err;
	netuki->history = history_new(
		netuki->base, netuki->worker, config->state, &limits);
	if (!netuki->history)
		return -ENOMEM;
	return reloader_new(netuki, reading, &netuki->reloader);
}

/* Only the sockets are opened with what privileges there are. */
static int start(
	struct netuki *netuki, struct reading *reading, const char *user)
{
	struct privileges privileges;
	int err;

	netuki->config = reading->config;
	netuki->loaders = reading->loaders;
	reading->config = NULL;
	reading->loaders = NULL;
	err = start_basis(netuki);
	if (err) {
		log_error("cannot start: %s", strerror(-err));
		return err;
	}
	err = privileges_find(user, &privileges);
	if (err)
		return err;
	make_directories(netuki->config, &privileges);
	err = start_sockets(netuki);
	if (!err)
		err = privileges_drop(&privileges, netuki->config->state);
	if (!err && access(netuki->config_path, R_OK))
		log_warn("%s: a reload will fail: %s", netuki->config_path,
			strerror(errno));
	if (!err)
		err = start_files(netuki, reading);
	return err;
}

static void stop(struct netuki *netuki)
{
	control_free(netuki->control);
	reloader_free(netuki->reloader);
	http_service_free(netuki->http);
	tftp_service_free(netuki->tftp);
	ra_service_free(netuki->ra);
	dhcp_service_free(netuki->dhcp);
	boot_once_free(netuki->boot_once);
	timeline_free(netuki->timeline);
	images_free(netuki->images);
	loaders_free(netuki->loaders);
	worker_free(netuki->worker);
	history_free(netuki->history);
	state_free(netuki->state);
	netifs_free(netuki->netifs);
	watcher_free(netuki->watcher);
	clients_free(netuki->clients);
	/* Until here it keeps a signal from ending what is still written. */
	drain_free(netuki->drain);
	if (netuki->base)
		event_base_free(netuki->base);
	config_unref(netuki->config);
}

static void say_hello(const struct netuki *netuki)
{
	const struct config *config = netuki->config;
	size_t images = 0;

	for (size_t i = 0; i < netuki->images->n; i++)
		if (netuki->images->image[i]->state != IMAGE_STATE_REFUSED)
			images++;
	log_info("netukid " NETUKI_VERSION ": %zu machine%s, %zu image%s in %s",
		config->n_machines, plural(config->n_machines), images,
		plural(images), config->images);
	if (!images)
		log_info("nothing to boot yet: put a UKI (NAME.efi) into %s",
			config->images);
	if (!config->n_machines && config->unknown == CONFIG_UNKNOWN_IGNORE)
		log_info("nobody to boot yet: add machines to %s",
			netuki->config_path);
}

static void run(struct netuki *netuki)
{
	struct event *watchdog = notify_watchdog(netuki->base);

	netuki->drain = drain_new(netuki);
	if (netuki->drain) {
		say_hello(netuki);
		hold_hangup(SIG_UNBLOCK);
		notify_state("READY=1");
		log_begin_turns(netuki->base);
		event_base_dispatch(netuki->base);
		log_end_turns();
		notify_state("STOPPING=1");
	}
	if (watchdog)
		event_free(watchdog);
}

/* A full disk is to be no success to a script. */
static int written(int status)
{
	if (!fflush(stdout) && !ferror(stdout))
		return status;
	fprintf(stderr, "netukid: the answer could not be written\n");
	return 1;
}

int main(int argc, char **argv)
{
	struct netuki netuki = {0};
	struct options options;
	struct reading reading;
	int status = parse_options(argc, argv, &options);

	if (status)
		return written(status - 1);
	if (options.inspect)
		return written(inspect_file(options.inspect, options.json));
	log_init(options.debug);
	netuki.config_path = options.config;
	reading_take(options.config,
		options.check ? READING_AIM_CHECK : READING_AIM_START,
		&reading);
	if (reading.config && options.check)
		check_ports(reading.config, &reading.report);
	print_report(&reading.report);
	if (reading.config && options.check)
		say_ok(options.config, &reading);
	if (!reading.config || options.check) {
		status = status_of(&reading);
		reading_done(&reading);
		return written(status);
	}
	signal(SIGPIPE, SIG_IGN);
	/* A file that may not grow is an error to be told, not an end. */
	signal(SIGXFSZ, SIG_IGN);
	raise_limits();
	hold_hangup(SIG_BLOCK);
	/* So it is again when nobody handles it any more. */
	signal(SIGHUP, SIG_IGN);
	status = start(&netuki, &reading, options.user) ? 1 : 0;
	reading_done(&reading);
	if (!status)
		run(&netuki);
	stop(&netuki);
	return status;
}
