/*
 * What a machine that boots says and understands; see bench_boot.h.
 */
#include <stdio.h>
#include <string.h>

#include "daemon/ctl/bench/bench_boot.h"
#include "proto/dhcp.h"
#include "proto/pxe.h"
#include "proto/wire.h"

#define PCBIOS 0 /* of option 93 */

static void put_text(
	struct wire_writer *w, enum dhcp_opt code, const char *text)
{
	dhcp_put_option(w, code, text, strlen(text));
}

/* No two machines have the same UUID; this one says no other's. */
static void make_uuid(const struct bench_self *self, uint8_t ret[16])
{
	memset(ret, 0, 16);
	ret[6] = 0x40;
	ret[8] = 0x80;
	memcpy(ret + 10, self->mac.b, sizeof(self->mac.b));
}

/* That item, of layer 0. */
static void put_item(struct wire_writer *w, uint16_t item)
{
	const uint8_t content[] = {PXE_BOOT_ITEM, PXE_BOOT_ITEM_LEN,
		(uint8_t)(item >> 8), (uint8_t)item, 0, 0, DHCP_OPT_END};

	dhcp_put_option(w, DHCP_OPT_VENDOR, content, sizeof(content));
}

size_t bench_dhcp_build(const struct bench_self *self,
	const struct bench_answer *offer, uint8_t out[BENCH_DHCP_MAX])
{
	static const uint8_t list[] = {1, 3, 43, 54, 60, 66, 67, 97};
	static const uint8_t size[] = {1472 >> 8, 1472 & 0xff};
	static const uint8_t undi[] = {1, 3, 16};
	static const uint8_t features[] = {PXE_IPXE_HTTP, 1, 1};
	struct dhcp_header header = {
		.op = DHCP_OP_REQUEST,
		.htype = 1,
		.hlen = sizeof(self->mac.b),
		.xid = self->xid,
		/* So the server knows whose address this is. */
		.ciaddr = self->ip,
	};
	const uint8_t type = offer ? DHCP_TYPE_REQUEST : DHCP_TYPE_DISCOVER;
	const uint8_t arch[] = {
		(uint8_t)(self->arch >> 8), (uint8_t)self->arch};
	uint8_t uuid[17] = {0};
	struct wire_writer w;
	char class[40];

	memcpy(header.chaddr, self->mac.b, sizeof(self->mac.b));
	make_uuid(self, uuid + 1);
	snprintf(class, sizeof(class), "%s:Arch:%05u:UNDI:003016",
		self->http_client ? PXE_VENDOR_HTTP : PXE_VENDOR_PXE,
		(unsigned)self->arch);
	wire_writer_init(&w, out, BENCH_DHCP_MAX);
	dhcp_put_header(&w, &header);
	dhcp_put_option(&w, DHCP_OPT_TYPE, &type, sizeof(type));
	dhcp_put_option(&w, DHCP_OPT_MAX_SIZE, size, sizeof(size));
	dhcp_put_option(&w, DHCP_OPT_PARAMETER_LIST, list, sizeof(list));
	dhcp_put_option(&w, DHCP_OPT_CLIENT_UUID, uuid, sizeof(uuid));
	dhcp_put_option(&w, DHCP_OPT_CLIENT_NDI, undi, sizeof(undi));
	dhcp_put_option(&w, DHCP_OPT_CLIENT_ARCH, arch, sizeof(arch));
	put_text(&w, DHCP_OPT_VENDOR_CLASS, class);
	if (self->ipxe) {
		put_text(&w, DHCP_OPT_USER_CLASS, "iPXE");
		dhcp_put_option(&w, DHCP_OPT_IPXE, features, sizeof(features));
	}
	if (offer && offer->item)
		put_item(&w, offer->item);
	dhcp_put_end(&w);
	return w.len;
}

/* Option 67 may bear a NUL at its end; the field has one. */
static void take_file(const struct dhcp_message *m, char ret[URL_MAX])
{
	const struct dhcp_option *opt = &m->opt[DHCP_OPT_BOOT_FILE];
	const void *text = opt->data ? (const void *)opt->data : m->file;
	size_t len = opt->data ? opt->len : sizeof(m->file);

	len = strnlen(text, len < URL_MAX ? len : URL_MAX - 1);
	memcpy(ret, text, len);
	ret[len] = '\0';
}

static bool is_direct(const struct dhcp_message *m)
{
	struct dhcp_option control;

	return dhcp_opt_sub(&m->opt[DHCP_OPT_VENDOR], PXE_DISCOVERY_CONTROL,
		       &control) &&
	       control.len == 1 && (control.data[0] & PXE_CONTROL_DIRECT);
}

/* Is there a menu? Its first item. */
static bool first_item(const struct dhcp_message *m, uint16_t *ret)
{
	struct dhcp_option menu;

	if (!dhcp_opt_sub(&m->opt[DHCP_OPT_VENDOR], PXE_MENU, &menu) ||
		menu.len < 2)
		return false;
	*ret = (uint16_t)(menu.data[0] << 8 | menu.data[1]);
	return true;
}

