#include <arpa/inet.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "config/loader.h"
#include "config/settings.h"

/* Of each arena; 100,000 machines need less than a tenth. */
#define ARENA_LIMIT ((size_t)1 << 30)
/* Of one machine, one group, or the defaults. */
#define FILES_MAX 64u

/* What load_interface fills. */
struct interfaces {
	const char **names;
	struct config_at *ats;
	size_t n;
};

static void load_interface(struct loader *l, const struct schema_key *key,
	const struct node *node, void *context)
{
	struct interfaces *to = context;
	char text[QUOTE_LEN];

	if (!value_is_scalar(l, key, node))
		return;
	quote(node->text, node->len, text);
	/* As Linux has it: dev_valid_name(). */
	if (node->len == 0 || node->len > 15 || strpbrk(node->text, "/: ") ||
		printable_len(node->text, node->len) < node->len ||
		strcmp(node->text, ".") == 0 || strcmp(node->text, "..") == 0) {
		loader_error(l, node,
			"%s is not the name of a network interface, such as"
			" eth0: 1 to 15 characters, no '/', ':' or blanks",
			text);
		return;
	}
	for (size_t i = 0; i < to->n; i++) {
		if (strcmp(to->names[i], node->text) == 0) {
			loader_error(l, node, "%s is already there (line %u)",
				text, to->ats[i].line);
			return;
		}
	}
	to->names[to->n] = arena_text(l->arena, node->text, node->len);
	to->ats[to->n] = node_at(node, l->file);
	to->n += to->names[to->n] != NULL;
}

void load_interfaces(struct loader *l, const struct schema_key *key,
	const struct node *node, void *base)
{
	size_t n = node->type == NODE_LIST ? node->len : 1;
	struct config *config = base;
	struct interfaces to = {0};

	if (n == 0)
		return;
	to.names = arena_alloc(
		l->arena, n * sizeof(*to.names), _Alignof(const char *));
	to.ats = arena_alloc(
		l->arena, n * sizeof(*to.ats), _Alignof(struct config_at));
	if (!to.names || !to.ats)
		return;
	load_items(l, key, node, load_interface, &to);
	config->interfaces = to.names;
	config->interfaces_at = to.ats;
	config->n_interfaces = to.n;
}

/* What load_network fills. */
struct networks {
	struct config_network *networks;
	size_t n;
};

/* "10.1.0.0/16", or an address alone. False: it is neither. */
static bool parse_network(const char *text, struct config_network *ret)
{
	const char *slash = strchr(text, '/');
	size_t len = slash ? (size_t)(slash - text) : strlen(text);
	char address[INET_ADDRSTRLEN];
	unsigned bits = 32;
	struct in_addr in;

	if (len >= sizeof(address))
		return false;
	memcpy(address, text, len);
	address[len] = '\0';
	if (inet_pton(AF_INET, address, &in) != 1)
		return false;
	if (slash) {
		len = strlen(slash + 1);
		if (len < 1 || len > 2 || strspn(slash + 1, "0123456789") < len)
			return false;
		bits = (unsigned)(slash[1] - '0');
		if (len == 2)
			bits = bits * 10 + (unsigned)(slash[2] - '0');
		if (bits > 32)
			return false;
	}
	ret->mask = bits ? UINT32_MAX << (32 - bits) : 0;
	ret->addr = ntohl(in.s_addr);
	return true;
}

static void load_network(struct loader *l, const struct schema_key *key,
	const struct node *node, void *context)
{
	struct networks *to = context;
	struct config_network network;
	char text[QUOTE_LEN];

	if (!value_is_scalar(l, key, node))
		return;
	quote(node->text, node->len, text);
	if (strlen(node->text) != node->len ||
		!parse_network(node->text, &network))
		loader_error(l, node,
			"%s is not an IPv4 network, such as 10.1.0.0/16", text);
	else if (network.addr & ~network.mask)
		loader_error(l, node,
			"%s has bits set behind its prefix: is the network"
			" meant, or the address alone (/32)?",
			text);
	else
		to->networks[to->n++] = network;
}

void load_networks(struct loader *l, const struct schema_key *key,
	const struct node *node, void *base)
{
	size_t n = node->type == NODE_LIST ? node->len : 1;
	struct config *config = base;
	struct networks to = {0};

	if (n)
		to.networks = arena_alloc(l->arena, n * sizeof(*to.networks),
			_Alignof(struct config_network));
	if (!to.networks)
		return;
	load_items(l, key, node, load_network, &to);
	config->tftp.allow = to.networks;
	config->tftp.n_allow = to.n;
}

