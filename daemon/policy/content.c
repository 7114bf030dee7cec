#include "daemon/policy/content.h"

#include <string.h>

#include "daemon/images/loaders.h"
#include "proto/path.h"

bool content_parse_id(const char *id, size_t len, struct client *ret)
{
	if (mac_parse(id, len, &ret->mac)) {
		ret->has_mac = true;
		return true;
	}
	ret->has_uuid = uuid_parse(id, len, &ret->uuid);
	return ret->has_uuid;
}

/* "@v-" and 16 digits at the end of a name are taken off it. */
static size_t take_version(
	const char *name, size_t len, char ret[IMAGE_VERSION_LEN])
{
	static const size_t digits = IMAGE_VERSION_LEN - 1;
	const char *mark = name + len - digits - 3;

	if (len < digits + 4 || memcmp(mark, "@v-", 3) != 0)
		return len;
	memcpy(ret, mark + 3, digits);
	ret[digits] = '\0';
	return len - digits - 3;
}

/* machines/ID/NAME in two; NULL: it is another path. */
static const char *below_machine(
	const char *path, const char **ret_id, size_t *ret_id_len)
{
	const char *id = path_below(path, "machines");
	const char *slash = id ? strchr(id, '/') : NULL;

	if (!slash)
		return NULL;
	*ret_id = id;
	*ret_id_len = (size_t)(slash - id);
	return slash + 1;
}

bool content_parse_file(const char *path, const char **ret_id,
	size_t *ret_id_len, const char **ret_name)
{
	const char *name = below_machine(path, ret_id, ret_id_len);

	if (!name || config_why_no_file_name(name))
		return false;
	*ret_name = name;
	return true;
}

bool content_parse_name(const char *path, struct content_name *ret)
{
	const char *name = path_below(path, "images"), *slash;
	size_t len;

	*ret = (struct content_name){.part = CONTENT_WHOLE};
	if (!name) {
		name = below_machine(path, &ret->id, &ret->id_len);
		if (!name || !config_why_no_file_name(name))
			return false;
	}
	slash = strchr(name, '/');
	len = slash ? (size_t)(slash - name) : strlen(name);
	len = take_version(name, len, ret->version);
	if (!len || len > IMAGE_NAME_MAX)
		return false;
	memcpy(ret->image, name, len);
	ret->image[len] = '\0';
	if (slash && strcmp(slash, "/linux") == 0)
		ret->part = CONTENT_KERNEL;
	else if (slash && strcmp(slash, "/initrd") == 0)
		ret->part = CONTENT_INITRD;
	else if (slash)
		return false;
	return true;
}

bool content_find_machine(const struct config *config, const char *id,
	size_t len, const struct config_machine **ret)
{
	struct client client = {0};
	const struct config_machine *machine = NULL;
	bool named = content_parse_id(id, len, &client);
	char name[STATE_NAME_MAX + 1];

	if (named)
		machine = config_find(config,
			client.has_mac ? &client.mac : NULL,
			client.has_uuid ? &client.uuid : NULL, NULL, NULL);
	if (!machine && len <= STATE_NAME_MAX) {
		memcpy(name, id, len);
		name[len] = '\0';
		machine = config_find_name(config, name);
	}
	if (!machine && !(named && config->unknown == CONFIG_UNKNOWN_DEFAULT))
		return false;
	*ret = machine;
	return true;
}

static bool has_section(const struct image *image, const char *name)
{
	const struct uki_section *s = uki_find(&image->uki, name);

	return s && s->len;
}

static bool has_part(const struct image *image, enum content_part part)
{
	switch (part) {
	case CONTENT_WHOLE:
		return true;
	case CONTENT_KERNEL:
		return has_section(image, ".linux");
	case CONTENT_INITRD:
		return has_section(image, ".ucode") ||
		       has_section(image, ".initrd");
	}
	return false;
}

static struct view *view_of(const struct image *image, enum content_part part)
{
	switch (part) {
	case CONTENT_WHOLE:
		return image_view(image);
	case CONTENT_KERNEL:
		return image_view_kernel(image);
	case CONTENT_INITRD:
		return image_view_initrd(image);
	}
	return NULL;
}

static struct view *find_image(const struct netuki *netuki,
	const struct content_name *name, const char **ret_why)
{
	struct decide_world world = netuki_world(netuki);
	const struct config_machine *machine = NULL;
	struct config_resolved set = {.cmdline = ""};
	struct decide_override override;
	const struct image *image;
	char buf[PLAN_CMDLINE_MAX];
	const char *cmdline;

	*ret_why = "no such machine";
	if (name->id && !content_find_machine(netuki->config, name->id,
				name->id_len, &machine))
		return NULL;
	if (name->id)
		decide_settings(&world, machine, &set, &override);
	*ret_why = "that is not this machine's image";
	image = *name->version ? images_find_version(netuki->images,
					 name->image, name->version)
			       : images_find(netuki->images, name->image);
	if (name->id && image &&
		(!set.image || !image_is_named(image, set.image)))
		return NULL;
	*ret_why = "no such image";
	if (!image)
		return NULL;
	*ret_why = "the image is not offered";
	if (image->state != IMAGE_STATE_READY)
		return NULL;
	*ret_why = decide_why_not_pinned(image, &set);
	if (*ret_why)
		return NULL;
	*ret_why = "the image has no such part";
	if (!has_part(image, name->part))
		return NULL;
	cmdline = name->part == CONTENT_WHOLE
			  ? decide_splice(image, &set, buf, ret_why)
			  : NULL;
	*ret_why = NULL;
	return cmdline ? image_view_spliced(image, cmdline)
		       : view_of(image, name->part);
}

struct view *content_find(
	struct netuki *netuki, const char *path, const char **ret_why)
{
	const char *rest;
	struct content_name name;

	if (content_parse_name(path, &name))
		return find_image(netuki, &name, ret_why);
	rest = path_below(path, "loaders");
	return loaders_view(
		netuki->loaders, netuki->worker, rest ? rest : path, ret_why);
}
