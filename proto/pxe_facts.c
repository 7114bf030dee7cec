#include "proto/pxe_facts.h"

#include <string.h>

#include "proto/wire.h"

#define PXE_UUID_LEN 17 /* option 97: a type byte and the UUID */

static const struct pxe_arch_row arch_rows[] = {
#define PXE_ARCH(code, arch, firmware)                                         \
	{code, ARCH_##arch, PXE_FIRMWARE_##firmware},
#include "proto/pxe_arch.def"
#undef PXE_ARCH
};

/*
 * Option 77 says "iPXE": as iPXE writes it, bare, or in a list of classes with
 * a length before each (RFC 3004 4).
 */
static bool is_user_class_ipxe(const struct dhcp_message *m)
{
	static const char mark[] = {'i', 'P', 'X', 'E'};
	const struct dhcp_option *opt = &m->opt[DHCP_OPT_USER_CLASS];
	struct wire_reader r;

	if (!opt->data)
		return false;
	if (opt->len == sizeof(mark) &&
		memcmp(opt->data, mark, sizeof(mark)) == 0)
		return true;
	wire_reader_init(&r, opt->data, opt->len);
	while (wire_left(&r) > 0) {
		size_t len = wire_get_u8(&r);
		const uint8_t *class = wire_get_bytes(&r, len);

		if (class && len == sizeof(mark) &&
			memcmp(class, mark, sizeof(mark)) == 0)
			return true;
	}
	return false;
}

/*
 * An iPXE that names its features names HTTP too if it has it; one that sends
 * none of them is taken for a usual build.
 */
static bool ipxe_has_http(const struct dhcp_message *m)
{
	const struct dhcp_option *features = &m->opt[DHCP_OPT_IPXE];
	struct dhcp_option http;

	if (!features->data)
		return true;
	return dhcp_opt_sub(features, PXE_IPXE_HTTP, &http) && http.len > 0 &&
	       http.data[0] != 0;
}

static enum pxe_class find_class(const struct dhcp_message *m)
{
	if (dhcp_opt_begins(m, DHCP_OPT_VENDOR_CLASS, PXE_VENDOR_PXE))
		return PXE_CLASS_PXE;
	if (dhcp_opt_begins(m, DHCP_OPT_VENDOR_CLASS, PXE_VENDOR_HTTP))
		return PXE_CLASS_HTTP;
	return PXE_CLASS_NONE;
}

/*
 * The row of an architecture code. With HTTPClient the class counts, and a
 * PXE code only names the processor; PXE firmware that names a code of HTTP
 * Boot contradicts itself, and has none. iPXE is free to send either.
 */
static const struct pxe_arch_row *find_row(
	uint16_t code, const struct pxe_facts *f)
{
	size_t i;

	for (i = 0; i < sizeof(arch_rows) / sizeof(arch_rows[0]); i++) {
		const struct pxe_arch_row *row = &arch_rows[i];

		if (row->code != code)
			continue;
		if (f->class == PXE_CLASS_PXE && !f->ipxe &&
			row->firmware == PXE_FIRMWARE_HTTP)
			return NULL;
		return row;
	}
	return NULL;
}

/*
 * The code in "PXEClient:Arch:00007:UNDI:003016"; false if there is none. A
 * larger number than a code can be gives 65535, which is nobody's.
 */
static bool parse_class_arch(
	const struct dhcp_message *m, enum pxe_class class, uint16_t *ret)
{
	static const char field[] = ":Arch:";
	const struct dhcp_option *opt = &m->opt[DHCP_OPT_VENDOR_CLASS];
	struct wire_reader r;
	const uint8_t *tag;
	uint32_t code = 0;
	size_t digits = 0;

	wire_reader_init(&r, opt->data, opt->len);
	wire_skip(&r, class == PXE_CLASS_HTTP ? sizeof(PXE_VENDOR_HTTP) - 1
					      : sizeof(PXE_VENDOR_PXE) - 1);
	tag = wire_get_bytes(&r, sizeof(field) - 1);
	if (!tag || memcmp(tag, field, sizeof(field) - 1) != 0)
		return false;
	while (wire_left(&r) > 0 && code <= UINT16_MAX) {
		uint8_t c = wire_get_u8(&r);

		if (c < '0' || c > '9')
			break;
		code = code * 10 + (uint32_t)(c - '0');
		digits++;
	}
	if (digits == 0)
		return false;
	*ret = code > UINT16_MAX ? UINT16_MAX : (uint16_t)code;
	return true;
}

/* Fill in the architecture from option 93, which may list several codes. */
static void read_arch(const struct dhcp_message *m, struct pxe_facts *f)
{
	const struct dhcp_option *opt = &m->opt[DHCP_OPT_CLIENT_ARCH];
	struct wire_reader r;

	if (!opt->data) {
		/* A ROM older than RFC 4578 is a BIOS. */
		if (!parse_class_arch(m, f->class, &f->arch_code) &&
			f->class == PXE_CLASS_HTTP) {
			f->arch_why = "no architecture (93)";
			return;
		}
		f->row = find_row(f->arch_code, f);
		f->arch_why = "an unknown architecture (60)";
		return;
	}
	if (opt->len == 0 || opt->len % 2 != 0) {
		f->arch_why = "architecture (93) is malformed";
		return;
	}
	wire_reader_init(&r, opt->data, opt->len);
	while (wire_left(&r) > 0 && !f->row) {
		f->arch_code = wire_get_u16(&r);
		f->row = find_row(f->arch_code, f);
	}
	f->arch_why = "an unknown architecture (93)";
}

struct pxe_facts pxe_facts_read(const struct dhcp_message *m)
{
	const struct dhcp_option *id = &m->opt[DHCP_OPT_CLIENT_UUID];
	struct pxe_facts f = {.class = find_class(m)};
	struct dhcp_option item;

	f.ipxe = is_user_class_ipxe(m) || m->opt[DHCP_OPT_IPXE].data;
	f.ipxe_http = f.ipxe && ipxe_has_http(m);
	if (f.class != PXE_CLASS_NONE)
		read_arch(m, &f);
	if (dhcp_opt_sub(&m->opt[DHCP_OPT_VENDOR], PXE_BOOT_ITEM, &item) &&
		item.len == PXE_BOOT_ITEM_LEN)
		f.boot_item = item.data;
	/*
	 * RFC 4578 2.3: type 0 is the only one there is. Another 97 is none:
	 * the machine still has its MAC address.
	 */
	if (id->data && id->len == PXE_UUID_LEN && id->data[0] == 0)
		f.uuid = id->data + 1;
	return f;
}
