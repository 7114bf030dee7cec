/*
 * pins: which images the configuration pins to a digest (`sha256:`), gathered
 * from all who may say so, for the catalogue: those are hashed first, and one
 * that does not match is told in the log.
 */
#ifndef DAEMON_PINS_H
#define DAEMON_PINS_H

#include "config/config.h"
#include "daemon/images.h"

/* Different pairs of image and digest; those above are hashed in their turn. */
#define PINS_MAX 256

struct pins;

/* NULL if nothing is pinned, or memory is short. */
struct pins *pins_new(const struct config *config);
void pins_free(struct pins *pins); /* NULL is fine */

/* Is it pinned, to whatever? pins NULL: no. */
bool pins_name(const struct pins *pins, const struct image *image);
/* Its digest is known by now: log each pin that it does not match. */
void pins_check(const struct pins *pins, const struct image *image);

#endif
