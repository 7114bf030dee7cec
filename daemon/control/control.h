/*
 * control: the Unix socket that netukictl talks to. A client sends one JSON
 * object on a line, {"command": NAME, ...}; the daemon answers with one JSON
 * object on a line and closes (what is changed is saved first), or, for
 * {"command": "boots", "follow": true}, goes on writing one object for each
 * event of the journal.
 *
 * The socket is for its owner and group; nothing on the network reaches it.
 */
#ifndef DAEMON_CONTROL_CONTROL_H
#define DAEMON_CONTROL_CONTROL_H

#include "daemon/netuki.h"

#define CONTROL_MAX_CLIENTS 32
#define CONTROL_MAX_REQUEST (1u << 20) /* the names of many machines */
#define CONTROL_MAX_BACKLOG (1u << 20) /* a follower that does not read */

/* 0, or -errno after having logged why. */
int control_new(struct netuki *netuki, struct control **ret);
void control_free(struct control *control);
/* Of the socket. */
const char *control_path(const struct control *control);

#endif