static bool has_to_ask(const struct bench_self *self,
	const struct dhcp_message *m, const struct bench_answer *answer,
	bool has_menu)
{
	if (self->http_client || is_direct(m))
		return false;
	if (has_menu)
		return answer->item || answer->file[0];
	return !self->ipxe || !answer->file[0];
}

bool bench_dhcp_read(const struct bench_self *self, bool request,
	const uint8_t *data, size_t len, struct bench_answer *ret)
{
	struct dhcp_message m;
	bool has_menu;

	if (dhcp_parse(data, len, &m) != NULL || m.op != DHCP_OP_REPLY ||
		m.xid != self->xid ||
		memcmp(m.chaddr, self->mac.b, sizeof(self->mac.b)) != 0 ||
		m.type != (request ? DHCP_TYPE_ACK : DHCP_TYPE_OFFER) ||
		!dhcp_opt_begins(&m, DHCP_OPT_VENDOR_CLASS,
			self->http_client ? PXE_VENDOR_HTTP : PXE_VENDOR_PXE))
		return false;
	*ret = (struct bench_answer){.server = m.siaddr};
	if (!ret->server)
		ret->server = dhcp_opt_addr(&m, DHCP_OPT_SERVER_ID);
	take_file(&m, ret->file);
	has_menu = first_item(&m, &ret->item);
	ret->ask_there = !request && has_to_ask(self, &m, ret, has_menu);
	return true;
}

bool bench_is_system(const char *file)
{
	return strstr(file, "images/") || strstr(file, "machines/");
}

/* What stands between "${" and "}". */
static void expand_one(const struct bench_self *self, const char *name,
	size_t len, char ret[40])
{
	bool bios = self->arch == PCBIOS;
	struct uuid uuid;

	ret[0] = '\0';
	if (len > 5 && memcmp(name, "net0/", 5) == 0) {
		name += 5;
		len -= 5;
	}
#define IS(text) (len == sizeof(text) - 1 && memcmp(name, text, len) == 0)
	if (IS("mac"))
		mac_format(&self->mac, ':', ret);
	else if (IS("mac:hexhyp"))
		mac_format(&self->mac, '-', ret);
	else if (IS("buildarch"))
		strcpy(ret, bios ? "i386" : "x86_64");
	else if (IS("platform"))
		strcpy(ret, bios ? "pcbios" : "efi");
	else if (IS("ip"))
		snprintf(ret, 40, "%u.%u.%u.%u", self->ip >> 24,
			self->ip >> 16 & 255, self->ip >> 8 & 255,
			self->ip & 255);
#undef IS
	if (len == 4 && memcmp(name, "uuid", 4) == 0) {
		make_uuid(self, uuid.b);
		uuid = uuid_swap(&uuid);
		uuid_format(&uuid, ret);
	}
}

void bench_script_expand(
	const struct bench_self *self, const char *text, char ret[URL_MAX])
{
	struct wire_writer w;
	char value[40];

	wire_writer_init(&w, ret, URL_MAX);
	while (*text) {
		const char *end = NULL;

		if (text[0] == '$' && text[1] == '{')
			end = strchr(text, '}');
		if (end) {
			expand_one(self, text + 2, (size_t)(end - text - 2),
				value);
			wire_put_text(&w, value);
			text = end + 1;
		} else {
			wire_put_u8(&w, (uint8_t)*text++);
		}
	}
	if (!wire_terminate(&w))
		ret[0] = '\0';
}

/* The first word of the line with "://" in it. */
static bool take_url(const char *line, size_t len, char ret[URL_MAX])
{
	const char *end = line + len;

	while (line < end) {
		size_t word = strcspn(line, " \t\r\n");

		if (word >= URL_MAX)
			return false;
		memcpy(ret, line, word);
		ret[word] = '\0';
		if (strstr(ret, "://"))
			return true;
		line += word;
		line += strspn(line, " \t\r");
	}
	return false;
}

bool bench_script_next(const char **at, char ret[URL_MAX])
{
	static const char *const commands[] = {
		"chain ", "kernel ", "initrd ", "imgfetch ", "module "};
	const char *line = *at;

	while (*line) {
		size_t len = strcspn(line, "\n");
		const char *next = line + len + (line[len] == '\n');
		bool fetches = false, chains = strncmp(line, "chain ", 6) == 0;

		for (size_t i = 0; i < sizeof(commands) / sizeof(*commands);
			i++)
			fetches |= strncmp(line, commands[i],
					   strlen(commands[i])) == 0;
		if (fetches && take_url(line, len, ret)) {
			/* What was chained to does not come back. */
			*at = chains ? next + strlen(next) : next;
			return true;
		}
		line = next;
	}
	return false;
}
