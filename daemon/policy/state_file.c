#include "daemon/policy/state_file.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/base/log.h"

#define NAME "state.json"
#define TEMP NAME ".tmp"
#define BAD  NAME ".bad"

void state_content_done(struct state_content *content)
{
	free(content->machines);
	free(content->forms);
	*content = (struct state_content){0};
}

static enum config_mode mode_of(const json_t *o, const char *key)
{
	const char *text = json_string_value(json_object_get(o, key));

	return text ? config_mode_from_name(text) : CONFIG_MODE_UNSET;
}

/* What stands there is a mode that we know, or nothing does. */
static bool mode_is_sane(const json_t *o, const char *key)
{
	return !json_object_get(o, key) || mode_of(o, key) != CONFIG_MODE_UNSET;
}

static enum config_offer offer_of(const char *text)
{
	if (text && strcmp(text, config_offer_name(CONFIG_OFFER_DIRECT)) == 0)
		return CONFIG_OFFER_DIRECT;
	if (text && strcmp(text, config_offer_name(CONFIG_OFFER_PXE_PORT)) == 0)
		return CONFIG_OFFER_PXE_PORT;
	return CONFIG_OFFER_UNSET;
}

static bool read_machine(
	const char *name, const json_t *o, struct state_machine *ret)
{
	const json_t *once = json_object_get(o, "once");
	const json_t *image = json_object_get(once, "image");

	*ret = (struct state_machine){0};
	if (strlen(name) > STATE_NAME_MAX || !json_is_object(o) ||
		(once && !json_is_object(once)) ||
		(image &&
			(!json_is_string(image) ||
				json_string_length(image) > STATE_IMAGE_MAX)) ||
		!mode_is_sane(o, "mode") || !mode_is_sane(o, "last-mode") ||
		!mode_is_sane(once, "mode"))
		return false;
	strcpy(ret->name, name);
	ret->mode = mode_of(o, "mode");
	ret->last_mode = mode_of(o, "last-mode");
	ret->once = once != NULL;
	ret->once_mode = mode_of(once, "mode");
	if (image)
		strcpy(ret->once_image, json_string_value(image));
	return true;
}

static void read_machines(json_t *object, struct state_content *ret)
{
	const char *name;
	json_t *o;

	json_object_foreach(object, name, o)
	{
		if (ret->n_machines < STATE_MAX_MACHINES &&
			read_machine(name, o, &ret->machines[ret->n_machines]))
			ret->n_machines++;
		else
			log_warn("state: what it says of %.100s means nothing "
				 "and is left out",
				name);
	}
}

static void read_forms(json_t *object, struct state_content *ret)
{
	const char *name;
	json_t *o;

	json_object_foreach(object, name, o)
	{
		struct state_form_entry form = {
			.form = offer_of(json_string_value(o)),
		};

		if (ret->n_forms < STATE_MAX_FORMS &&
			form.form != CONFIG_OFFER_UNSET &&
			mac_parse(name, strlen(name), &form.mac))
			ret->forms[ret->n_forms++] = form;
		else
			log_warn("state: the offer for %.100s means nothing "
				 "and is left out",
				name);
	}
}

/* 0, -EBADMSG with why, or -ENOMEM. */
static int read_root(
	const json_t *root, struct state_content *ret, char why[STATE_WHY_MAX])
{
	json_t *machines = json_object_get(root, "machines");
	json_t *forms = json_object_get(root, "offers");
	json_int_t version =
		json_integer_value(json_object_get(root, "version"));

	if (version != 1 || (machines && !json_is_object(machines)) ||
		(forms && !json_is_object(forms)) ||
		!mode_is_sane(root, "mode")) {
		snprintf(why, STATE_WHY_MAX, "it is no state of this version");
		return -EBADMSG;
	}
	*ret = (struct state_content){
		.mode_for_all = mode_of(root, "mode"),
		.all_includes_local =
			json_is_true(json_object_get(root, "include-local")),
	};
	ret->machines =
		calloc(json_object_size(machines) + 1, sizeof(*ret->machines));
	ret->forms = calloc(json_object_size(forms) + 1, sizeof(*ret->forms));
	if (!ret->machines || !ret->forms) {
		state_content_done(ret);
		return -ENOMEM;
	}
	read_machines(machines, ret);
	read_forms(forms, ret);
	return 0;
}

static int path_of(const char *directory, const char *name, char ret[PATH_MAX])
{
	int n = snprintf(ret, PATH_MAX, "%s/%s", directory, name);

	return n > 0 && n < PATH_MAX ? 0 : -ENAMETOOLONG;
}

/* The file's JSON; NULL and *ret_err, with why. */
static json_t *load(FILE *file, int *ret_err, char why[STATE_WHY_MAX])
{
	struct stat st;
	json_error_t error;
	json_t *root;

	if (fstat(fileno(file), &st)) {
		*ret_err = -errno;
		return NULL;
	}
	*ret_err = -EBADMSG;
	if (!S_ISREG(st.st_mode) || st.st_size > STATE_FILE_MAX) {
		snprintf(why, STATE_WHY_MAX, "it is no file of a sane size");
		return NULL;
	}
	/* Not json_loadfd: that asks the kernel for each byte. */
	root = json_loadf(file, JSON_REJECT_DUPLICATES, &error);
	if (!root && (json_error_code(&error) == json_error_out_of_memory ||
			     !error.text[0]))
		*ret_err = -ENOMEM;
	else if (!root)
		snprintf(why, STATE_WHY_MAX, "line %d: %s", error.line,
			error.text);
	return root;
}

