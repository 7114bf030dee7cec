#include "daemon/ctl/save.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static int put(int fd, const char *text, size_t len)
{
	while (len) {
		ssize_t n = TEMP_FAILURE_RETRY(write(fd, text, len));

		if (n < 0)
			return -errno;
		text += n;
		len -= (size_t)n;
	}
	return 0;
}

/* What a file server could not take may be told only now. */
static int put_and_close(int fd, const char *text, size_t len)
{
	int err = put(fd, text, len);

	if (close(fd) && !err)
		err = -errno;
	return err;
}

int save_append(const char *path, const char *text, size_t len)
{
	int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
	struct stat st;
	int err;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st))
		st.st_mode = 0;
	err = put(fd, text, len);
	/* Half a line would spoil the next one, too. */
	if (err && S_ISREG(st.st_mode) && ftruncate(fd, st.st_size))
		err = -errno;
	if (close(fd) && !err)
		err = -errno;
	return err;
}

static int put_in_place(const char *path, const char *text, size_t len)
{
	int fd = open(path, O_WRONLY | O_TRUNC | O_CREAT | O_CLOEXEC, 0666);

	return fd < 0 ? -errno : put_and_close(fd, text, len);
}

/* A new file beside it, and as it, whose name is filled in. Or -errno. */
static int open_beside(char *name, const struct stat *st)
{
	int fd = mkostemp(name, O_CLOEXEC);
	int err;

	if (fd < 0)
		return -errno;
	if (fchown(fd, st->st_uid, st->st_gid) == 0 &&
		fchmod(fd, st->st_mode & 0777) == 0)
		return fd;
	err = -errno;
	close(fd);
	unlink(name);
	return err;
}

static int replace(
	const char *path, const struct stat *st, const char *text, size_t len)
{
	char *name;
	int fd, err;

	if (access(path, W_OK))
		return -errno;
	if (asprintf(&name, "%s.XXXXXX", path) < 0)
		return -ENOMEM;
	fd = open_beside(name, st);
	err = fd < 0 ? fd : put_and_close(fd, text, len);
	if (!err && rename(name, path))
		err = -errno;
	if (err && fd >= 0)
		unlink(name);
	free(name);
	/* The file may be theirs to write where the folder is not. */
	if (fd == -EACCES || fd == -EPERM)
		return put_in_place(path, text, len);
	return err;
}

int save_replace(const char *path, const char *text, size_t len)
{
	/* A link stays one. */
	char *real = realpath(path, NULL);
	struct stat st;
	int err;

	if (real && stat(real, &st) == 0 && S_ISREG(st.st_mode))
		err = replace(real, &st, text, len);
	else
		err = put_in_place(path, text, len);
	if (err && !real)
		unlink(path);
	free(real);
	return err;
}
