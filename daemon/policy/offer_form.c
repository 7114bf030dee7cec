#include "daemon/policy/offer_form.h"

static enum config_offer other(enum config_offer form)
{
	return form == CONFIG_OFFER_DIRECT ? CONFIG_OFFER_PXE_PORT
					   : CONFIG_OFFER_DIRECT;
}

enum config_offer offer_form_choose(const struct offer_memory *memory,
	uint32_t xid, enum config_offer worked, const char **ret_why)
{
	if (memory->form == CONFIG_OFFER_UNSET) {
		*ret_why = worked == CONFIG_OFFER_UNSET
				   ? "the first to be tried"
				   : "it led to a boot before";
		return worked == CONFIG_OFFER_UNSET ? CONFIG_OFFER_DIRECT
						    : worked;
	}
	if (memory->xid == xid || memory->led_on) {
		*ret_why = memory->led_on ? "it led on the last time"
					  : "of the attempt that goes on";
		return memory->form;
	}
	*ret_why = "the other one led to nothing the last time";
	return other(memory->form);
}
