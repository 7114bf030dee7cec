/*
 * What can be changed while running: `mode` and `boot-once`. A command with a
 * mistake in it changes nothing at all. One for many machines changes some at
 * each turn of the loop: a machine that asks meanwhile gets the old or the new,
 * as it might have a moment earlier or later. The disk never has half of a
 * command, unless memory gets short half-way, or others fill up the state:
 * that is answered with an error.
 */
#include <stdlib.h>
#include <string.h>

#include "config/names.h"
#include "daemon/base/log.h"
#include "daemon/control/control_json.h"
#include "daemon/policy/state.h"
#include "daemon/reload.h"

#define TURN 1000 /* machines in one turn of the loop */

enum phase { PHASE_FIND, PHASE_CHANGE, PHASE_COUNT, PHASE_END };

struct verb;

/* A command on its way; see struct control_task. */
struct change {
	struct control_task task;
	struct netuki *netuki;
	struct config *config; /* that of when it was asked */
	json_t *request;
	const struct verb *verb;
	bool bare;  /* it only asks what is set */
	bool clear; /* nothing is set: it takes away */
	bool all;
	enum config_mode mode; /* UNSET: as otherwise */
	const char *image;     /* of boot-once; NULL: as otherwise */
	size_t n;	       /* machines that are named */
	const char **name;     /* in the configuration or in the request */
	size_t n_new;	       /* of which nothing is remembered yet */

	enum phase phase;
	size_t at; /* how far it has come */
	bool holds;
	size_t own, own_local, once; /* see mode_answer */
};

/* What tells one command from the other. */
struct verb {
	const char *what, *cleared;
	void (*change)(struct state_machine *m, const struct change *c);
	bool (*is_meant)(const struct state_machine *m);
	bool counts;
	json_t *(*answer)(const struct change *c);
};

static bool is_set(const json_t *request, const char *key)
{
	return json_is_true(json_object_get(request, key));
}

static json_t *unknown_machine(const struct config *config, const char *who)
{
	const char *near = control_nearest(config, who);

	return control_error("%.200s: no machine of the configuration has this "
			     "name or address%s%s%s",
		who, near ? "; did you mean " : "", near ? near : "",
		near ? "?" : "");
}

/* What is set for one machine, and what follows. */
static json_t *machine_json(const struct netuki *netuki, const char *name)
{
	struct decide_world world = netuki_world(netuki);
	const struct config_machine *machine =
		config_find_name(netuki->config, name);
	struct state_machine m = state_get(netuki->state, name);
	struct config_resolved set = {0}, configured = {0};
	struct decide_override override = {0};

	if (machine) {
		decide_settings(&world, machine, &set, &override);
		config_resolve(netuki->config, machine, &configured);
	}
	return json_pack("{s:s, s:b, s:o, s:b, s:o, s:o, s:o, s:o, s:o, s:o,"
			 " s:b, s:o}",
		"name", name, "configured", machine != NULL, "set-mode",
		json_of_mode(m.mode), "boot-once", m.once, "once-mode",
		json_of_mode(m.once_mode), "once-image",
		json_of_text(m.once_image[0] ? m.once_image : NULL), "mode",
		json_of_mode(set.mode), "mode-set-by",
		json_of_text(override.mode), "configured-mode",
		json_of_mode(configured.mode), "image", json_of_text(set.image),
		"alternate", override.alternate, "mode-after-once",
		m.once ? json_of_mode(override.after_once) : json_null());
}

static int by_name(const void *a, const void *b)
{
	const char *const *x = a, *const *y = b;

	return strcmp(*x, *y);
}

static bool has_mode(const struct state_machine *m)
{
	return m->mode != CONFIG_MODE_UNSET;
}

static bool has_once(const struct state_machine *m)
{
	return m->once;
}

/* All machines of which this is true, by name. */
static struct control_list *list_all(const struct netuki *netuki,
	bool (*is_meant)(const struct state_machine *m))
{
	size_t n = 0, all = state_count(netuki->state);
	const char **found = calloc(all + 1, sizeof(*found));
	struct control_list *list;

	for (size_t i = 0; found && i < all; i++)
		if (is_meant(state_at(netuki->state, i)))
			found[n++] = state_at(netuki->state, i)->name;
	if (n)
		qsort(found, n, sizeof(*found), by_name);
	list = control_list_names(netuki, found, n, machine_json);
	free(found);
	return list;
}

