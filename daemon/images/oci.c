#include "daemon/images/oci.h"

#include <jansson.h>
#include <string.h>

static const char manifest_type[] =
	"application/vnd.oci.image.manifest.v1+json";
static const char index_type[] = "application/vnd.oci.image.index.v1+json";
static const char ref_name[] = "org.opencontainers.image.ref.name";

/* The names that Go gives to architectures (GOARCH), and ours. */
static const struct {
	const char *name;
	enum arch arch;
} arches[] = {
	{"amd64", ARCH_X64},
	{"arm64", ARCH_ARM64},
	{"386", ARCH_IA32},
	{"arm", ARCH_ARM32},
	{"riscv64", ARCH_RISCV64},
	{"loong64", ARCH_LOONGARCH64},
};

/* Recursion in a JSON parser is stack: nesting is bounded before it begins. */
static bool is_shallow(const char *text, size_t len)
{
	size_t depth = 0;
	bool quoted = false;

	for (size_t i = 0; i < len; i++) {
		char c = text[i];

		if (quoted && c == '\\')
			i++;
		else if (c == '"')
			quoted = !quoted;
		else if (!quoted && (c == '{' || c == '['))
			depth++;
		else if (!quoted && (c == '}' || c == ']') && depth > 0)
			depth--;
		if (depth > OCI_MAX_DEPTH)
			return false;
	}
	return true;
}

static json_t *parse_object(const char *text, size_t len, const char **ret_why)
{
	json_t *root;

	if (len > OCI_MAX_JSON) {
		*ret_why = "its JSON is longer than 512 KiB";
		return NULL;
	}
	if (!is_shallow(text, len)) {
		*ret_why = "its JSON is nested too deeply";
		return NULL;
	}
	root = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	if (json_is_object(root))
		return root;
	json_decref(root);
	*ret_why = root ? "its JSON is no object" : "it is not valid JSON";
	return NULL;
}

static bool is_text(const json_t *value, const char *text)
{
	const char *got = json_string_value(value);

	return got && strcmp(got, text) == 0;
}

static enum arch platform_arch(const json_t *platform)
{
	const json_t *name = json_object_get(platform, "architecture");

	for (size_t i = 0; i < sizeof(arches) / sizeof(*arches); i++)
		if (is_text(name, arches[i].name))
			return arches[i].arch;
	return ARCH_INVALID;
}

static enum oci_type descriptor_type(const json_t *o)
{
	const json_t *type = json_object_get(o, "mediaType");

	if (is_text(type, manifest_type))
		return OCI_TYPE_MANIFEST;
	if (is_text(type, index_type))
		return OCI_TYPE_INDEX;
	return OCI_TYPE_OTHER;
}

/* "sha256:" and 64 digits in lower case: what a blob's path is made of. */
static bool parse_digest(const json_t *value, struct digest *ret)
{
	const char *text = json_string_value(value);
	size_t len = json_string_length(value);
	char again[DIGEST_TEXT_LEN];

	if (!text || strncmp(text, "sha256:", 7) != 0 ||
		!digest_parse(text, len, ret))
		return false;
	digest_format(ret, again);
	return strcmp(text + 7, again) == 0;
}

static bool parse_descriptor(
	const json_t *o, struct oci_descriptor *ret, const char **ret_why)
{
	const json_t *size = json_object_get(o, "size");
	const json_t *tag =
		json_object_get(json_object_get(o, "annotations"), ref_name);

	*ret = (struct oci_descriptor){.type = descriptor_type(o)};
	if (!parse_digest(json_object_get(o, "digest"), &ret->digest)) {
		*ret_why = "a descriptor's digest is not sha256: and 64 "
			   "hexadecimal digits";
		return false;
	}
	if (!json_is_integer(size) || json_integer_value(size) < 0) {
		*ret_why = "a descriptor has no size";
		return false;
	}
	ret->size = (uint64_t)json_integer_value(size);
	ret->arch = platform_arch(json_object_get(o, "platform"));
	if (json_string_length(tag) <= OCI_TAG_MAX && json_string_value(tag))
		memcpy(ret->tag, json_string_value(tag),
			json_string_length(tag) + 1);
	return true;
}

static bool check_version(const json_t *root, const char **ret_why)
{
	const json_t *version = json_object_get(root, "schemaVersion");

	if (json_is_integer(version) && json_integer_value(version) == 2)
		return true;
	*ret_why = "its schemaVersion is not 2";
	return false;
}

/* The list that it is about, of a bearable length; NULL if it is not there. */
static const json_t *get_list(
	const json_t *root, const char *name, const char **ret_why)
{
	const json_t *list = json_object_get(root, name);

	if (!json_is_array(list)) {
		*ret_why = strcmp(name, "layers") == 0 ? "it has no layers"
						       : "it has no manifests";
		return NULL;
	}
	if (json_array_size(list) > OCI_MAX_ENTRIES) {
		*ret_why = "it has more than 256 entries";
		return NULL;
	}
	return list;
}

bool oci_check_layout(const char *text, size_t len, const char **ret_why)
{
	json_t *root = parse_object(text, len, ret_why);
	const char *version =
		json_string_value(json_object_get(root, "imageLayoutVersion"));
	bool ok = version && strncmp(version, "1.", 2) == 0;

	if (root && !ok)
		*ret_why = "its imageLayoutVersion is not 1";
	json_decref(root);
	return ok;
}

bool oci_parse_index(const char *text, size_t len, struct oci_index *ret,
	const char **ret_why)
{
	json_t *root = parse_object(text, len, ret_why);
	const json_t *list = NULL;
	bool ok = false;

	if (root && check_version(root, ret_why))
		list = get_list(root, "manifests", ret_why);
	if (list) {
		ok = true;
		ret->n = json_array_size(list);
	}
	for (size_t i = 0; ok && i < ret->n; i++)
		ok = parse_descriptor(
			json_array_get(list, i), &ret->entry[i], ret_why);
	json_decref(root);
	return ok;
}

bool oci_parse_manifest(const char *text, size_t len,
	struct oci_descriptor *ret, const char **ret_why)
{
	json_t *root = parse_object(text, len, ret_why);
	const json_t *list = NULL, *layer = NULL;
	size_t n = 0;
	bool ok = false;

	if (root && check_version(root, ret_why))
		list = get_list(root, "layers", ret_why);
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *one = json_array_get(list, i);

		if (is_text(json_object_get(one, "mediaType"), OCI_UKI_TYPE)) {
			layer = one;
			n++;
		}
	}
	if (n == 1)
		ok = parse_descriptor(layer, ret, ret_why);
	else if (list)
		*ret_why = n ? "it has several layers of type " OCI_UKI_TYPE
			     : "it has no layer of type " OCI_UKI_TYPE;
	json_decref(root);
	return ok;
}

bool oci_tag_is_plain(const char *tag)
{
	static const char first[] = "abcdefghijklmnopqrstuvwxyz"
				    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
	size_t len = strspn(tag, first);

	while (len && tag[len] &&
		(strchr("._-", tag[len]) || strchr(first, tag[len])))
		len++;
	return len && !tag[len];
}
