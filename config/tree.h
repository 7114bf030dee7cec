/*
 * tree: YAML text as a bounded tree of nodes that know their places.
 *
 * Of YAML this takes mappings, lists and scalars, in one document. Aliases and
 * anchors (cycles, bombs), tags (a scalar's type is what its key wants) and
 * keys given twice are refused, and so is everything past the limits below.
 *
 * Nodes and texts are the arena's. A file's index is not kept in its nodes:
 * it is the same for all of them.
 */
#ifndef CONFIG_TREE_H
#define CONFIG_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/arena.h"
#include "config/diag.h"

#define TREE_DEPTH_MAX 16
#define TREE_TEXT_MAX  ((size_t)64 * 1024)	   /* of one scalar */
#define TREE_FILE_MAX  ((size_t)128 * 1024 * 1024) /* bytes of YAML */
#define TREE_NODES_MAX ((size_t)16 * 1024 * 1024)

enum node_type { NODE_SCALAR, NODE_LIST, NODE_MAPPING };

struct node {
	union {
		const char *text;   /* a scalar's; no NUL inside, one behind */
		struct node *first; /* a list's items, a mapping's keys */
	};
	struct node *value; /* of a key, which is always a scalar */
	struct node *next;  /* in the same list or mapping */
	uint32_t len;	    /* of text; the number of items or keys */
	uint32_t line;	    /* from 1, as is the column */
	uint16_t column;
	uint8_t type;
	bool plain; /* a scalar without quotes */
};

/*
 * Returns 0 and the root in *ret (NULL: the text is empty), or -1 after a
 * message if there is no tree. A tree may come with messages, too: then what
 * they speak of is left out of it.
 */
int tree_parse(const char *text, size_t len, uint16_t file, struct arena *arena,
	struct diag *diag, struct node **ret);

/* "a list", "a mapping", "a single value" */
const char *node_type_text(const struct node *node);
/* Nothing at all, ~ or null, without quotes. */
bool node_is_null(const struct node *node);
/* The value of a mapping's key; NULL if node is none or does not have it. */
const struct node *node_get(const struct node *node, const char *key);
struct config_at node_at(const struct node *node, uint16_t file);

#endif
