/*
 * boot_once: a reader of the journal that knows when a boot is finished: when
 * the last byte of a machine's image was acknowledged (TFTP) or sent (HTTP).
 * That uses up `netukictl boot-once`, and turns `mode: alternate`.
 *
 * Until then both stay as they are, so a boot sees the same settings from its
 * first packet on: loader, script and image.
 */
#ifndef DAEMON_BOOTS_BOOT_ONCE_H
#define DAEMON_BOOTS_BOOT_ONCE_H

#include "daemon/netuki.h"

/* NULL: memory is short. netuki->state and its journal must be there. */
struct boot_once *boot_once_new(struct netuki *netuki);
void boot_once_free(struct boot_once *boot_once);

#endif
