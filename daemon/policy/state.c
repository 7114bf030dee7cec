#include "daemon/policy/state.h"

#include <errno.h>
#include <event2/event.h>
#include <jansson.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "daemon/base/hash.h"
#include "daemon/base/log.h"
#include "daemon/base/worker.h"
#include "daemon/policy/state_file.h"

#define MACHINE_BUCKETS 16384
#define FORM_BUCKETS	4096
#define LAZY_S		5 /* until a learnt form is saved */
#define RETRY_S		5 /* after a save that failed */

struct machine {
	struct state_machine m;
	size_t at; /* in state->machine */
	LIST_ENTRY(machine) by_name;
};

struct form {
	struct state_form_entry f;
	TAILQ_ENTRY(form) by_age;
	LIST_ENTRY(form) by_mac;
};

/* A snapshot on its way to the disk. */
struct save {
	struct state *state; /* the loop's alone */
	uint64_t generation;
	struct state_content content;
	const char *directory;
	int err;
	char why[STATE_WHY_MAX];
};

struct state {
	struct worker *worker; /* NULL: nothing is saved */
	struct event *due;     /* the timer of the next save */
	char *directory;
	uint64_t changed, saved; /* generations: what is, what is on disk */
	bool urgent;		 /* some of what is not saved */
	unsigned held;		 /* by so many: nothing is saved now */
	struct save *saving;
	char problem[STATE_WHY_MAX];
	TAILQ_HEAD(, state_waiter) waiters;

	enum config_mode mode_for_all;
	bool all_includes_local;
	size_t n_machines, cap_machines;
	struct machine **machine;
	LIST_HEAD(, machine) machine_of[MACHINE_BUCKETS];
	size_t n_forms;
	TAILQ_HEAD(, form) forms; /* oldest first */
	LIST_HEAD(, form) form_of[FORM_BUCKETS];
};

/* Saving. */

static void schedule(struct state *state, unsigned seconds)
{
	struct timeval in = {.tv_sec = seconds};

	evtimer_add(state->due, &in);
}

/* Something is other than before; the saves of one loop's turn are one. */
static void change(struct state *state, bool urgent)
{
	state->changed++;
	if (!state->worker)
		return;
	if (urgent && !state->urgent) {
		state->urgent = true;
		if (!state->saving)
			schedule(state, 0);
	} else if (!state->saving && !evtimer_pending(state->due, NULL)) {
		schedule(state, LAZY_S);
	}
}

static bool snapshot(const struct state *state, struct state_content *ret)
{
	struct form *form;

	*ret = (struct state_content){
		.mode_for_all = state->mode_for_all,
		.all_includes_local = state->all_includes_local,
		.machines =
			calloc(state->n_machines + 1, sizeof(*ret->machines)),
		.forms = calloc(state->n_forms + 1, sizeof(*ret->forms)),
	};
	if (!ret->machines || !ret->forms) {
		state_content_done(ret);
		return false;
	}
	for (size_t i = 0; i < state->n_machines; i++)
		ret->machines[ret->n_machines++] = state->machine[i]->m;
	TAILQ_FOREACH (form, &state->forms, by_age)
		ret->forms[ret->n_forms++] = form->f;
	return true;
}

/* Call all that wait for this generation or an earlier one. */
static void tell_waiters(struct state *state, uint64_t generation)
{
	struct state_waiter *w;

	while ((w = TAILQ_FIRST(&state->waiters)) &&
		w->generation <= generation) {
		TAILQ_REMOVE(&state->waiters, w, link);
		w->saved(w->arg);
	}
}

static void note_failure(struct state *state, const char *why)
{
	if (strcmp(state->problem, why) != 0)
		log_error("state: cannot be saved: %s: what was set is in "
			  "force, but a restart would forget it; it is tried "
			  "again every %d s",
			why, RETRY_S);
	snprintf(state->problem, sizeof(state->problem), "%s", why);
	schedule(state, RETRY_S);
}

