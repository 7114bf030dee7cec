#include "proto/dhcp.h"

#include <string.h>

#define DHCP_COOKIE	0x63825363u /* RFC 2131 3 */
#define DHCP_CODES	256
#define DHCP_CHADDR_LEN 16
#define DHCP_SNAME_LEN	64
#define DHCP_FILE_LEN	128

/* Where options may stand: the option field, then file, then sname. */
enum { AREA_OPTIONS, AREA_FILE, AREA_SNAME, AREA_MAX };

/* Values of option 52 (RFC 2132 9.3). */
enum { OVERLOAD_FILE = 1, OVERLOAD_SNAME = 2, OVERLOAD_BOTH = 3 };

struct area {
	const uint8_t *data;
	size_t len;
};

/* Options as found: the length over all pieces, the first piece's place. */
struct tally {
	struct dhcp_option opt[DHCP_CODES];
	bool split[DHCP_CODES]; /* came in more than one piece */
	size_t split_len;	/* content of all split options together */
};

/*
 * The next option of an area. False at END, or with r->err set if the area
 * ends without one.
 */
static bool next_option(
	struct wire_reader *r, uint8_t *ret_code, struct dhcp_option *ret)
{
	uint8_t code, len;
	const uint8_t *data;

	do {
		if (!r->err && wire_left(r) == 0)
			r->err = "no END option";
		code = wire_get_u8(r);
		if (r->err)
			return false;
	} while (code == DHCP_OPT_PAD);
	if (code == DHCP_OPT_END)
		return false;
	len = wire_get_u8(r);
	data = wire_get_bytes(r, len);
	if (r->err) {
		r->err = "an option runs past the end";
		return false;
	}
	*ret_code = code;
	ret->data = data;
	ret->len = len;
	return true;
}

/* Add an area's options to the tally; returns what is wrong with it. */
static const char *tally_area(struct tally *t, const struct area *area)
{
	struct wire_reader r;
	struct dhcp_option piece;
	uint8_t code;

	wire_reader_init(&r, area->data, area->len);
	while (next_option(&r, &code, &piece)) {
		struct dhcp_option *opt = &t->opt[code];

		if (!opt->data) {
			*opt = piece;
			continue;
		}
		t->split_len += piece.len;
		if (!t->split[code])
			t->split_len += opt->len;
		t->split[code] = true;
		opt->len += piece.len;
	}
	return r.err;
}

/*
 * Tally the option field, and file and sname if it says that they hold
 * options. areas[AREA_OPTIONS] is the field itself; the other two are given
 * by the caller and made empty here if they hold none. An option 52 inside of
 * file or sname means nothing (RFC 2131 4.1), so it is looked for in between.
 */
static const char *tally_message(struct tally *t, struct area areas[AREA_MAX])
{
	const struct dhcp_option *overload = &t->opt[DHCP_OPT_OVERLOAD];
	const char *err = tally_area(t, &areas[AREA_OPTIONS]);
	uint8_t value = 0;

	if (err)
		return err;
	if (overload->data) {
		if (overload->len != 1 || overload->data[0] == 0 ||
			overload->data[0] > OVERLOAD_BOTH)
			return "option overload (52) is malformed";
		value = overload->data[0];
	}
	if (value & OVERLOAD_FILE)
		err = tally_area(t, &areas[AREA_FILE]);
	else
		areas[AREA_FILE].len = 0;
	if (err)
		return err;
	if (value & OVERLOAD_SNAME)
		return tally_area(t, &areas[AREA_SNAME]);
	areas[AREA_SNAME].len = 0;
	return NULL;
}

/* Append the pieces of split options where `to` says, and move it on. */
static void join_area(
	const struct tally *t, const struct area *area, uint8_t *to[DHCP_CODES])
{
	struct wire_reader r;
	struct dhcp_option piece;
	uint8_t code;

	wire_reader_init(&r, area->data, area->len);
	while (next_option(&r, &code, &piece)) {
		if (!t->split[code])
			continue;
		memcpy(to[code], piece.data, piece.len);
		to[code] += piece.len;
	}
}

