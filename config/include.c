#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/loader.h"

/* That no file is read twice is checked against all others. */
#define FILES_MAX 10000

/* The part of a file's name up to its last '/', that included. */
static size_t dir_len(const char *name)
{
	const char *slash = strrchr(name, '/');

	return slash ? (size_t)(slash - name) + 1 : 0;
}

/* Two texts as one, in the trees' arena; NULL if that is exhausted. */
static char *concat(struct loader *l, const char *a, size_t a_len,
	const char *b, size_t b_len)
{
	/* The arena's zeros end it. */
	char *text = arena_alloc(&l->trees, a_len + b_len + 1, 1);

	if (text) {
		memcpy(text, a, a_len);
		memcpy(text + a_len, b, b_len);
	}
	return text;
}

/* The path of name as seen from dir, of dir_len bytes. */
static char *path_join(
	struct loader *l, const char *dir, size_t len, const char *name)
{
	return concat(l, dir, name[0] == '/' ? 0 : len, name, strlen(name));
}

/* The absolute directory of a file; NULL after a message. */
static const char *file_dir(struct loader *l, const char *name)
{
	char cwd[PATH_MAX];
	const char *start;

	if (name[0] == '/')
		return concat(l, "", 0, name, dir_len(name));
	if (!getcwd(cwd, sizeof(cwd))) {
		loader_error(
			l, NULL, "the working directory: %s", strerror(errno));
		return NULL;
	}
	start = concat(l, cwd, strlen(cwd), "/", 1);
	return start ? concat(l, start, strlen(start), name, dir_len(name))
		     : NULL;
}

/* Make name the file being read; false if there are too many. */
static bool file_begin(struct loader *l, const char *name)
{
	char *kept = arena_text(l->arena, name, strlen(name));

	const char **names;
	struct loader_file *files;

	if (!kept)
		return false;
	names = loader_grow(
		l, l->names, &l->cap_names, l->n_files, sizeof(const char *));
	if (!names)
		return false;
	l->names = names;
	files = loader_grow(l, l->files, &l->cap_files, l->n_files,
		sizeof(struct loader_file));
	if (!files)
		return false;
	l->files = files;
	l->names[l->n_files] = kept;
	l->files[l->n_files] = (struct loader_file){0};
	l->file = (uint16_t)l->n_files;
	l->n_files++;
	l->dir = file_dir(l, name);
	return l->dir != NULL;
}

/* Read the text of the file being read as a tree. */
static bool parse(
	struct loader *l, const char *text, size_t len, const struct node **ret)
{
	struct node *root;

	if (len > TREE_FILE_MAX) {
		loader_error(l, NULL, "more than %zu bytes", TREE_FILE_MAX);
		return false;
	}
	if (tree_parse(text, len, l->file, &l->trees, &l->diag, &root) < 0) {
		l->incomplete = true;
		return false;
	}
	*ret = root;
	return true;
}

bool load_text(struct loader *l, const char *name, const char *text, size_t len,
	const struct node **ret)
{
	return file_begin(l, name) && parse(l, text, len, ret);
}

/*
 * The contents of fd, malloc'ed; NULL with errno set. What it says of its
 * size is a hint only: a pipe has none.
 */
static char *read_all(int fd, size_t hint, size_t *ret_len)
{
	size_t cap = hint < TREE_FILE_MAX ? hint + 1 : TREE_FILE_MAX + 1;
	char *text = malloc(cap);
	size_t len = 0;

	while (text) {
		ssize_t n = read(fd, text + len, cap - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			break;
		if (n == 0) {
			*ret_len = len;
			return text;
		}
		len += (size_t)n;
		if (len > TREE_FILE_MAX) {
			errno = EFBIG;
			break;
		}
		if (len == cap) {
			char *more = realloc(text, cap * 2);

			if (!more)
				break;
			text = more;
			cap *= 2;
		}
	}
	free(text);
	return NULL;
}

/*
 * Open and read a file. NULL: *ret_why says why not; no other kind than a
 * regular file will do unless any is set. *ret_id, if not NULL, is set as soon
 * as the file is open.
 */
static char *file_read(const char *name, bool any, struct loader_file *ret_id,
	size_t *ret_len, const char **ret_why)
{
	/* A FIFO without a writer must not hold us up. */
	int flags = O_RDONLY | O_CLOEXEC | (any ? 0 : O_NONBLOCK);
	int fd = open(name, flags);
	char *text = NULL;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0) {
		*ret_why = strerror(errno);
	} else if (S_ISDIR(st.st_mode) || (!any && !S_ISREG(st.st_mode))) {
		*ret_why = S_ISDIR(st.st_mode) ? "it is a directory"
					       : "it is not a regular file";
	} else {
		size_t hint = S_ISREG(st.st_mode) ? (size_t)st.st_size : 4095;

		*ret_id = (struct loader_file){st.st_dev, st.st_ino};
		text = read_all(fd, hint, ret_len);
		if (!text)
			*ret_why = strerror(errno);
	}
	if (fd >= 0)
		close(fd);
	return text;
}

