/*
 * control_list: the list of an answer that may be too long for one turn of the
 * loop: it is asked for one thing after the other while the client reads. What
 * it tells of may change meanwhile.
 */
#ifndef DAEMON_CONTROL_CONTROL_LIST_H
#define DAEMON_CONTROL_CONTROL_LIST_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#define CONTROL_LIST_TURN 16 /* things in one turn */

struct control_list {
	/*
	 * False: that was all. JSON's null: this one is left out; NULL: memory
	 * is short.
	 */
	bool (*next)(struct control_list *list, json_t **ret);
	void (*free)(struct control_list *list);
};

struct netuki;

/*
 * What `one` tells of each of these names, which are copied. NULL: memory is
 * short.
 */
struct control_list *control_list_names(const struct netuki *netuki,
	const char *const *names, size_t n,
	json_t *(*one)(const struct netuki *netuki, const char *name));
void control_list_free(struct control_list *list); /* NULL is fine */

#endif
