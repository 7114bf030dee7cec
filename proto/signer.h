/*
 * signer: by whom an EFI file is signed, as far as its certificates tell: the
 * common name of the certificate that each signature names (PE certificate
 * table of PKCS #7 SignedData, RFC 5652; names per RFC 5280).
 *
 * For people to read. Whether a signature is good is the firmware's to say:
 * nothing is verified here, and anybody may write any name.
 */
#ifndef PROTO_SIGNER_H
#define PROTO_SIGNER_H

#include <stddef.h>
#include <stdint.h>

/*
 * table: the first table_len bytes of a certificate table, as for
 * uki_check_certificates. Writes the signers' names, joined by ", ", as
 * NUL-terminated UTF-8 without control characters, and returns the length;
 * names that do not fit are left out. 0 and "": none could be read.
 */
size_t signer_names(
	const uint8_t *table, size_t table_len, char *ret, size_t cap);

#endif