static void note_success(struct state *state, uint64_t generation)
{
	if (state->problem[0])
		log_info("state: saved again");
	state->problem[0] = '\0';
	state->saved = generation;
}

static void save_work(void *arg)
{
	struct save *save = arg;

	save->err =
		state_file_write(save->directory, &save->content, save->why);
}

static void save_done(void *arg)
{
	struct save *save = arg;
	struct state *state = save->state;

	state->saving = NULL;
	if (save->err)
		note_failure(state, save->why);
	else
		note_success(state, save->generation);
	tell_waiters(state, save->generation);
	if (state->changed != save->generation)
		schedule(state, state->urgent ? 0 : LAZY_S);
}

static void save_drop(void *arg)
{
	struct save *save = arg;

	state_content_done(&save->content);
	free(save);
}

static void start_save(struct state *state)
{
	struct save *save = calloc(1, sizeof(*save));
	struct worker_task task = {save_work, save_done, save_drop, save};

	if (save && snapshot(state, &save->content)) {
		save->state = state;
		save->generation = state->changed;
		save->directory = state->directory;
		if (worker_start(state->worker, &task)) {
			evtimer_del(state->due);
			state->saving = save;
			state->urgent = false;
			return;
		}
		state_content_done(&save->content);
	}
	free(save);
	note_failure(state, "memory is short");
	tell_waiters(state, state->changed);
}

static void on_due(evutil_socket_t fd, short what, void *arg)
{
	struct state *state = arg;

	(void)fd, (void)what;
	if (!state->saving && !state->held && state->changed != state->saved)
		start_save(state);
}

void state_hold(struct state *state)
{
	state->held++;
}

void state_release(struct state *state)
{
	if (!--state->held && state->worker && !state->saving &&
		state->changed != state->saved)
		schedule(state, state->urgent ? 0 : LAZY_S);
}

const char *state_problem(const struct state *state)
{
	return state && state->problem[0] ? state->problem : NULL;
}

void state_when_saved(struct state *state, struct state_waiter *w,
	void (*saved)(void *arg), void *arg)
{
	if (!state->worker || state->changed == state->saved) {
		saved(arg);
		return;
	}
	*w = (struct state_waiter){
		.generation = state->changed, .saved = saved, .arg = arg};
	TAILQ_INSERT_TAIL(&state->waiters, w, link);
	state->urgent = true;
	/* After a failure, too: who waits gets an answer now. */
	if (!state->saving)
		schedule(state, 0);
}

void state_forget_wait(struct state *state, struct state_waiter *waiter)
{
	TAILQ_REMOVE(&state->waiters, waiter, link);
}

/* Machines. */

static struct machine *find(const struct state *state, const char *name)
{
	size_t bucket = hash_bucket(name, strlen(name), MACHINE_BUCKETS);
	struct machine *machine;

	LIST_FOREACH (machine, &state->machine_of[bucket], by_name)
		if (strcmp(machine->m.name, name) == 0)
			return machine;
	return NULL;
}

static bool says_something(const struct state_machine *m)
{
	return m->mode != CONFIG_MODE_UNSET || m->once ||
	       m->last_mode != CONFIG_MODE_UNSET;
}

static bool is_same(
	const struct state_machine *a, const struct state_machine *b)
{
	return a->mode == b->mode && a->last_mode == b->last_mode &&
	       a->once == b->once && a->once_mode == b->once_mode &&
	       strcmp(a->once_image, b->once_image) == 0;
}

static void drop_machine(struct state *state, struct machine *machine)
{
	struct machine *last = state->machine[--state->n_machines];

	state->machine[machine->at] = last;
	last->at = machine->at;
	LIST_REMOVE(machine, by_name);
	free(machine);
}

static struct machine *add_machine(struct state *state, const char *name)
{
	size_t bucket = hash_bucket(name, strlen(name), MACHINE_BUCKETS);
	struct machine *machine;