static json_t *too_many(const char *name)
{
	return control_error("%.200s: not set: no more than %d machines can "
			     "be remembered, with names of at most %d bytes",
		name, STATE_MAX_MACHINES, STATE_NAME_MAX);
}

static void set_mode(struct state_machine *m, const struct change *c)
{
	m->mode = c->mode;
}

static void set_once(struct state_machine *m, const struct change *c)
{
	m->once = !c->clear;
	m->once_mode = c->mode;
	m->once_image[0] = '\0';
	if (c->image)
		strcpy(m->once_image, c->image);
}

/*
 * What is set for all, for how many machines that counts, and how many it
 * leaves as they are: those in mode local, and those with a mode of their own.
 */
static json_t *mode_answer(const struct change *c)
{
	const struct state *state = c->netuki->state;
	size_t local = state_all_includes_local(state)
			       ? 0
			       : c->config->n_local - c->own_local;

	return json_pack("{s:b, s:o, s:b, s:I, s:I, s:I, s:I}", "changed",
		!c->bare, "mode-for-all",
		json_of_mode(state_mode_for_all(state)), "include-local",
		state_all_includes_local(state), "for-all",
		(json_int_t)(c->config->n_machines - c->own - local),
		"left-local", (json_int_t)local, "left-own", (json_int_t)c->own,
		"boot-once", (json_int_t)c->once);
}

static json_t *once_answer(const struct change *c)
{
	return json_pack("{s:b}", "changed", !c->bare);
}

static const struct verb verb_mode = {
	"mode", "cleared", set_mode, has_mode, true, mode_answer};
static const struct verb verb_once = {
	"boot-once", "cancelled", set_once, has_once, false, once_answer};

/* For the log: who changed what should not be a riddle later. */
static void note_change(const struct change *c)
{
	const char *how = c->clear		  ? c->verb->cleared
			  : c->verb == &verb_mode ? config_mode_name(c->mode)
						  : "set";

	if (c->all)
		log_info("control: %s %s for all machines", c->verb->what, how);
	else if (c->n > 8)
		log_info("control: %s %s for %zu machines", c->verb->what, how,
			c->n);
	for (size_t i = 0; i < c->n && c->n <= 8; i++)
		log_info("control: %s %s for %s", c->verb->what, how,
			c->name[i]);
}

/*
 * boot-once ends with the image's last byte, which nobody sees here if another
 * server has the image. NULL, or the error.
 */
static json_t *refuse_elsewhere(
	const struct change *c, const struct config_machine *machine)
{
	struct config_resolved set;

	config_resolve(c->config, machine, &set);
	if (!decide_is_elsewhere(&set))
		return NULL;
	return control_error("%s: another server has its image (`url`), so "
			     "that nobody sees here when it was taken: "
			     "boot-once takes an --image",
		machine->name);
}

/*
 * One of the request's machines. What is remembered of a machine that has left
 * the configuration can still be cleared. NULL, or the error.
 */
static json_t *find_one(struct change *c, const char *who)
{
	const struct config_machine *machine = control_find(c->config, who);

	if (!machine && !(c->clear && state_find(c->netuki->state, who)))
		return unknown_machine(c->config, who);
	c->name[c->n++] = machine ? machine->name : who;
	if (!c->clear && !state_find(c->netuki->state, machine->name) &&
		++c->n_new + state_count(c->netuki->state) > STATE_MAX_MACHINES)
		return too_many(machine->name);
	if (machine && c->verb == &verb_once && !c->clear && !c->image)
		return refuse_elsewhere(c, machine);
	return NULL;
}

