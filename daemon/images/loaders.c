#include "daemon/images/loaders.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/clock.h"
#include "daemon/images/images.h"

/* One an architecture, and those of groups and machines. */
#define LOADERS_MAX 256

/* Looks at once: those that hang leave the worker's other threads alone. */
#define LOOKS_MAX 2
/* So long a loader that was looked for in vain is told to be not there. */
#define MISSING_US 10000000

struct loader {
	char *path;
	const char *name;	/* its last part */
	struct file *file;	/* NULL: it was not there yet */
	struct view *view;	/* of the file; NULL: not asked for yet */
	char *signer;		/* NULL: it is not signed */
	struct worker_job *job; /* NULL: no look at the path is under way */
	uint64_t missing_us;	/* when a look found nothing; or 0 */
};

struct loaders {
	size_t n;
	struct loader loader[LOADERS_MAX];
};

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/*
 * By whom it is signed; NULL: it is not. BIOS loaders are no EFI files, and
 * cannot be.
 */
static char *find_signer(const struct file *file)
{
	uint64_t size = file_size(file);
	size_t len = size < UKI_HEAD ? (size_t)size : UKI_HEAD;
	uint8_t *head = malloc(UKI_HEAD);
	char name[IMAGE_SIGNER_MAX];
	struct uki_error why;
	char *signer = NULL;
	struct uki uki;

	if (head && file_read(file, head, len, 0) == 0 &&
		uki_parse(head, len, size, &uki, &why) && uki.cert_size &&
		image_read_signer(file, &uki, name, &why) == 0)
		signer = strdup(name);
	free(head);
	return signer;
}

/* What collecting them needs. */
struct collecting {
	struct loaders *loaders;
	const struct config *config;
	bool may_come;
	struct patience *patience; /* NULL: without end */
	struct config_report *report;
};

/* Has it a place, or can it have none? */
static bool is_settled(
	const struct collecting *c, const char *path, struct config_at at)
{
	const struct loaders *loaders = c->loaders;
	const char *name = base_name(path);

	for (size_t i = 0; i < loaders->n; i++) {
		if (strcmp(loaders->loader[i].path, path) == 0)
			return true;
		if (strcmp(loaders->loader[i].name, name) == 0) {
			config_report_add(c->report, c->config, at, false,
				"loader %s: %s has the same file name: clients "
				"ask by file name, so give one another name",
				path, loaders->loader[i].path);
			return true;
		}
	}
	if (loaders->n == LOADERS_MAX)
		config_report_add(c->report, c->config, at, false,
			"loader %s: more than %d different loaders", path,
			LOADERS_MAX);
	return loaders->n == LOADERS_MAX;
}

static void try_loader(void *path)
{
	struct file *file;

	if (file_open(path, &file) < 0)
		return;
	free(find_signer(file));
	file_unref(file);
}

/* 0 or -errno; -ETIMEDOUT: nothing answers. */
static int open_in_time(
	const struct collecting *c, const char *path, struct file **ret)
{
	char *copy = strdup(path);
	bool answers = !c->patience || !copy ||
		       patience_try(c->patience, NULL, try_loader, copy);

	free(copy);
	return answers ? file_open(path, ret) : -ETIMEDOUT;
}

static const char *why_not_open(int err)
{
	switch (err) {
	case -EINVAL:
		return "not a regular file";
	case -ETIMEDOUT:
		return "its file system does not answer";
	default:
		return strerror(-err);
	}
}

static void add(
	const struct collecting *c, const char *path, struct config_at at)
{
	struct loaders *loaders = c->loaders;
	struct loader *loader;
	int err;

	if (!path || is_settled(c, path, at))
		return;
	loader = &loaders->loader[loaders->n];
	err = open_in_time(c, path, &loader->file);
	if (err && !at.line)
		return;
	if (err)
		config_report_add_absent(c->report, c->config, at, c->may_come,
			"loader %s: %s%s", path, why_not_open(err),
			c->may_come ? "; it is served once it is there" : "");
	loader->path = strdup(path);
	if (!loader->path) {
		file_unref(loader->file);
		loader->file = NULL;
		config_report_add(c->report, c->config, at, false,
			"loader %s: %s", path, strerror(ENOMEM));
		return;
	}
	loader->name = base_name(loader->path);
	if (loader->file)
		loader->signer = find_signer(loader->file);
	loaders->n++;
}

static void add_settings(
	const struct collecting *c, const struct config_settings *set)
{
	for (int arch = 0; arch < ARCH_MAX; arch++)
		add(c, set->loader[arch], set->loaders_at);
}

struct loaders *loaders_new(const struct config *config, bool may_come,
	struct patience *patience, struct config_report *report)
{
	struct loaders *loaders = calloc(1, sizeof(*loaders));
	const struct collecting c = {
		loaders, config, may_come, patience, report};

