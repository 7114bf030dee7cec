#include "config/settings.h"

#include <string.h>
#include <strings.h>

#include "proto/hex.h"

const char *const settings_no_loader[ARCH_MAX] = {NULL};
const struct config_settings settings_none = {.loader = settings_no_loader};

bool settings_is_empty(const struct config_settings *settings)
{
	return !settings->image && !settings->cmdline && !settings->sha256 &&
	       settings->mode == CONFIG_MODE_UNSET &&
	       settings->offer == CONFIG_OFFER_UNSET && !settings->vlan &&
	       settings->loader == settings_no_loader && !settings->files;
}

bool prefix_parse(const char *text, size_t len, struct config_prefix *ret)
{
	char sep = len > 2 && hex_digit(text[2]) < 0 ? text[2] : '\0';
	size_t step = sep ? 3 : 2;
	struct config_prefix prefix = {0};

	if (sep && sep != ':' && sep != '-')
		return false;
	if (len == 0 || (len + (sep != '\0')) % step != 0 ||
		(len + (sep != '\0')) / step > sizeof(prefix.b))
		return false;
	for (size_t i = 0; i < len; i += step) {
		if (!hex_get(text + i, &prefix.b[prefix.len++]) ||
			(sep && i + 2 < len && text[i + 2] != sep))
			return false;
	}
	*ret = prefix;
	return true;
}

void prefix_format(
	const struct config_prefix *prefix, char ret[PREFIX_TEXT_LEN])
{
	char *p = ret;

	for (size_t i = 0; i < prefix->len; i++) {
		if (i > 0)
			*p++ = ':';
		p = hex_put(p, prefix->b[i]);
	}
	*p = '\0';
}

void machine_default_name(
	const struct config_machine *machine, char ret[MACHINE_NAME_LEN])
{
	ret[0] = '\0';
	if (machine->n_macs > 0)
		mac_format(&machine->macs[0], ':', ret);
	else if (machine->has_uuid)
		uuid_format(&machine->uuid, ret);
	else if (machine->serial)
		memcpy(ret, machine->serial, strlen(machine->serial) + 1);
	else if (machine->n_prefixes > 0)
		prefix_format(&machine->prefixes[0], ret);
}

const char *config_why_no_file_name(const char *name)
{
	static const char all[] = "abcdefghijklmnopqrstuvwxyz"
				  "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
	size_t len = strlen(name);

	if (len == 0 || len > 128 || name[strspn(name, all)] || name[0] == '.')
		return "up to 128 letters, digits, '.', '_' and '-' make one, "
		       "without '.' at its beginning";
	if (strcmp(name, "booted") == 0)
		return "that is where a machine says that it is up";
	if (len > 4 && strcasecmp(name + len - 4, ".efi") == 0)
		return "names in .efi are images'";
	return NULL;
}
