/*
 * What can be changed while running: `mode` and `boot-once`. A command with a
 * mistake in it changes nothing at all.
 */
#include <stdlib.h>
#include <string.h>

#include "config/names.h"
#include "daemon/control_json.h"
#include "daemon/log.h"
#include "daemon/state.h"

/* The names of the machines that a command is about. */
struct targets {
	size_t n;
	const char **name;
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

/*
 * The request's machines, by name. What is remembered of a machine that has
 * left the configuration can still be cleared, if `gone`. NULL, or the error;
 * free(ret->name) either way.
 */
static json_t *find_targets(const struct netuki *netuki, const json_t *request,
	bool gone, struct targets *ret)
{
	const json_t *list = json_object_get(request, "machines");
	size_t n = json_array_size(list);

	*ret = (struct targets){.name = calloc(n + 1, sizeof(*ret->name))};
	if (!ret->name)
		return control_error("memory is short");
	for (size_t i = 0; i < n; i++) {
		const char *who = json_string_value(json_array_get(list, i));
		const struct config_machine *machine =
			who ? control_find(netuki->config, who) : NULL;
		const struct state_machine *left =
			who && gone ? state_find(netuki->state, who) : NULL;

		if (machine)
			ret->name[ret->n++] = machine->name;
		else if (left)
			ret->name[ret->n++] = who;
		else
			return unknown_machine(netuki->config, who ? who : "");
	}
	return NULL;
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

static struct control_list *list_targets(
	const struct netuki *netuki, const struct targets *targets)
{
	return control_list_names(
		netuki, targets->name, targets->n, machine_json);
}

static json_t *too_many(const char *name)
{
	return control_error("%.200s: not set: no more than %d machines can "
			     "be remembered, with names of at most %d bytes",
		name, STATE_MAX_MACHINES, STATE_NAME_MAX);
}

/* For all of them, as the caller of it changes each. NULL, or the error. */
static json_t *change_each(struct netuki *netuki, const struct targets *targets,
	void (*change)(struct state_machine *m, const void *arg),
	const void *arg)
{
	for (size_t i = 0; i < targets->n; i++) {
		struct state_machine m =
			state_get(netuki->state, targets->name[i]);

		change(&m, arg);
		if (!state_put(netuki->state, &m))
			return too_many(targets->name[i]);
	}
	return NULL;
}

/* The same for all of which anything is remembered. */
static void change_all(struct netuki *netuki,
	void (*change)(struct state_machine *m, const void *arg),
	const void *arg)
{
	/* Backwards: an entry that is dropped is replaced by the last one. */
	for (size_t i = state_count(netuki->state); i-- > 0;) {
		struct state_machine m = *state_at(netuki->state, i);

		change(&m, arg);
		state_put(netuki->state, &m);
	}
}

/* For the log: who changed what should not be a riddle later. */
static void note_change(const struct targets *targets, bool all,
	const char *what, const char *how)
{
	if (all)
		log_info("control: %s %s for all machines", what, how);
	else if (targets->n > 8)
		log_info("control: %s %s for %zu machines", what, how,
			targets->n);
	for (size_t i = 0; i < targets->n && targets->n <= 8; i++)
		log_info("control: %s %s for %s", what, how, targets->name[i]);
}

static void set_mode(struct state_machine *m, const void *arg)
{
	m->mode = *(const enum config_mode *)arg;
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

/*
 * What is set for all, for how many machines that counts, and how many it
 * leaves as they are: those in mode local, and those with a mode of their own.
 */
static json_t *mode_json(const struct netuki *netuki, bool changed)
{
	const struct state *state = netuki->state;
	const struct config *config = netuki->config;
	size_t own = 0, own_local = 0, once = 0, local;

	for (size_t i = 0; i < state_count(state); i++) {
		const struct state_machine *m = state_at(state, i);
		const struct config_machine *machine =
			config_find_name(config, m->name);
		struct config_resolved set;

		once += m->once;
		if (!machine || m->mode == CONFIG_MODE_UNSET)
			continue;
		config_resolve(config, machine, &set);
		own++;
		own_local += set.mode == CONFIG_MODE_LOCAL;
	}
	local = state_all_includes_local(state) ? 0
						: config->n_local - own_local;
	return json_pack("{s:b, s:o, s:b, s:I, s:I, s:I, s:I}", "changed",
		changed, "mode-for-all",
		json_of_mode(state_mode_for_all(state)), "include-local",
		state_all_includes_local(state), "for-all",
		(json_int_t)(config->n_machines - own - local), "left-local",
		(json_int_t)local, "left-own", (json_int_t)own, "boot-once",
		(json_int_t)once);
}

/* Checked: change the modes, and answer. */
static json_t *apply_mode(struct netuki *netuki, const json_t *request,
	enum config_mode mode, const struct targets *targets,
	struct control_list **ret_list)
{
	bool all = is_set(request, "all");
	const char *name = config_mode_name(mode);
	json_t *o;

	if (all) {
		/* A disk may be at stake. */
		state_set_mode_for_all(netuki->state, mode,
			mode == CONFIG_MODE_LOCAL ||
				is_set(request, "include-local"));
		if (mode == CONFIG_MODE_UNSET)
			change_all(netuki, set_mode, &mode);
	}
	o = change_each(netuki, targets, set_mode, &mode);
	if (o)
		return o;
	note_change(targets, all, "mode", name ? name : "cleared");
	*ret_list = all ? list_all(netuki, has_mode)
			: list_targets(netuki, targets);
	return mode_json(netuki, true);
}

json_t *control_mode(struct netuki *netuki, const json_t *request,
	struct control_list **ret_list)
{
	bool clear = is_set(request, "clear"), all = is_set(request, "all");
	bool bare;
	enum config_mode mode;
	struct targets targets = {0};
	json_t *answer = parse_mode(request, "mode", &mode);

	if (!answer)
		answer = find_targets(netuki, request, clear, &targets);
	if (!answer && mode == CONFIG_MODE_UNSET && !clear) {
		bare = !targets.n && !all;
		answer = bare ? mode_json(netuki, false)
			      : control_error("which mode?");
		if (bare)
			*ret_list = list_all(netuki, has_mode);
	}
	if (!answer && is_set(request, "include-local") && (!all || clear))
		answer = control_error("include-local is for a mode for all");
	if (!answer && mode != CONFIG_MODE_UNSET && clear)
		answer = control_error("a mode, or clear: not both");
	if (!answer && (targets.n != 0) == all)
		answer = control_error(
			all ? "machines, or all: not both" : "which machines?");
	if (!answer)
		answer = apply_mode(netuki, request, mode, &targets, ret_list);
	free(targets.name);
	return answer;
}

/* What boot-once asks for. */
struct once {
	enum config_mode mode;
	const char *image; /* NULL: as otherwise */
};

static void set_once(struct state_machine *m, const void *arg)
{
	const struct once *once = arg;

	m->once = once != NULL;
	m->once_mode = once ? once->mode : CONFIG_MODE_UNSET;
	m->once_image[0] = '\0';
	if (once && once->image)
		strcpy(m->once_image, once->image);
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
	const struct netuki *netuki, const json_t *request, struct once *ret)
{
	json_t *error = parse_mode(request, "mode", &ret->mode);

	if (error)
		return error;
	if (ret->mode != CONFIG_MODE_UNSET && ret->mode != CONFIG_MODE_IPXE &&
		ret->mode != CONFIG_MODE_TFTP_UKI)
		return control_error("boot-once boots from the network: "
				     "its mode is ipxe or tftp-uki");
	ret->image = control_text(request, "image");
	return ret->image ? check_image(netuki->images, ret->image) : NULL;
}

/*
 * boot-once ends with the image's last byte, which nobody sees here if another
 * server has the image. NULL, or the error.
 */
static json_t *refuse_elsewhere(const struct netuki *netuki,
	const struct once *once, const struct targets *targets)
{
	struct config_resolved set;

	for (size_t i = 0; i < targets->n && !once->image; i++) {
		config_resolve(netuki->config,
			config_find_name(netuki->config, targets->name[i]),
			&set);
		if (decide_is_elsewhere(&set))
			return control_error("%s: another server has its image "
					     "(`url`), so that nobody sees "
					     "here when it was taken: "
					     "boot-once takes an --image",
				targets->name[i]);
	}
	return NULL;
}

static json_t *apply_once(struct netuki *netuki, const struct once *once,
	const struct targets *targets, bool all, struct control_list **ret_list)
{
	json_t *error;

	if (all)
		change_all(netuki, set_once, once);
	error = change_each(netuki, targets, set_once, once);
	if (error)
		return error;
	note_change(targets, all, "boot-once", once ? "set" : "cancelled");
	*ret_list = all ? list_all(netuki, has_once)
			: list_targets(netuki, targets);
	return json_pack("{s:b}", "changed", true);
}

json_t *control_boot_once(struct netuki *netuki, const json_t *request,
	struct control_list **ret_list)
{
	bool cancel = is_set(request, "cancel"), all = is_set(request, "all");
	struct once once = {0};
	struct targets targets = {0};
	json_t *answer = parse_once(netuki, request, &once);
	bool bare = !once.image && once.mode == CONFIG_MODE_UNSET;

	if (!answer)
		answer = find_targets(netuki, request, cancel, &targets);
	if (!answer && !cancel && !all && !targets.n && bare) {
		answer = json_pack("{s:b}", "changed", false);
		*ret_list = list_all(netuki, has_once);
	}
	if (!answer && cancel && !bare)
		answer = control_error("an image or a mode, or cancel: not "
				       "both");
	if (!answer && all && !cancel)
		answer = control_error("only cancel is for all machines");
	if (!answer && (targets.n != 0) == all)
		answer = control_error(
			all ? "machines, or all: not both" : "which machines?");
	if (!answer && !cancel)
		answer = refuse_elsewhere(netuki, &once, &targets);
	if (!answer)
		answer = apply_once(
			netuki, cancel ? NULL : &once, &targets, all, ret_list);
	free(targets.name);
	return answer;
}