static void join_options(const struct tally *t,
	const struct area areas[AREA_MAX], struct dhcp_message *ret)
{
	uint8_t *to[DHCP_CODES];
	size_t i;

	memcpy(ret->opt, t->opt, sizeof(ret->opt));
	ret->joined_len = 0;
	if (t->split_len == 0)
		return;
	for (i = 0; i < DHCP_CODES; i++) {
		if (!t->split[i])
			continue;
		to[i] = ret->joined + ret->joined_len;
		ret->opt[i].data = to[i];
		ret->joined_len += t->opt[i].len;
	}
	for (i = 0; i < AREA_MAX; i++)
		if (areas[i].len > 0)
			join_area(t, &areas[i], to);
}

static const char *check_type(const struct dhcp_option *opt)
{
	if (opt->data && (opt->len != 1 || opt->data[0] == DHCP_TYPE_NONE))
		return "message type (53) is malformed";
	return NULL;
}

/*
 * What the fixed part must be for the rest to have a meaning. Finds the three
 * areas that may hold options.
 */
static const char *check_header(
	const void *data, size_t len, struct area ret_areas[AREA_MAX])
{
	struct wire_reader r;
	uint8_t op, hlen;
	uint32_t cookie;

	wire_reader_init(&r, data, len);
	op = wire_get_u8(&r);
	wire_skip(&r, 1); /* htype */
	hlen = wire_get_u8(&r);
	wire_skip(&r, 25 + DHCP_CHADDR_LEN); /* hops to chaddr */
	ret_areas[AREA_SNAME].data = wire_get_bytes(&r, DHCP_SNAME_LEN);
	ret_areas[AREA_SNAME].len = DHCP_SNAME_LEN;
	ret_areas[AREA_FILE].data = wire_get_bytes(&r, DHCP_FILE_LEN);
	ret_areas[AREA_FILE].len = DHCP_FILE_LEN;
	cookie = wire_get_u32(&r);
	ret_areas[AREA_OPTIONS].len = wire_left(&r);
	ret_areas[AREA_OPTIONS].data =
		wire_get_bytes(&r, ret_areas[AREA_OPTIONS].len);
	if (r.err)
		return "shorter than a DHCP message";
	if (cookie != DHCP_COOKIE)
		return "no DHCP cookie";
	if (op != DHCP_OP_REQUEST && op != DHCP_OP_REPLY)
		return "neither a request nor a reply";
	if (hlen > DHCP_CHADDR_LEN)
		return "hardware address longer than its field";
	return NULL;
}

/* The fixed part of a message that check_header found good. */
static void get_header(struct wire_reader *r, bool has_sname, bool has_file,
	struct dhcp_message *ret)
{
	const uint8_t *chaddr, *sname, *file;

	ret->op = (enum dhcp_op)wire_get_u8(r);
	ret->htype = wire_get_u8(r);
	ret->hlen = wire_get_u8(r);
	ret->hops = wire_get_u8(r);
	ret->xid = wire_get_u32(r);
	ret->secs = wire_get_u16(r);
	ret->flags = wire_get_u16(r);
	ret->ciaddr = wire_get_u32(r);
	ret->yiaddr = wire_get_u32(r);
	ret->siaddr = wire_get_u32(r);
	ret->giaddr = wire_get_u32(r);
	chaddr = wire_get_bytes(r, sizeof(ret->chaddr));
	sname = wire_get_bytes(r, sizeof(ret->sname));
	file = wire_get_bytes(r, sizeof(ret->file));
	memset(ret->sname, 0, sizeof(ret->sname));
	memset(ret->file, 0, sizeof(ret->file));
	if (r->err)
		return;
	memcpy(ret->chaddr, chaddr, sizeof(ret->chaddr));
	if (has_sname)
		memcpy(ret->sname, sname, sizeof(ret->sname));
	if (has_file)
		memcpy(ret->file, file, sizeof(ret->file));
}