static void tell_unknown_arch(struct loader *l, const struct node *key)
{
	/* What others call them; amd64 is not a slip for arm64. */
	static const struct {
		const char *theirs;
		enum arch ours;
	} aliases[] = {{"amd64", ARCH_X64}, {"x86_64", ARCH_X64},
		{"x86-64", ARCH_X64}, {"efi", ARCH_X64}, {"uefi", ARCH_X64},
		{"x86", ARCH_IA32}, {"i386", ARCH_IA32}, {"i686", ARCH_IA32},
		{"aarch64", ARCH_ARM64}, {"arm", ARCH_ARM32},
		{"armhf", ARCH_ARM32}, {"legacy", ARCH_BIOS},
		{"pcbios", ARCH_BIOS}, {"pxe", ARCH_BIOS}};
	const char *best = NULL;
	struct suggest suggest;
	char text[QUOTE_LEN];

	if (loader_error_is_late(l))
		return;
	quote(key->text, key->len, text);
	suggest_init(&suggest, key->text);
	for (size_t i = 0; i < sizeof(aliases) / sizeof(aliases[0]); i++) {
		if (strcmp(key->text, aliases[i].theirs) == 0)
			best = arch_name(aliases[i].ours);
	}
	for (int i = 0; i < ARCH_MAX && !best; i++)
		suggest_try(&suggest, arch_name((enum arch)i));
	best = best ? best : suggest_best(&suggest);
	if (best)
		loader_error(l, key,
			"unknown architecture %s: did you mean '%s'?", text,
			best);
	else
		loader_error(l, key,
			"unknown architecture %s: known are bios, ia32, x64,"
			" arm32, arm64, riscv64, loongarch64 and their like",
			text);
}

/*
 * paths by architecture; ats: where each is said, or NULL. With ats, null is
 * a value: no loader for it, not even Debian's.
 */
static void load_paths(struct loader *l, const struct schema_key *key,
	const struct node *node, const char **paths, struct config_at *ats)
{
	struct schema_key path_key = *key;

	path_key.type = VALUE_PATH;
	path_key.doc = "the path of an iPXE binary";
	if (node_is_null(node))
		return;
	if (node->type != NODE_MAPPING) {
		loader_error(l, node,
			"this is %s, wanted is a mapping from architectures to"
			" paths, such as {x64: PATH}",
			node_type_text(node));
		return;
	}
	for (const struct node *k = node->first; k; k = k->next) {
		enum arch arch = arch_from_name(k->text);

		if (arch == ARCH_INVALID) {
			tell_unknown_arch(l, k);
			continue;
		}
		l->subkey = arch_name(arch);
		if (ats)
			ats[arch] = node_at(k->value, l->file);
		if (ats && node_is_null(k->value))
			paths[arch] = NULL;
		else
			value_load(l, &path_key, k->value, &paths[arch]);
		l->subkey = NULL;
	}
}

void load_loaders(struct loader *l, const struct schema_key *key,
	const struct node *node, void *base)
{
	struct config *config = base;

	load_paths(l, key, node, config->loaders, config->loaders_at);
}

void load_settings_loaders(struct loader *l, const struct schema_key *key,
	const struct node *node, void *base)
{
	struct config_settings *settings = base;
	const char **paths = arena_alloc(
		l->arena, ARCH_MAX * sizeof(*paths), _Alignof(const char *));

	if (!paths)
		return;
	load_paths(l, key, node, paths, NULL);
	settings->loader = paths;
}

static void load_file_of(struct loader *l, const struct schema_key *key,
	const struct node *node, struct config_file *ret)
{
	const char *why = config_why_no_file_name(node->text);
	char text[QUOTE_LEN];

	if (why) {
		loader_error(l, node, "%s is not a name for a file: %s",
			quote(node->text, node->len, text), why);
		return;
	}
	l->subkey = node->text;
	ret->name = intern_text(&l->intern, node->text, node->len);
	ret->at = node_at(node->value, l->file);
	value_load(l, key, node->value, &ret->path);
	l->subkey = NULL;
}

void load_files(struct loader *l, const struct schema_key *key,
	const struct node *node, void *base)
{
	struct config_settings *settings = base;
	struct schema_key path_key = *key;
	struct config_files *files;
	struct config_file *file;

	path_key.type = VALUE_PATH;
	path_key.doc = "the path of a file";
	if (node_is_null(node) || (node->type == NODE_MAPPING && !node->len))
		return;
	if (node->type != NODE_MAPPING || node->len > FILES_MAX) {
		loader_error(l, node,
			"wanted is a mapping from names to paths, such as"
			" {user-data: PATH}, of at most %u",
			FILES_MAX);
		return;
	}
	files = arena_alloc(
		l->arena, sizeof(*files), _Alignof(struct config_files));
	file = arena_alloc(l->arena, node->len * sizeof(*file),
		_Alignof(struct config_file));
	if (!files || !file)
		return;
	files->file = file;
	for (const struct node *k = node->first; k; k = k->next)
		load_file_of(l, &path_key, k, &file[files->n++]);
	settings->files = files;
}

static void load_section(struct loader *l, const struct schema_key *key,
	const struct node *node, struct target target, struct config_at *at)
{
	if (node_is_null(node))
		return;
	if (at)
		*at = node_at(node, l->file);
	l->kind = key->name;
	l->key = NULL;
	load_mapping(l, node, &target, 1);
	l->kind = NULL;
}

void load_dhcp(struct loader *l, const struct schema_key *key,
	const struct node *node, void *base)
{
	struct config *config = base;
	const struct node *offer = node_get(node, "offer");

	if (offer)
		config->private->offer_at = node_at(offer, l->file);
	load_section(l, key, node, (struct target){SECTION_DHCP, config},
		&config->dhcp.at);
}

