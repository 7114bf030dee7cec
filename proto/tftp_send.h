/*
 * tftp_send: the sending side of one TFTP transfer as a pure state machine
 * (RFC 1350, 1123 4.2.3.1, 2347, 7440). It is told packets and the time and
 * answers with what to send; it holds no data, no socket and no clock.
 *
 * Blocks are numbered from 1 in 64 bits; on the wire the number is taken
 * modulo 65536, so it wraps to 0. Block 0 stands for the OACK. A file of n
 * bytes has n / blksize + 1 blocks: the last one is short, perhaps empty.
 *
 * The caller loops: hand in an event, do the action, and call
 * tftp_send_tick() when tftp_send_deadline() has passed.
 *
 * Rules for windows (RFC 7440 4, and what EDK2 needs).
 * EDK2 keeps nothing that comes out of order, answers every such block with
 * an ACK of what it has, and counts the blocks of a window from its last ACK:
 *  - an ACK of what was sent last opens a new whole window;
 *  - an ACK in mid-window is a gap at the client: a whole window goes out
 *    from there. Only where it may answer blocks that were just sent again
 *    it slides the window instead: sending those a third time would keep the
 *    client out of step for the rest of the file;
 *  - the base ACK repeated shortens the wait for progress; then the window
 *    goes out again, once for each ACK value and time-out. But each block that
 *    was sent again, the client having it already, is answered so as well:
 *    as many repeated ACKs say nothing. Were they taken for losses, clients
 *    behind a long queue would be sent every window over and over, and the
 *    queue would never end;
 *  - a time-out sends one block again, not the window: the last, as EDK2
 *    either lacks just this one or tells at once where it stands. The window
 *    follows at the third time-out in a row;
 *  - with windowsize 1 a repeated ACK sends nothing (Sorcerer's Apprentice).
 *
 * A window is never made smaller, since EDK2 is silent until it has a whole
 * one; for a client that loses much of a large window it goes out in bursts
 * with a pause between them.
 */
#ifndef PROTO_TFTP_SEND_H
#define PROTO_TFTP_SEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/tftp.h"

/* The floor without a window. */
#define TFTP_RTO_MIN_US 20000
/*
 * The floor with a window. It is lower since what a time-out sends is one
 * block then, and since one window in fifty needs it where one packet in a
 * hundred is lost: with 20 ms a UKI of 226 MB takes 31 s, with 5 ms 19 s.
 */
#define TFTP_PROBE_MIN_US 5000
/* Before the first measured round trip. */
#define TFTP_RTO_FIRST_US 50000
#define TFTP_RTO_MAX_US	  4000000
/* Time-outs double up to here; then they follow the silence. */
#define TFTP_RTO_DOUBLED_US 200000
/* No progress for so long: the client has left. */
#define TFTP_GIVE_UP_US 30000000
/* The same, once all is sent: most likely only the last ACK was lost. */
#define TFTP_GIVE_UP_LAST_US 5000000

enum tftp_step {
	TFTP_STEP_WAIT,	   /* nothing to send */
	TFTP_STEP_OACK,	   /* send the OACK (again) */
	TFTP_STEP_BLOCKS,  /* send blocks first .. first + count - 1 */
	TFTP_STEP_DONE,	   /* the last block was acknowledged */
	TFTP_STEP_ABORTED, /* the client sent an ERROR: close, say nothing */
	TFTP_STEP_GAVE_UP  /* the client is silent: close, say nothing */
};

struct tftp_action {
	enum tftp_step step;
	uint64_t first; /* 1.. */
	uint32_t count; /* 1..windowsize */
};

/* What a transfer did, for its log line. */
struct tftp_send_stats {
	uint64_t blocks_sent;	  /* all, those sent again too */
	uint64_t resent_timer;	  /* blocks sent again by the timer */
	uint64_t resent_rollback; /* blocks sent again after a repeated ACK */
	uint64_t timeouts;
	uint64_t rollbacks;
	uint32_t srtt_us; /* 0: never measured */
};

struct tftp_send {
	struct tftp_params params;
	uint64_t last_block; /* n / blksize + 1 */
	uint32_t last_len;   /* bytes of it */
	struct tftp_send_stats stats;
	/* The machine's own; see tftp_send.c. */
	uint64_t base; /* highest block acknowledged; 0: the OACK */
	uint64_t next; /* next block to send, top + 1 unless sending again */
	uint64_t top;  /* highest block ever sent */
	uint64_t redo_top; /* top when a window was sent again; 0: it was not */
	uint64_t deadline_us;
	uint64_t sent_us;     /* the latest sending */
	uint64_t top_us;      /* the first sending of top */
	uint64_t progress_us; /* base moved */
	uint64_t late_us;     /* a round trip, if the ACK was only late; or 0 */
	uint32_t rttvar_us;
	uint32_t again;			  /* blocks sent again after top */
	uint32_t echoes;		  /* ACKs that those before may cause */
	uint32_t burst;			  /* blocks sent without a pause */
	uint32_t epoch_sent, epoch_again; /* blocks since burst was looked at */
	uint8_t tries;			  /* time-outs since base moved */
	enum tftp_step ended;		  /* WAIT while the transfer lives */
	bool opening;			  /* the OACK is not acknowledged yet */
	bool pausing;			  /* between the bursts of a window */
	bool late;   /* late_us is one, by all appearances */
	bool timed;  /* the ACK of top measures a round trip */
	bool missed; /* a repeated ACK says that base + 1 is missing */
	bool rolled; /* this base has had its roll-back */
};

/* Begin; the returned action is the first thing to send. */
struct tftp_action tftp_send_start(struct tftp_send *s,
	const struct tftp_params *params, uint64_t size, uint64_t now_us);
/* An ACK or ERROR came from the client. Other packets: TFTP_STEP_WAIT. */
struct tftp_action tftp_send_packet(
	struct tftp_send *s, const struct tftp_packet *packet, uint64_t now_us);
/*
 * The same request came again from the same port. Before the first data is
 * acknowledged the answer to it was lost: it is sent again. Later it is a
 * straggler and means nothing, unless there was no progress for a second:
 * then the machine was reset, and the transfer starts afresh.
 */
struct tftp_action tftp_send_again(struct tftp_send *s, uint64_t now_us);
/* To be called at the deadline or later; earlier it does nothing. */
struct tftp_action tftp_send_tick(struct tftp_send *s, uint64_t now_us);
/*
 * The latest action could be carried out only now (the file had to be read
 * in first): times count from here. No tick is due while that lasts.
 */
void tftp_send_delayed(struct tftp_send *s, uint64_t now_us);
/*
 * When tick wants to be called: in the future of every call that sends
 * something, and of tick. No packet moves a deadline that has passed, so that
 * a flood of them cannot hold the timer up. UINT64_MAX after DONE, ABORTED or
 * GAVE_UP, which every later call answers with again.
 */
uint64_t tftp_send_deadline(const struct tftp_send *s);
/* Bytes of this block, of a file of `size` bytes: 0..blksize. */
uint32_t tftp_send_block_len(const struct tftp_send *s, uint64_t block);

#endif
