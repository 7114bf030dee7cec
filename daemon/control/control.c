#include "daemon/control/control.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <fcntl.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/base/log.h"
#include "daemon/boots/timeline.h"
#include "daemon/control/control_boots.h"
#include "daemon/control/control_json.h"
#include "daemon/control/control_progress.h"
#include "daemon/policy/state.h"
#include "daemon/reload.h"

#define CONTROL_PATIENCE_S 10

enum follows {
	FOLLOWS_NOTHING,
	FOLLOWS_STEPS,	 /* each as it happens */
	FOLLOWS_PROGRESS /* pictures of what runs, and news of what ended */
};

struct caller {
	struct control *control;
	LIST_ENTRY(caller) link;
	struct bufferevent *bev;
	json_t *reply; /* waits until what it tells of is saved */
	struct state_waiter waiter;
	struct control_list *list;   /* follows the reply's own keys */
	bool first;		     /* nothing of the list is out yet */
	struct control_query *query; /* runs: the answer comes later */
	struct control_task *task;   /* works on it: likewise */
	struct reload_waiter reload;
	bool reloads; /* the same of `reload` */
	enum follows follows;
	bool done;
};

struct control {
	struct netuki *netuki;
	int fd;
	int spare; /* a descriptor in reserve */
	struct event *acceptable, *picture, *turn;
	TAILQ_HEAD(, control_task) tasks; /* the first is worked on */
	struct journal_reader reader;
	struct timeline_watcher watcher;
	unsigned n_callers;
	LIST_HEAD(, caller) callers;
	char path[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
};

/* What was begun is finished; what was not is nobody's wish any more. */
static void task_orphan(struct control *control, struct control_task *task)
{
	task->caller = NULL;
	if (task == TAILQ_FIRST(&control->tasks))
		return;
	TAILQ_REMOVE(&control->tasks, task, link);
	task->free(task);
}

static void caller_free(struct caller *caller)
{
	if (caller->reply) {
		state_forget_wait(
			caller->control->netuki->state, &caller->waiter);
		json_decref(caller->reply);
	}
	if (caller->query)
		control_boots_cancel(caller->query);
	if (caller->task)
		task_orphan(caller->control, caller->task);
	if (caller->reloads)
		reloader_forget(
			caller->control->netuki->reloader, &caller->reload);
	control_list_free(caller->list);
	LIST_REMOVE(caller, link);
	caller->control->n_callers--;
	bufferevent_free(caller->bev);
	free(caller);
}

/*
 * Where memory was short when the buffer was made, writing does not begin by
 * itself: libevent does not look whether it could hook that in.
 */
static void write_text(struct caller *caller, const char *text, size_t len)
{
	bufferevent_write(caller->bev, text, len);
	bufferevent_enable(caller->bev, EV_WRITE);
}

static void write_line(struct caller *caller, json_t *value)
{
	char *text = json_dumps(value, JSON_COMPACT | JSON_ENSURE_ASCII);

	if (text) {
		write_text(caller, text, strlen(text));
		write_text(caller, "\n", 1);
	}
	free(text);
}

static bool has_followers(const struct control *control, enum follows what)
{
	const struct caller *caller;

	LIST_FOREACH (caller, &control->callers, link)
		if (caller->follows == what)
			return true;
	return false;
}

/* The value goes to all who follow this. */
static void tell_followers(
	struct control *control, enum follows what, json_t *value)
{
	struct caller *caller, *next;

	for (caller = LIST_FIRST(&control->callers); caller; caller = next) {
		next = LIST_NEXT(caller, link);
		if (caller->follows != what)
			continue;
		write_line(caller, value);
		if (evbuffer_get_length(bufferevent_get_output(caller->bev)) >
			CONTROL_MAX_BACKLOG)
			caller_free(caller);
	}
	json_decref(value);
}

static void on_journal(
	struct journal_reader *reader, const struct journal_event *e)
{
	struct control *control =
		(struct control *)(void *)((char *)reader -
					   offsetof(struct control, reader));

