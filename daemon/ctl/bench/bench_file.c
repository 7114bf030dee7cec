/*
 * What arrives, compared with what it has to be.
 */
#include <errno.h>
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
#define TEXT_MAX    65536

/* The file's bytes and their digest; false: see errno. */
static bool map(struct bench_file *file, int fd)
{
	struct sha256_ctx ctx;
	void *data = NULL;

	if (file->size)
		data = mmap(NULL, file->size, PROT_READ,
			MAP_SHARED | MAP_POPULATE, fd, 0);
	if (data == MAP_FAILED)
		return false;
	file->data = data;
	file->use = BENCH_USE_COMPARE;
	sha256_init(&ctx);
	sha256_update(&ctx, file->size, data);
	sha256_digest(&ctx, sizeof(file->digest.b), file->digest.b);
	return true;
}

bool bench_file_map(struct bench_file *file, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	bool good = false;
	struct stat st;

	if (fd >= 0 && fstat(fd, &st) == 0) {
		*file = (struct bench_file){
			.size = (uint64_t)st.st_size, .is_known = true};
		good = map(file, fd);
	}
	if (!good) {
		fprintf(stderr, "netukictl: ");
		perror(path);
	}
	if (fd >= 0)
		close(fd);
	return good;
}

bool bench_file_keep(struct bench_file *file)
{
	bool good = map(file, file->fd);

	if (!good)
		perror("netukictl: the first load");
	if (file->is_open)
		close(file->fd);
	file->is_open = false;
	return good;
}

/* Not in memory: an image may be larger than that. */
static bool open_nameless(struct bench_file *file)
{
	const char *folder = getenv("TMPDIR");
	char *path = NULL;

	if (asprintf(&path, "%s/netukictl-XXXXXX",
		    folder && *folder ? folder : "/var/tmp") < 0)
		abort();
	file->fd = mkostemp(path, O_CLOEXEC);
	file->is_open = file->fd >= 0;
	if (file->is_open)
		unlink(path);
	free(path);
	return file->is_open;
}

static const char *collect(
	struct bench_file *file, uint64_t at, const uint8_t *data, size_t len)
{
	static char why[200];
	bool good = at + len <= COLLECT_MAX;

	errno = EFBIG;
	good = good && (file->is_open || open_nameless(file));
	while (good && len) {
		ssize_t n = pwrite(file->fd, data, len, (off_t)at);

		good = n > 0;
		data += good ? n : 0;
		at += good ? (uint64_t)n : 0;
		len -= good ? (size_t)n : 0;
	}
	if (good)
		return NULL;
	snprintf(why, sizeof(why),
		"what it is cannot be kept in TMPDIR (/var/tmp): %s; name it "
		"with --file, or say --no-check",
		strerror(errno));
	return why;
}

static const char *take_text(
	struct bench_file *file, uint64_t at, const uint8_t *data, size_t len)
{
	if (!file->text)
		file->text = calloc(1, TEXT_MAX);
	if (!file->text)
		abort();
	if (at >= TEXT_MAX || len >= TEXT_MAX - at)
		return "it is too long";
	memcpy(file->text + at, data, len);
	return NULL;
}

const char *bench_file_take(
	struct bench_file *file, uint64_t at, const uint8_t *data, size_t len)
{
	if (len == 0)
		return NULL;
	if (file->use == BENCH_USE_COLLECT)
		return collect(file, at, data, len);
	if (file->use == BENCH_USE_TEXT)
		return take_text(file, at, data, len);
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

char *bench_file_text(const struct bench_file *file)
{
	char *text = strndup(file->text ? file->text : "", file->size);

	if (!text)
		abort();
	return text;
}

void bench_file_done(struct bench_file *file)
{
	free(file->text);
	if (file->data)
		munmap(file->data, file->size);
	if (file->is_open)
		close(file->fd);
	*file = (struct bench_file){.use = BENCH_USE_COUNT};
}
