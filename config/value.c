#include <arpa/inet.h>
#include <ctype.h>
#include <limits.h>
#include <string.h>
#include <strings.h>

#include "config/loader.h"
#include "proto/digest.h"

bool value_is_scalar(
	struct loader *l, const struct schema_key *key, const struct node *node)
{
	if (node->type != NODE_SCALAR)
		loader_error(l, node,
			"this is %s, wanted is a single value: %s",
			node_type_text(node), key->doc);
	else if (node_is_null(node))
		loader_error(l, node,
			"no value; wanted is: %s (or leave the key out)",
			key->doc);
	else
		return true;
	return false;
}

/* "a, b, c" */
static const char *names_list(
	const struct name_row *rows, char *ret, size_t cap)
{
	size_t n = 0;

	ret[0] = '\0';
	for (const struct name_row *row = rows; row->name; row++) {
		const char *comma = row == rows ? "" : ", ";

		if (n + strlen(row->name) + 3 > cap)
			break;
		n += (size_t)(stpcpy(stpcpy(ret + n, comma), row->name) -
			      (ret + n));
	}
	return ret;
}

static bool load_name_of(struct loader *l, const struct name_row *rows,
	const struct node *node, unsigned *ret)
{
	struct suggest suggest;
	char text[QUOTE_LEN], list[128];
	const char *best;

	if (names_value(rows, node->text, ret))
		return true;
	if (loader_error_is_late(l))
		return false;
	suggest_init(&suggest, node->text);
	for (const struct name_row *row = rows; row->name; row++)
		suggest_try(&suggest, row->name);
	best = suggest_best(&suggest);
	loader_error(l, node, "%s is not one of: %s%s%s%s",
		quote(node->text, node->len, text),
		names_list(rows, list, sizeof(list)),
		best ? "; did you mean '" : "", best ? best : "",
		best ? "'?" : "");
	return false;
}

static bool load_enum(struct loader *l, const struct schema_key *key,
	const struct node *node, void *ret)
{
	static const struct name_row *const rows[VALUE_SCALARS] = {
		[VALUE_MODE] = names_mode,
		[VALUE_OFFER] = names_offer,
		[VALUE_UNKNOWN] = names_unknown};
	unsigned value;

	if (!load_name_of(l, rows[key->type], node, &value))
		return false;
	/* All our enums are as wide as unsigned; see the assertions. */
	memcpy(ret, &value, sizeof(value));
	return true;
}
_Static_assert(sizeof(enum config_mode) == sizeof(unsigned) &&
		       sizeof(enum config_offer) == sizeof(unsigned) &&
		       sizeof(enum config_unknown) == sizeof(unsigned),
	"load_enum copies an unsigned");

static bool load_bool(struct loader *l, const struct schema_key *key,
	const struct node *node, void *ret)
{
	bool switches = key->type == VALUE_SWITCH;
	unsigned value;

	for (const struct name_row *row = names_bool; !switches && row->name;
		row++) {
		if (strcasecmp(row->name, node->text) == 0) {
			*(bool *)ret = row->value;
			return true;
		}
	}
	if (!load_name_of(
		    l, switches ? names_switch : names_bool, node, &value))
		return false;
	*(bool *)ret = value;
	return true;
}

/* Decimal, without sign and without zeros in front. */
static bool text_number(const char *text, size_t len, uint32_t *ret)
{
	uint32_t value = 0;

	if (len == 0 || len > 9 || (len > 1 && text[0] == '0'))
		return false;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		value = value * 10 + (uint32_t)(text[i] - '0');
	}
	*ret = value;
	return true;
}

static bool load_number(struct loader *l, const struct schema_key *key,
	const struct node *node, void *ret)
{
	char text[QUOTE_LEN];
	uint32_t value;

	if (!text_number(node->text, node->len, &value) || value < key->min ||
		value > key->max) {
		loader_error(l, node,
			"%s is not a decimal number from %u to %u",
			quote(node->text, node->len, text), key->min, key->max);
		return false;
	}
	if (key->type == VALUE_PORT)
		*(uint16_t *)ret = (uint16_t)value;
	else
		*(uint32_t *)ret = value;
	return true;
}

static bool load_ipv4(struct loader *l, const struct schema_key *key,
	const struct node *node, void *ret)
{
	const char *why = "";
	struct in_addr address;
	char text[QUOTE_LEN];

	(void)key;
	if (inet_pton(AF_INET, node->text, &address) == 1 &&
		ntohl(address.s_addr) < 0xe0000000) {
		*(uint32_t *)ret = ntohl(address.s_addr);
		return true;
	}
	if (strchr(node->text, ':'))
		why = "; IPv6 and ports do not go here";
	loader_error(l, node,
		"%s is not an IPv4 address of this host, such as 192.168.1.1"
		" (0.0.0.0: all of them)%s",
		quote(node->text, node->len, text), why);
	return false;
}

