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

#include "daemon/clients.h"
#include "daemon/clock.h"
#include "daemon/control.h"
#include "daemon/dhcp_service.h"
#include "daemon/http_service.h"
#include "daemon/loaders.h"
#include "daemon/log.h"
#include "daemon/netif.h"
#include "daemon/netuki.h"
#include "daemon/notify.h"
#include "daemon/ra_service.h"
#include "daemon/worker.h"
#include "daemon/reload.h"
#include "daemon/tftp_service.h"

#define DEFAULT_CONFIG "/etc/netuki/netuki.yaml"

struct options {
	const char *config;
	bool check, debug;
};

static void usage(FILE *out)
{
	fprintf(out,
		"Usage: netukid [--config FILE] [--check] [--debug]\n"
		"\n"
		"Boots machines from Unified Kernel Images, beside the DHCP "
		"server that is\n"
		"already there: ProxyDHCP, TFTP and HTTP in one process, in "
		"the foreground.\n"
		"\n"
		"  -c, --config FILE  the configuration (" DEFAULT_CONFIG ")\n"
		"  -t, --check        check the configuration and what it "
		"refers to, and exit\n"
		"  -d, --debug        log every step of every boot\n"
		"  -V, --version      print the version\n"
		"  -h, --help         print this\n"
		"\n"
		"Exit status: 0 all is well; 1 the configuration is wrong or "
		"a part cannot\n"
		"start; 2 the arguments are wrong. See netukid(8), "
		"netuki.yaml(5).\n");
}

/* 0: go on; else the exit status plus 1. */
static int parse_options(int argc, char **argv, struct options *ret)
{
	static const struct option longs[] = {
		{"config", required_argument, NULL, 'c'},
		{"check", no_argument, NULL, 't'},
		{"debug", no_argument, NULL, 'd'},
		{"version", no_argument, NULL, 'V'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	int c;

	*ret = (struct options){.config = DEFAULT_CONFIG};
	while ((c = getopt_long(argc, argv, "c:tdVh", longs, NULL)) != -1) {
		switch (c) {
		case 'c':
			ret->config = optarg;
			break;
		case 't':
			ret->check = true;
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
	if (optind < argc) {
		fprintf(stderr, "netukid: unexpected argument: %s\n",
			argv[optind]);
		return 3;
	}
	return 0;
}

static void print_report(const struct config_report *report)
{
	for (size_t i = 0; i < report->n; i++)
		fprintf(stderr, "%s\n", report->messages[i].text);
	if (report->n < report->n_errors + report->n_warnings)
		fprintf(stderr, "... and %zu more\n",
			report->n_errors + report->n_warnings - report->n);
}

/* The configuration, with all that is to be said of it printed; or NULL. */
static struct config *load(const char *path)
{
	struct config_report report;
	struct config *config;

	config_report_init(&report);
	config = reload_read(path, &report);
	print_report(&report);
	config_report_done(&report);
	return config;
}

static void on_signal(evutil_socket_t signal, short what, void *arg)
{
	struct netuki *netuki = arg;

	(void)what;
	log_info("%s: ending", signal == SIGINT ? "SIGINT" : "SIGTERM");
	event_base_loopbreak(netuki->base);
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

static int start_base(struct netuki *netuki)
{
	struct event_config *config = event_config_new();

	if (config) {
		event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
		event_config_set_flag(
			config, EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST);
		netuki->base = event_base_new_with_config(config);
		event_config_free(config);
	}
	if (!netuki->base)
		return -ENOMEM;
	/* 0: DHCP; 1: all else. */
	event_base_priority_init(netuki->base, 2);
	return 0;
}

static int start(struct netuki *netuki)
{
	const struct config *config = netuki->config;
	struct config_report report;
	int err = start_base(netuki);

	journal_init(&netuki->journal);
	netuki->started_us = clock_us();
	netuki->clients = clients_new();
	if (!netuki->clients)
		err = -ENOMEM;
	if (!err)
		err = netifs_new(netuki->base, config, &netuki->netifs);
	if (!err)
		err = images_new(netuki->base, config->images, &netuki->images);
	if (!err && !(netuki->worker = worker_new(netuki->base)))
		err = -ENOMEM;
	if (err) {
		log_error("cannot start: %s", strerror(-err));
		return err;
	}
	config_report_init(&report);
	netuki->loaders = loaders_new(config, &report);
	config_report_done(&report);
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
	if (!err)
		err = reloader_new(netuki, &netuki->reloader);
	return err;
}

static void stop(struct netuki *netuki)
{
	reloader_free(netuki->reloader);
	control_free(netuki->control);
	http_service_free(netuki->http);
	tftp_service_free(netuki->tftp);
	ra_service_free(netuki->ra);
	dhcp_service_free(netuki->dhcp);
	worker_free(netuki->worker);
	loaders_free(netuki->loaders);
	images_free(netuki->images);
	netifs_free(netuki->netifs);
	clients_free(netuki->clients);
	if (netuki->base)
		event_base_free(netuki->base);
	config_unref(netuki->config);
}

static void say_hello(const struct netuki *netuki)
{
	const struct config *config = netuki->config;

	log_info("netukid " NETUKI_VERSION ": %zu machines, %zu images in %s",
		config->n_machines, netuki->images->n, config->images);
	if (!netuki->images->n)
		log_info("nothing to boot yet: put a UKI (NAME.efi) into %s",
			config->images);
	if (!config->n_machines && config->unknown == CONFIG_UNKNOWN_IGNORE)
		log_info("nobody to boot yet: add machines to %s",
			netuki->config_path);
}

static void run(struct netuki *netuki)
{
	struct event *term =
		evsignal_new(netuki->base, SIGTERM, on_signal, netuki);
	struct event *interrupt =
		evsignal_new(netuki->base, SIGINT, on_signal, netuki);

	if (term && interrupt) {
		event_add(term, NULL);
		event_add(interrupt, NULL);
		say_hello(netuki);
		notify_state("READY=1");
		event_base_dispatch(netuki->base);
		notify_state("STOPPING=1");
	}
	if (term)
		event_free(term);
	if (interrupt)
		event_free(interrupt);
}

int main(int argc, char **argv)
{
	struct netuki netuki = {0};
	struct options options;
	int status = parse_options(argc, argv, &options);

	if (status)
		return status - 1;
	log_init(options.debug);
	netuki.config_path = options.config;
	netuki.config = load(options.config);
	if (!netuki.config)
		return 1;
	if (options.check) {
		config_unref(netuki.config);
		return 0;
	}
	signal(SIGPIPE, SIG_IGN);
	raise_limits();
	status = start(&netuki) ? 1 : 0;
	if (!status)
		run(&netuki);
	stop(&netuki);
	return status;
}
