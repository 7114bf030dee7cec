#include "config/arena.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define CHUNK_LEN ((size_t)256 * 1024)
#define ALIGN_MAX 16

struct arena_chunk {
	struct arena_chunk *older;
	size_t len; /* with this head */
};

/* What follows the head is aligned for everything. */
#define HEAD_LEN                                                               \
	((sizeof(struct arena_chunk) + ALIGN_MAX - 1) / ALIGN_MAX * ALIGN_MAX)

void arena_init(struct arena *arena, size_t limit)
{
	*arena = (struct arena){.limit = limit};
}

void arena_done(struct arena *arena)
{
	struct arena_chunk *chunk = arena->chunks;

	while (chunk) {
		struct arena_chunk *older = chunk->older;

		munmap(chunk, chunk->len);
		chunk = older;
	}
	*arena = (struct arena){.limit = arena->limit};
}

static bool arena_grow(struct arena *arena, size_t size)
{
	size_t len = CHUNK_LEN;
	struct arena_chunk *chunk;

	if (arena->failed || size > SIZE_MAX - HEAD_LEN - CHUNK_LEN)
		goto fail;
	if (len < size + HEAD_LEN)
		len = (size + HEAD_LEN + 4095) / 4096 * 4096;
	if (len > arena->limit - arena->total)
		goto fail;
	chunk = mmap(NULL, len, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (chunk == MAP_FAILED)
		goto fail;
	chunk->older = arena->chunks;
	chunk->len = len;
	arena->chunks = chunk;
	arena->next = (uint8_t *)chunk + HEAD_LEN;
	arena->left = len - HEAD_LEN;
	arena->total += len;
	return true;
fail:
	arena->failed = true;
	return false;
}

void *arena_alloc(struct arena *arena, size_t size, size_t align)
{
	size_t skip = -(uintptr_t)arena->next & (align - 1);
	void *ret;

	if (arena->left < skip || arena->left - skip < size) {
		if (!arena_grow(arena, size))
			return NULL;
		skip = 0;
	}
	ret = arena->next + skip;
	arena->next += skip + size;
	arena->left -= skip + size;
	return ret;
}

char *arena_text(struct arena *arena, const char *text, size_t len)
{
	char *ret = arena_alloc(arena, len + 1, 1);

	if (ret && len > 0)
		memcpy(ret, text, len);
	return ret;
}

uint64_t hash_bytes(const void *bytes, size_t len)
{
	const uint8_t *p = bytes;
	uint64_t hash = 0x9e3779b97f4a7c15u ^ len;

	while (len > 0) {
		size_t n = len < 8 ? len : 8;
		uint64_t word = 0;

		memcpy(&word, p, n);
		hash = (hash ^ word) * 0xff51afd7ed558ccdu;
		hash ^= hash >> 32;
		p += n;
		len -= n;
	}
	hash *= 0xc4ceb9fe1a85ec53u;
	return hash ^ hash >> 29;
}

void intern_init(struct intern *intern, struct arena *arena)
{
	*intern = (struct intern){.arena = arena};
}

void intern_done(struct intern *intern)
{
	free(intern->slots);
	intern_init(intern, intern->arena);
}

/* The slot that holds this text, or the free one where it belongs. */
static const char **intern_slot(
	struct intern *intern, const char *text, size_t len)
{
	size_t i = hash_bytes(text, len) & (intern->n_slots - 1);

	for (;; i = (i + 1) & (intern->n_slots - 1)) {
		const char *there = intern->slots[i];

		if (!there || (strncmp(there, text, len) == 0 && !there[len]))
			return &intern->slots[i];
	}
}

static bool intern_grow(struct intern *intern)
{
	struct intern old = *intern;

	intern->n_slots = old.n_slots ? old.n_slots * 2 : 64;
	intern->slots = calloc(intern->n_slots, sizeof(*intern->slots));
	if (!intern->slots) {
		*intern = old;
		intern->arena->failed = true;
		return false;
	}
	for (size_t i = 0; i < old.n_slots; i++) {
		const char *text = old.slots[i];

		if (text)
			*intern_slot(intern, text, strlen(text)) = text;
	}
	free(old.slots);
	return true;
}

const char *intern_text(struct intern *intern, const char *text, size_t len)
{
	const char **slot;

	if (intern->n * 2 >= intern->n_slots && !intern_grow(intern))
		return NULL;
	slot = intern_slot(intern, text, len);
	if (!*slot) {
		*slot = arena_text(intern->arena, text, len);
		intern->n += *slot != NULL;
	}
	return *slot;
}
