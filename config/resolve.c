#include <string.h>

#include "config/config.h"
#include "config/index.h"
#include "config/settings.h"

/* One voice in the order of precedence. */
struct voice {
	const struct config_settings *settings;
	enum config_origin origin;
};

static void resolve_voice(struct config_resolved *ret, struct voice voice)
{
	const struct config_settings *from = voice.settings;

	if (!ret->sha256 && !ret->image && from->sha256) {
		ret->sha256 = from->sha256;
		ret->sha256_at = from->sha256_at;
	}
	if (!ret->image && from->image) {
		ret->image = from->image;
		ret->image_at = from->image_at;
		ret->image_from = voice.origin;
	}
	if (!ret->cmdline && from->cmdline) {
		ret->cmdline = from->cmdline;
		ret->cmdline_at = from->cmdline_at;
		ret->cmdline_from = voice.origin;
	}
	if (ret->mode == CONFIG_MODE_UNSET && from->mode != CONFIG_MODE_UNSET) {
		ret->mode = from->mode;
		ret->mode_at = from->mode_at;
		ret->mode_from = voice.origin;
	}
	if (ret->offer == CONFIG_OFFER_UNSET &&
		from->offer != CONFIG_OFFER_UNSET) {
		ret->offer = from->offer;
		ret->offer_at = from->offer_at;
		ret->offer_from = voice.origin;
	}
	if (!ret->vlan && from->vlan) {
		ret->vlan = from->vlan;
		ret->vlan_at = from->vlan_at;
		ret->vlan_from = voice.origin;
	}
	for (int i = 0; i < ARCH_MAX; i++) {
		if (ret->loader[i] || !from->loader[i])
			continue;
		ret->loader[i] = from->loader[i];
		ret->loader_at[i] = from->loaders_at;
		ret->loader_from[i] = voice.origin;
	}
	ret->files[voice.origin] = from->files;
}

static const struct config_settings *group_settings(
	const struct config *config, const char *name)
{
	size_t i = name ? index_find(config, INDEX_GROUP, name, strlen(name))
			: SIZE_MAX;

	return i == SIZE_MAX ? &settings_none : config->groups[i].settings;
}

void config_resolve(const struct config *config,
	const struct config_machine *machine, struct config_resolved *ret)
{
	struct config_at offer_at = config->private->offer_at;

	*ret = (struct config_resolved){0};
	if (machine) {
		resolve_voice(ret, (struct voice){machine->settings,
					   CONFIG_ORIGIN_MACHINE});
		resolve_voice(ret,
			(struct voice){group_settings(config, machine->group),
				CONFIG_ORIGIN_GROUP});
	}
	resolve_voice(
		ret, (struct voice){&config->defaults, CONFIG_ORIGIN_DEFAULTS});
	/* The built-in mode stands in defaults too, but nobody said it. */
	if (ret->mode_from == CONFIG_ORIGIN_DEFAULTS && ret->mode_at.line == 0)
		ret->mode_from = CONFIG_ORIGIN_BUILTIN;
	if (ret->offer == CONFIG_OFFER_UNSET) {
		ret->offer = config->dhcp.offer;
		ret->offer_at = offer_at;
		ret->offer_from = offer_at.line ? CONFIG_ORIGIN_DEFAULTS
						: CONFIG_ORIGIN_BUILTIN;
	}
	if (!ret->cmdline)
		ret->cmdline = "";
	for (int i = 0; i < ARCH_MAX; i++) {
		if (ret->loader[i])
			continue;
		ret->loader[i] = config->loaders[i];
		ret->loader_at[i] = config->loaders_at[i];
		ret->loader_from[i] = config->loaders_at[i].line
					      ? CONFIG_ORIGIN_DEFAULTS
					      : CONFIG_ORIGIN_BUILTIN;
	}
}

const struct config_file *config_resolved_file(
	const struct config_resolved *set, const char *name)
{
	static const enum config_origin order[] = {CONFIG_ORIGIN_MACHINE,
		CONFIG_ORIGIN_GROUP, CONFIG_ORIGIN_DEFAULTS};

	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		const struct config_files *files = set->files[order[i]];

		for (size_t j = 0; files && j < files->n; j++) {
			if (strcmp(files->file[j].name, name) == 0)
				return &files->file[j];
		}
	}
	return NULL;
}
