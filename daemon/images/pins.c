#include "daemon/images/pins.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/base/log.h"

struct pin {
	char image[IMAGE_NAME_MAX + 1];
	char sha256[DIGEST_TEXT_LEN];
};

struct pins {
	unsigned int n_refs;
	size_t n;
	struct pin pin[PINS_MAX];
	size_t n_names;
	char (*name)[IMAGE_NAME_MAX + 1]; /* sorted, each once */
};

static int by_name(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* False: memory is short. */
static bool add_name(struct pins *pins, size_t *cap, const char *name)
{
	size_t more = *cap ? *cap * 2 : 16;
	void *grown;

	if (!name || strlen(name) > IMAGE_NAME_MAX)
		return true;
	/* Machines that follow each other mostly boot the same. */
	if (pins->n_names && strcmp(pins->name[pins->n_names - 1], name) == 0)
		return true;
	if (pins->n_names == *cap) {
		grown = realloc(pins->name, more * sizeof(*pins->name));
		if (!grown)
			return false;
		pins->name = grown;
		*cap = more;
	}
	strcpy(pins->name[pins->n_names++], name);
	return true;
}

static void sort_names(struct pins *pins)
{
	size_t n = 0;

	if (pins->n_names)
		qsort(pins->name, pins->n_names, sizeof(*pins->name), by_name);
	for (size_t i = 0; i < pins->n_names; i++)
		if (!n || strcmp(pins->name[n - 1], pins->name[i]) != 0)
			memmove(pins->name[n++], pins->name[i],
				sizeof(*pins->name));
	pins->n_names = n;
}

static void add(struct pins *pins, const struct config_resolved *set)
{
	struct pin pin = {0};

	if (!set->sha256 || !set->image || pins->n == PINS_MAX ||
		strlen(set->image) > IMAGE_NAME_MAX)
		return;
	strcpy(pin.image, set->image);
	strncpy(pin.sha256, set->sha256, sizeof(pin.sha256) - 1);
	for (size_t i = 0; i < pins->n; i++)
		if (memcmp(&pins->pin[i], &pin, sizeof(pin)) == 0)
			return;
	pins->pin[pins->n++] = pin;
}

struct pins *pins_new(const struct config *config)
{
	struct pins *pins = calloc(1, sizeof(*pins));
	struct config_resolved set;
	size_t cap = 0;
	bool ok;

	if (!pins)
		return NULL;
	pins->n_refs = 1;
	config_resolve(config, NULL, &set);
	add(pins, &set);
	ok = add_name(pins, &cap, set.image);
	for (size_t i = 0; ok && i < config->n_machines; i++) {
		config_resolve(config, &config->machines[i], &set);
		add(pins, &set);
		ok = add_name(pins, &cap, set.image);
	}
	sort_names(pins);
	if (ok && pins->n_names)
		return pins;
	pins_unref(pins);
	return NULL;
}

struct pins *pins_ref(struct pins *pins)
{
	if (pins)
		pins->n_refs++;
	return pins;
}

void pins_unref(struct pins *pins)
{
	if (!pins || --pins->n_refs)
		return;
	free(pins->name);
	free(pins);
}

bool pins_want(const struct pins *pins, const char *image)
{
	const char *at = strrchr(image, '@');
	char name[IMAGE_NAME_MAX + 1] = "";

	if (!pins)
		return false;
	/* NAME stands for each NAME@ARCH (images_find_for()). */
	if (at && at - image <= IMAGE_NAME_MAX &&
		arch_from_name(at + 1) != ARCH_INVALID)
		memcpy(name, image, (size_t)(at - image));
	return bsearch(image, pins->name, pins->n_names, sizeof(*pins->name),
		       by_name) ||
	       (*name && bsearch(name, pins->name, pins->n_names,
				 sizeof(*pins->name), by_name));
}

bool pins_name(const struct pins *pins, const struct image *image)
{
	for (size_t i = 0; pins && i < pins->n; i++)
		if (image_is_named(image, pins->pin[i].image))
			return true;
	return false;
}

void pins_check(const struct pins *pins, const struct image *image)
{
	char digest[DIGEST_TEXT_LEN];

	digest_format(&image->digest, digest);
	for (size_t i = 0; pins && i < pins->n; i++)
		if (image_is_named(image, pins->pin[i].image) &&
			strcmp(pins->pin[i].sha256, digest) != 0)
			log_warn("image %s: not booted by those who pin it: "
				 "its digest is %s, `sha256` says %s",
				image->name, digest, pins->pin[i].sha256);
}
