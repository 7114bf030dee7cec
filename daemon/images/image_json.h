/*
 * image_json: the facts of an image, as `netukictl images --json` and `netukid
 * --inspect --json` print them.
 */
#ifndef DAEMON_IMAGES_IMAGE_JSON_H
#define DAEMON_IMAGES_IMAGE_JSON_H

#include <jansson.h>

#include "daemon/images/images.h"

/* How an image may reach a machine. */
enum image_path {
	IMAGE_PATH_IPXE,
	IMAGE_PATH_TFTP_UKI,
	IMAGE_PATH_HTTP_BOOT,
	IMAGE_PATH_BIOS,
	IMAGE_PATH_MAX
};

/* "ipxe", "tftp-uki", "http-boot", "bios" */
const char *image_path_name(enum image_path path);
/* NULL, or why this image cannot be booted in this way. */
const char *image_path_why_not(const struct image *image, enum image_path path);
/*
 * NULL, or why a machine's `cmdline` cannot be added to this image in this
 * way, though it can be booted.
 */
const char *image_path_why_not_added(
	const struct image *image, enum image_path path);

/*
 * A new reference; see netukictl(1). What is not known of an image that is not
 * offered is left out.
 */
json_t *image_json(const struct image *image);

#endif
