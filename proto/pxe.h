/*
 * pxe: what a boot client is, from its DHCP request, and the replies that
 * PXE, UEFI HTTP Boot and iPXE clients accept (PXE 2.1; RFC 4578, 5970; UEFI
 * 2.10 24.7).
 *
 * Pure: a request in, facts out; a request and a wish in, reply bytes out.
 * Who gets what is daemon/decide's.
 */
#ifndef PROTO_PXE_H
#define PROTO_PXE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/arch.h"
#include "proto/dhcp.h"
#include "proto/id.h"

#define PXE_VENDOR_PXE	"PXEClient" /* how option 60 begins */
#define PXE_VENDOR_HTTP "HTTPClient"
#define PXE_IPXE_HTTP	0x13 /* of option 175: HTTP is compiled in */

/* Of option 43 (PXE 2.1, table 2-1). */
#define PXE_DISCOVERY_CONTROL 6
#define PXE_CONTROL_DIRECT    8 /* take the file of this packet */
#define PXE_MENU	      9
#define PXE_BOOT_ITEM	      71
#define PXE_BOOT_ITEM_LEN     4 /* type and layer, two bytes each */

enum pxe_firmware {
	PXE_FIRMWARE_BIOS, /* a PXE ROM: loads over TFTP */
	PXE_FIRMWARE_UEFI, /* UEFI PXE: loads over TFTP */
	PXE_FIRMWARE_HTTP, /* UEFI HTTP Boot: loads a URL */
	PXE_FIRMWARE_IPXE, /* iPXE, under BIOS or UEFI: runs a script */
	PXE_FIRMWARE_MAX
};

/* "bios", "uefi", "http", "ipxe". */
const char *pxe_firmware_name(enum pxe_firmware firmware);

struct pxe_client {
	enum pxe_firmware firmware;
	enum arch arch;	    /* for iPXE: the platform it runs on */
	uint16_t arch_code; /* option 93 as sent, or what option 60 says */
	bool ipxe_http;	    /* iPXE that can fetch http:// (175.19) */
	struct mac mac;	    /* all zeros if chaddr held the UUID (hlen 16) */
	bool has_uuid;	    /* none, or one that names no machine: false */
	struct uuid uuid;   /* text order */
	char vendor[34];    /* option 60, printable, for people */
};

/* What a request asks of a ProxyDHCP server. */
enum pxe_ask {
	PXE_ASK_NOTHING,  /* not for us: silence */
	PXE_ASK_OFFER,	  /* DISCOVER on port 67: answer with an OFFER */
	PXE_ASK_ACK,	  /* REQUEST or 43.71 on port 4011: an ACK */
	PXE_ASK_DISCOVERY /* boot server discovery (43.71) on port 67: an ACK */
};

/*
 * What does this packet, come to port 67 (on_pxe_port false) or 4011 (true),
 * ask, and who asks? Fills ret unless the answer is PXE_ASK_NOTHING; then
 * *ret_why says why not (static text).
 * Rules: op 1, option 53, vendor class
 * PXEClient or HTTPClient, an architecture we know, an Ethernet address
 * (hlen 16 and the UUID in its place from a client that asks for an ACK).
 * Option 97 counts if it is 17 bytes of type 0.
 * An iPXE mark (77 in either spelling, or 175) makes it iPXE, whatever else
 * it says.
 */
enum pxe_ask pxe_identify(const struct dhcp_message *m, bool on_pxe_port,
	struct pxe_client *ret, const char **ret_why);

enum pxe_form {
	PXE_FORM_DIRECT,   /* option 43 says: take the file of this packet */
	PXE_FORM_PXE_PORT, /* OFFER: the client asks port 4011; ACK: there */
	PXE_FORM_IPXE,	   /* 43.6 = 8, and 175.1 = 1: our file name wins */
	PXE_FORM_HTTP,	   /* HTTPClient, a URL */
	PXE_FORM_LOCAL	   /* a menu whose only item is the local disk */
};

struct pxe_reply {
	enum dhcp_type type; /* OFFER or ACK */
	enum pxe_form form;
	uint32_t server; /* ours, on the interface of the request; host order */
	const char *file; /* file name or URL; NULL with PXE_FORM_LOCAL */
};

/*
 * The reply's bytes into out; returns their count (DHCP_MIN_PACKET or more),
 * or 0 if it cannot be said within what the client takes (option 57 less the
 * 28 bytes of IP and UDP, at least DHCP_MIN_PACKET and at most
 * DHCP_MAX_PACKET, and cap), or if this client would not understand it: the
 * form is of the other vendor class, it is a URL for firmware that loads over
 * TFTP, or a TFTP name of more than 127 characters. A relay's option 82 counts
 * in neither limit but DHCP_MAX_PACKET and cap, and is left out if those are
 * too little.
 * An ACK to a boot server discovery gives its 43.71 back, in every form.
 */
size_t pxe_build_reply(const struct dhcp_message *request,
	const struct pxe_reply *reply, uint8_t *out, size_t cap);

#endif
