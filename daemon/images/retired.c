#include "daemon/images/retired.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/clock.h"

struct retired_image {
	struct image *image;
	uint64_t until_us;
};

/* The oldest first. */
struct retired {
	struct event *expiry;
	size_t n;
	struct retired_image entry[RETIRED_MAX];
};

static void drop_oldest(struct retired *retired)
{
	image_free(retired->entry[0].image);
	retired->n--;
	memmove(retired->entry, retired->entry + 1,
		retired->n * sizeof(*retired->entry));
}

static void on_expiry(evutil_socket_t fd, short what, void *arg)
{
	struct retired *retired = arg;
	uint64_t now_us = clock_us();
	struct timeval left;

	(void)fd, (void)what;
	while (retired->n && retired->entry[0].until_us <= now_us)
		drop_oldest(retired);
	if (!retired->n)
		return;
	left = clock_timeval(retired->entry[0].until_us - now_us);
	event_add(retired->expiry, &left);
}

struct retired *retired_new(struct event_base *base)
{
	struct retired *retired = calloc(1, sizeof(*retired));

	if (!retired)
		return NULL;
	retired->expiry = evtimer_new(base, on_expiry, retired);
	if (retired->expiry)
		return retired;
	free(retired);
	return NULL;
}

void retired_free(struct retired *retired)
{
	if (!retired)
		return;
	while (retired->n)
		drop_oldest(retired);
	event_free(retired->expiry);
	free(retired);
}

void retired_add(struct retired *retired, struct image *image)
{
	if (retired->n == RETIRED_MAX)
		drop_oldest(retired);
	retired->entry[retired->n++] = (struct retired_image){
		.image = image,
		.until_us = clock_us() + RETIRED_S * 1000000ull,
	};
	on_expiry(-1, 0, retired);
}

const struct image *retired_find(
	const struct retired *retired, const char *name, const char *version)
{
	for (size_t i = 0; i < retired->n; i++) {
		const struct image *image = retired->entry[i].image;

		if (strcmp(image->name, name) == 0 &&
			strcmp(image->version_tag, version) == 0)
			return image;
	}
	return NULL;
}
