#include "config/tree.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <yaml.h>

/* A collection that is open while its contents are read. */
struct frame {
	struct node *node;
	struct node **tail; /* where the next item or key goes */
	struct node *key;   /* of a mapping: it waits for its value */
};

struct builder {
	yaml_parser_t parser;
	const char *text;
	size_t text_len;
	struct arena *arena;
	struct diag *diag;
	uint16_t file;
	bool ended; /* the first document is over */
	size_t n_nodes;
	struct node *root;
	size_t depth;
	struct frame frames[TREE_DEPTH_MAX];
};

const char *node_type_text(const struct node *node)
{
	switch ((enum node_type)node->type) {
	case NODE_SCALAR:
		return "a single value";
	case NODE_LIST:
		return "a list";
	case NODE_MAPPING:
		return "a mapping";
	}
	return "?";
}

bool node_is_null(const struct node *node)
{
	static const char *const words[] = {"", "~", "null", "Null", "NULL"};

	if (node->type != NODE_SCALAR || !node->plain)
		return false;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcmp(node->text, words[i]) == 0)
			return true;
	}
	return false;
}

const struct node *node_get(const struct node *node, const char *key)
{
	if (!node || node->type != NODE_MAPPING)
		return NULL;
	for (const struct node *k = node->first; k; k = k->next) {
		if (strcmp(k->text, key) == 0)
			return k->value;
	}
	return NULL;
}

struct config_at node_at(const struct node *node, uint16_t file)
{
	return (struct config_at){node->line, node->column, file};
}

/* libyaml counts from 0, we from 1. */
static struct config_at mark_at(const struct builder *b, yaml_mark_t mark)
{
	return (struct config_at){
		mark.line < UINT32_MAX ? (uint32_t)mark.line + 1 : UINT32_MAX,
		mark.column < UINT16_MAX ? (uint16_t)(mark.column + 1)
					 : UINT16_MAX,
		b->file};
}

static struct config_at offset_at(const struct builder *b, size_t offset)
{
	yaml_mark_t mark = {0};

	for (size_t i = 0; i < offset && i < b->text_len; i++) {
		mark.column++;
		if (b->text[i] == '\n') {
			mark.line++;
			mark.column = 0;
		}
	}
	return mark_at(b, mark);
}

/* What libyaml says, and what most often is behind it. */
static const struct {
	const char *problem, *hint;
	bool at_begin; /* what matters is where it begins, not where it ends */
} hints[] = {
	{"mapping values are not allowed in this context",
		"a ':' where no key can be: is the line indented as those"
		" around it, has the one before its ':'? A value that contains"
		" ': ' needs quotes",
		false},
	{"found character that cannot start any token",
		"a tab cannot indent (use spaces); a value that begins with"
		" '%', '@' or '`', in brackets also '>' or '|', needs quotes",
		false},
	{"did not find expected key",
		"is this line indented as those before it?", false},
	{"could not find expected ':'",
		"a key without ':', or a line that does not belong here", true},
	{"did not find expected '-' indicator",
		"an item of a list begins with '- ', all in the same column",
		false},
	{"did not find expected ',' or ']'", "a list in [ ] is not closed",
		false},
	{"did not find expected ',' or '}'",
		"a mapping in { } is not closed; a value with ',' or '}' needs"
		" quotes",
		false},
	{"found unexpected end of stream", "quotes are not closed", true},
	{"block sequence entries are not allowed in this context",
		"a list begins on the line after its key", false},
};

static void tell_problem(struct builder *b)
{
	const yaml_parser_t *p = &b->parser;
	const char *problem = p->problem ? p->problem : "unknown problem";
	const char *hint = p->context;
	yaml_mark_t mark = p->problem_mark;
	char begun[64] = "";

	if (p->error == YAML_MEMORY_ERROR) {
		b->arena->failed = true;
		return;
	}
	if (p->error == YAML_READER_ERROR) {
		diag_add(b->diag, offset_at(b, p->problem_offset), false,
			"not UTF-8 text: %s: save the file as UTF-8", problem);
		return;
	}
	for (size_t i = 0; i < sizeof(hints) / sizeof(hints[0]); i++) {
		if (strcmp(hints[i].problem, problem) != 0)
			continue;
		hint = hints[i].hint;
		if (p->context && hints[i].at_begin)
			mark = p->context_mark;
	}
	if (p->context && p->context_mark.line != mark.line)
		snprintf(begun, sizeof(begun),
			" (what is open there begins in line %zu)",
			p->context_mark.line + 1);
	diag_add(b->diag, mark_at(b, mark), false, "not YAML: %s%s%s%s",
		problem, hint ? ": " : "", hint ? hint : "", begun);
}

