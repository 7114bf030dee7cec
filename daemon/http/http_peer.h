/*
 * http_peer: both ends of a connection: who asks, and which address of ours.
 */
#ifndef DAEMON_HTTP_HTTP_PEER_H
#define DAEMON_HTTP_HTTP_PEER_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct client;
struct client_record;
struct config_machine;
struct http_conn;
struct mac;
struct sockaddr;

/* From what accept said of the peer; asks the kernel for our own end. */
void http_peer_init(struct http_conn *conn, const struct sockaddr *peer);
/* May it be served by this interface? */
bool http_peer_is_welcome(const struct http_conn *conn);
/* The client's IPv4 address in host order; 0: it came over IPv6. */
uint32_t http_peer_ip(const struct http_conn *conn);
/* The client's address as text. Returns ret. */
const char *http_peer_text(
	const struct http_conn *conn, char ret[INET6_ADDRSTRLEN]);
/* Whose machine is it? Asks the kernel if nobody has told us before. */
void http_peer_identify(struct http_conn *conn);
/*
 * Under which MAC address machines/ID boots, the first len bytes of id, which
 * mean this machine (NULL: an unknown one). False: nobody knows.
 */
bool http_peer_mac_of(struct http_conn *conn, const char *id, size_t len,
	const struct config_machine *machine, struct mac *ret);
/* May it be the client of this MAC address, as far as the kernel knows? */
bool http_peer_may_be(const struct http_conn *conn, const struct mac *mac);
/* It is: its address is that client's from now on. */
void http_peer_is(struct http_conn *conn, struct client_record *record);
/* The number of connections from there, as far as a hash can tell. */
uint16_t *http_peer_count(struct http_conn *conn);
/*
 * Our own address, which the client can reach: into client->server, or as
 * "[2001:db8::1]" into text and client->server6.
 */
void http_peer_server(const struct http_conn *conn, struct client *client,
	char text[INET6_ADDRSTRLEN + 2]);

#endif