static json_t *find_some(struct change *c)
{
	const json_t *list = json_object_get(c->request, "machines");
	size_t n = json_array_size(list);

	for (size_t i = 0; i < TURN && c->at < n; i++) {
		const char *who =
			json_string_value(json_array_get(list, c->at++));
		json_t *error = find_one(c, who ? who : "");

		if (error)
			return error;
	}
	if (c->at == n)
		c->phase = PHASE_CHANGE;
	return NULL;
}

/* Before the first: what is set for all; and how many will be changed. */
static void begin_changes(struct change *c)
{
	struct state *state = c->netuki->state;

	c->holds = true;
	state_hold(state);
	c->at = c->n;
	if (!c->all)
		return;
	/* A disk may be at stake. */
	if (c->verb == &verb_mode)
		state_set_mode_for_all(state, c->mode,
			c->mode == CONFIG_MODE_LOCAL ||
				is_set(c->request, "include-local"));
	if (c->clear)
		c->at = state_count(state);
}

static void end_changes(struct change *c)
{
	if (c->holds)
		state_release(c->netuki->state);
	c->holds = false;
}

/* Backwards: an entry that is dropped is replaced by the last one. */
static json_t *change_some(struct change *c)
{
	struct state *state = c->netuki->state;

	if (!c->holds)
		begin_changes(c);
	for (size_t i = 0; i < TURN && c->at; i++) {
		struct state_machine m;

		c->at--;
		if (c->all && c->at >= state_count(state))
			continue;
		m = c->all ? *state_at(state, c->at)
			   : state_get(state, c->name[c->at]);
		c->verb->change(&m, c);
		if (!state_put(state, &m))
			return too_many(c->all ? m.name : c->name[c->at]);
	}
	if (c->at)
		return NULL;
	end_changes(c);
	note_change(c);
	c->phase = c->verb->counts ? PHASE_COUNT : PHASE_END;
	return NULL;
}

static void count_some(struct change *c)
{
	const struct state *state = c->netuki->state;

	for (size_t i = 0; i < TURN && c->at < state_count(state); i++) {
		const struct state_machine *m = state_at(state, c->at++);
		const struct config_machine *machine =
			config_find_name(c->config, m->name);
		struct config_resolved set;

		c->once += m->once;
		if (!machine || m->mode == CONFIG_MODE_UNSET)
			continue;
		config_resolve(c->config, machine, &set);
		c->own++;
		c->own_local += set.mode == CONFIG_MODE_LOCAL;
	}
	if (c->at >= state_count(state))
		c->phase = PHASE_END;
}

static json_t *step_change(
	struct control_task *task, struct control_list **ret_list)
{
	struct change *c = (struct change *)(void *)task;
	json_t *reply;

	switch (c->phase) {
	case PHASE_FIND:
		return find_some(c);
	case PHASE_CHANGE:
		return change_some(c);
	case PHASE_COUNT:
		count_some(c);
		return NULL;
	case PHASE_END:
		break;
	}
	reply = c->verb->answer(c);
	if (!reply)
		return control_error("memory is short");
	*ret_list = c->n ? control_list_names(
				   c->netuki, c->name, c->n, machine_json)
			 : list_all(c->netuki, c->verb->is_meant);
	return reply;
}

static void free_change(struct control_task *task)
{
	struct change *c = (struct change *)(void *)task;

	end_changes(c);
	reload_drop_config(c->netuki, c->config);
	json_decref(c->request);
	free(c->name);
	free(c);
}

/* What was read of a request, as a task. NULL, or the error. */
static json_t *begin(struct netuki *netuki, json_t *request,
	const struct change *from, struct control_task **ret)
{
	size_t n = json_array_size(json_object_get(request, "machines"));
	struct change *c = malloc(sizeof(*c));
	const char **name = calloc(n + 1, sizeof(*name));

	if (!c || !name) {
		free(c);
		free(name);
		return control_error("memory is short");
	}
	*c = *from;
	c->task.step = step_change;
	c->task.free = free_change;
	c->netuki = netuki;
	c->config = config_ref(netuki->config);
	c->request = json_incref(request);
	c->name = name;
	c->phase = !c->bare	     ? PHASE_FIND
		   : c->verb->counts ? PHASE_COUNT
				     : PHASE_END;
	*ret = &c->task;
	return NULL;
}

