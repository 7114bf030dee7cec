#include "daemon/images/loaders.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/images/images.h"

/* One an architecture, and those of groups and machines. */
#define LOADERS_MAX 256

struct loader {
	char *path;
	const char *name;  /* its last part */
	struct file *file; /* NULL: it was not there yet */
	struct view *view; /* of the file; NULL: not asked for yet */
	char *signer;	   /* NULL: it is not signed */
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

/* BIOS loaders are no EFI files, and cannot be signed. */
static void find_signer(struct loader *loader)
{
	uint64_t size = file_size(loader->file);
	size_t len = size < UKI_HEAD ? (size_t)size : UKI_HEAD;
	uint8_t *head = malloc(UKI_HEAD);
	char name[IMAGE_SIGNER_MAX];
	struct uki_error why;
	struct uki uki;

	free(loader->signer);
	loader->signer = NULL;
	if (head && file_read(loader->file, head, len, 0) == 0 &&
		uki_parse(head, len, size, &uki, &why) && uki.cert_size &&
		image_read_signer(loader->file, &uki, name, &why) == 0)
		loader->signer = strdup(name);
	free(head);
}

/* What collecting them needs. */
struct collecting {
	struct loaders *loaders;
	const struct config *config;
	bool may_come;
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

static void add(
	const struct collecting *c, const char *path, struct config_at at)
{
	struct loaders *loaders = c->loaders;
	struct loader *loader;
	int err;

	if (!path || is_settled(c, path, at))
		return;
	loader = &loaders->loader[loaders->n];
	err = file_open(path, &loader->file);
	if (err && !at.line)
		return;
	if (err)
		config_report_add(c->report, c->config, at, c->may_come,
			"loader %s: %s%s", path,
			err == -EINVAL ? "not a regular file" : strerror(-err),
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
		find_signer(loader);
	loaders->n++;
}

static void add_settings(
	const struct collecting *c, const struct config_settings *set)
{
	for (int arch = 0; arch < ARCH_MAX; arch++)
		add(c, set->loader[arch], set->loaders_at);
}

struct loaders *loaders_new(const struct config *config, bool may_come,
	struct config_report *report)
{
	struct loaders *loaders = calloc(1, sizeof(*loaders));
	const struct collecting c = {loaders, config, may_come, report};

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
		view_unref(loaders->loader[i].view);
		file_unref(loaders->loader[i].file);
		free(loaders->loader[i].path);
		free(loaders->loader[i].signer);
	}
	free(loaders);
}

struct view *loaders_view(
	struct loaders *loaders, const char *name, const char **ret_why)
{
	for (size_t i = 0; i < loaders->n; i++) {
		struct loader *loader = &loaders->loader[i];
		struct file *fresh;
		struct stat st;

		if (strcmp(loader->name, name) != 0)
			continue;
		if ((!loader->file || stat(loader->path, &st) < 0 ||
			    !file_is_at(loader->file, &st)) &&
			file_open(loader->path, &fresh) == 0) {
			file_unref(loader->file);
			loader->file = fresh;
			find_signer(loader);
			view_unref(loader->view);
			loader->view = NULL;
		}
		if (!loader->file)
			break;
		/* One for all: by that TFTP knows what it has read already. */
		if (!loader->view) {
			loader->view = view_new("application/efi");
			if (!loader->view) {
				*ret_why = NULL;
				return NULL;
			}
			view_add_file(loader->view, loader->file, 0,
				file_size(loader->file));
		}
		return view_ref(loader->view);
	}
	*ret_why = "no such file";
	return NULL;
}

const char *loaders_signer(const struct loaders *loaders, const char *path)
{
	const char *name = base_name(path);

	for (size_t i = 0; i < loaders->n; i++)
		if (strcmp(loaders->loader[i].name, name) == 0)
			return loaders->loader[i].signer;
	return NULL;
}
