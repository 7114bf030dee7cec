#include "daemon/images_look.h"

#include <dirent.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "daemon/hash.h"
#include "daemon/images.h"

struct look {
	void (*done)(void *arg, uint64_t sum);
	void *arg;
	uint64_t seen, sum;
	char directory[];
};

bool images_look_is_needed(const char *directory)
{
	static const uint32_t remote[] = {
		NFS_SUPER_MAGIC,
		FUSE_SUPER_MAGIC,
		SMB_SUPER_MAGIC,
		CIFS_SUPER_MAGIC,
		SMB2_SUPER_MAGIC,
		V9FS_MAGIC,
		CEPH_SUPER_MAGIC,
		AFS_FS_MAGIC,
		OCFS2_SUPER_MAGIC,
	};
	struct statfs fs;

	if (statfs(directory, &fs))
		return false;
	for (size_t i = 0; i < sizeof(remote) / sizeof(*remote); i++)
		if ((uint32_t)fs.f_type == remote[i])
			return true;
	return false;
}

/*
 * In whatever order they come: a sum. What is there but cannot be looked at
 * counts, too.
 */
static void add(struct look *look, const char *folder, const char *name)
{
	char path[PATH_MAX];
	struct stat st = {0};
	uint64_t facts[5];

	if (snprintf(path, sizeof(path), "%s/%s", folder, name) >=
		(int)sizeof(path))
		return;
	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode) &&
		folder == look->directory) {
		add(look, path, "oci-layout");
		add(look, path, "index.json");
		add(look, path, "blobs/sha256");
	}
	facts[0] = hash_bucket(path, strlen(path), SIZE_MAX);
	facts[1] = (uint64_t)st.st_ino;
	facts[2] = (uint64_t)st.st_size;
	facts[3] = (uint64_t)st.st_mtim.tv_sec;
	facts[4] = (uint64_t)st.st_mtim.tv_nsec;
	look->sum += hash_bucket(facts, sizeof(facts), SIZE_MAX);
}

static void work(void *arg)
{
	struct look *look = arg;
	DIR *dir = opendir(look->directory);
	struct dirent *entry;
	struct images *images;

	while (dir && (entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			add(look, look->directory, entry->d_name);
	if (dir)
		closedir(dir);
	/* What the catalogue will read is in the page cache by then. */
	if (look->sum != look->seen &&
		images_new(NULL, NULL, look->directory, &images) == 0)
		images_free(images);
}

static void done(void *arg)
{
	struct look *look = arg;

	look->done(look->arg, look->sum);
}

struct worker_job *images_look_start(struct worker *worker,
	const char *directory, uint64_t seen,
	void (*call)(void *arg, uint64_t sum), void *arg)
{
	size_t len = strlen(directory) + 1;
	struct look *look = calloc(1, sizeof(*look) + len);
	struct worker_task task = {work, done, free, look};
	struct worker_job *job;

	if (!look)
		return NULL;
	look->done = call;
	look->arg = arg;
	look->seen = seen;
	memcpy(look->directory, directory, len);
	job = worker_start(worker, &task);
	if (!job)
		free(look);
	return job;
}
