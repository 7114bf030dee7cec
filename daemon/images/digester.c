#include "daemon/images/digester.h"

#include <errno.h>
#include <nettle/sha2.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define PIECE 65536

/* A file as it was when it was hashed. */
struct known {
	dev_t dev;
	ino_t ino;
	off_t size;
	struct timespec mtime;
	struct digest digest;
};

struct table {
	size_t n, next; /* next: the oldest, once the table is full */
	struct known known[DIGESTER_MAX_KNOWN];
};

/* A reload looks things up in a helper thread. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
/* Shared with forked processes; the pages that nobody needs take no memory. */
static struct table *table;

/* The thread looks at file and stop, and writes err and digest. */
struct hashing {
	struct digester *digester; /* NULL: nobody waits any more */
	struct file *file;
	atomic_bool stop;
	int err;
	struct digest digest;
};

struct digester {
	struct worker *worker;
	void (*done)(void *arg, const struct file *file, int err);
	void *arg;
	struct hashing *hashing;
	struct worker_job *job;
};

void digester_hash_bytes(const void *data, size_t len, struct digest *ret)
{
	struct sha256_ctx sha;

	sha256_init(&sha);
	sha256_update(&sha, len, data);
	sha256_digest(&sha, sizeof(ret->b), ret->b);
}

int digester_hash(const struct file *file, const atomic_bool *stop,
	atomic_uint *moves, struct digest *ret)
{
	uint64_t size = file_size(file);
	static __thread uint8_t buf[PIECE];
	struct sha256_ctx sha;
	int err = 0;

	sha256_init(&sha);
	for (uint64_t at = 0; !err && at < size; at += PIECE) {
		size_t len = size - at < PIECE ? (size_t)(size - at) : PIECE;

		if (stop && atomic_load(stop))
			err = -ECANCELED;
		else
			err = file_read(file, buf, len, at);
		if (!err)
			sha256_update(&sha, len, buf);
		if (moves)
			atomic_fetch_add(moves, 1);
	}
	if (!err && !file_is_unchanged(file, false))
		err = -ESTALE;
	if (err)
		return err;
	sha256_digest(&sha, sizeof(ret->b), ret->b);
	return 0;
}

static bool is_same(const struct known *known, const struct stat *st)
{
	return known->ino == st->st_ino && known->dev == st->st_dev &&
	       known->size == st->st_size &&
	       known->mtime.tv_sec == st->st_mtim.tv_sec &&
	       known->mtime.tv_nsec == st->st_mtim.tv_nsec;
}

static struct known *find(const struct stat *st)
{
	for (size_t i = 0; table && i < table->n; i++)
		if (is_same(&table->known[i], st))
			return &table->known[i];
	return NULL;
}

bool digester_find(const struct file *file, struct digest *ret)
{
	const struct known *known;

	/* What is not what was opened says nothing about it. */
	if (!file_is_unchanged(file, true))
		return false;
	pthread_mutex_lock(&lock);
	known = find(file_stat(file));
	if (known)
		*ret = known->digest;
	pthread_mutex_unlock(&lock);
	return known != NULL;
}

static bool share(void)
{
	void *memory;

	if (table)
		return true;
	memory = mmap(NULL, sizeof(*table), PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (memory == MAP_FAILED)
		return false;
	table = memory;
	return true;
}

bool digester_share(void)
{
	bool ok;

	pthread_mutex_lock(&lock);
	ok = share();
	pthread_mutex_unlock(&lock);
	return ok;
}

static struct known *new_entry(void)
{
	if (!share())
		return NULL;
	if (table->n < DIGESTER_MAX_KNOWN)
		return &table->known[table->n++];
	table->next = (table->next + 1) % DIGESTER_MAX_KNOWN;
	return &table->known[table->next];
}

void digester_remember(const struct file *file, const struct digest *digest)
{
	const struct stat *st = file_stat(file);
	struct known *known;

	if (!file_is_unchanged(file, true))
		return;
	pthread_mutex_lock(&lock);
	known = find(st);
	if (!known)
		known = new_entry();
	if (known)
		*known = (struct known){
			.dev = st->st_dev,
			.ino = st->st_ino,
			.size = st->st_size,
			.mtime = st->st_mtim,
			.digest = *digest,
		};
	pthread_mutex_unlock(&lock);
}

static void work(void *arg)
{
	struct hashing *h = arg;

	h->err = digester_hash(h->file, &h->stop, NULL, &h->digest);
}

static void done(void *arg)
{
	struct hashing *h = arg;
	struct digester *digester = h->digester;

	digester->hashing = NULL;
	if (!h->err)
		digester_remember(h->file, &h->digest);
	digester->done(digester->arg, h->file, h->err);
}

static void drop(void *arg)
{
	struct hashing *h = arg;

	file_unref(h->file);
	free(h);
}

struct digester *digester_new(struct worker *worker,
	void (*call)(void *arg, const struct file *file, int err), void *arg)
{
	struct digester *digester = calloc(1, sizeof(*digester));

	if (digester)
		*digester = (struct digester){
			.worker = worker,
			.done = call,
			.arg = arg,
		};
	return digester;
}

void digester_free(struct digester *digester)
{
	if (digester && digester->hashing) {
		atomic_store(&digester->hashing->stop, true);
		worker_cancel(digester->job);
	}
	free(digester);
}

bool digester_is_busy(const struct digester *digester)
{
	return digester->hashing != NULL;
}

bool digester_start(struct digester *digester, struct file *file)
{
	struct worker_task task = {work, done, drop, NULL};
	struct hashing *h;

	if (digester->hashing || !(h = calloc(1, sizeof(*h))))
		return false;
	h->digester = digester;
	h->file = file_ref(file);
	task.arg = h;
	digester->job = worker_start_slow(digester->worker, &task);
	if (!digester->job) {
		drop(h);
		return false;
	}
	digester->hashing = h;
	return true;
}