	if (!loaders)
		return NULL;
	for (int arch = 0; arch < ARCH_MAX; arch++)
		add(&c, config->loaders[arch], config->loaders_at[arch]);
	add_settings(&c, &config->defaults);
	for (size_t i = 0; i < config->n_groups; i++)
		add_settings(&c, config->groups[i].settings);
	for (size_t i = 0; i < config->n_machines; i++)
		add_settings(&c, config->machines[i].settings);
	return loaders;
}

void loaders_free(struct loaders *loaders)
{
	if (!loaders)
		return;
	for (size_t i = 0; i < loaders->n; i++) {
		worker_cancel(loaders->loader[i].job);
		view_unref(loaders->loader[i].view);
		file_unref(loaders->loader[i].file);
		free(loaders->loader[i].path);
		free(loaders->loader[i].signer);
	}
	free(loaders);
}

/* Takes both over. */
static void take(struct loader *loader, struct file *file, char *signer)
{
	file_unref(loader->file);
	view_unref(loader->view);
	free(loader->signer);
	loader->file = file;
	loader->view = NULL;
	loader->signer = signer;
}

/* A look at what is at a loader's path now, which may wait for a server. */
struct look {
	struct loader *loader; /* the loop's alone */
	char *path;
	struct file *file; /* NULL: it could not be opened */
	char *signer;
};

static void look_work(void *arg)
{
	struct look *look = arg;

	if (file_open(look->path, &look->file) == 0)
		look->signer = find_signer(look->file);
}

static void look_done(void *arg)
{
	struct look *look = arg;
	struct loader *loader = look->loader;

	loader->job = NULL;
	loader->missing_us = look->file ? 0 : clock_us();
	if (!look->file || (loader->file && file_is_at(loader->file,
						    file_stat(look->file))))
		return;
	take(loader, look->file, look->signer);
	look->file = NULL;
	look->signer = NULL;
}

static void look_drop(void *arg)
{
	struct look *look = arg;

	file_unref(look->file);
	free(look->signer);
	free(look->path);
	free(look);
}

static void start_look(struct loader *loader, struct worker *worker)
{
	struct look *look = calloc(1, sizeof(*look));
	struct worker_task task = {look_work, look_done, look_drop, look};

	if (!look)
		return;
	look->loader = loader;
	look->path = strdup(loader->path);
	if (look->path)
		loader->job = worker_start_slow(worker, &task);
	if (!loader->job)
		look_drop(look);
}

/* Must a look at it wait, or may it have to? */
static bool is_remote(const struct loader *loader)
{
	return !loader->file || file_is_remote(loader->file);
}

static bool may_look(const struct loaders *loaders)
{
	unsigned looks = 0;

	for (size_t i = 0; i < loaders->n; i++)
		looks += loaders->loader[i].job != NULL;
	return looks < LOOKS_MAX;
}

static struct loader *find(struct loaders *loaders, const char *name)
{
	for (size_t i = 0; i < loaders->n; i++)
		if (strcmp(loaders->loader[i].name, name) == 0)
			return &loaders->loader[i];
	return NULL;
}

void loaders_expect(
	struct loaders *loaders, struct worker *worker, const char *path)
{
	struct loader *loader = find(loaders, base_name(path));

	if (loader && is_remote(loader) && !loader->job && may_look(loaders))
		start_look(loader, worker);
}

static void renew(struct loader *loader)
{
	struct file *fresh;
	struct stat st;

	if ((stat(loader->path, &st) < 0 || !file_is_at(loader->file, &st)) &&
		file_open(loader->path, &fresh) == 0)
		take(loader, fresh, find_signer(fresh));
}

/* NULL: memory is short. */
static struct view *view_of(struct loader *loader)
{
	/* One for all: by that TFTP knows what it has read already. */
	if (!loader->view) {
		loader->view = view_new("application/efi");
		if (!loader->view)
			return NULL;
		view_add_file(
			loader->view, loader->file, 0, file_size(loader->file));
	}
	return view_ref(loader->view);
}

struct view *loaders_view(struct loaders *loaders, struct worker *worker,
	const char *name, const char **ret_why)
{
	struct loader *loader = find(loaders, name);

	*ret_why = "no such file";
	if (!loader)
		return NULL;
	if (!is_remote(loader))
		renew(loader);
	else
		loaders_expect(loaders, worker, name);
	if (!loader->file && loader->missing_us &&
		clock_us() - loader->missing_us < MISSING_US)
		return NULL;
	*ret_why = NULL;
	return loader->file ? view_of(loader) : NULL;
}

const char *loaders_signer(const struct loaders *loaders, const char *path)
{
	const char *name = base_name(path);

	for (size_t i = 0; i < loaders->n; i++)
		if (strcmp(loaders->loader[i].name, name) == 0)
			return loaders->loader[i].signer;
	return NULL;
}
