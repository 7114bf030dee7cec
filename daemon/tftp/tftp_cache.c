#include "daemon/tftp/tftp_cache.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#define BUCKETS 256

struct piece {
	TAILQ_ENTRY(piece) lru;
	LIST_ENTRY(piece) by_place;
	struct view *view;
	uint64_t number; /* of the piece in the view */
	size_t len;
	uint8_t data[TFTP_CACHE_PIECE];
};

LIST_HEAD(bucket, piece);

struct tftp_cache {
	size_t n;
	TAILQ_HEAD(, piece) lru; /* oldest first */
	struct bucket bucket[BUCKETS];
};

static struct bucket *bucket_of(
	struct tftp_cache *cache, const struct view *view, uint64_t number)
{
	uint64_t h = ((uintptr_t)view >> 4) + number * 0x9e3779b97f4a7c15u;

	return &cache->bucket[(h ^ h >> 32) % BUCKETS];
}

struct tftp_cache *tftp_cache_new(void)
{
	struct tftp_cache *cache = calloc(1, sizeof(*cache));

	if (cache)
		TAILQ_INIT(&cache->lru);
	return cache;
}

void tftp_cache_free(struct tftp_cache *cache)
{
	if (cache)
		tftp_cache_forget(cache, NULL);
	free(cache);
}

static void drop(struct tftp_cache *cache, struct piece *piece)
{
	TAILQ_REMOVE(&cache->lru, piece, lru);
	LIST_REMOVE(piece, by_place);
	view_unref(piece->view);
	free(piece);
	cache->n--;
}

void tftp_cache_forget(struct tftp_cache *cache, const struct view *view)
{
	struct piece *piece, *next;

	for (piece = TAILQ_FIRST(&cache->lru); piece; piece = next) {
		next = TAILQ_NEXT(piece, lru);
		if (!view || piece->view == view)
			drop(cache, piece);
	}
}

/* Read a piece in: 0, or as view_readv. */
static int load(struct tftp_cache *cache, struct view *view, uint64_t number,
	struct piece **ret)
{
	uint64_t offset = number * TFTP_CACHE_PIECE;
	uint64_t left = view_size(view) - offset;
	struct piece *piece = malloc(sizeof(*piece));
	struct iovec iov;
	int err;

	if (!piece)
		return -ENOMEM;
	piece->len = left < TFTP_CACHE_PIECE ? left : TFTP_CACHE_PIECE;
	iov = (struct iovec){piece->data, piece->len};
	err = view_readv(view, &iov, 1, offset, true);
	if (err) {
		free(piece);
		return err;
	}
	if (cache->n == TFTP_CACHE_PIECES)
		drop(cache, TAILQ_FIRST(&cache->lru));
	piece->view = view_ref(view);
	piece->number = number;
	LIST_INSERT_HEAD(bucket_of(cache, view, number), piece, by_place);
	TAILQ_INSERT_TAIL(&cache->lru, piece, lru);
	cache->n++;
	*ret = piece;
	return 0;
}

static int find(struct tftp_cache *cache, struct view *view, uint64_t number,
	struct piece **ret)
{
	struct piece *piece;

	LIST_FOREACH (piece, bucket_of(cache, view, number), by_place) {
		if (piece->view != view || piece->number != number)
			continue;
		TAILQ_REMOVE(&cache->lru, piece, lru);
		TAILQ_INSERT_TAIL(&cache->lru, piece, lru);
		*ret = piece;
		return 0;
	}
	return load(cache, view, number, ret);
}

int tftp_cache_readv(struct tftp_cache *cache, struct view *view,
	const struct iovec *iov, int n, uint64_t offset)
{
	for (int i = 0; i < n; i++) {
		uint8_t *to = iov[i].iov_base;
		size_t left = iov[i].iov_len;

		while (left) {
			size_t at = offset % TFTP_CACHE_PIECE, some;
			struct piece *piece;
			int err;

			if (offset >= view_size(view))
				return -EIO;
			err = find(
				cache, view, offset / TFTP_CACHE_PIECE, &piece);
			if (err)
				return err;
			if (at >= piece->len)
				return -EIO;
			some = piece->len - at < left ? piece->len - at : left;
			memcpy(to, piece->data + at, some);
			to += some;
			left -= some;
			offset += some;
		}
	}
	return 0;
}
