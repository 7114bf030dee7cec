/*
 * template: a small text with ${name} in it, and what stands there instead.
 *
 * The texts are made for others (Ignition, cloud-init, shells), who have their
 * own ${...}: only the names that are given are ours, everything else stays as
 * it is, byte by byte.
 */
#ifndef PROTO_TEMPLATE_H
#define PROTO_TEMPLATE_H

#include <stddef.h>

/* Larger texts are no templates. */
#define TEMPLATE_MAX ((size_t)64 * 1024)

struct template_value {
	const char *name;  /* of ${name} */
	const char *value; /* NULL: not known */
};

enum template_result {
	TEMPLATE_PLAIN,	  /* nothing in it is ours: it goes out as it is */
	TEMPLATE_MADE,	  /* expanded: ret has it */
	TEMPLATE_UNKNOWN, /* *ret_name is wanted, and its value is not known */
	TEMPLATE_TOO_LONG /* it does not fit into cap bytes */
};

/*
 * Expand len bytes of text into ret (cap bytes, no NUL is added); *ret_len is
 * how many were written. `$${name}` becomes `${name}` where the name is one of
 * ours. A text with a NUL byte, or longer than TEMPLATE_MAX, is PLAIN.
 */
enum template_result template_expand(const char *text, size_t len,
	const struct template_value *values, size_t n_values, char *ret,
	size_t cap, size_t *ret_len, const char **ret_name);

#endif
