#include "daemon/pins.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/log.h"

struct pin {
	char image[IMAGE_NAME_MAX + 1];
	char sha256[DIGEST_TEXT_LEN];
};

struct pins {
	size_t n;
	struct pin pin[PINS_MAX];
};

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

	if (!pins)
		return NULL;
	config_resolve(config, NULL, &set);
	add(pins, &set);
	for (size_t i = 0; i < config->n_machines; i++) {
		config_resolve(config, &config->machines[i], &set);
		add(pins, &set);
	}
	if (pins->n)
		return pins;
	free(pins);
	return NULL;
}

void pins_free(struct pins *pins)
{
	free(pins);
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
