/*
 * extra: a file that the configuration gives a machine beside its image, as it
 * is on the disk now. It is opened for each request, in a worker's thread: of
 * 100,000 machines with files of their own none costs a descriptor, and what
 * changed is seen.
 */
#ifndef DAEMON_IMAGES_EXTRA_H
#define DAEMON_IMAGES_EXTRA_H

#include <stddef.h>

#include "daemon/base/worker.h"
#include "daemon/images/view.h"
#include "proto/template.h"

struct extra {
	int err;	   /* 0; else -errno, and there is nothing below */
	struct file *file; /* opened */
	char *text;	   /* all of it; NULL: too large to be a template */
	size_t len;
};

/*
 * Waits for the disk. -EAGAIN: it was changed while it was read; -EINVAL or
 * -EISDIR: it is no regular file.
 */
void extra_open(const char *path, struct extra *ret);
void extra_done(struct extra *extra);
/* "No such file or directory", ... */
const char *extra_why(int err);

/* What stands in for ${mac}, ... in a template; NULL: not known. */
struct extra_values {
	const char *mac, *uuid, *name, *ip;
};
/* Templates may grow so far. */
#define EXTRA_EXPANDED_MAX (2 * TEMPLATE_MAX)
/* template_expand with these values. */
enum template_result extra_expand(const char *text, size_t len,
	const struct extra_values *values, char ret[EXTRA_EXPANDED_MAX],
	size_t *ret_len, const char **ret_name);
/*
 * NULL, or what is wrong with the file at this path: it cannot be read, or
 * there is a ${...} of ours in what is too large to be a template (its
 * beginning is looked at). Waits for the disk.
 */
const char *extra_problem(const char *path);

/*
 * extra_open in a worker's thread; then call(arg, extra) in the loop, which may
 * take from *extra what it keeps and leave NULL there. NULL: memory is short.
 */
struct worker_job *extra_start(struct worker *worker, const char *path,
	void (*call)(void *arg, struct extra *extra), void *arg);

#endif