const char *dhcp_parse(const void *data, size_t len, struct dhcp_message *ret)
{
	struct area areas[AREA_MAX];
	struct wire_reader r;
	struct tally tally;
	const struct dhcp_option *type = &tally.opt[DHCP_OPT_TYPE];
	const char *err = check_header(data, len, areas);

	if (err)
		return err;
	memset(&tally, 0, sizeof(tally));
	err = tally_message(&tally, areas);
	if (err)
		return err;
	err = check_type(type);
	if (err)
		return err;
	if (tally.split_len > sizeof(ret->joined))
		return "split options are too long";

	wire_reader_init(&r, data, len);
	get_header(
		&r, areas[AREA_SNAME].len == 0, areas[AREA_FILE].len == 0, ret);
	join_options(&tally, areas, ret);
	ret->type = type->data ? (enum dhcp_type)type->data[0] : DHCP_TYPE_NONE;
	return NULL;
}

uint32_t dhcp_opt_addr(const struct dhcp_message *m, enum dhcp_opt code)
{
	struct wire_reader r;

	if (m->opt[code].len != 4)
		return 0;
	wire_reader_init(&r, m->opt[code].data, m->opt[code].len);
	return wire_get_u32(&r);
}

bool dhcp_opt_begins(
	const struct dhcp_message *m, enum dhcp_opt code, const char *text)
{
	const struct dhcp_option *opt = &m->opt[code];
	size_t len = strlen(text);

	return opt->data && opt->len >= len &&
	       memcmp(opt->data, text, len) == 0;
}

bool dhcp_opt_is(
	const struct dhcp_message *m, enum dhcp_opt code, const char *text)
{
	return m->opt[code].len == strlen(text) &&
	       dhcp_opt_begins(m, code, text);
}

bool dhcp_opt_sub(
	const struct dhcp_option *opt, uint8_t code, struct dhcp_option *ret)
{
	struct wire_reader r;

	if (!opt->data)
		return false;
	wire_reader_init(&r, opt->data, opt->len);
	while (wire_left(&r) > 0) {
		uint8_t found = wire_get_u8(&r);
		struct dhcp_option sub;

		if (found == DHCP_OPT_PAD)
			continue;
		if (found == DHCP_OPT_END)
			return false;
		sub.len = wire_get_u8(&r);
		sub.data = wire_get_bytes(&r, sub.len);
		if (r.err)
			return false;
		if (found == code) {
			*ret = sub;
			return true;
		}
	}
	return false;
}

/* A name in its field, with at least one NUL behind it. */
static void put_name(struct wire_writer *w, const char *name, size_t field)
{
	size_t len = name ? strnlen(name, field) : 0;

	if (len >= field) {
		if (!w->err)
			w->err = "name longer than its field";
		return;
	}
	wire_put_bytes(w, name, len);
	wire_put_zeros(w, field - len);
}

void dhcp_put_header(struct wire_writer *w, const struct dhcp_header *h)
{
	wire_put_u8(w, (uint8_t)h->op);
	wire_put_u8(w, h->htype);
	wire_put_u8(w, h->hlen);
	wire_put_u8(w, h->hops);
	wire_put_u32(w, h->xid);
	wire_put_u16(w, h->secs);
	wire_put_u16(w, h->flags);
	wire_put_u32(w, h->ciaddr);
	wire_put_u32(w, h->yiaddr);
	wire_put_u32(w, h->siaddr);
	wire_put_u32(w, h->giaddr);
	wire_put_bytes(w, h->chaddr, sizeof(h->chaddr));
	put_name(w, h->sname, DHCP_SNAME_LEN);
	put_name(w, h->file, DHCP_FILE_LEN);
	wire_put_u32(w, DHCP_COOKIE);
}

void dhcp_put_option(
	struct wire_writer *w, enum dhcp_opt code, const void *data, size_t len)
{
	if (len < 1 || len > 255) {
		if (!w->err)
			w->err = "option content of a wrong length";
		return;
	}
	wire_put_u8(w, (uint8_t)code);
	wire_put_u8(w, (uint8_t)len);
	wire_put_bytes(w, data, len);
}

void dhcp_put_end(struct wire_writer *w)
{
	wire_put_u8(w, DHCP_OPT_END);
	if (w->len < DHCP_MIN_PACKET)
		wire_put_zeros(w, DHCP_MIN_PACKET - w->len);
}
