#include "proto/tftp.h"

#include <string.h>

#include "proto/path.h"

/* The options that we know, in the order in which an OACK lists them. */
enum option {
	OPTION_TSIZE,
	OPTION_BLKSIZE,
	OPTION_TIMEOUT,
	OPTION_WINDOWSIZE,
	OPTION_COUNT
};

/* What a request may ask; anything else is as if not asked. */
static const struct {
	const char *name;
	uint64_t min, max;
} options[OPTION_COUNT] = {
	[OPTION_TSIZE] = {"tsize", 0, UINT64_MAX},
	[OPTION_BLKSIZE] = {"blksize", TFTP_MIN_BLKSIZE, UINT32_MAX},
	[OPTION_TIMEOUT] = {"timeout", 1, 255},
	[OPTION_WINDOWSIZE] = {"windowsize", 1, TFTP_MAX_WINDOWSIZE},
};

/* Option values as read; has: named, once at least, and in range. */
struct values {
	bool seen[OPTION_COUNT];
	bool has[OPTION_COUNT];
	uint64_t value[OPTION_COUNT];
};

static char to_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool equals_nocase(const char *a, const char *b)
{
	while (*a && to_lower(*a) == to_lower(*b)) {
		a++;
		b++;
	}
	return *a == *b;
}

/* The next NUL-terminated string; NULL (and an error) if it does not end. */
static const char *get_string(struct wire_reader *r)
{
	size_t left = wire_left(r), len = left + 1;

	if (left > 0) {
		const uint8_t *start = r->base + r->at;
		const uint8_t *nul = memchr(start, '\0', left);

		if (nul)
			len = (size_t)(nul - start) + 1;
	}
	return (const char *)wire_get_bytes(r, len);
}

/* Decimal digits and nothing else, below 2^64. */
static bool parse_number(const char *text, uint64_t *ret)
{
	uint64_t v = 0;

	if (!*text)
		return false;
	for (; *text; text++) {
		unsigned digit = (unsigned)(*text - '0');

		if (digit > 9 || v > (UINT64_MAX - digit) / 10)
			return false;
		v = v * 10 + digit;
	}
	*ret = v;
	return true;
}

static void take_option(struct values *v, const char *name, const char *text)
{
	for (unsigned i = 0; i < OPTION_COUNT; i++) {
		if (!equals_nocase(name, options[i].name))
			continue;
		if (v->seen[i])
			return;
		v->seen[i] = true;
		v->has[i] = parse_number(text, &v->value[i]) &&
			    v->value[i] >= options[i].min &&
			    v->value[i] <= options[i].max;
		return;
	}
}

/*
 * The name and value pairs to the end. False if a string does not end. Empty
 * names are padding: some ROMs send their whole buffer.
 */
static bool get_options(struct wire_reader *r, struct values *v)
{
	while (wire_left(r) > 0) {
		const char *name = get_string(r);
		const char *value;

		if (!name)
			return false;
		if (!*name || wire_left(r) == 0)
			continue;
		value = get_string(r);
		if (!value)
			return false;
		take_option(v, name, value);
	}
	return true;
}

static enum tftp_error refuse(
	enum tftp_error code, const char *why, const char **ret_why)
{
	*ret_why = why;
	return code;
}

static enum tftp_error get_name(struct wire_reader *r,
	struct tftp_request *request, const char **ret_why)
{
	char name[PATH_MAX_LEN + 1];
	const char *text = get_string(r);
	size_t len;

	if (!text)
		return refuse(TFTP_ERROR_ILLEGAL, "malformed request", ret_why);
	len = strlen(text);
	while (len > 0 && (uint8_t)text[len - 1] >= 0x80)
		len--;
	if (!path_normalise(text, len, false, name) ||
		strlen(name) > TFTP_MAX_NAME)
		return refuse(TFTP_ERROR_ACCESS, "no such name", ret_why);
	if (!*name)
		return refuse(TFTP_ERROR_ILLEGAL, "no file name", ret_why);
	memcpy(request->name, name, strlen(name) + 1);
	return TFTP_ERROR_NONE;
}

static enum tftp_error parse_read(
	struct wire_reader *r, struct tftp_request *ret, const char **ret_why)
{
	struct tftp_request request = {.blksize = 0};
	struct values v = {.seen = {false}};
	enum tftp_error error = get_name(r, &request, ret_why);
	const char *mode;

