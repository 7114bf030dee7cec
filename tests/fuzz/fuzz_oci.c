/*
 * oci: what is taken has a bounded number of entries and terminated tags, what
 * is refused has a reason, and both readers agree that a text is JSON.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/images/oci.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(condition)                                                        \
	do {                                                                   \
		if (!(condition))                                              \
			abort();                                               \
	} while (0)

static void check_descriptor(const struct oci_descriptor *d)
{
	MUST(memchr(d->tag, 0, sizeof(d->tag)));
	MUST(d->arch == ARCH_INVALID || d->arch < ARCH_MAX);
	MUST(d->size <= INT64_MAX);
	if (oci_tag_is_plain(d->tag))
		MUST(!strpbrk(d->tag, "/:@ \\") && d->tag[0] != '.');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct oci_index index;
	const char *text = (const char *)data, *why = NULL;
	struct oci_descriptor layer;
	bool is_index, is_manifest;

	is_index = oci_parse_index(text, size, &index, &why);
	MUST(is_index || why);
	MUST(!is_index || index.n <= OCI_MAX_ENTRIES);
	for (size_t i = 0; is_index && i < index.n; i++)
		check_descriptor(&index.entry[i]);
	why = NULL;
	is_manifest = oci_parse_manifest(text, size, &layer, &why);
	MUST(is_manifest || why);
	if (is_manifest)
		check_descriptor(&layer);
	why = NULL;
	if (!oci_check_layout(text, size, &why))
		MUST(why);
	return 0;
}
