/*
 * ipxe_script: the scripts that netuki hands to iPXE, for iPXE 1.0.0+git-2019
 * (Debian 12) and all later ones.
 *
 * Command lines are written so that the kernel gets exactly the text: see
 * ipxe_cmdline_is_safe for what iPXE would change.
 */
#ifndef PROTO_IPXE_SCRIPT_H
#define PROTO_IPXE_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Would iPXE hand on this command line unchanged? It expands "${...}"; a word
 * that is "||", "&&" or ";" ends the command; a word that begins with "#" ends
 * the line; control characters and those outside ASCII do not survive. Runs of
 * spaces become one space, which matters within double quotes only.
 * *ret_why: static text, if not.
 */
bool ipxe_cmdline_is_safe(const char *cmdline, const char **ret_why);

enum ipxe_script_kind {
	IPXE_SCRIPT_CHAIN,  /* UEFI: the UKI or EFI application itself */
	IPXE_SCRIPT_KERNEL, /* BIOS: kernel and initrds, cut out of the UKI */
	IPXE_SCRIPT_LOCAL,  /* back to the firmware: boot from the disk */
	IPXE_SCRIPT_SAY	    /* show why there is nothing to boot, then exit */
};

struct ipxe_script {
	enum ipxe_script_kind kind;
	const char *title;  /* "debian.efi for lab-01"; shown; may be NULL */
	const char *url;    /* CHAIN: the image; KERNEL: the kernel */
	const char *initrd; /* KERNEL: NULL, or the initrd's URL */
	/*
	 * CHAIN: NULL: the image's own command line counts, and no load
	 * options are passed (`chain --name=`: else systemd-stub would take
	 * the image's name instead of its .cmdline). KERNEL: the whole line.
	 */
	const char *cmdline;
	const char *message; /* SAY: one line */
	/*
	 * CHAIN, KERNEL: the VLAN (1 to 4094) over which all is fetched, by a
	 * device on top of the one that fetched the script; 0: none.
	 */
	uint16_t vlan;
};

/*
 * Write the script, NUL-terminated; returns its length, 0 (and an empty text)
 * if it does not fit, if cmdline is not safe, or if a URL is not one plain
 * word. Text for the screen is reduced to printable ASCII that iPXE does not
 * expand, and to 200 characters. What fails is tried five times in all; then,
 * as for LOCAL and SAY, `exit 1` makes the firmware go on with its boot order.
 */
size_t ipxe_script_build(
	const struct ipxe_script *script, char *out, size_t cap);

#endif
