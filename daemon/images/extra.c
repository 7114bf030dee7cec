#include "daemon/images/extra.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static int read_text(struct extra *extra)
{
	int err;

	extra->len = (size_t)file_size(extra->file);
	extra->text = malloc(extra->len + 1);
	if (!extra->text)
		return -ENOMEM;
	err = file_read(extra->file, extra->text, extra->len, 0);
	return file_is_unchanged(extra->file, false) ? err : -EAGAIN;
}

void extra_open(const char *path, struct extra *ret)
{
	*ret = (struct extra){0};
	ret->err = file_open(path, &ret->file);
	if (ret->err || file_size(ret->file) > TEMPLATE_MAX)
		return;
	ret->err = read_text(ret);
	if (ret->err) {
		int err = ret->err;

		extra_done(ret);
		ret->err = err;
	}
}

void extra_done(struct extra *extra)
{
	file_unref(extra->file);
	free(extra->text);
	*extra = (struct extra){0};
}

const char *extra_why(int err)
{
	if (file_is_shortage(err))
		return "descriptors or memory are short";
	switch (-err) {
	case EAGAIN:
		return "the file is being changed";
	case ENOENT:
		return "the file is not there";
	case EACCES:
		return "the file may not be read";
	case EINVAL:
	case EISDIR:
		return "it is no regular file";
	default:
		return "the file cannot be read";
	}
}

enum template_result extra_expand(const char *text, size_t len,
	const struct extra_values *values, char ret[EXTRA_EXPANDED_MAX],
	size_t *ret_len, const char **ret_name)
{
	const struct template_value list[] = {
		{"mac", values->mac},
		{"uuid", values->uuid},
		{"name", values->name},
		{"ip", values->ip},
	};

	return template_expand(text, len, list, sizeof(list) / sizeof(*list),
		ret, EXTRA_EXPANDED_MAX, ret_len, ret_name);
}

/* Is there a ${...} of ours in the beginning of a file that is longer? */
static bool wants_values(const struct file *file)
{
	static const struct extra_values none;
	char *text = malloc(TEMPLATE_MAX + EXTRA_EXPANDED_MAX);
	const char *name;
	bool wants;
	size_t len;

	wants = text && file_read(file, text, TEMPLATE_MAX, 0) == 0 &&
		extra_expand(text, TEMPLATE_MAX, &none, text + TEMPLATE_MAX,
			&len, &name) != TEMPLATE_PLAIN;
	free(text);
	return wants;
}

const char *extra_problem(const char *path)
{
	const char *why = NULL;
	struct file *file;
	int err = file_open(path, &file);

	if (err)
		return extra_why(err);
	if (file_size(file) > TEMPLATE_MAX && wants_values(file))
		why = "it is larger than 64 KiB: ${...} in it stays as it is";
	file_unref(file);
	return why;
}

struct opening {
	char *path;
	struct extra extra;
	void (*done)(void *arg, struct extra *extra);
	void *arg;
};

static void work(void *arg)
{
	struct opening *o = arg;

	extra_open(o->path, &o->extra);
}

static void done(void *arg)
{
	struct opening *o = arg;

	o->done(o->arg, &o->extra);
}

static void drop(void *arg)
{
	struct opening *o = arg;

	extra_done(&o->extra);
	free(o->path);
	free(o);
}

struct worker_job *extra_start(struct worker *worker, const char *path,
	void (*call)(void *arg, struct extra *extra), void *arg)
{
	struct opening *o = calloc(1, sizeof(*o));
	struct worker_task task = {work, done, drop, o};
	struct worker_job *job;

	if (!o)
		return NULL;
	*o = (struct opening){.path = strdup(path), .done = call, .arg = arg};
	job = o->path ? worker_start_slow(worker, &task) : NULL;
	if (!job)
		drop(o);
	return job;
}
