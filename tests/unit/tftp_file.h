/*
 * tftp_file: a file in memory for tests of what sends it: no two blocks of it
 * are alike.
 */
#ifndef TESTS_UNIT_TFTP_FILE_H
#define TESTS_UNIT_TFTP_FILE_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/images/view.h"

/* Its bytes; free() ends them. */
static inline uint8_t *tftp_file_bytes(size_t size)
{
	uint8_t *bytes = malloc(size);

	for (size_t i = 0; i < size; i++)
		bytes[i] = (uint8_t)(i * 2654435761u >> 13);
	return bytes;
}

/* A view of a copy of them. */
static inline struct view *tftp_file_view(const uint8_t *bytes, size_t size)
{
	struct view *view = view_new("text/plain");

	view_add_memory(view, memcpy(malloc(size), bytes, size), size);
	return view;
}

#endif
