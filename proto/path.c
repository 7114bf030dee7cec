#include "proto/path.h"

#include <string.h>

#include "proto/hex.h"

int path_unescape(const char *text, size_t left)
{
	uint8_t byte;

	if (left < 3 || text[0] != '%' || !hex_get(text + 1, &byte))
		return -1;
	return byte;
}

/* A name in the making. */
struct name {
	/* A "/." at the end of the longest name goes again: room for it. */
	char text[PATH_MAX_LEN + 3];
	size_t len;
	bool open;   /* the last component is still growing */
	size_t mark; /* the length before it, and before its slash */
	size_t begin;
};

static bool name_put(struct name *name, char c)
{
	if (name->len == sizeof(name->text) - 1)
		return false;
	name->text[name->len++] = c;
	return true;
}

static bool name_add(struct name *name, char c)
{
	if (!name->open) {
		name->open = true;
		name->mark = name->len;
		if (name->len > 0 && !name_put(name, '/'))
			return false;
		name->begin = name->len;
	}
	return name_put(name, c);
}

/* The component has ended; false if it is "..", or makes the name too long. */
static bool name_close(struct name *name)
{
	const char *component = name->text + name->begin;
	size_t len = name->len - name->begin;

	if (!name->open)
		return true;
	name->open = false;
	if (len == 2 && memcmp(component, "..", 2) == 0)
		return false;
	if (len == 1 && component[0] == '.')
		name->len = name->mark;
	return name->len <= PATH_MAX_LEN;
}

bool path_normalise(
	const char *text, size_t len, bool percent, char ret[PATH_MAX_LEN + 1])
{
	struct name name = {.len = 0};

	for (size_t i = 0; i < len; i++) {
		int c = (unsigned char)text[i];
		bool ok;

		if (percent && c == '%') {
			c = path_unescape(text + i, len - i);
			i += 2;
		}
		if (c < 0x20 || c > 0x7e)
			return false;
		if (c == '/' || c == '\\')
			ok = name_close(&name);
		else
			ok = name_add(&name, (char)c);
		if (!ok)
			return false;
	}
	if (!name_close(&name))
		return false;

	memcpy(ret, name.text, name.len);
	ret[name.len] = '\0';
	return true;
}

const char *path_below(const char *path, const char *head)
{
	size_t len = strlen(head);

	if (strncmp(path, head, len) != 0)
		return NULL;
	if (path[len] == '\0')
		return path + len;
	return path[len] == '/' ? path + len + 1 : NULL;
}