/* Whether a text is fit in length and characters; a message if not. */
static bool text_check(struct loader *l, const struct schema_key *key,
	const struct node *node, size_t len)
{
	char text[QUOTE_LEN];

	if (len < key->min) {
		loader_error(l, node, "an empty text; wanted is %s", key->doc);
		return false;
	}
	if (len > key->max) {
		loader_error(l, node, "%zu bytes long: at most %u are taken",
			len, key->max);
		return false;
	}
	if (printable_len(node->text, len) < len) {
		bool newline =
			node->text[printable_len(node->text, len)] == '\n';

		loader_error(l, node, "%s: %s", quote(node->text, len, text),
			newline ? "a line break inside; '>' instead of '|'"
				  " folds lines into one"
				: "characters that do not print (tabs are such)"
				  " are not taken");
		return false;
	}
	return true;
}

static bool keep_text(struct loader *l, const char *text, size_t len, void *ret)
{
	*(const char **)ret = intern_text(&l->intern, text, len);
	return true;
}

/*
 * The length of "http://" or "https://"; 0 if that is not how the text begins,
 * no host follows, or there is a character that no URL has.
 */
static size_t url_scheme(const char *text, size_t len)
{
	size_t scheme = 0;

	if (strncmp(text, "http://", 7) == 0)
		scheme = 7;
	else if (strncmp(text, "https://", 8) == 0)
		scheme = 8;
	for (size_t i = 0; i < len; i++) {
		if ((text[i] & 0x80) || strchr(" #\"'<>\\^`{|}", text[i]))
			return 0;
	}
	return len > scheme && !strchr(":/?", text[scheme]) ? scheme : 0;
}

static bool load_url(struct loader *l, const struct schema_key *key,
	const struct node *node, void *ret)
{
	size_t len = node->len, scheme;
	char text[QUOTE_LEN];

	if (!text_check(l, key, node, len))
		return false;
	scheme = url_scheme(node->text, len);
	while (len > scheme && node->text[len - 1] == '/')
		len--;
	if (!scheme || strchr(node->text, '?')) {
		loader_error(l, node,
			"%s is not a base URL, such as http://boot.example:8080"
			" (http:// or https://, a host, no '?', no '#', no"
			" blanks)",
			quote(node->text, node->len, text));
		return false;
	}
	return keep_text(l, node->text, len, ret);
}

/*
 * An absolute path without empty and "." segments. ".." stays: what it means
 * depends on symbolic links.
 */
static bool load_path(struct loader *l, const struct schema_key *key,
	const struct node *node, void *ret)
{
	const char *parts[2] = {l->dir, node->text};
	char path[PATH_MAX * 2];
	size_t n = 0;

	if (!text_check(l, key, node, node->len))
		return false;
	if (node->text[0] == '/')
		parts[0] = "";
	if (strlen(parts[0]) + node->len + 2 > sizeof(path)) {
		loader_error(l, node, "a path too long");
		return false;
	}
	for (size_t i = 0; i < 2; i++) {
		const char *p = parts[i];

		while (*p) {
			size_t len;

			p += strspn(p, "/");
			len = strcspn(p, "/");
			if (len > 1 || (len == 1 && *p != '.')) {
				path[n++] = '/';
				memcpy(path + n, p, len);
				n += len;
			}
			p += len;
		}
	}
	if (n == 0)
		path[n++] = '/';
	if (n > key->max) {
		loader_error(l, node,
			"a path of %zu bytes from the root: at most %u are"
			" taken",
			n, key->max);
		return false;
	}
	return keep_text(l, path, n, ret);
}

/* The image is said once: by its name, or by its URL. */
static bool is_said(struct loader *l, const struct node *node, const void *ret)
{
	if (!*(const char *const *)ret)
		return false;
	loader_error(l, node, "'image' and 'url' exclude each other");
	return true;
}

