/*
 * bench_boot: what a machine that boots says and understands: its DHCP packets
 * and iPXE's scripts. The machine itself is bench_boot.c.
 */
#ifndef DAEMON_CTL_BENCH_BENCH_BOOT_H
#define DAEMON_CTL_BENCH_BENCH_BOOT_H

#include "proto/id.h"
#include "proto/url.h"

/* What it says of itself. */
struct bench_self {
	struct mac mac;
	uint32_t ip; /* host order */
	uint32_t xid;
	uint16_t arch;	  /* option 93 */
	bool http_client; /* HTTPClient, not PXEClient */
	bool ipxe;
};

#define BENCH_DHCP_MAX 600

struct bench_answer {
	uint32_t server;    /* 0: it does not say */
	char file[URL_MAX]; /* a name or a URL; "": boot from the disk */
	bool ask_there;	    /* on port 4011 of that server first */
	uint16_t item;	    /* of its menu, to ask for; 0: none */
};

/* A DISCOVER; or, after such an OFFER, what port 4011 is asked. Its length. */
size_t bench_dhcp_build(const struct bench_self *self,
	const struct bench_answer *offer, uint8_t out[BENCH_DHCP_MAX]);
/*
 * The answer to that; false: this packet is none. With `direct` in option 43,
 * to HTTP Boot, and to iPXE if there is a file, no second question is needed;
 * of a menu the first item is taken, at once, and type 0 is the own disk.
 */
bool bench_dhcp_read(const struct bench_self *self, bool request,
	const uint8_t *data, size_t len, struct bench_answer *ret);

/* With what ${...} means to this iPXE; what it does not know is nothing. */
void bench_script_expand(
	const struct bench_self *self, const char *text, char ret[URL_MAX]);
/*
 * The URL that the script at *at fetches next, as it stands there, and *at
 * behind it. False: no more.
 */
bool bench_script_next(const char **at, char ret[URL_MAX]);

/* Is it a system of that name, after which nothing comes, or a loader? */
bool bench_is_system(const char *file);

#endif
