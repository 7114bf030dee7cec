#include <stdio.h>
#include <string.h>

#include "daemon/images/images.h"
#include "daemon/images/retired.h"

const struct image *images_find(const struct images *images, const char *name)
{
	size_t low = 0, high = images->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		int order = strcmp(name, images->image[mid]->name);

		if (order == 0)
			return images->image[mid];
		if (order < 0)
			high = mid;
		else
			low = mid + 1;
	}
	return NULL;
}

const struct image *images_find_for(
	const struct images *images, const char *name, enum arch arch)
{
	static const enum arch bios[] = {ARCH_X64, ARCH_IA32};
	const struct image *image = images_find(images, name);
	char one[IMAGE_NAME_MAX + 16];

	for (size_t i = 0; !image && i < 2; i++) {
		if (arch != ARCH_BIOS && i)
			break;
		snprintf(one, sizeof(one), "%s@%s", name,
			arch_name(arch == ARCH_BIOS ? bios[i] : arch));
		image = images_find(images, one);
	}
	return image;
}

bool image_is_named(const struct image *image, const char *name)
{
	size_t len = strlen(name);

	if (strncmp(image->name, name, len) != 0)
		return false;
	return !image->name[len] ||
	       (image->must_match && image->name[len] == '@' &&
		       arch_from_name(image->name + len + 1) != ARCH_INVALID);
}

const struct image *images_find_version(
	const struct images *images, const char *name, const char *version)
{
	const struct image *image = images_find(images, name);

	if (image && image->state == IMAGE_STATE_READY &&
		strcmp(image->version_tag, version) == 0)
		return image;
	return images->retired ? retired_find(images->retired, name, version)
			       : NULL;
}

const struct image *images_find_any(
	const struct images *images, const char *name)
{
	const struct image *image = images_find(images, name);

	for (size_t i = 0; !image && i < images->n; i++)
		if (image_is_named(images->image[i], name))
			image = images->image[i];
	return image;
}
