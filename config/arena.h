/*
 * arena: memory that is given back all at once, and texts kept only once.
 *
 * A configuration of 100,000 machines is some millions of small values that
 * live and die together. They are cut from large mappings of their own, so
 * that what a load needed only for a while really goes back to the system.
 *
 * Failure is sticky: when memory or the limit is exhausted, the call returns
 * NULL and `failed` stays set; the one that owns the arena asks once, at the
 * end.
 */
#ifndef CONFIG_ARENA_H
#define CONFIG_ARENA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena {
	struct arena_chunk *chunks;
	uint8_t *next; /* in the newest chunk */
	size_t left;
	size_t total; /* bytes mapped */
	size_t limit;
	bool failed;
};

void arena_init(struct arena *arena, size_t limit);
void arena_done(struct arena *arena);
/* Zeroed; align is a power of two of at most 16. */
void *arena_alloc(struct arena *arena, size_t size, size_t align);
/* A copy with a NUL behind it. */
char *arena_text(struct arena *arena, const char *text, size_t len);

/* A set of texts, each held once in an arena. */
struct intern {
	struct arena *arena;
	const char **slots;
	size_t n, n_slots; /* n_slots: 0 or a power of two */
};

void intern_init(struct intern *intern, struct arena *arena);
/* Forgets the set; the texts stay, they are the arena's. */
void intern_done(struct intern *intern);
/* The one copy of this text; NULL when the arena has failed. */
const char *intern_text(struct intern *intern, const char *text, size_t len);

/* 64 well mixed bits; not meant to withstand someone who picks the keys. */
uint64_t hash_bytes(const void *bytes, size_t len);

#endif
