/*
 * pins: which images the configuration names, gathered from all who may say so,
 * for the catalogue: those are never left out for there being too many. And
 * which it pins to a digest (`sha256:`): those are hashed first, and one that
 * does not match is told in the log.
 */
#ifndef DAEMON_IMAGES_PINS_H
#define DAEMON_IMAGES_PINS_H

#include "config/config.h"
#include "daemon/images/images.h"

/* Different pairs of image and digest; those above are hashed in their turn. */
#define PINS_MAX 256

struct pins;

/* NULL if no image is named, or memory is short. */
struct pins *pins_new(const struct config *config);
/* By one thread at a time; NULL is fine. */
struct pins *pins_ref(struct pins *pins);
void pins_unref(struct pins *pins);

/* Does anybody boot the image of this name? In whatever thread. */
bool pins_want(const struct pins *pins, const char *image);

/* Is it pinned, to whatever? pins NULL: no. */
bool pins_name(const struct pins *pins, const struct image *image);
/* Its digest is known by now: log each pin that it does not match. */
void pins_check(const struct pins *pins, const struct image *image);

#endif
