#include "daemon/control/control_list.h"

#include <stdlib.h>
#include <string.h>

/* The names one after the other, each with its end. */
struct names {
	struct control_list list;
	const struct netuki *netuki;
	json_t *(*one)(const struct netuki *netuki, const char *name);
	const char *at, *end;
	char text[];
};

static bool next_name(struct control_list *list, json_t **ret)
{
	struct names *names = (struct names *)(void *)list;

	if (names->at == names->end)
		return false;
	*ret = names->one(names->netuki, names->at);
	names->at += strlen(names->at) + 1;
	return true;
}

static void free_names(struct control_list *list)
{
	free(list);
}

struct control_list *control_list_names(const struct netuki *netuki,
	const char *const *name, size_t n,
	json_t *(*one)(const struct netuki *netuki, const char *name))
{
	struct names *names;
	size_t len = 0;
	char *end;

	for (size_t i = 0; i < n; i++)
		len += strlen(name[i]) + 1;
	names = malloc(sizeof(*names) + len);
	if (!names)
		return NULL;
	end = names->text;
	for (size_t i = 0; i < n; i++)
		end = stpcpy(end, name[i]) + 1;
	names->list = (struct control_list){next_name, free_names};
	names->netuki = netuki;
	names->one = one;
	names->at = names->text;
	names->end = end;
	return &names->list;
}

void control_list_free(struct control_list *list)
{
	if (list)
		list->free(list);
}
