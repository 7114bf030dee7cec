/*
 * oci: the JSON of OCI image layouts (OCI Image Format Specification 1.1:
 * index, manifest). Text in, values out: nothing is opened here.
 *
 * A UKI in an OCI registry is a manifest with one layer of the media type
 * OCI_UKI_TYPE. Everything that becomes a part of a path is a digest, which is
 * kept as its 32 bytes and never as text.
 */
#ifndef DAEMON_IMAGES_OCI_H
#define DAEMON_IMAGES_OCI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/arch.h"
#include "proto/digest.h"

#define OCI_UKI_TYPE	"application/vnd.ironcore.image.uki"
#define OCI_MAX_JSON	(512u << 10) /* bytes of an index or a manifest */
#define OCI_MAX_DEPTH	32	     /* of its nesting */
#define OCI_MAX_ENTRIES 256	     /* of an index, and layers */
#define OCI_TAG_MAX	128

enum oci_type {
	OCI_TYPE_MANIFEST,
	OCI_TYPE_INDEX,
	OCI_TYPE_OTHER /* a signature, an attestation: not for us */
};

struct oci_descriptor {
	enum oci_type type;
	struct digest digest;
	uint64_t size;
	/* Of its platform; ARCH_INVALID: none is given, or none of ours. */
	enum arch arch;
	/* org.opencontainers.image.ref.name; "": none, or longer than that. */
	char tag[OCI_TAG_MAX + 1];
};

struct oci_index {
	size_t n;
	struct oci_descriptor entry[OCI_MAX_ENTRIES];
};

/* The file `oci-layout`: a version that we understand? */
bool oci_check_layout(const char *text, size_t len, const char **ret_why);
/* An index. False: *ret_why says why, in static text; likewise below. */
bool oci_parse_index(const char *text, size_t len, struct oci_index *ret,
	const char **ret_why);
/* A manifest: the descriptor of its one layer that is a UKI. */
bool oci_parse_manifest(const char *text, size_t len,
	struct oci_descriptor *ret, const char **ret_why);

/* May this tag be a part of an image's name? [A-Za-z0-9_][A-Za-z0-9._-]* */
bool oci_tag_is_plain(const char *tag);

#endif
