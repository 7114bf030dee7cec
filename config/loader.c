#include "config/loader.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void what_text(const struct loader *l, char *ret, size_t cap)
{
	char name[QUOTE_LEN] = "";
	const char *kind = l->kind ? l->kind : "";
	const char *key = l->key ? l->key : "";
	const char *between = "", *end = "";

	if (l->named)
		quote(l->named->text, l->named->len, name);
	if (l->kind && l->key)
		between = l->item ? ": " : ".";
	if (l->kind || l->key)
		end = ": ";
	snprintf(ret, cap, "%s%s%s%s%s%s%s%s", kind, l->named ? " " : "", name,
		between, key, l->subkey ? "." : "", l->subkey ? l->subkey : "",
		end);
}

__attribute__((format(printf, 4, 0))) static void tell(struct loader *l,
	const struct node *node, bool warning, const char *format, va_list args)
{
	struct config_at at = {0, 0, l->file};
	char what[256] = "", *text = NULL;

	if (node)
		at = node_at(node, l->file);
	if (!diag_is_full(&l->diag)) {
		what_text(l, what, sizeof(what));
		if (vasprintf(&text, format, args) < 0)
			text = NULL;
	}
	diag_add(&l->diag, at, warning, "%s%s", what, text ? text : "");
	free(text);
}

void loader_error(
	struct loader *l, const struct node *node, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	tell(l, node, false, format, args);
	va_end(args);
}

void loader_warn(
	struct loader *l, const struct node *node, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	tell(l, node, true, format, args);
	va_end(args);
}

bool loader_error_is_late(struct loader *l)
{
	bool late = diag_is_full(&l->diag);

	if (late)
		loader_error(l, NULL, "-");
	return late;
}

void *loader_grow(
	struct loader *l, void *items, size_t *cap, size_t n, size_t item_len)
{
	size_t new_cap = *cap ? *cap + *cap / 2 : 16;
	void *grown;

	if (n < *cap)
		return items;
	grown = reallocarray(items, new_cap, item_len);
	if (grown)
		*cap = new_cap;
	else
		l->arena->failed = true;
	return grown;
}