void load_tftp(struct loader *l, const struct schema_key *key,
	const struct node *node, void *base)
{
	struct config *config = base;

	load_section(l, key, node, (struct target){SECTION_TFTP, config},
		&config->tftp.at);
}

void load_http(struct loader *l, const struct schema_key *key,
	const struct node *node, void *base)
{
	struct config *config = base;

	load_section(l, key, node, (struct target){SECTION_HTTP, config},
		&config->http.at);
}

void load_history(struct loader *l, const struct schema_key *key,
	const struct node *node, void *base)
{
	struct config *config = base;

	load_section(
		l, key, node, (struct target){SECTION_HISTORY, config}, NULL);
}

void load_defaults(struct loader *l, const struct schema_key *key,
	const struct node *node, void *base)
{
	struct config *config = base;

	load_section(l, key, node,
		(struct target){SECTION_SETTINGS, &config->defaults}, NULL);
}

/* The defaults are read from their texts, as if they stood in the file. */
static void load_presets(struct loader *l)
{
	for (size_t i = 0; i < schema_n_keys; i++) {
		const struct schema_key *key = &schema_keys[i];
		char *base = (char *)l->config;
		struct node node = {.type = NODE_SCALAR, .plain = true};

		if (!key->preset)
			continue;
		if (key->section == SECTION_SETTINGS)
			base = (char *)&l->config->defaults;
		node.text = key->preset;
		node.len = (uint32_t)strlen(key->preset);
		value_load(l, key, &node, base + key->offset);
	}
	for (int i = 0; i < ARCH_MAX; i++)
		l->config->loaders[i] = schema_loader((enum arch)i);
}

static struct loader *load_begin(void)
{
	struct config_private *private = calloc(1, sizeof(*private));
	struct config *config = calloc(1, sizeof(*config));
	struct loader *l = calloc(1, sizeof(*l));

	if (!private || !config || !l) {
		free(private);
		free(config);
		free(l);
		return NULL;
	}
	l->config = config;
	config->private = private;
	l->config->private->refs = 1;
	l->config->defaults.loader = settings_no_loader;
	l->arena = &private->arena;
	l->dir = "/";
	arena_init(l->arena, ARENA_LIMIT);
	arena_init(&l->trees, ARENA_LIMIT);
	intern_init(&l->intern, l->arena);
	diag_init(&l->diag);
	load_presets(l);
	return l;
}

static void load_main(struct loader *l, const struct node *root)
{
	struct target target = {SECTION_TOP, l->config};

	if (!root || node_is_null(root))
		return;
	if (root->type == NODE_LIST) {
		loader_error(l, root,
			"this is a list, wanted is a mapping: a list of"
			" machines belongs under 'machines:'");
		return;
	}
	load_mapping(l, root, &target, 1);
}

/* Give the values to the config, if all went well, and free the rest. */
static struct config *load_end(struct loader *l, struct config_report *report)
{
	static const char *const no_name = "netuki";
	struct config *config = l->config;
	const char **names;
	bool failed;

	load_finish(l);
	names = arena_alloc(
		l->arena, l->n_files * sizeof(*names), _Alignof(const char *));
	if (names)
		memcpy(names, l->names, l->n_files * sizeof(*names));
	config->files = names;
	config->n_files = l->n_files;
	if (l->arena->failed || l->trees.failed)
		diag_add(&l->diag, (struct config_at){0, 0, 0}, false,
			"out of memory, or too large");
	failed = l->diag.n_errors > 0;
	diag_flush(&l->diag, l->n_files ? l->names : &no_name, report);
	if (failed) {
		config_unref(config);
		config = NULL;
	}
	intern_done(&l->intern);
	arena_done(&l->trees);
	free(l->names);
	free(l->files);
	free(l->machine_nodes);
	free(l->group_nodes);
	free(l);
	/* What libyaml and our tables left behind in holes of the heap. */
	malloc_trim(0);
	return config;
}

static struct config *load(const char *name, const char *text, size_t len,
	struct config_report *report)
{
	struct loader *l = load_begin();
	const struct node *root;
	bool ok;

	if (!l) {
		config_report_add(report, NULL, (struct config_at){0, 0, 0},
			false, "%s: out of memory", name);
		return NULL;
	}
	l->from_text = text != NULL;
	l->report = report;
	ok = text ? load_text(l, name, text, len, &root)
		  : load_file(l, name, &root);
	if (ok)
		load_main(l, root);
	return load_end(l, report);
}

struct config *config_load(const char *path, struct config_report *report)
{
	return load(path, NULL, 0, report);
}

struct config *config_load_text(const char *name, const char *text, size_t len,
	struct config_report *report)
{
	return load(name, text ? text : "", len, report);
}

struct config *config_ref(struct config *config)
{
	config->private->refs++;
	return config;
}

void config_unref(struct config *config)
{
	if (!config || --config->private->refs > 0)
		return;
	index_done(config->private);
	free(config->private->machines);
	free(config->private->groups);
	arena_done(&config->private->arena);
	free(config->private);
	free(config);
}
