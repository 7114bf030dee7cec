#include "proto/uki.h"

#include <string.h>

#include "proto/wire.h"

/* The x86 boot protocol (Linux: Documentation/arch/x86/boot.rst). */
#define BOOT_FLAG_AT	     0x1fe
#define BOOT_FLAG	     0xaa55
#define BOOT_MAGIC_AT	     0x202
#define BOOT_VERSION_AT	     0x206
#define BOOT_CMDLINE_MAX_AT  0x238
#define BOOT_CMDLINE_VERSION 0x206 /* the first that says its maximum */
#define BOOT_OLD_CMDLINE_MAX 255

static void inspect_pe(
	const uint8_t *head, size_t head_len, struct uki_kernel *ret)
{
	struct wire_reader r;
	size_t pe_at;
	const uint8_t *signature;
	uint16_t machine;

	if (head_len < 2 || memcmp(head, "MZ", 2) != 0)
		return;
	wire_reader_init(&r, head, head_len);
	wire_seek(&r, 0x3c);
	pe_at = wire_get_le32(&r);
	wire_seek(&r, pe_at);
	signature = wire_get_bytes(&r, 4);
	machine = wire_get_le16(&r);
	if (!r.err && memcmp(signature, "PE\0", 4) == 0)
		ret->arch = arch_from_pe(machine);
}

static void inspect_bzimage(
	const uint8_t *head, size_t head_len, struct uki_kernel *ret)
{
	struct wire_reader r;
	const uint8_t *magic;
	uint16_t flag, version;
	uint32_t max;

	wire_reader_init(&r, head, head_len);
	wire_seek(&r, BOOT_FLAG_AT);
	flag = wire_get_le16(&r);
	wire_seek(&r, BOOT_MAGIC_AT);
	magic = wire_get_bytes(&r, 4);
	version = wire_get_le16(&r);
	if (r.err || flag != BOOT_FLAG || memcmp(magic, "HdrS", 4) != 0)
		return;
	ret->bzimage = true;
	ret->cmdline_max = BOOT_OLD_CMDLINE_MAX;
	if (version < BOOT_CMDLINE_VERSION)
		return;
	wire_seek(&r, BOOT_CMDLINE_MAX_AT);
	max = wire_get_le32(&r);
	ret->cmdline_max = r.err ? 0 : max;
}

void uki_inspect_kernel(
	const uint8_t *head, size_t head_len, struct uki_kernel *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->arch = ARCH_INVALID;
	inspect_pe(head, head_len, ret);
	inspect_bzimage(head, head_len, ret);
}

static bool is_white(uint8_t c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

size_t uki_clean_cmdline(const uint8_t *text, size_t len, char *ret, size_t cap)
{
	const uint8_t *nul = len > 0 ? memchr(text, 0, len) : NULL;

	if (nul)
		len = (size_t)(nul - text);
	while (len > 0 && is_white(text[len - 1]))
		len--;
	if (len >= cap)
		return SIZE_MAX;
	for (size_t i = 0; i < len; i++)
		ret[i] = is_white(text[i]) ? ' ' : (char)text[i];
	ret[len] = '\0';
	return len;
}