	if (state->n_machines >= STATE_MAX_MACHINES ||
		strlen(name) > STATE_NAME_MAX)
		return NULL;
	if (state->n_machines == state->cap_machines) {
		size_t cap = state->cap_machines ? state->cap_machines * 2 : 16;
		void *p =
			realloc(state->machine, cap * sizeof(*state->machine));

		if (!p)
			return NULL;
		state->machine = p;
		state->cap_machines = cap;
	}
	machine = calloc(1, sizeof(*machine));
	if (!machine)
		return NULL;
	machine->at = state->n_machines;
	state->machine[state->n_machines++] = machine;
	LIST_INSERT_HEAD(&state->machine_of[bucket], machine, by_name);
	return machine;
}

/* As state_put, but nothing has to be saved. False: no room. */
static bool put(struct state *state, const struct state_machine *from,
	bool *ret_changed)
{
	struct state_machine m = *from; /* it may be our own entry */
	struct machine *machine;

	if (!m.name[0])
		return false;
	if (!m.once) {
		m.once_mode = CONFIG_MODE_UNSET;
		m.once_image[0] = '\0';
	}
	machine = find(state, m.name);
	*ret_changed = machine ? !is_same(&machine->m, &m) : says_something(&m);
	if (!*ret_changed)
		return true;
	if (!says_something(&m)) {
		drop_machine(state, machine);
		return true;
	}
	if (!machine)
		machine = add_machine(state, m.name);
	if (machine)
		machine->m = m;
	return machine != NULL;
}

enum config_mode state_mode_for_all(const struct state *state)
{
	return state ? state->mode_for_all : CONFIG_MODE_UNSET;
}

bool state_all_includes_local(const struct state *state)
{
	return state && state->all_includes_local;
}

void state_set_mode_for_all(
	struct state *state, enum config_mode mode, bool include_local)
{
	if (state->mode_for_all == mode &&
		state->all_includes_local == include_local)
		return;
	state->mode_for_all = mode;
	state->all_includes_local = include_local;
	change(state, true);
}

const struct state_machine *state_find(
	const struct state *state, const char *name)
{
	const struct machine *machine = state ? find(state, name) : NULL;

	return machine ? &machine->m : NULL;
}

bool state_put(struct state *state, const struct state_machine *machine)
{
	bool changed = false, fits = put(state, machine, &changed);

	if (fits && changed)
		change(state, true);
	return fits;
}

struct state_machine state_get(const struct state *state, const char *name)
{
	const struct state_machine *known = state_find(state, name);
	struct state_machine m = {0};

	if (known)
		return *known;
	/* One that is too long stays empty: state_put refuses it. */
	if (strlen(name) <= STATE_NAME_MAX)
		strcpy(m.name, name);
	return m;
}

size_t state_count(const struct state *state)
{
	return state->n_machines;
}

const struct state_machine *state_at(const struct state *state, size_t i)
{
	return &state->machine[i]->m;
}

/* Forms. */

static struct form *find_form(
	const struct state *state, const struct mac *mac, size_t *ret_bucket)
{
	struct form *form;

	*ret_bucket = hash_bucket(mac, sizeof(*mac), FORM_BUCKETS);
	LIST_FOREACH (form, &state->form_of[*ret_bucket], by_mac)
		if (mac_equal(&form->f.mac, mac))
			return form;
	return NULL;
}

static void drop_form(struct state *state, struct form *form)
{
	TAILQ_REMOVE(&state->forms, form, by_age);
	LIST_REMOVE(form, by_mac);
	free(form);
	state->n_forms--;
}

enum config_offer state_form(const struct state *state, const struct mac *mac)
{
	size_t bucket;
	const struct form *form = state ? find_form(state, mac, &bucket) : NULL;

	return form ? form->f.form : CONFIG_OFFER_UNSET;
}