static struct node *node_new(
	struct builder *b, const yaml_event_t *event, enum node_type type)
{
	struct config_at at = mark_at(b, event->start_mark);
	struct node *node;

	if (++b->n_nodes > TREE_NODES_MAX) {
		diag_add(b->diag, at, false,
			"too large: more than %zu values in one file",
			TREE_NODES_MAX);
		return NULL;
	}
	node = arena_alloc(b->arena, sizeof(*node), _Alignof(struct node));
	if (!node)
		return NULL;
	node->line = at.line;
	node->column = at.column;
	node->type = (uint8_t)type;
	return node;
}

/* Put a new node where it belongs: a key, its value, an item, the root. */
static void node_place(struct builder *b, struct node *node)
{
	struct frame *frame = b->depth ? &b->frames[b->depth - 1] : NULL;

	if (!frame) {
		b->root = node;
	} else if (frame->node->type == NODE_LIST) {
		*frame->tail = node;
		frame->tail = &node->next;
		frame->node->len++;
	} else if (frame->key) {
		frame->key->value = node;
		frame->key = NULL;
	} else {
		frame->key = node;
		if (node->type != NODE_SCALAR) {
			diag_add(b->diag, node_at(node, b->file), false,
				"a key must be a word, here it is %s",
				node_type_text(node));
			return;
		}
		*frame->tail = node;
		frame->tail = &node->next;
		frame->node->len++;
	}
}

static void tell_twice(
	struct builder *b, struct node *key, const struct node *first)
{
	char text[QUOTE_LEN];

	/* Without a value, it is taken out in the end. */
	key->value = NULL;
	if (diag_is_full(b->diag)) {
		diag_add(b->diag, node_at(key, b->file), false, "-");
		return;
	}
	diag_add(b->diag, node_at(key, b->file), false,
		"%s: this key was already given in line %u; once is enough",
		quote(key->text, key->len, text), first->line);
}

static int key_compare(const void *x, const void *y)
{
	const struct node *const *a = x, *const *b = y;
	int ret = strcmp((*a)->text, (*b)->text);

	if (ret)
		return ret;
	if ((*a)->line != (*b)->line)
		return (*a)->line < (*b)->line ? -1 : 1;
	return (*a)->column < (*b)->column ? -1 : 1;
}

/* For mappings with many keys, where comparing each with each would last. */
static void check_many_keys(struct builder *b, struct node *mapping)
{
	struct node **keys = calloc(mapping->len, sizeof(struct node *));
	size_t n = 0, first = 0;

	if (!keys) {
		b->arena->failed = true;
		return;
	}
	for (struct node *key = mapping->first; key; key = key->next)
		keys[n++] = key;
	qsort(keys, n, sizeof(struct node *), key_compare);
	for (size_t i = 1; i < n; i++) {
		if (strcmp(keys[i]->text, keys[first]->text) == 0)
			tell_twice(b, keys[i], keys[first]);
		else
			first = i;
	}
	free(keys);
}

#define FEW_KEYS 16

static void check_keys(struct builder *b, struct node *mapping)
{
	struct node **tail = &mapping->first;

	if (mapping->len > FEW_KEYS) {
		check_many_keys(b, mapping);
	} else {
		for (struct node *x = mapping->first; x; x = x->next) {
			for (struct node *y = x->next; x->value && y;
				y = y->next) {
				if (y->value && y->len == x->len &&
					memcmp(x->text, y->text, x->len) == 0)
					tell_twice(b, y, x);
			}
		}
	}
	while (*tail) {
		if (!(*tail)->value) {
			*tail = (*tail)->next;
			mapping->len--;
		} else {
			tail = &(*tail)->next;
		}
	}
}

/* Anchors and tags are told, and the value is read as if they were not. */
static void refuse_extras(struct builder *b, const yaml_event_t *event,
	const yaml_char_t *anchor, const yaml_char_t *tag)
{
	struct config_at at = mark_at(b, event->start_mark);
	char text[QUOTE_LEN];

	if (anchor)
		diag_add(b->diag, at, false,
			"%s: anchors (&NAME) are not taken here: use a group"
			" for what several machines share",
			quote((const char *)anchor,
				strlen((const char *)anchor), text));
	if (tag)
		diag_add(b->diag, at, false,
			"%s: tags (!TYPE) are not taken here: leave it out",
			quote((const char *)tag, strlen((const char *)tag),
				text));
}

