/*
 * The TFTP client, by scripts. A line is what the client sends ("> ..."),
 * what the server does ("< ..."), "tick" (its timer is due), "lost ..." (seen
 * and dropped), "+MS" (time passes), "start" (it loads again) or how it ended
 * ("= ..."). All that it sends has to be in the script.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/tftp_client.h"

#define N(array) (sizeof(array) / sizeof((array)[0]))

struct play {
	const char *name; /* of the case */
	const struct tftp_firmware *firmware;
	struct tftp_client client;
	uint64_t now;
	uint64_t taken; /* bytes, which have to come in order */
	char sent[400]; /* and not expected yet; "" if nothing */
	uint8_t packet[2048];
};

#define FAIL(p, ...)                                                           \
	do {                                                                   \
		print_error("%s: ", (p)->name);                                \
		fail_msg(__VA_ARGS__);                                         \
	} while (0)

static void name_request(struct play *p)
{
	struct tftp_request r;
	const char *why;

	if (tftp_parse_request(p->client.packet, p->client.packet_len, &r,
		    &why) != TFTP_ERROR_NONE)
		FAIL(p, "no good request: %s", why);
	snprintf(p->sent, sizeof(p->sent), "rrq %s blksize %u", r.name,
		r.blksize);
	if (r.tsize)
		strcat(p->sent, " tsize");
	if (r.windowsize)
		snprintf(p->sent + strlen(p->sent), 30, " windowsize %u",
			r.windowsize);
}

static void name_packet(struct play *p)
{
	struct tftp_packet packet;

	if (!tftp_parse_packet(p->client.packet, p->client.packet_len, &packet))
		FAIL(p, "no good packet");
	if (packet.op == TFTP_OP_ACK)
		snprintf(p->sent, sizeof(p->sent), "ack %u", packet.block);
	else
		snprintf(p->sent, sizeof(p->sent), "error %d %s", packet.code,
			packet.text);
}

static void act(struct play *p, struct tftp_client_action action)
{
	if (*p->sent)
		FAIL(p, "not in the script: > %s", p->sent);
	if (action.len && action.at != p->taken)
		FAIL(p, "out of order");
	p->taken += action.len;
	if (action.request)
		name_request(p);
	if (action.send)
		name_packet(p);
	if (action.request && action.send)
		FAIL(p, "a request and a packet at once");
	if (action.probed)
		strcat(p->sent, ", closed");
}

/* "oack [tsize N] [blksize N] ...", "data BLOCK LEN", "error CODE" */
static size_t build(struct play *p, const char *line)
{
	unsigned block, len, code;
	uint8_t *out = p->packet;

	if (sscanf(line, "data %u %u", &block, &len) == 2) {
		tftp_build_data_header(block, out);
		return TFTP_DATA_HEADER + len;
	}
	if (sscanf(line, "error %u", &code) == 1)
		return tftp_build_error((enum tftp_error)code, "no", out, 100);
	out[0] = 0;
	out[1] = TFTP_OP_OACK;
	len = (unsigned)strlen(line + 4);
	memcpy(out + 2, line + 4 + (len > 0), len);
	for (size_t i = 0; i < len; i++)
		if (out[2 + i] == ' ')
			out[2 + i] = '\0';
	return 2 + len;
}

static void receive(struct play *p, const char *line, bool lost)
{
	size_t len = build(p, line);
	struct tftp_packet packet;

	if (!tftp_parse_packet(p->packet, len, &packet))
		FAIL(p, "the script's own packet: %s", line);
	tftp_client_saw(&p->client, &packet);
	if (!lost)
		act(p, tftp_client_packet(&p->client, &packet, p->now));
}

static void expect_end(struct play *p, const char *line)
{
	static const char *const ends[] = {
		[TFTP_CLIENT_RUNNING] = "running",
		[TFTP_CLIENT_COMPLETE] = "complete",
		[TFTP_CLIENT_REFUSED] = "refused",
		[TFTP_CLIENT_SILENT] = "silent",
		[TFTP_CLIENT_BROKEN] = "broken",
	};
	const struct tftp_client *c = &p->client;
	char got[200];

	snprintf(got, sizeof(got),
		"%s %llu bytes, %llu blocks, again %llu, needless %llu, "
		"timeouts %llu",
		ends[c->end], (unsigned long long)p->taken,
		(unsigned long long)c->stats.blocks,
		(unsigned long long)c->stats.again,
		(unsigned long long)c->stats.needless,
		(unsigned long long)c->stats.timeouts);
	if (strncmp(got, line, strlen(line)) != 0)
		FAIL(p, "ended: %s, wanted: %s", got, line);
	if ((c->end == TFTP_CLIENT_RUNNING) ==
		(tftp_client_deadline(c) == UINT64_MAX))
		FAIL(p, "deadline");
}

