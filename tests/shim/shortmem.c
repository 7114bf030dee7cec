/*
 * A library for LD_PRELOAD: memory is short, now and then.
 *
 * NETUKI_SHORTMEM names a file of two 32-bit words that is shared with the
 * test: one of how many allocations fails (0: none), and how many have failed.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct shared {
	_Atomic uint32_t one_in, failed;
};

static struct shared none;
static struct shared *shared = &none;
static _Atomic uint64_t sequence;

/* dlsym() itself may allocate. */
static char early[65536] __attribute__((aligned(16)));
static size_t early_used;

static void *(*real_malloc)(size_t);
static void *(*real_calloc)(size_t, size_t);
static void *(*real_realloc)(void *, size_t);
static void (*real_free)(void *);

__attribute__((constructor)) static void begin(void)
{
	const char *path = getenv("NETUKI_SHORTMEM");
	int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
	void *map = MAP_FAILED;

	if (fd >= 0) {
		map = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
			MAP_SHARED, fd, 0);
		close(fd);
	}
	if (map != MAP_FAILED)
		shared = map;
}

static void find(void)
{
	static int busy;

	if (real_free || busy)
		return;
	busy = 1;
	real_malloc = (void *(*)(size_t))dlsym(RTLD_NEXT, "malloc");
	real_calloc = (void *(*)(size_t, size_t))dlsym(RTLD_NEXT, "calloc");
	real_realloc = (void *(*)(void *, size_t))dlsym(RTLD_NEXT, "realloc");
	real_free = (void (*)(void *))dlsym(RTLD_NEXT, "free");
	busy = 0;
}

/* splitmix64, so that a failure comes anywhere and not in step. */
static int fails(void)
{
	uint32_t one_in = atomic_load(&shared->one_in);
	uint64_t z;

	if (!one_in)
		return 0;
	z = atomic_fetch_add(&sequence, 0x9e3779b97f4a7c15u);
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	z ^= z >> 31;
	if (z % one_in)
		return 0;
	atomic_fetch_add(&shared->failed, 1);
	errno = ENOMEM;
	return 1;
}

static void *early_alloc(size_t size)
{
	void *p = early + early_used;

	early_used += (size + 15) & ~(size_t)15;
	return early_used <= sizeof(early) ? p : NULL;
}

static int is_early(const void *p)
{
	return (const char *)p >= early &&
	       (const char *)p < early + sizeof(early);
}

void *malloc(size_t size)
{
	find();
	if (!real_malloc)
		return early_alloc(size);
	return fails() ? NULL : real_malloc(size);
}

void *calloc(size_t n, size_t size)
{
	find();
	if (!real_calloc)
		return early_alloc(n * size);
	return fails() ? NULL : real_calloc(n, size);
}

void *realloc(void *old, size_t size)
{
	find();
	if (!real_realloc || is_early(old)) {
		void *p = malloc(size);

		if (p && old)
			memcpy(p, old, size);
		return p;
	}
	return fails() ? NULL : real_realloc(old, size);
}

void free(void *p)
{
	find();
	if (p && !is_early(p) && real_free)
		real_free(p);
}
