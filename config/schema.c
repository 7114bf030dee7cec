#include "config/schema.h"

#include <string.h>

#include "config/config.h"

#define STRUCT_TOP	struct config
#define STRUCT_DHCP	struct config
#define STRUCT_TFTP	struct config
#define STRUCT_HTTP	struct config
#define STRUCT_HISTORY	struct config
#define STRUCT_SETTINGS struct config_settings
#define STRUCT_MACHINE	struct config_machine
#define STRUCT_GROUP	struct config_group

const struct schema_key schema_keys[] = {
#define ROW(section, name, type, field, at, min, max, preset, doc)             \
	{name, SECTION_##section, VALUE_##type,                                \
		offsetof(STRUCT_##section, field), at, min, max, preset, doc},
#define KEY(section, name, type, field, min, max, preset, doc)                 \
	ROW(section, name, type, field, SIZE_MAX, min, max, preset, doc)
#define KEY_AT(section, name, type, field, at, min, max, preset, doc)          \
	ROW(section, name, type, field, offsetof(STRUCT_##section, at), min,   \
		max, preset, doc)
#define LOADER(arch, path)
#include "config/schema.def"
#undef LOADER
#undef KEY_AT
#undef KEY
#undef ROW
};
const size_t schema_n_keys = sizeof(schema_keys) / sizeof(schema_keys[0]);

static const char *const schema_loaders[ARCH_MAX] = {
#define KEY(section, name, type, field, min, max, preset, doc)
#define KEY_AT(section, name, type, field, at, min, max, preset, doc)
#define LOADER(arch, path) [ARCH_##arch] = (path),
#include "config/schema.def"
#undef LOADER
#undef KEY_AT
#undef KEY
};

const char *schema_section_name(enum schema_section section)
{
	static const char *const names[SECTION_MAX] = {[SECTION_TOP] = "",
		[SECTION_DHCP] = "dhcp",
		[SECTION_TFTP] = "tftp",
		[SECTION_HTTP] = "http",
		[SECTION_HISTORY] = "history",
		[SECTION_SETTINGS] = "defaults",
		[SECTION_MACHINE] = "machines",
		[SECTION_GROUP] = "groups"};

	return names[section];
}

const struct schema_key *schema_find(
	enum schema_section section, const char *name)
{
	for (size_t i = 0; i < schema_n_keys; i++) {
		if (schema_keys[i].section == section &&
			strcmp(schema_keys[i].name, name) == 0)
			return &schema_keys[i];
	}
	return NULL;
}

const char *schema_loader(enum arch arch)
{
	return schema_loaders[arch];
}