	if (error != TFTP_ERROR_NONE)
		return error;
	mode = get_string(r);
	if (!mode)
		return refuse(TFTP_ERROR_ILLEGAL, "malformed request", ret_why);
	if (!equals_nocase(mode, "octet"))
		return refuse(TFTP_ERROR_ILLEGAL, "only octet mode", ret_why);
	if (!get_options(r, &v))
		return refuse(TFTP_ERROR_ILLEGAL, "malformed option", ret_why);

	request.tsize = v.has[OPTION_TSIZE];
	if (v.has[OPTION_BLKSIZE])
		request.blksize = (uint32_t)v.value[OPTION_BLKSIZE];
	if (v.has[OPTION_TIMEOUT])
		request.timeout_s = (uint32_t)v.value[OPTION_TIMEOUT];
	if (v.has[OPTION_WINDOWSIZE])
		request.windowsize = (uint32_t)v.value[OPTION_WINDOWSIZE];
	*ret = request;
	return TFTP_ERROR_NONE;
}

enum tftp_error tftp_parse_request(const void *data, size_t len,
	struct tftp_request *ret, const char **ret_why)
{
	struct wire_reader r;
	uint16_t op;

	wire_reader_init(&r, data, len);
	op = wire_get_u16(&r);
	if (r.err || op == TFTP_OP_ERROR)
		return refuse(TFTP_ERROR_ILLEGAL, NULL, ret_why);
	switch (op) {
	case TFTP_OP_RRQ:
		return parse_read(&r, ret, ret_why);
	case TFTP_OP_WRQ:
		return refuse(TFTP_ERROR_ACCESS, "read only", ret_why);
	case TFTP_OP_DATA:
	case TFTP_OP_ACK:
	case TFTP_OP_OACK:
		return refuse(
			TFTP_ERROR_UNKNOWN_TID, "no such transfer", ret_why);
	default:
		return refuse(TFTP_ERROR_ILLEGAL, "unknown opcode", ret_why);
	}
}

static uint32_t at_most(uint32_t v, uint32_t max)
{
	return v < max ? v : max;
}

static uint32_t clamp(uint32_t v, uint32_t min, uint32_t max)
{
	return v < min ? min : at_most(v, max);
}

void tftp_negotiate(const struct tftp_request *request,
	const struct tftp_limits *limits, struct tftp_params *ret)
{
	*ret = (struct tftp_params){
		.blksize = TFTP_DEFAULT_BLKSIZE,
		.windowsize = 1,
		.timeout_s = request->timeout_s,
		.oack_blksize = request->blksize > 0,
		.oack_windowsize = request->windowsize > 0,
		.oack_timeout = request->timeout_s > 0,
		.oack_tsize = request->tsize,
	};
	if (ret->oack_blksize)
		ret->blksize = at_most(request->blksize,
			clamp(limits->max_blksize, TFTP_MIN_BLKSIZE,
				TFTP_MAX_BLKSIZE));
	if (ret->oack_windowsize)
		ret->windowsize = at_most(request->windowsize,
			clamp(limits->max_windowsize, 1, TFTP_MAX_WINDOWSIZE));
	ret->oack = ret->oack_blksize || ret->oack_windowsize ||
		    ret->oack_timeout || ret->oack_tsize;
}

static void put_string(struct wire_writer *w, const char *text)
{
	wire_put_text(w, text);
	wire_put_u8(w, 0);
}

static void put_option(struct wire_writer *w, enum option option, uint64_t v)
{
	put_string(w, options[option].name);
	wire_put_dec(w, v);
	wire_put_u8(w, 0);
}

static size_t finish(const struct wire_writer *w)
{
	return w->err ? 0 : w->len;
}

size_t tftp_build_oack(const struct tftp_params *params, uint64_t file_size,
	uint8_t *out, size_t cap)
{
	struct wire_writer w;

	wire_writer_init(&w, out, cap);
	wire_put_u16(&w, TFTP_OP_OACK);
	if (params->oack_tsize)
		put_option(&w, OPTION_TSIZE, file_size);
	if (params->oack_blksize)
		put_option(&w, OPTION_BLKSIZE, params->blksize);
	if (params->oack_timeout)
		put_option(&w, OPTION_TIMEOUT, params->timeout_s);
	if (params->oack_windowsize)
		put_option(&w, OPTION_WINDOWSIZE, params->windowsize);
	return finish(&w);
}

size_t tftp_build_error(
	enum tftp_error code, const char *text, uint8_t *out, size_t cap)
{
	struct wire_writer w;

