#include "daemon/offer_form.h"

static enum config_offer other(enum config_offer form)
{
	return form == CONFIG_OFFER_DIRECT ? CONFIG_OFFER_PXE_PORT
					   : CONFIG_OFFER_DIRECT;
}

enum config_offer offer_form_choose(const struct offer_memory *memory,
	uint32_t xid, enum config_offer worked)
{
	if (memory->form == CONFIG_OFFER_UNSET)
		return worked == CONFIG_OFFER_UNSET ? CONFIG_OFFER_DIRECT
						    : worked;
	if (memory->xid == xid || memory->led_on)
		return memory->form;
	return other(memory->form);
}