bool load_file(struct loader *l, const char *name, const struct node **ret)
{
	struct loader_file id = {0};
	const char *why = NULL;
	char *text;
	size_t len;
	bool ok;

	config_report_source(l->report, name, CONFIG_SOURCE_FILE);
	if (!file_begin(l, name))
		return false;
	text = file_read(name, true, &id, &len, &why);
	if (!text) {
		loader_error(l, NULL, "%s", why);
		return false;
	}
	l->files[l->file] = id;
	ok = parse(l, text, len, ret);
	free(text);
	return ok;
}

/* The file that is the same as this one; n_files if there is none. */
static size_t find_same(const struct loader *l, const struct loader_file *id)
{
	size_t i = 0;

	while (i < l->n_files &&
		(l->files[i].dev != id->dev || l->files[i].ino != id->ino))
		i++;
	return i;
}

/*
 * Read one included file. From a directory the main file is left out, so that
 * it may lie in the directory that it includes.
 */
static void include_file(struct loader *l, const struct node *asked,
	const char *path, bool from_dir)
{
	const char *dir = l->dir, *why = NULL;
	const struct node *root = NULL;
	char text[QUOTE_LEN], *content;
	uint16_t file = l->file;
	struct loader_file id;
	size_t len, same;

	quote(path, strlen(path), text);
	content = file_read(path, false, &id, &len, &why);
	if (!content) {
		l->incomplete = true;
		loader_error(l, asked, "%s: %s", text, why);
		return;
	}
	same = find_same(l, &id);
	if (same < l->n_files) {
		if (same > 0 || !from_dir)
			loader_error(l, asked, "%s is read already, as '%s'",
				text, l->names[same]);
	} else if (l->n_files == FILES_MAX) {
		loader_error(
			l, asked, "%s: more than %d files", text, FILES_MAX);
	} else if (file_begin(l, path)) {
		const char *key = l->key;

		l->files[l->file] = id;
		l->key = NULL;
		if (parse(l, content, len, &root))
			load_part(l, root);
		l->key = key;
	}
	free(content);
	l->file = file;
	l->dir = dir;
}

static int is_part(const struct dirent *entry)
{
	size_t len = strlen(entry->d_name);

	return entry->d_name[0] != '.' && len > 5 &&
	       strcmp(entry->d_name + len - 5, ".yaml") == 0;
}

/* By bytes: the order must not hang on somebody's locale. */
static int compare_names(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static void include_dir(
	struct loader *l, const struct node *asked, const char *path)
{
	size_t len = strlen(path);
	struct dirent **entries;
	int n = scandir(path, &entries, is_part, compare_names);
	char text[QUOTE_LEN];
	char *dir;

	if (n < 0) {
		l->incomplete = true;
		loader_error(l, asked, "%s: %s", quote(path, len, text),
			strerror(errno));
		return;
	}
	dir = concat(l, path, len, "/", 1);
	for (int i = 0; i < n; i++) {
		const char *file =
			dir ? path_join(l, dir, strlen(dir), entries[i]->d_name)
			    : NULL;

		if (file) {
			config_report_source(l->report, file,
				entries[i]->d_type == DT_REG
					? CONFIG_SOURCE_PART
					: CONFIG_SOURCE_FILE);
			include_file(l, asked, file, true);
		}
		free(entries[i]);
	}
	free(entries);
}

static void include_item(struct loader *l, const struct schema_key *key,
	const struct node *node, void *context)
{
	const char *name = l->names[l->file];
	struct stat st;
	bool directory;
	char *path;

	(void)context;
	if (!value_is_scalar(l, key, node))
		return;
	if (!*node->text) {
		loader_error(l, node, "a directory or a file has to be named");
		return;
	}
	path = path_join(l, name, dir_len(name), node->text);
	if (!path)
		return;
	directory = stat(path, &st) == 0 && S_ISDIR(st.st_mode);
	config_report_source(l->report, path,
		directory ? CONFIG_SOURCE_DIRECTORY : CONFIG_SOURCE_FILE);
	if (directory)
		include_dir(l, node, path);
	else
		include_file(l, node, path, false);
}

void load_include(struct loader *l, const struct schema_key *key,
	const struct node *node, void *base)
{
	(void)base;
	if (l->from_text && !node_is_null(node)) {
		loader_error(l, node,
			"a configuration from memory has no directory to"
			" include from");
		return;
	}
	load_items(l, key, node, include_item, NULL);
}