/* Machines, or all of them. NULL, or the error. */
static json_t *check_targets(const json_t *request, const struct change *c)
{
	size_t n = json_array_size(json_object_get(request, "machines"));

	if (c->bare || (n != 0) != c->all)
		return NULL;
	return control_error(
		c->all ? "machines, or all: not both" : "which machines?");
}

/* The mode that a request sets; UNSET: it clears. NULL, or the error. */
static json_t *parse_mode(
	const json_t *request, const char *key, enum config_mode *ret)
{
	const char *text = control_text(request, key);
	struct suggest suggest;
	const char *near;

	*ret = text ? config_mode_from_name(text) : CONFIG_MODE_UNSET;
	if (!text || *ret != CONFIG_MODE_UNSET)
		return NULL;
	suggest_init(&suggest, text);
	for (const struct name_row *row = names_mode; row->name; row++)
		suggest_try(&suggest, row->name);
	near = suggest_best(&suggest);
	return control_error(
		"%.100s is no mode: ipxe, tftp-uki, local or alternate%s%s%s",
		text, near ? "; did you mean " : "", near ? near : "",
		near ? "?" : "");
}

json_t *control_mode(
	struct netuki *netuki, json_t *request, struct control_task **ret)
{
	struct change c = {
		.verb = &verb_mode,
		.clear = is_set(request, "clear"),
		.all = is_set(request, "all"),
	};
	json_t *error = parse_mode(request, "mode", &c.mode);

	if (error)
		return error;
	if (c.mode == CONFIG_MODE_UNSET && !c.clear) {
		c.bare = !c.all &&
			 !json_array_size(json_object_get(request, "machines"));
		if (!c.bare)
			return control_error("which mode?");
	}
	if (is_set(request, "include-local") && (!c.all || c.clear))
		return control_error("include-local is for a mode for all");
	if (c.mode != CONFIG_MODE_UNSET && c.clear)
		return control_error("a mode, or clear: not both");
	error = check_targets(request, &c);
	return error ? error : begin(netuki, request, &c, ret);
}

static json_t *check_image(const struct images *images, const char *name)
{
	const struct image *image = images_find_any(images, name);
	struct suggest suggest;
	const char *near;

	if (image && image->state == IMAGE_STATE_READY)
		return NULL;
	if (image)
		return control_error(
			"%.128s is not offered: %s", name, image->why);
	suggest_init(&suggest, name);
	for (size_t i = 0; i < images->n; i++)
		suggest_try(&suggest, images->image[i]->name);
	near = suggest_best(&suggest);
	return control_error("there is no image %.200s%s%s%s", name,
		near ? "; did you mean " : "", near ? near : "",
		near ? "?" : "");
}

/* NULL, or the error. */
static json_t *parse_once(
	const struct netuki *netuki, const json_t *request, struct change *c)
{
	json_t *error = parse_mode(request, "mode", &c->mode);

	if (error)
		return error;
	if (c->mode != CONFIG_MODE_UNSET && c->mode != CONFIG_MODE_IPXE &&
		c->mode != CONFIG_MODE_TFTP_UKI)
		return control_error("boot-once boots from the network: "
				     "its mode is ipxe or tftp-uki");
	c->image = control_text(request, "image");
	return c->image ? check_image(netuki->images, c->image) : NULL;
}

json_t *control_boot_once(
	struct netuki *netuki, json_t *request, struct control_task **ret)
{
	struct change c = {
		.verb = &verb_once,
		.clear = is_set(request, "cancel"),
		.all = is_set(request, "all"),
	};
	json_t *error = parse_once(netuki, request, &c);
	bool asks = c.image || c.mode != CONFIG_MODE_UNSET;

	if (error)
		return error;
	c.bare = !c.clear && !c.all && !asks &&
		 !json_array_size(json_object_get(request, "machines"));
	if (c.clear && asks)
		return control_error("an image or a mode, or cancel: not "
				     "both");
	if (c.all && !c.clear)
		return control_error("only cancel is for all machines");
	error = check_targets(request, &c);
	return error ? error : begin(netuki, request, &c, ret);
}
