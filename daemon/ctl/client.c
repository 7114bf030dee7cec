#include "daemon/ctl/client.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* Longer ones are refused by the daemon. */
#define MAX_REQUEST (1u << 20)

static void complain(const char *path, int err)
{
	fprintf(stderr, "netukictl: %s: %s\n", path, strerror(err));
	if (err == ENOENT || err == ECONNREFUSED)
		fprintf(stderr,
			"Is netukid running? `systemctl status netukid` says; "
			"--control PATH names another socket.\n");
	else if (err == EPIPE || err == ECONNRESET)
		fprintf(stderr, "netukid hung up: it may have too many callers "
				"now. Try again.\n");
	else if (err == EACCES || err == EPERM)
		fprintf(stderr, "The socket is for root and the group netuki: "
				"use sudo, "
				"or `adduser USER netuki`.\n");
}

static FILE *send_text(const char *socket_path, const char *text)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = -1, err = ENAMETOOLONG;
	FILE *stream;

	if (strlen(socket_path) >= sizeof(addr.sun_path))
		goto fail;
	memcpy(addr.sun_path, socket_path, strlen(socket_path));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (const struct sockaddr *)&addr, sizeof(addr)))
		goto fail_errno;
	stream = fdopen(fd, "r+");
	if (!stream)
		goto fail_errno;
	/* One that hangs up at once is told as an error, too. */
	signal(SIGPIPE, SIG_IGN);
	if (fputs(text, stream) != EOF && fputc('\n', stream) != EOF &&
		fflush(stream) == 0) {
		signal(SIGPIPE, SIG_DFL);
		return stream;
	}
	err = errno;
	fclose(stream);
	complain(socket_path, err);
	return NULL;
fail_errno:
	err = errno;
fail:
	if (fd >= 0)
		close(fd);
	complain(socket_path, err);
	return NULL;
}

FILE *client_ask(const char *socket_path, const json_t *request)
{
	char *text = json_dumps(request, JSON_COMPACT);
	FILE *stream = NULL;

	if (text && strlen(text) < MAX_REQUEST)
		stream = send_text(socket_path, text);
	else
		fprintf(stderr, "netukictl: these are too many words for one "
				"command\n");
	free(text);
	return stream;
}

json_t *client_next(FILE *answers)
{
	char *line = NULL;
	size_t cap = 0;
	json_error_t error;
	json_t *value = NULL;

	if (getline(&line, &cap, answers) > 0) {
		value = json_loads(line, 0, &error);
		if (!value)
			fprintf(stderr,
				"netukictl: the answer is not JSON: %s\n",
				error.text);
	}
	free(line);
	return value;
}