	wire_writer_init(&w, out, cap);
	wire_put_u16(&w, TFTP_OP_ERROR);
	wire_put_u16(&w, (uint16_t)code);
	put_string(&w, text);
	return finish(&w);
}

static size_t build_numbered(
	enum tftp_op op, uint64_t block, uint8_t *out, size_t cap)
{
	struct wire_writer w;

	wire_writer_init(&w, out, cap);
	wire_put_u16(&w, (uint16_t)op);
	wire_put_u16(&w, (uint16_t)(block & 0xffff));
	return finish(&w);
}

void tftp_build_data_header(uint64_t block, uint8_t ret[TFTP_DATA_HEADER])
{
	build_numbered(TFTP_OP_DATA, block, ret, TFTP_DATA_HEADER);
}

size_t tftp_build_ack(uint64_t block, uint8_t *out, size_t cap)
{
	return build_numbered(TFTP_OP_ACK, block, out, cap);
}

size_t tftp_build_request(
	const struct tftp_request *request, uint8_t *out, size_t cap)
{
	struct wire_writer w;

	wire_writer_init(&w, out, cap);
	wire_put_u16(&w, TFTP_OP_RRQ);
	put_string(&w, request->name);
	put_string(&w, "octet");
	if (request->tsize)
		put_option(&w, OPTION_TSIZE, 0);
	if (request->blksize > 0)
		put_option(&w, OPTION_BLKSIZE, request->blksize);
	if (request->timeout_s > 0)
		put_option(&w, OPTION_TIMEOUT, request->timeout_s);
	if (request->windowsize > 0)
		put_option(&w, OPTION_WINDOWSIZE, request->windowsize);
	return finish(&w);
}

/* Printable ASCII up to the NUL or the end; the rest is left out. */
static void get_text(struct wire_reader *r, struct tftp_packet *packet)
{
	size_t n = 0;

	while (wire_left(r) > 0) {
		uint8_t c = wire_get_u8(r);

		if (c == '\0')
			break;
		if (c >= 0x20 && c <= 0x7e && n < sizeof(packet->text) - 1)
			packet->text[n++] = (char)c;
	}
	packet->text[n] = '\0';
}

bool tftp_parse_packet(const void *data, size_t len, struct tftp_packet *ret)
{
	struct tftp_packet packet = {.block = 0};
	struct wire_reader r;

	wire_reader_init(&r, data, len);
	packet.op = (enum tftp_op)wire_get_u16(&r);
	switch (packet.op) {
	case TFTP_OP_DATA:
		packet.block = wire_get_u16(&r);
		packet.len = wire_left(&r);
		packet.data = wire_get_bytes(&r, packet.len);
		break;
	case TFTP_OP_ACK:
		packet.block = wire_get_u16(&r);
		break;
	case TFTP_OP_ERROR:
		packet.code = (enum tftp_error)wire_get_u16(&r);
		get_text(&r, &packet);
		break;
	case TFTP_OP_OACK:
		packet.len = wire_left(&r);
		packet.data = wire_get_bytes(&r, packet.len);
		break;
	case TFTP_OP_RRQ:
	case TFTP_OP_WRQ:
	default:
		return false;
	}
	if (r.err)
		return false;
	*ret = packet;
	return true;
}

bool tftp_parse_oack(const struct tftp_packet *packet, struct tftp_oack *ret)
{
	struct values v = {.seen = {false}};
	struct wire_reader r;

	if (packet->op != TFTP_OP_OACK)
		return false;
	wire_reader_init(&r, packet->data, packet->len);
	while (wire_left(&r) > 0) {
		const char *name = get_string(&r);
		const char *value = get_string(&r);

		if (!name || !value)
			return false;
		take_option(&v, name, value);
	}
	/* A server that answers a known option with nonsense is no server. */
	for (unsigned i = 0; i < OPTION_COUNT; i++) {
		if (v.seen[i] && !v.has[i])
			return false;
	}
	*ret = (struct tftp_oack){
		.blksize = (uint32_t)v.value[OPTION_BLKSIZE],
		.windowsize = (uint32_t)v.value[OPTION_WINDOWSIZE],
		.timeout_s = (uint32_t)v.value[OPTION_TIMEOUT],
		.has_tsize = v.has[OPTION_TSIZE],
		.tsize = v.value[OPTION_TSIZE],
	};
	return true;
}
