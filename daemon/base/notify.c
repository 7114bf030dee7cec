#include "daemon/base/notify.h"

#include <event2/event.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/base/clock.h"

void notify_state(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	size_t len = path ? strlen(path) : 0;
	int fd;

	if (!len || len >= sizeof(addr.sun_path) ||
		(path[0] != '/' && path[0] != '@'))
		return;
	memcpy(addr.sun_path, path, len);
	if (path[0] == '@')
		addr.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	(void)!sendto(fd, state, strlen(state), MSG_NOSIGNAL,
		(const struct sockaddr *)&addr,
		(socklen_t)(offsetof(struct sockaddr_un, sun_path) + len));
	close(fd);
}

/* A positive number in the environment; 0 if there is none. */
static uint64_t number_of(const char *name)
{
	const char *text = getenv(name);
	uint64_t number = 0;

	for (; text && *text; text++) {
		if (*text < '0' || *text > '9' || number > UINT64_MAX / 20)
			return 0;
		number = number * 10 + (uint64_t)(*text - '0');
	}
	return number;
}

static void on_interval(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what, (void)arg;
	notify_state("WATCHDOG=1");
}

struct event *notify_watchdog(struct event_base *base)
{
	uint64_t us = number_of("WATCHDOG_USEC");
	uint64_t pid = number_of("WATCHDOG_PID");
	struct timeval half = clock_timeval(us / 2);
	struct event *event;

	if (us < 2 || (pid && pid != (uint64_t)getpid()))
		return NULL;
	event = event_new(base, -1, EV_PERSIST, on_interval, NULL);
	if (event)
		event_add(event, &half);
	return event;
}
