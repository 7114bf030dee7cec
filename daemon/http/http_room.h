/*
 * http_room: who makes room when the server is at a limit: of connections, or
 * of what the kernel keeps for those who stopped reading. A connection costs
 * its owner nothing, and as many as there can be must not keep the others out.
 *
 * Who owes a request gives way first; then whoever has most. An address with
 * HTTP_FAIR_PER_ADDR connections or fewer gives way to nobody.
 */
#ifndef DAEMON_HTTP_HTTP_ROOM_H
#define DAEMON_HTTP_HTTP_ROOM_H

#include <stdbool.h>
#include <stdint.h>

struct http_conn;
struct http_service;

#define HTTP_FAIR_PER_ADDR 16
/* Bytes in the sockets of all who stopped reading. */
#define HTTP_UNREAD_MAX ((uint64_t)256 << 20)

/* Would anybody make room for one more connection than there can be? */
bool http_room_is_to_be_had(const struct http_service *s);
/*
 * Here it is: somebody goes, perhaps the newcomer itself. True: it took time,
 * and others should have their turn before the next.
 */
bool http_room_make(struct http_service *s, struct http_conn *newcomer);
/* Once a second: is too much kept for those who stopped reading? */
void http_room_tick(struct http_service *s, uint64_t now_us);

#endif
