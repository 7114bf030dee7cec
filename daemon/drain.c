#include "daemon/drain.h"

#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "daemon/base/clock.h"
#include "daemon/base/log.h"
#include "daemon/base/notify.h"
#include "daemon/dhcp/dhcp_service.h"
#include "daemon/dhcp/ra_service.h"
#include "daemon/http/http_service.h"
#include "daemon/tftp/tftp_service.h"

/* How often to look whether all is done. */
static const struct timeval look_again = {0, 50000};

struct drain {
	struct netuki *netuki;
	struct event *term, *interrupt, *look;
	bool begun;
	uint64_t until_us;
};

static unsigned running(const struct netuki *netuki)
{
	return http_service_counts(netuki->http).open +
	       tftp_service_counts(netuki->tftp).running;
}

static void on_look(evutil_socket_t fd, short what, void *arg)
{
	struct drain *d = arg;
	unsigned left = running(d->netuki);

	(void)fd, (void)what;
	if (left && clock_us() < d->until_us)
		return;
	if (left)
		log_warn("%u transfers are broken off", left);
	event_base_loopbreak(d->netuki->base);
}

static void begin(struct drain *d)
{
	struct netuki *netuki = d->netuki;
	unsigned seconds = netuki->config->drain_s, left;
	char state[64];

	d->begun = true;
	d->until_us = clock_us() + seconds * 1000000ull;
	/* With some time to spare for the end itself. */
	snprintf(state, sizeof(state), "STOPPING=1\nEXTEND_TIMEOUT_USEC=%llu",
		(seconds + 10) * 1000000ull);
	notify_state(state);
	ra_service_free(netuki->ra);
	netuki->ra = NULL;
	dhcp_service_free(netuki->dhcp);
	netuki->dhcp = NULL;
	tftp_service_end_soon(netuki->tftp);
	http_service_end_soon(netuki->http);
	left = running(netuki);
	if (!left || !seconds) {
		on_look(-1, 0, d);
		return;
	}
	log_info("%u transfers may finish within %u s; no new boots", left,
		seconds);
	event_add(d->look, &look_again);
}

static void on_signal(evutil_socket_t signal, short what, void *arg)
{
	struct drain *d = arg;

	(void)what;
	log_info("%s: ending", signal == SIGINT ? "SIGINT" : "SIGTERM");
	/* One at a keyboard does not want to wait. */
	if (d->begun || signal == SIGINT)
		event_base_loopbreak(d->netuki->base);
	else
		begin(d);
}

struct drain *drain_new(struct netuki *netuki)
{
	struct drain *d = calloc(1, sizeof(*d));

	if (!d)
		return NULL;
	d->netuki = netuki;
	d->term = evsignal_new(netuki->base, SIGTERM, on_signal, d);
	d->interrupt = evsignal_new(netuki->base, SIGINT, on_signal, d);
	d->look = event_new(netuki->base, -1, EV_PERSIST, on_look, d);
	if (!d->term || !d->interrupt || !d->look) {
		drain_free(d);
		return NULL;
	}
	event_add(d->term, NULL);
	event_add(d->interrupt, NULL);
	return d;
}

void drain_free(struct drain *d)
{
	sigset_t set;

	if (!d)
		return;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	if (d->term)
		event_free(d->term);
	if (d->interrupt)
		event_free(d->interrupt);
	if (d->look)
		event_free(d->look);
	free(d);
}