static void start(struct play *p)
{
	p->taken = 0;
	act(p, tftp_client_start(&p->client, p->firmware, "a/b.efi", p->now));
}

static void step(struct play *p, const char *line)
{
	if (strncmp(line, "> ", 2) == 0) {
		if (strcmp(p->sent, line + 2) != 0)
			FAIL(p, "sent <%s>, wanted <%s>", p->sent, line + 2);
		p->sent[0] = '\0';
		if (strstr(line, ", closed"))
			act(p, tftp_client_load(&p->client, p->now));
	} else if (strncmp(line, "< ", 2) == 0) {
		receive(p, line + 2, false);
	} else if (strncmp(line, "lost ", 5) == 0) {
		receive(p, line + 5, true);
	} else if (strcmp(line, "tick") == 0) {
		p->now = tftp_client_deadline(&p->client) - 1;
		act(p, tftp_client_tick(&p->client, p->now));
		if (*p->sent)
			FAIL(p, "it ticks too early");
		p->now++;
		act(p, tftp_client_tick(&p->client, p->now));
	} else if (strcmp(line, "start") == 0) {
		start(p);
	} else if (line[0] == '+') {
		p->now += strtoull(line + 1, NULL, 10) * 1000;
		act(p, tftp_client_tick(&p->client, p->now));
	} else if (strncmp(line, "= ", 2) == 0) {
		expect_end(p, line + 2);
	} else {
		FAIL(p, "not of the script's language: %s", line);
	}
}

#define EDK2_PROBE "> rrq a/b.efi blksize 1468 tsize windowsize 4"
#define EDK2_LOAD  "> rrq a/b.efi blksize 1468 windowsize 4"
#define EDK2_ABORT "> error 8 User aborted the transfer, closed"
#define EDK2_OPEN                                                              \
	EDK2_PROBE, "< oack tsize 9000 blksize 1468 windowsize 4", EDK2_ABORT, \
		EDK2_LOAD, "< oack blksize 1468 windowsize 4", "> ack 0"
#define IPXE_OPEN                                                              \
	"> rrq a/b.efi blksize 1432 tsize", "< oack tsize 1500 blksize 1432",  \
		"> ack 0"

