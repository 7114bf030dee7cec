/*
 * tftp_sim: one TFTP transfer over a simulated link, with models of the two
 * clients that matter. No real time passes, and the same seed gives the same
 * transfer to the bit.
 *
 * EDK2 (Mtftp4Rrq.c): takes blocks in order only; any other is answered at
 * once by an ACK of the last good one; otherwise an ACK goes out after
 * `windowsize` blocks counted from the ACK before, whatever caused that one,
 * and for the last block. Its timer sends its latest packet again after 4 s,
 * six times in all, and does not restart the count.
 * iPXE (net/udp/tftp.c): no window; acknowledges every DATA with what it has,
 * repeats its latest packet after 0.25 s, doubling.
 */
#ifndef TESTS_UNIT_TFTP_SIM_H
#define TESTS_UNIT_TFTP_SIM_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/tftp_send.h"

enum tftp_sim_kind { TFTP_SIM_EDK2, TFTP_SIM_IPXE };

struct tftp_sim_setup {
	enum tftp_sim_kind kind;
	uint64_t size;
	uint32_t blksize, windowsize; /* windowsize 0: not negotiated */
	uint32_t loss_ppm;	      /* each way */
	uint32_t delay_us;	      /* each way */
	uint64_t jump_us;	      /* from then on, if not 0, ... */
	uint32_t jump_delay_us;	      /* ... each way takes so long */
	uint32_t wire_us;	      /* a block on the wire */
	uint32_t turn_us;	      /* the client's work on one block */
	uint32_t ring;		      /* blocks its NIC holds; 0: no limit */
	uint32_t pause_ppm, pause_us; /* and now and then it does not look */
	uint32_t grain_us;	      /* the server's timers are so coarse */
	uint64_t lose_down, lose_up;  /* this packet is lost; from 1, 0: none */
	uint64_t swap_down; /* this packet arrives after its successor */
	bool double_acks;   /* the network copies them */
	uint64_t seed;
};

struct tftp_sim_result {
	bool completed;	     /* the client has the whole file */
	uint64_t us;	     /* until then, from the request */
	uint64_t wire_bytes; /* DATA sent, with 4 + 28 bytes of headers */
	uint64_t blocks;
	uint32_t client_timeouts;
	enum tftp_step end; /* of the server */
	struct tftp_send_stats stats;
	const char *broken; /* a rule that the sender broke; NULL: none */
};

void tftp_sim_run(
	const struct tftp_sim_setup *setup, struct tftp_sim_result *ret);

#endif