	if (has_followers(control, FOLLOWS_STEPS))
		tell_followers(control, FOLLOWS_STEPS, control_event(e));
}

static void on_news(struct timeline_watcher *watcher, const struct boot *boot)
{
	struct control *control =
		(struct control *)(void *)((char *)watcher -
					   offsetof(struct control, watcher));

	if (has_followers(control, FOLLOWS_PROGRESS))
		tell_followers(control, FOLLOWS_PROGRESS, control_news(boot));
}

/* As long as somebody looks. */
static void on_picture(evutil_socket_t fd, short what, void *arg)
{
	static const struct timeval interval = {
		.tv_usec = CONTROL_PROGRESS_MS * 1000};
	struct control *control = arg;

	(void)fd, (void)what;
	if (!has_followers(control, FOLLOWS_PROGRESS))
		return;
	tell_followers(
		control, FOLLOWS_PROGRESS, control_running(control->netuki));
	event_add(control->picture, &interval);
}

static void follow(struct caller *caller, const json_t *request)
{
	json_t *reply = json_pack("{s:b}", "following", true);
	bool progress = json_is_true(json_object_get(request, "progress"));

	caller->follows = progress ? FOLLOWS_PROGRESS : FOLLOWS_STEPS;
	bufferevent_set_timeouts(caller->bev, NULL, NULL);
	write_line(caller, reply);
	json_decref(reply);
	if (progress && !evtimer_pending(caller->control->picture, NULL))
		event_active(caller->control->picture, EV_TIMEOUT, 0);
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
	(void)bev;
	if (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR | BEV_EVENT_TIMEOUT))
		caller_free(arg);
}

/* Some more of the list, and its end. */
static void write_list(struct caller *caller)
{
	struct control_list *list = caller->list;
	json_t *one;

	for (int i = 0; i < CONTROL_LIST_TURN; i++) {
		char *text;

		if (!list->next(list, &one)) {
			control_list_free(list);
			caller->list = NULL;
			caller->done = true;
			write_text(caller, "]}\n", 3);
			return;
		}
		if (json_is_null(one))
			continue;
		text = one ? json_dumps(one, JSON_COMPACT | JSON_ENSURE_ASCII)
			   : NULL;
		json_decref(one);
		if (!text) {
			/* What is left out must not look like a whole. */
			caller_free(caller);
			return;
		}
		if (!caller->first)
			write_text(caller, ",", 1);
		caller->first = false;
		write_text(caller, text, strlen(text));
		free(text);
	}
	/* Of those that are left out nothing goes out: no turn would come. */
	if (!evbuffer_get_length(bufferevent_get_output(caller->bev)))
		write_text(caller, " ", 1);
}

static void on_written(struct bufferevent *bev, void *arg)
{
	struct caller *caller = arg;

	(void)bev;
	if (caller->done)
		caller_free(caller);
	else if (caller->list)
		write_list(caller);
}

/* The reply, and after its own keys what is in the list, piece by piece. */
static void answer(struct caller *caller, json_t *reply)
{
	static const struct timeval patience = {CONTROL_PATIENCE_S, 0};
	char *text = caller->list ? json_dumps(reply,
					    JSON_COMPACT | JSON_ENSURE_ASCII)
				  : NULL;

	bufferevent_set_timeouts(caller->bev, &patience, &patience);
	if (!text) {
		control_list_free(caller->list);
		caller->list = NULL;
		caller->done = true;
		write_line(caller, reply);
		json_decref(reply);
		return;
	}
	/* It is the client that is to be waited for now. */
	bufferevent_set_timeouts(caller->bev, NULL, &patience);
	write_text(caller, text, strlen(text) - 1);
	if (json_object_size(reply))
		write_text(caller, ",", 1);
	write_text(caller, "\"machines\":[", 12);
	caller->first = true;
	free(text);
	json_decref(reply);
}

/* What the request changed is on the disk now, or cannot be. */
static void on_saved(void *arg)
{
	struct caller *caller = arg;
	const char *problem = state_problem(caller->control->netuki->state);
	json_t *reply = caller->reply;

	caller->reply = NULL;
	if (problem) {
		json_t *error = control_error(
			"it is in force, but could not be saved, and a "
			"restart would forget it: %s",
			problem);

		json_object_update_missing(error, reply);
		json_decref(reply);
		reply = error;
	}
	answer(caller, reply);
}

/* When what it has changed is saved, if it has. */
static void deliver(struct caller *caller, json_t *reply)
{
	if (!reply)
		reply = control_error("the answer is not Unicode");
	if (!json_is_true(json_object_get(reply, "changed"))) {
		answer(caller, reply);
		return;
	}
	caller->reply = reply;
	/* The disk may be slow; whoever asks will wait. */
	bufferevent_set_timeouts(caller->bev, NULL, NULL);
	state_when_saved(caller->control->netuki->state, &caller->waiter,
		on_saved, caller);
}

