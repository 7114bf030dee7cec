/*
 * oci_layout: the images in an OCI image layout, a directory as `skopeo copy
 * ... oci:DIR:TAG` or `oras copy --to-oci-layout` make it. An image is named
 * DIR:TAG; where a tag is an index of several architectures, each is an image
 * DIR:TAG@ARCH.
 *
 * Indexes and manifests are checked against their digests here; the UKI
 * itself, which is large, is not: whoever offers it does so before.
 */
#ifndef DAEMON_IMAGES_OCI_LAYOUT_H
#define DAEMON_IMAGES_OCI_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>

#include "daemon/images/images.h"
#include "daemon/images/oci.h"

struct oci_image {
	char name[IMAGE_NAME_MAX + 1];
	char why[160]; /* "": fine */
	/* The rest only if it is fine: the UKI's blob. */
	struct digest digest;
	uint64_t size;
	enum arch arch; /* ARCH_INVALID: not said */
};

struct oci_layout {
	size_t n;
	bool unsure; /* for want of memory or descriptors: read it again */
	struct oci_image image[OCI_MAX_ENTRIES];
};

/*
 * Read the layout in the directory at path; its images are named after `name`.
 * For free(). NULL: it is none (no `oci-layout` file), or memory is short. A
 * layout that cannot be understood has one image, with the directory's name and
 * the reason.
 */
struct oci_layout *oci_layout_read(const char *path, const char *name);

/* "blobs/sha256/..." */
#define OCI_BLOB_PATH_LEN (sizeof("blobs/sha256/") + DIGEST_TEXT_LEN)
void oci_blob_path(const struct digest *digest, char ret[OCI_BLOB_PATH_LEN]);

#endif
