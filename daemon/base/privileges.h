/*
 * privileges: what netukid gives up once its sockets are open.
 *
 * Of capabilities it keeps none. Nothing that comes later needs any: the
 * packet socket of port 67 and the raw sockets hear and speak on interfaces
 * that are yet to come, too; transfers over TFTP have their ports, which are
 * above 1023 anyway, from the start; a reload binds nothing; and images,
 * configuration and state are opened as the user that netukid has become.
 * Nor can it get any back: no_new_privs is set, and as root the bounding set
 * is emptied.
 *
 * The user is that of --user, else netuki if there is one, when it was started
 * as root; a service manager has changed the user before. Where netukid stays
 * root, it keeps root's reach into the files of others, and no more.
 *
 * That it cannot be traced or dump core after a change of user is the
 * kernel's own rule (prctl(2), PR_SET_DUMPABLE).
 */
#ifndef DAEMON_BASE_PRIVILEGES_H
#define DAEMON_BASE_PRIVILEGES_H

#include <stdbool.h>
#include <sys/types.h>

struct privileges {
	bool change; /* to this user and group */
	uid_t uid;
	gid_t gid;
	const char *user;
};

/*
 * Who to become; user NULL: not said. What is wrong, and that it will stay
 * root unasked, is logged. 0 or -errno.
 */
int privileges_find(const char *user, struct privileges *ret);
/*
 * Make this directory, if its parent is there and it is not, and the user's.
 * That there is none is for who needs it to say.
 */
void privileges_make_directory(
	const struct privileges *privileges, const char *path);
/*
 * Once the sockets are open. Capabilities are a thread's own: there must be
 * one only. The user must be able to write in the directory `state`: what it
 * could not save would be found out too late. 0 or -errno, which was logged.
 */
int privileges_drop(const struct privileges *privileges, const char *state);

#endif