/* Some of the first task. False: there is none. */
static bool work(struct control *control)
{
	struct control_task *task = TAILQ_FIRST(&control->tasks);
	struct control_list *list = NULL;
	struct caller *caller;
	json_t *reply;

	if (!task)
		return false;
	reply = task->step(task, &list);
	if (!reply)
		return true;
	TAILQ_REMOVE(&control->tasks, task, link);
	caller = task->caller;
	task->free(task);
	if (!caller) {
		control_list_free(list);
		json_decref(reply);
		return true;
	}
	caller->task = NULL;
	caller->list = list;
	deliver(caller, reply);
	return true;
}

static void on_turn(evutil_socket_t fd, short what, void *arg)
{
	struct control *control = arg;

	(void)fd, (void)what;
	if (work(control))
		event_active(control->turn, EV_TIMEOUT, 0);
}

static void serve_one(struct caller *caller, json_t *request)
{
	struct control *control = caller->control;
	json_t *reply = control_answer(
		control->netuki, request, &caller->list, &caller->task);

	if (!caller->task) {
		deliver(caller, reply);
		return;
	}
	caller->task->caller = caller;
	bufferevent_set_timeouts(caller->bev, NULL, NULL);
	TAILQ_INSERT_TAIL(&control->tasks, caller->task, link);
	event_active(control->turn, EV_TIMEOUT, 0);
}

static void on_history(void *arg, const char *text)
{
	static const struct timeval patience = {CONTROL_PATIENCE_S, 0};
	struct caller *caller = arg;

	caller->query = NULL;
	caller->done = true;
	bufferevent_set_timeouts(caller->bev, &patience, &patience);
	write_text(caller, text, strlen(text));
	write_text(caller, "\n", 1);
}

static void ask_history(struct caller *caller, const json_t *request)
{
	json_t *error;

	caller->query = control_boots_ask(
		caller->control->netuki, request, on_history, caller, &error);
	if (caller->query)
		bufferevent_set_timeouts(caller->bev, NULL, NULL);
	else
		answer(caller, error);
}

static void on_reloaded(void *arg, const struct reload_result *result)
{
	struct caller *caller = arg;

	caller->reloads = false;
	answer(caller, control_reloaded(result));
}

static void serve(struct caller *caller, const char *line)
{
	json_error_t error;
	json_t *request = json_loads(line, 0, &error);
	const char *command = control_text(request, "command");

	if (command && strcmp(command, "boots") == 0 &&
		json_is_true(json_object_get(request, "follow"))) {
		follow(caller, request);
	} else if (command && strcmp(command, "reload") == 0) {
		caller->reloads = true;
		bufferevent_set_timeouts(caller->bev, NULL, NULL);
		reloader_ask(caller->control->netuki->reloader, &caller->reload,
			on_reloaded, caller);
	} else if (request && control_boots_is(request)) {
		ask_history(caller, request);
	} else if (request) {
		serve_one(caller, request);
	} else {
		answer(caller, control_error("not JSON: %s", error.text));
	}
	json_decref(request);
}

static void on_readable(struct bufferevent *bev, void *arg)
{
	struct caller *caller = arg;
	struct evbuffer *in = bufferevent_get_input(bev);
	char *line;

	if (caller->follows || caller->done || caller->reply || caller->query ||
		caller->task || caller->reloads || caller->list) {
		evbuffer_drain(in, evbuffer_get_length(in));
		return;
	}
	line = evbuffer_readln(in, NULL, EVBUFFER_EOL_LF);
	if (line)
		serve(caller, line);
	else if (evbuffer_get_length(in) > CONTROL_MAX_REQUEST)
		caller_free(caller);
	free(line);
}

/*
 * No descriptor is left: with the one in reserve the caller is sent away, or
 * the loop would be told of it for ever.
 */
