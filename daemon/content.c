#include "daemon/content.h"

#include <string.h>

#include "daemon/loaders.h"
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

/* images/NAME, images/NAME/linux, images/NAME/initrd */
static struct view *find_image(
	const struct netuki *netuki, const char *name, const char **ret_why)
{
	char whole[IMAGE_NAME_MAX + 1];
	const char *slash = strchr(name, '/');
	size_t len = slash ? (size_t)(slash - name) : strlen(name);
	const struct image *image;

	*ret_why = "no such image";
	if (len > IMAGE_NAME_MAX)
		return NULL;
	memcpy(whole, name, len);
	whole[len] = '\0';
	image = images_find(netuki->images, whole);
	if (!image)
		return NULL;
	if (image->state != IMAGE_STATE_READY) {
		*ret_why = "the image is not offered";
		return NULL;
	}
	if (!slash)
		return image_view(image);
	*ret_why = "the image has no such part";
	if (strcmp(slash, "/linux") == 0)
		return image_view_kernel(image);
	if (strcmp(slash, "/initrd") == 0)
		return image_view_initrd(image);
	return NULL;
}

/* machines/ID/NAME: the image with this machine's own command line. */
static struct view *find_spliced(
	const struct netuki *netuki, const char *rest, const char **ret_why)
{
	const char *slash = strchr(rest, '/');
	struct client client = {0};
	const struct config_machine *machine;
	struct config_resolved set;
	const struct image *image;
	char cmdline[PLAN_CMDLINE_MAX];

	*ret_why = "no such machine";
	if (!slash || !content_parse_id(rest, (size_t)(slash - rest), &client))
		return NULL;
	machine =
		config_find(netuki->config, client.has_mac ? &client.mac : NULL,
			client.has_uuid ? &client.uuid : NULL, NULL, NULL);
	if (!machine && netuki->config->unknown == CONFIG_UNKNOWN_IGNORE)
		return NULL;
	config_resolve(netuki->config, machine, &set);
	*ret_why = "that is not this machine's image";
	if (!set.image || strcmp(set.image, slash + 1) != 0)
		return NULL;
	image = images_find(netuki->images, set.image);
	*ret_why = "the image is not offered";
	if (!image || image->state != IMAGE_STATE_READY)
		return NULL;
	*ret_why = "its command line cannot be exchanged";
	if (!decide_cmdline(image, &set, cmdline))
		return NULL;
	return image_view_spliced(image, cmdline);
}

struct view *content_find(
	struct netuki *netuki, const char *path, const char **ret_why)
{
	const char *rest;
	struct view *view;

	if ((rest = path_below(path, "images")))
		return find_image(netuki, rest, ret_why);
	if ((rest = path_below(path, "machines")))
		return find_spliced(netuki, rest, ret_why);
	rest = path_below(path, "loaders");
	view = loaders_view(netuki->loaders, rest ? rest : path);
	if (!view)
		*ret_why = "no such file";
	return view;
}