static const struct {
	const char *name, *firmware;
	const char *lines[40];
} cases[] = {
	{"EDK2, all goes well", "edk2",
		{EDK2_OPEN, "< data 1 1468", "< data 2 1468", "< data 3 1468",
			"< data 4 1468", "> ack 4", "< data 5 1468",
			"< data 6 1468", "< data 7 192", "> ack 7",
			"= complete 9000 bytes, 7 blocks, again 0, needless 0, "
			"timeouts 0"}},
	{"EDK2, one load after the other", "edk2",
		{EDK2_OPEN, "< data 1 3", "> ack 1", "= complete 3", "start",
			EDK2_OPEN, "< data 1 9", "> ack 1",
			"= complete 9 bytes, 2 blocks"}},
	{"EDK2, a gap is told at once, and nothing kept", "edk2",
		{EDK2_OPEN, "< data 1 1468", "lost data 2 1468",
			"< data 3 1468", "> ack 1", "< data 4 1468", "> ack 1",
			"< data 2 1468", "< data 3 1468", "< data 4 1468",
			"< data 5 1468", "> ack 5",
			"= running 7340 bytes, 8 blocks, again 3, needless 0"}},
	{"EDK2, a block that it has", "edk2",
		{EDK2_OPEN, "< data 1 1468", "< data 2 1468", "< data 1 1468",
			"> ack 2", "< data 3 1468", "< data 4 1468",
			"< data 5 1468", "< data 6 1468", "> ack 6",
			"= running 8808 bytes, 7 blocks, again 1, needless 1"}},
	{"EDK2, an exact multiple ends with an empty block", "edk2",
		{EDK2_OPEN, "< data 1 1468", "< data 2 0", "> ack 2",
			"= complete 1468 bytes, 2 blocks"}},
	{"EDK2, an empty file", "edk2",
		{EDK2_PROBE, "< oack tsize 0", EDK2_ABORT, EDK2_LOAD,
			"< oack blksize 1468", "> ack 0", "< data 1 0",
			"> ack 1", "= complete 0 bytes"}},
	{"EDK2, no windows granted", "edk2",
		{EDK2_PROBE, "< oack tsize 3000", EDK2_ABORT, EDK2_LOAD,
			"< oack blksize 1024", "> ack 0", "< data 1 1024",
			"> ack 1", "< data 2 9", "> ack 2",
			"= complete 1033 bytes"}},
	{"EDK2, no options granted for the load", "edk2",
		{EDK2_PROBE, "< oack tsize 520", EDK2_ABORT, EDK2_LOAD,
			"< data 1 512", "> ack 1", "< data 2 8", "> ack 2",
			"= complete 520 bytes"}},
	{"EDK2, the OACK comes again", "edk2",
		{EDK2_OPEN, "< oack blksize 1468 windowsize 4", "> ack 0",
			"< data 1 1468", "< oack blksize 1468", "< data 2 1",
			"> ack 2", "= complete"}},
	{"EDK2, the request is sent six times", "edk2",
		{EDK2_PROBE, "tick", EDK2_PROBE, "tick", EDK2_PROBE, "tick",
			EDK2_PROBE, "tick", EDK2_PROBE, "tick", EDK2_PROBE,
			"+3999", "= running 0", "tick",
			"= silent 0 bytes, 0 blocks, again 0, needless 0, "
			"timeouts 6"}},
	{"EDK2, its ACK is sent again, and tries are counted anew", "edk2",
		{EDK2_OPEN, "tick", "> ack 0", "tick", "> ack 0", "tick",
			"> ack 0", "tick", "> ack 0", "tick", "> ack 0",
			"< data 1 1468", "tick", "> ack 0", "tick", "> ack 0",
			"= running 1468"}},
	{"EDK2, a server without sizes cannot boot it", "edk2",
		{EDK2_PROBE, "< oack blksize 1468",
			"> error 8 the server does not tell the size",
			"= broken"}},
	{"EDK2, nor can one without options", "edk2",
		{EDK2_PROBE, "< data 1 512",
			"> error 8 the server does not tell the size",
			"= broken 0 bytes, 0 blocks"}},
	{"EDK2, more granted than asked", "edk2",
		{EDK2_PROBE, "< oack tsize 1 blksize 1469",
			"> error 4 Malformatted OACK packet", "= broken"}},
	{"EDK2, a larger window than asked", "edk2",
		{EDK2_PROBE, "< oack tsize 1 windowsize 5",
			"> error 4 Malformatted OACK packet", "= broken"}},
	{"EDK2, an option that was not asked", "edk2",
		{EDK2_PROBE, "< oack tsize 1 timeout 1",
			"> error 4 Malformatted OACK packet", "= broken"}},
	{"EDK2, a size that was not asked with the load", "edk2",
		{EDK2_PROBE, "< oack tsize 1", EDK2_ABORT, EDK2_LOAD,
			"< oack tsize 1", "> error 4 Malformatted OACK packet",
			"= broken"}},
	{"EDK2, nonsense as size", "edk2",
		{EDK2_PROBE, "< oack tsize x",
			"> error 4 Malformatted OACK packet", "= broken"}},
	{"EDK2, no such file", "edk2",
		{EDK2_PROBE, "< error 1", "= refused 0", "< data 1 5",
			"= refused 0"}},
	{"a block longer than agreed", "edk2",
		{EDK2_OPEN, "< data 1 1469",
			"> error 4 a block is longer than agreed", "= broken"}},
	{"block 0 and old ones at the beginning", "edk2",
		{EDK2_OPEN, "< data 0 1468", "> ack 0", "< data 65500 1468",
			"> ack 0", "< data 1 3", "> ack 1",
			"= complete 3 bytes, 3 blocks, again 0, needless 2"}},
	{"iPXE, each block acknowledged", "ipxe",
		{IPXE_OPEN, "< data 1 1432", "> ack 1", "< data 1 1432",
			"> ack 1", "< data 2 68", "> ack 2",
			"= complete 1500 bytes, 3 blocks, again 1, needless "
			"1"}},
	{"iPXE asks for no window", "ipxe",
		{"> rrq a/b.efi blksize 1432 tsize",
			"< oack tsize 1 blksize 1432 windowsize 2",
			"> error 4 Malformatted OACK packet", "= broken"}},
	{"iPXE's timer doubles up to 10 s", "ipxe",
		{IPXE_OPEN, "+249", "+1", "> ack 0", "+499", "+1", "> ack 0",
			"+1000", "> ack 0", "+2000", "> ack 0", "+4000",
			"> ack 0", "+8000", "> ack 0", "+9999", "= running",
			"+1",
			"= silent 0 bytes, 0 blocks, again 0, needless 0, "
			"timeouts 7"}},
	{"iPXE's timer begins anew with a block", "ipxe",
		{IPXE_OPEN, "+250", "> ack 0", "+500", "> ack 0",
			"< data 1 1432", "> ack 1", "+250", "> ack 1",
			"= running"}},
	{"a ROM asks for the size first", "rom",
		{"> rrq a/b.efi blksize 1456 tsize",
			"< oack tsize 3 blksize 1456",
			"> error 0 TFTP Aborted, closed",
			"> rrq a/b.efi blksize 1456", "< oack blksize 1456",
			"> ack 0", "< data 1 3", "> ack 1",
			"= complete 3 bytes"}},
};