static bool on_scalar(struct builder *b, const yaml_event_t *event)
{
	const char *text = (const char *)event->data.scalar.value;
	size_t len = event->data.scalar.length;
	struct node *node = node_new(b, event, NODE_SCALAR);

	if (!node)
		return false;
	if (len > TREE_TEXT_MAX) {
		diag_add(b->diag, node_at(node, b->file), false,
			"a text of %zu bytes: at most %zu are taken", len,
			TREE_TEXT_MAX);
		len = 0;
	} else if (memchr(text, '\0', len)) {
		diag_add(b->diag, node_at(node, b->file), false,
			"a text with a NUL character inside");
		len = strlen(text);
	}
	refuse_extras(
		b, event, event->data.scalar.anchor, event->data.scalar.tag);
	node->text = arena_text(b->arena, text, len);
	node->len = (uint32_t)len;
	node->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	if (!node->text)
		return false;
	node_place(b, node);
	return true;
}

/* What an alias stands for is left out, and so is the key that it is for. */
static bool on_alias(struct builder *b, const yaml_event_t *event)
{
	struct frame *frame = b->depth ? &b->frames[b->depth - 1] : NULL;
	const char *name = (const char *)event->data.alias.anchor;
	char text[QUOTE_LEN];

	diag_add(b->diag, mark_at(b, event->start_mark), false,
		"%s: aliases (*NAME) are not taken here: use a group for what"
		" several machines share",
		quote(name, strlen(name), text));
	if (!frame || frame->node->type == NODE_LIST)
		return true;
	if (frame->key) {
		frame->key = NULL;
		return true;
	}
	frame->key = node_new(b, event, NODE_SCALAR);
	return frame->key != NULL;
}

static bool on_start(
	struct builder *b, const yaml_event_t *event, enum node_type type)
{
	struct node *node;
	bool mapping = type == NODE_MAPPING;

	if (b->depth == TREE_DEPTH_MAX) {
		diag_add(b->diag, mark_at(b, event->start_mark), false,
			"more than %d levels deep: nothing here needs that",
			TREE_DEPTH_MAX);
		return false;
	}
	node = node_new(b, event, type);
	if (!node)
		return false;
	refuse_extras(b, event,
		mapping ? event->data.mapping_start.anchor
			: event->data.sequence_start.anchor,
		mapping ? event->data.mapping_start.tag
			: event->data.sequence_start.tag);
	node_place(b, node);
	b->frames[b->depth++] = (struct frame){node, &node->first, NULL};
	return true;
}

static bool on_document(struct builder *b, const yaml_event_t *event)
{
	if (!b->ended)
		return true;
	diag_add(b->diag, mark_at(b, event->start_mark), false,
		"a second document: all of it belongs into the first, without"
		" '---' in between");
	return false;
}

/* false: there is no more to read. */
static bool on_event(struct builder *b, const yaml_event_t *event)
{
	switch (event->type) {
	case YAML_SCALAR_EVENT:
		return on_scalar(b, event);
	case YAML_ALIAS_EVENT:
		return on_alias(b, event);
	case YAML_SEQUENCE_START_EVENT:
		return on_start(b, event, NODE_LIST);
	case YAML_MAPPING_START_EVENT:
		return on_start(b, event, NODE_MAPPING);
	case YAML_MAPPING_END_EVENT:
		check_keys(b, b->frames[b->depth - 1].node);
		b->depth--;
		return true;
	case YAML_SEQUENCE_END_EVENT:
		b->depth--;
		return true;
	case YAML_DOCUMENT_START_EVENT:
		return on_document(b, event);
	case YAML_DOCUMENT_END_EVENT:
		b->ended = true;
		return true;
	case YAML_NO_EVENT:
	case YAML_STREAM_START_EVENT:
	case YAML_STREAM_END_EVENT:
		return true;
	}
	return true;
}

int tree_parse(const char *text, size_t len, uint16_t file, struct arena *arena,
	struct diag *diag, struct node **ret)
{
	/* Told the encoding, libyaml would count a byte order mark as indent.
	 */
	size_t bom = len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
	struct builder b = {.text = text + bom,
		.text_len = len - bom,
		.arena = arena,
		.diag = diag,
		.file = file};
	bool more = true, complete = false;

	if (!yaml_parser_initialize(&b.parser)) {
		arena->failed = true;
		return -1;
	}
	/* Otherwise libyaml would guess UTF-16 from the first bytes. */
	yaml_parser_set_encoding(&b.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(
		&b.parser, (const unsigned char *)b.text, b.text_len);
	while (more) {
		yaml_event_t event;

		if (!yaml_parser_parse(&b.parser, &event)) {
			tell_problem(&b);
			break;
		}
		complete = event.type == YAML_STREAM_END_EVENT;
		more = on_event(&b, &event) && !complete;
		yaml_event_delete(&event);
	}
	yaml_parser_delete(&b.parser);
	if (!complete)
		return -1;
	*ret = b.root;
	return 0;
}
