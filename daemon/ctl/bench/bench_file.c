/*
 * What arrives, compared with what it has to be.
 */
#include <fcntl.h>
#include <nettle/sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/ctl/bench/bench.h"

#define COLLECT_MAX (UINT64_C(4) << 30)

bool bench_file_map(struct bench_file *file, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	void *data = NULL;
	struct stat st;

	if (fd < 0 || fstat(fd, &st))
		goto fail;
	if (st.st_size > 0) {
		data = mmap(NULL, (size_t)st.st_size, PROT_READ,
			MAP_SHARED | MAP_POPULATE, fd, 0);
		if (data == MAP_FAILED)
			goto fail;
	}
	close(fd);
	*file = (struct bench_file){.use = BENCH_USE_COMPARE,
		.data = data,
		.size = (uint64_t)st.st_size,
		.is_known = true,
		.is_mapped = true};
	bench_file_hash(file);
	return true;
fail:
	fprintf(stderr, "netukictl: ");
	perror(path);
	if (fd >= 0)
		close(fd);
	return false;
}

static const char *collect(
	struct bench_file *file, uint64_t at, const uint8_t *data, size_t len)
{
	if (at + len > COLLECT_MAX)
		return "it is larger than 4 GiB: name it with --file, or say "
		       "--no-check";
	if (at + len > file->room) {
		uint64_t room = 2 * (at + len) + 65536;
		uint8_t *more = realloc(file->data, room);

		if (!more)
			return "no memory is left to keep it: name it with "
			       "--file, or say --no-check";
		file->data = more;
		file->room = room;
	}
	memcpy(file->data + at, data, len);
	return NULL;
}

const char *bench_file_take(
	struct bench_file *file, uint64_t at, const uint8_t *data, size_t len)
{
	if (len == 0)
		return NULL;
	if (file->use == BENCH_USE_COLLECT)
		return collect(file, at, data, len);
	if (file->is_known && (at > file->size || len > file->size - at))
		return "it is longer than it has to be";
	if (file->use == BENCH_USE_COMPARE &&
		memcmp(file->data + at, data, len) != 0)
		return "it is not what it has to be";
	return NULL;
}

const char *bench_file_end(struct bench_file *file, uint64_t size)
{
	if (file->is_known && file->size != size)
		return size < file->size ? "it is shorter than it has to be"
					 : "it is longer than it has to be";
	file->size = size;
	file->is_known = true;
	return NULL;
}

void bench_file_hash(struct bench_file *file)
{
	struct sha256_ctx ctx;

	sha256_init(&ctx);
	sha256_update(&ctx, file->size, file->data);
	sha256_digest(&ctx, sizeof(file->digest.b), file->digest.b);
}

void bench_file_done(struct bench_file *file)
{
	if (file->is_mapped && file->data)
		munmap(file->data, file->size);
	else if (!file->is_mapped)
		free(file->data);
	*file = (struct bench_file){.use = BENCH_USE_COUNT};
}
