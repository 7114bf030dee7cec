/*
 * tftp_client: the receiving side of one TFTP transfer, as firmware does it,
 * as a pure state machine (RFC 1350, 2347, 2348, 2349, 7440). It is told
 * packets and the time and answers with what to send; it holds no data, no
 * socket and no clock.
 *
 * What firmware has in common: it keeps nothing that comes out of order, and
 * answers every such block at once with an ACK of what it has; it counts the
 * blocks of a window from its last ACK; its timer sends its last packet again.
 *
 * The caller loops: hand in an event, do the action, and call
 * tftp_client_tick() when tftp_client_deadline() has passed, until
 * client->end is no longer RUNNING.
 */
#ifndef PROTO_TFTP_CLIENT_H
#define PROTO_TFTP_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/tftp.h"

#define TFTP_CLIENT_PACKET 400 /* the longest that a client sends */

/* How a firmware loads a file. */
struct tftp_firmware {
	const char *name;
	uint32_t blksize, windowsize; /* windowsize 1: it asks for none */
	/*
	 * It asks for the size first, in a transfer that it then ends by an
	 * ERROR, and loads from another port.
	 */
	bool probes;
	enum tftp_error abort_code;
	const char *abort_text;
	bool tsize; /* it asks for the size when it loads, too */
	/* How long it waits, twice as long each time up to a maximum. */
	uint64_t timer_us, timer_max_us;
	unsigned tries; /* of a packet */
};

/* "edk2", "ipxe" or "rom"; NULL: there is none of this name. */
const struct tftp_firmware *tftp_firmware_find(const char *name);

enum tftp_client_end {
	TFTP_CLIENT_RUNNING,
	TFTP_CLIENT_COMPLETE,
	TFTP_CLIENT_REFUSED, /* by an ERROR: client->code and text */
	TFTP_CLIENT_SILENT,  /* the server does not answer */
	TFTP_CLIENT_BROKEN   /* what it sent makes no sense: client->text */
};

/* What was seen on the wire, what the caller then dropped too. */
struct tftp_client_stats {
	uint64_t blocks;   /* DATA packets */
	uint64_t again;	   /* of these, had been seen before */
	uint64_t needless; /* and had been accepted before */
	uint64_t timeouts;
};

struct tftp_client {
	const struct tftp_firmware *firmware;
	enum tftp_client_end end;
	enum tftp_error code;
	char text[65];
	struct tftp_client_stats stats;
	/* As granted. */
	uint32_t blksize, windowsize;
	bool has_size;
	uint64_t size;
	uint64_t received; /* bytes of the file */
	/* What is to be sent. */
	uint8_t packet[TFTP_CLIENT_PACKET];
	size_t packet_len;
	/* The machine's own. */
	const char *name;
	bool probing, opened;
	uint64_t expected;  /* the block to come, 1.. */
	uint64_t highest;   /* the highest that was seen */
	uint32_t in_window; /* blocks since the last ACK */
	unsigned tries;
	uint64_t timer_us, deadline_us;
};

struct tftp_client_action {
	/* client->packet is to be sent to where the server's came from ... */
	bool send;
	/* ... or to its service port, from a port that had no answer yet. */
	bool request;
	/*
	 * That was the last packet of the question for the size: close the
	 * port, and call tftp_client_load().
	 */
	bool probed;
	/* The next bytes of the file, within the packet that was handed in. */
	uint64_t at;
	const uint8_t *data;
	size_t len;
};

/*
 * Begin to load `name`, which like the firmware has to stay, and be at most
 * TFTP_MAX_NAME long; stats go on from before.
 */
struct tftp_client_action tftp_client_start(struct tftp_client *c,
	const struct tftp_firmware *firmware, const char *name,
	uint64_t now_us);
/* The second half of it, after `probed`. */
struct tftp_client_action tftp_client_load(
	struct tftp_client *c, uint64_t now_us);
/* Count a packet that came; whether it is also handed in is another matter. */
void tftp_client_saw(struct tftp_client *c, const struct tftp_packet *packet);
struct tftp_client_action tftp_client_packet(struct tftp_client *c,
	const struct tftp_packet *packet, uint64_t now_us);
/* To be called at the deadline or later; earlier it does nothing. */
struct tftp_client_action tftp_client_tick(
	struct tftp_client *c, uint64_t now_us);
/* UINT64_MAX once it has ended. */
uint64_t tftp_client_deadline(const struct tftp_client *c);

#endif