static void turn_away(struct control *control)
{
	int conn;

	close(control->spare);
	conn = accept4(control->fd, NULL, NULL, SOCK_CLOEXEC);
	if (conn >= 0)
		close(conn);
	control->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void on_acceptable(evutil_socket_t fd, short what, void *arg)
{
	static const struct timeval patience = {CONTROL_PATIENCE_S, 0};
	struct control *control = arg;
	int conn = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct caller *caller;

	(void)what;
	if (conn < 0) {
		if (errno == EMFILE || errno == ENFILE)
			turn_away(control);
		return;
	}
	caller = control->n_callers < CONTROL_MAX_CLIENTS
			 ? calloc(1, sizeof(*caller))
			 : NULL;
	if (caller)
		caller->bev = bufferevent_socket_new(
			control->netuki->base, conn, BEV_OPT_CLOSE_ON_FREE);
	if (!caller || !caller->bev) {
		free(caller);
		close(conn);
		return;
	}
	caller->control = control;
	control->n_callers++;
	LIST_INSERT_HEAD(&control->callers, caller, link);
	bufferevent_setcb(
		caller->bev, on_readable, on_written, on_event, caller);
	bufferevent_set_timeouts(caller->bev, &patience, &patience);
	if (bufferevent_enable(caller->bev, EV_READ | EV_WRITE))
		caller_free(caller);
}

/* Does somebody answer on this socket? Then it is another netukid's. */
static bool is_in_use(const struct sockaddr_un *addr)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool used = fd >= 0 && connect(fd, (const struct sockaddr *)addr,
				       sizeof(*addr)) == 0;

	if (fd >= 0)
		close(fd);
	return used;
}

static int listen_on(struct control *control, const struct sockaddr_un *addr)
{
	const struct group *group = getgrnam("netuki");
	struct stat st;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	/* What a netukid left that was killed; nothing else is removed. */
	if (lstat(addr->sun_path, &st) == 0 && S_ISSOCK(st.st_mode))
		unlink(addr->sun_path);
	if (bind(fd, (const struct sockaddr *)addr, sizeof(*addr)) ||
		chmod(addr->sun_path, 0660) ||
		listen(fd, CONTROL_MAX_CLIENTS)) {
		int err = errno == EADDRINUSE ? -EEXIST : -errno;

		close(fd);
		return err;
	}
	if (group && chown(addr->sun_path, (uid_t)-1, group->gr_gid))
		log_debug("control: %s: the group netuki cannot own it",
			addr->sun_path);
	control->fd = fd;
	memcpy(control->path, addr->sun_path, sizeof(control->path));
	return 0;
}

int control_new(struct netuki *netuki, struct control **ret)
{
	const char *path = netuki->config->control;
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	struct control *control = calloc(1, sizeof(*control));
	int err;

	if (!control)
		return -ENOMEM;
	control->netuki = netuki;
	control->fd = -1;
	control->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
	LIST_INIT(&control->callers);
	TAILQ_INIT(&control->tasks);
	err = strlen(path) < sizeof(addr.sun_path) ? 0 : -ENAMETOOLONG;
	if (!err) {
		memcpy(addr.sun_path, path, strlen(path));
		err = is_in_use(&addr) ? -EADDRINUSE
				       : listen_on(control, &addr);
	}
	if (err) {
		log_error("control: %s: %s", path,
			err == -EADDRINUSE ? "another netukid answers there"
					   : strerror(-err));
		close(control->spare);
		free(control);
		return err;
	}
	control->acceptable = event_new(netuki->base, control->fd,
		EV_READ | EV_PERSIST, on_acceptable, control);
	control->reader.read = on_journal;
	journal_add_reader(&netuki->journal, &control->reader);
	control->picture = evtimer_new(netuki->base, on_picture, control);
	control->turn = event_new(netuki->base, -1, 0, on_turn, control);
	control->watcher.news = on_news;
	timeline_watch(netuki->timeline, &control->watcher);
	if (!control->acceptable || !control->picture || !control->turn) {
		control_free(control);
		return -ENOMEM;
	}
	event_add(control->acceptable, NULL);
	*ret = control;
	return 0;
}

void control_free(struct control *control)
{
	if (!control)
		return;
	journal_remove_reader(&control->netuki->journal, &control->reader);
	timeline_watch(control->netuki->timeline, NULL);
	while (!LIST_EMPTY(&control->callers))
		caller_free(LIST_FIRST(&control->callers));
	/* What was begun is done as a whole. */
	while (work(control))
		;
	if (control->turn)
		event_free(control->turn);
	if (control->acceptable)
		event_free(control->acceptable);
	if (control->picture)
		event_free(control->picture);
	close(control->spare);
	close(control->fd);
	unlink(control->path);
	free(control);
}

const char *control_path(const struct control *control)
{
	return control->path;
}
