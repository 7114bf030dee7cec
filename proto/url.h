/*
 * url: where a file is, as people write it (RFC 3986, 3617).
 */
#ifndef PROTO_URL_H
#define PROTO_URL_H

#include <stddef.h>
#include <stdint.h>

#define URL_MAX 1024 /* with its NUL */

/* dhcp: a ProxyDHCP server, and no file of it. */
enum url_scheme { URL_SCHEME_TFTP, URL_SCHEME_HTTP, URL_SCHEME_DHCP };

struct url {
	enum url_scheme scheme;
	char host[256]; /* a name or an address, without brackets */
	uint16_t port;	/* that of the scheme, if none is said */
	/*
	 * HTTP: path and query as they stand, at least "/". TFTP: the file
	 * name, unescaped and less one leading '/', as iPXE asks for it.
	 * DHCP: "/".
	 */
	char path[URL_MAX];
};

/* NULL; or what is wrong, and ret is untouched. */
const char *url_parse(const char *text, struct url *ret);

#endif