int state_file_read(const char *directory, struct state_content *ret,
	char why[STATE_WHY_MAX])
{
	char path[PATH_MAX];
	json_t *root = NULL;
	FILE *file = NULL;
	int fd, err = path_of(directory, NAME, path);

	why[0] = '\0';
	if (!err) {
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
		file = fd < 0 ? NULL : fdopen(fd, "r");
		err = file ? 0 : -errno;
		if (!file && fd >= 0)
			close(fd);
	}
	if (file) {
		root = load(file, &err, why);
		fclose(file);
	}
	if (root)
		err = read_root(root, ret, why);
	json_decref(root);
	if (err && !why[0])
		snprintf(why, STATE_WHY_MAX, "%s", strerror(-err));
	return err;
}

int state_file_set_aside(const char *directory)
{
	char from[PATH_MAX], to[PATH_MAX];

	if (path_of(directory, NAME, from) || path_of(directory, BAD, to))
		return -ENAMETOOLONG;
	return rename(from, to) ? -errno : 0;
}

/* These are 0, or not if memory is short: half a state must not be written. */

static int put_mode(json_t *o, const char *key, enum config_mode mode)
{
	return mode == CONFIG_MODE_UNSET
		       ? 0
		       : json_object_set_new(
				 o, key, json_string(config_mode_name(mode)));
}

static int put_once(json_t *o, const struct state_machine *m)
{
	json_t *once = json_object();
	int failed = put_mode(once, "mode", m->once_mode);

	if (m->once_image[0])
		failed |= json_object_set_new(
			once, "image", json_string(m->once_image));
	return json_object_set_new(o, "once", once) | failed;
}

static int put_machine(json_t *machines, const struct state_machine *m)
{
	json_t *o = json_object();
	int failed = put_mode(o, "mode", m->mode);

	failed |= put_mode(o, "last-mode", m->last_mode);
	if (m->once)
		failed |= put_once(o, m);
	return json_object_set_new(machines, m->name, o) | failed;
}

/* The whole text, for free(); NULL: memory is short. */
static char *text_of(const struct state_content *content)
{
	json_t *root = json_pack("{s:i}", "version", 1);
	json_t *machines = json_object(), *forms = json_object();
	int failed = !root || !machines || !forms;
	char *text = NULL;

	failed |= put_mode(root, "mode", content->mode_for_all);
	if (content->all_includes_local)
		failed |=
			json_object_set_new(root, "include-local", json_true());
	for (size_t i = 0; i < content->n_machines; i++)
		failed |= put_machine(machines, &content->machines[i]);
	for (size_t i = 0; i < content->n_forms; i++) {
		char mac[MAC_TEXT_LEN];

		mac_format(&content->forms[i].mac, ':', mac);
		failed |= json_object_set_new(forms, mac,
			json_string(config_offer_name(content->forms[i].form)));
	}
	failed |= json_object_set_new(root, "machines", machines);
	failed |= json_object_set_new(root, "offers", forms);
	if (!failed)
		text = json_dumps(root, JSON_INDENT(1) | JSON_ENSURE_ASCII);
	json_decref(root);
	return text;
}

static int write_all(int fd, const char *text, size_t len)
{
	while (len) {
		ssize_t n = write(fd, text, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		text += n;
		len -= (size_t)n;
	}
	return 0;
}

/* Some file systems tell of a full disk only when a file is closed. */
static int write_file(const char *path, const char *text)
{
	int fd, err;

	unlink(path); /* of one that was killed */
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	err = write_all(fd, text, strlen(text));
	if (!err && fsync(fd))
		err = -errno;
	if (close(fd) && !err)
		err = -errno;
	return err;
}

static int sync_directory(const char *directory)
{
	int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC), err = 0;

	if (fd < 0)
		return -errno;
	if (fsync(fd))
		err = -errno;
	close(fd);
	return err;
}

int state_file_write(const char *directory, const struct state_content *content,
	char why[STATE_WHY_MAX])
{
	char temp[PATH_MAX], path[PATH_MAX];
	const char *about = temp;
	char *text = text_of(content);
	int err = text ? 0 : -ENOMEM;

	if (path_of(directory, TEMP, temp) || path_of(directory, NAME, path))
		err = -ENAMETOOLONG;
	if (!err)
		err = write_file(temp, text);
	if (err == -ENOENT && mkdir(directory, 0755) == 0)
		err = write_file(temp, text);
	if (!err) {
		about = path;
		err = rename(temp, path) ? -errno : sync_directory(directory);
	} else {
		unlink(temp);
	}
	free(text);
	if (err)
		snprintf(why, STATE_WHY_MAX, "%.400s: %s", about,
			strerror(-err));
	return err;
}
