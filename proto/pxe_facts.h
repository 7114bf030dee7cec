/*
 * pxe_facts: what the options of a request say to PXE, before anybody decides
 * what it asks or what it is answered: the part that proto/pxe.c (requests)
 * and proto/pxe_reply.c share. Not for use outside of these two.
 */
#ifndef PROTO_PXE_FACTS_H
#define PROTO_PXE_FACTS_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/arch.h"
#include "proto/dhcp.h"
#include "proto/pxe.h"

enum pxe_class {
	PXE_CLASS_NONE, /* option 60 begins with neither */
	PXE_CLASS_PXE,
	PXE_CLASS_HTTP
};

/* A row of proto/pxe_arch.def. */
struct pxe_arch_row {
	uint16_t code;
	enum arch arch;
	enum pxe_firmware firmware;
};

/* Pointers lead into the message or to constants. */
struct pxe_facts {
	enum pxe_class class;
	bool ipxe;			/* it bears an iPXE mark */
	bool ipxe_http;			/* and can fetch http:// */
	uint16_t arch_code;		/* as sent */
	const struct pxe_arch_row *row; /* NULL: see arch_why */
	const char *arch_why;
	const uint8_t *boot_item; /* 43.71; NULL: none */
	const uint8_t *uuid;	  /* 97, without its type; NULL: none */
};

struct pxe_facts pxe_facts_read(const struct dhcp_message *m);

#endif