static bool load_image_url(struct loader *l, const struct schema_key *key,
	const struct node *node, void *ret)
{
	size_t scheme;
	const char *path = NULL;
	char text[QUOTE_LEN];

	if (is_said(l, node, ret) || !text_check(l, key, node, node->len))
		return false;
	scheme = url_scheme(node->text, node->len);
	if (scheme)
		path = strchr(node->text + scheme, '/');
	if (!path || !path[1]) {
		loader_error(l, node,
			"%s is not the URL of an image, such as"
			" http://192.168.1.3/images/debian.efi (http:// or"
			" https://, a host, a path, no '#', no blanks)",
			quote(node->text, node->len, text));
		return false;
	}
	return keep_text(l, node->text, node->len, ret);
}

static bool load_image(struct loader *l, const struct schema_key *key,
	const struct node *node, void *ret)
{
	const char *slash = strrchr(node->text, '/');
	char text[QUOTE_LEN];

	if (is_said(l, node, ret) || !text_check(l, key, node, node->len))
		return false;
	if (slash || node->text[0] == '.') {
		loader_error(l, node, "%s is not the name of an image: %s",
			quote(node->text, node->len, text),
			strstr(node->text, "://") ? "a URL goes into 'url'"
			: slash ? "a name, not a path: it is looked up in the"
				  " directory of 'images'"
				: "hidden files are not served");
		return false;
	}
	return keep_text(l, node->text, node->len, ret);
}

static bool load_sha256(struct loader *l, const struct schema_key *key,
	const struct node *node, void *ret)
{
	struct digest digest;
	char text[QUOTE_LEN], plain[DIGEST_TEXT_LEN];

	(void)key;
	if (!digest_parse(node->text, node->len, &digest)) {
		loader_error(l, node,
			"%s is not a SHA-256 digest: 64 hexadecimal digits, as"
			" sha256sum prints them",
			quote(node->text, node->len, text));
		return false;
	}
	digest_format(&digest, plain);
	return keep_text(l, plain, strlen(plain), ret);
}

static bool load_cmdline(struct loader *l, const struct schema_key *key,
	const struct node *node, void *ret)
{
	size_t len = node->len;

	/* A folded scalar ends with a line break that nobody means. */
	while (len > 0 && node->text[len - 1] == '\n')
		len--;
	return text_check(l, key, node, len) &&
	       keep_text(l, node->text, len, ret);
}

static bool load_name(struct loader *l, const struct schema_key *key,
	const struct node *node, void *ret)
{
	char text[QUOTE_LEN];

	if (!text_check(l, key, node, node->len))
		return false;
	for (size_t i = 0; i < node->len; i++) {
		unsigned char c = (unsigned char)node->text[i];

		if ((c < 0x80 && isalnum(c)) || (c && strchr("._-", c)))
			continue;
		loader_error(l, node,
			"%s is not a name: letters, digits, '.', '_' and '-'"
			" make one, up to %u of them",
			quote(node->text, node->len, text), key->max);
		return false;
	}
	if (key->type == VALUE_GROUP_NAME)
		return keep_text(l, node->text, node->len, ret);
	/* Machines' names are all different: no use to look for equal ones. */
	*(const char **)ret = arena_text(l->arena, node->text, node->len);
	return true;
}

static bool load_serial(struct loader *l, const struct schema_key *key,
	const struct node *node, void *ret)
{
	if (!text_check(l, key, node, node->len))
		return false;
	*(const char **)ret = arena_text(l->arena, node->text, node->len);
	return true;
}

bool value_load(struct loader *l, const struct schema_key *key,
	const struct node *node, void *ret)
{
	static bool (*const loads[VALUE_SCALARS])(struct loader * l,
		const struct schema_key *key, const struct node *node,
		void *ret) = {[VALUE_BOOL] = load_bool,
		[VALUE_SWITCH] = load_bool,
		[VALUE_MODE] = load_enum,
		[VALUE_OFFER] = load_enum,
		[VALUE_UNKNOWN] = load_enum,
		[VALUE_PORT] = load_number,
		[VALUE_NUMBER] = load_number,
		[VALUE_IPV4] = load_ipv4,
		[VALUE_URL] = load_url,
		[VALUE_PATH] = load_path,
		[VALUE_IMAGE] = load_image,
		[VALUE_IMAGE_URL] = load_image_url,
		[VALUE_CMDLINE] = load_cmdline,
		[VALUE_NAME] = load_name,
		[VALUE_GROUP_NAME] = load_name,
		[VALUE_SERIAL] = load_serial,
		[VALUE_SHA256] = load_sha256};

	/* null is a value for the base URL: none is fixed. */
	if (key->type == VALUE_URL && node_is_null(node)) {
		*(const char **)ret = NULL;
		return true;
	}
	return value_is_scalar(l, key, node) &&
	       loads[key->type](l, key, node, ret);
}