static void test_scripts(void **state)
{
	(void)state;
	for (size_t i = 0; i < N(cases); i++) {
		struct play p = {.name = cases[i].name, .now = 1000};

		p.firmware = tftp_firmware_find(cases[i].firmware);
		start(&p);
		for (size_t j = 0; j < N(cases[i].lines); j++)
			if (cases[i].lines[j])
				step(&p, cases[i].lines[j]);
		if (*p.sent)
			FAIL(&p, "not in the script: > %s", p.sent);
	}
}

/* Two wraps of the block number, and what comes late after one. */
static void test_wrap(void **state)
{
	struct play p = {.name = "wrap", .now = 1000};
	char line[40];

	(void)state;
	act(&p, tftp_client_start(
			&p.client, tftp_firmware_find("ipxe"), "x", p.now));
	step(&p, "> rrq x blksize 1432 tsize");
	step(&p, "< oack tsize 187696200 blksize 1432");
	step(&p, "> ack 0");
	for (unsigned block = 1; block <= 131073; block++) {
		snprintf(line, sizeof(line), "< data %u 1432", block);
		step(&p, line);
		snprintf(line, sizeof(line), "> ack %u", block & 0xffff);
		step(&p, line);
	}
	step(&p, "< data 65535 1432");
	step(&p, "> ack 1");
	step(&p, "< data 2 0");
	step(&p, "> ack 2");
	step(&p, "= complete 187696536 bytes, 131075 blocks, again 1");
}

static void test_names(void **state)
{
	(void)state;
	assert_non_null(tftp_firmware_find("edk2"));
	assert_null(tftp_firmware_find("EDK2"));
	assert_null(tftp_firmware_find(""));
}

/* The longest name fits a request, with all options. */
static void test_longest(void **state)
{
	struct tftp_firmware firmware = *tftp_firmware_find("edk2");
	char name[TFTP_MAX_NAME + 1];
	struct tftp_client client = {.packet_len = 0};
	struct tftp_request request;
	const char *why;

	(void)state;
	memset(name, 'x', TFTP_MAX_NAME);
	name[TFTP_MAX_NAME] = '\0';
	firmware.blksize = TFTP_MAX_BLKSIZE;
	firmware.windowsize = TFTP_MAX_WINDOWSIZE;
	tftp_client_start(&client, &firmware, name, 0);
	assert_int_equal(tftp_parse_request(client.packet, client.packet_len,
				 &request, &why),
		TFTP_ERROR_NONE);
	assert_string_equal(request.name, name);
	assert_int_equal(request.windowsize, TFTP_MAX_WINDOWSIZE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_scripts),
		cmocka_unit_test(test_wrap),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_longest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