/* False: there is no change. */
static bool put_form(
	struct state *state, const struct mac *mac, enum config_offer value)
{
	size_t bucket;
	struct form *form = find_form(state, mac, &bucket);

	if ((form ? form->f.form : CONFIG_OFFER_UNSET) == value)
		return false;
	if (form)
		drop_form(state, form);
	if (value == CONFIG_OFFER_UNSET)
		return true;
	if (state->n_forms >= STATE_MAX_FORMS)
		drop_form(state, TAILQ_FIRST(&state->forms));
	form = calloc(1, sizeof(*form));
	if (!form)
		return false;
	form->f = (struct state_form_entry){*mac, value};
	TAILQ_INSERT_TAIL(&state->forms, form, by_age);
	LIST_INSERT_HEAD(&state->form_of[bucket], form, by_mac);
	state->n_forms++;
	return true;
}

void state_set_form(
	struct state *state, const struct mac *mac, enum config_offer form)
{
	if (put_form(state, mac, form))
		change(state, false);
}

/* Beginning and end. */

static int take_content(
	struct state *state, const struct state_content *content)
{
	bool changed, fits = true;

	state->mode_for_all = content->mode_for_all;
	state->all_includes_local = content->all_includes_local;
	for (size_t i = 0; i < content->n_machines; i++)
		fits &= put(state, &content->machines[i], &changed);
	for (size_t i = 0; i < content->n_forms; i++)
		put_form(state, &content->forms[i].mac, content->forms[i].form);
	return fits ? 0 : -ENOMEM;
}

static int load(struct state *state)
{
	struct state_content content;
	char why[STATE_WHY_MAX];
	int err = state_file_read(state->directory, &content, why);

	if (err == -ENOENT)
		return 0;
	if (err == -EBADMSG) {
		err = state_file_set_aside(state->directory);
		log_error("state: %s/state.json: %s: modes set at run time, "
			  "boot-once and learnt offers are forgotten; %s%s",
			state->directory, why,
			err ? "it cannot be set aside: "
			    : "it is kept as state.json.bad",
			err ? strerror(-err) : "");
		return 0;
	}
	if (err) {
		log_error("state: %s/state.json: %s", state->directory, why);
		return err;
	}
	err = take_content(state, &content);
	state_content_done(&content);
	return err;
}

static int init(struct state *state, struct event_base *base,
	struct worker *worker, const char *directory)
{
	state->worker = directory ? worker : NULL;
	if (!directory)
		return 0;
	state->directory = strdup(directory);
	if (worker)
		state->due = evtimer_new(base, on_due, state);
	if (!state->directory || (worker && !state->due))
		return -ENOMEM;
	/* jansson makes its hash seed on first use: not in a thread. */
	json_object_seed(0);
	return load(state);
}

int state_new(struct event_base *base, struct worker *worker,
	const char *directory, struct state **ret)
{
	struct state *state = calloc(1, sizeof(*state));
	int err;

	if (!state)
		return -ENOMEM;
	TAILQ_INIT(&state->waiters);
	TAILQ_INIT(&state->forms);
	err = init(state, base, worker, directory);
	if (err) {
		state->worker = NULL;
		state_free(state);
		return err;
	}
	*ret = state;
	return 0;
}

static void save_now(struct state *state)
{
	struct state_content content;
	char why[STATE_WHY_MAX] = "memory is short";

	if (!snapshot(state, &content) ||
		state_file_write(state->directory, &content, why))
		log_error("state: cannot be saved: %s", why);
	state_content_done(&content);
}

void state_free(struct state *state)
{
	if (!state)
		return;
	if (state->worker && state->changed != state->saved)
		save_now(state);
	if (state->due)
		event_free(state->due);
	while (state->n_machines)
		drop_machine(state, state->machine[0]);
	while (!TAILQ_EMPTY(&state->forms))
		drop_form(state, TAILQ_FIRST(&state->forms));
	free(state->machine);
	free(state->directory);
	free(state);
}
