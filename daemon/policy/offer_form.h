/*
 * offer_form: which form of offer UEFI PXE gets under `offer: auto`.
 *
 * `direct` (option 43: take the file of this OFFER) saves an exchange and a
 * second, and every EDK2 since 2017 takes it; EDK2 from before commit
 * 8cdd559be6 throws such an offer away. So it is tried first; when a machine
 * begins a new attempt although the last OFFER led to nothing, the other form
 * is tried. What worked is remembered.
 *
 * Pure: the memory is the caller's, in the record of the client.
 */
#ifndef DAEMON_POLICY_OFFER_FORM_H
#define DAEMON_POLICY_OFFER_FORM_H

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"

struct offer_memory {
	enum config_offer form; /* of the latest OFFER; UNSET: none yet */
	uint32_t xid;		/* of the attempt that it was for */
	bool led_on; /* port 4011 or TFTP was asked, or its iPXE came */
};

/*
 * The form for a DISCOVER with this xid: CONFIG_OFFER_DIRECT or _PXE_PORT.
 * worked: what worked for this machine before, or UNSET. A DISCOVER repeated
 * within one attempt keeps its xid, and its form. *ret_why: static text, for
 * people.
 */
enum config_offer offer_form_choose(const struct offer_memory *memory,
	uint32_t xid, enum config_offer worked, const char **ret_why);

#endif
