#include "daemon/base/privileges.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemon/base/log.h"

#define USER "netuki"

int privileges_find(const char *user, struct privileges *ret)
{
	const struct passwd *entry;

	*ret = (struct privileges){0};
	if (!user && geteuid() != 0)
		return 0;
	errno = 0;
	entry = getpwnam(user ? user : USER);
	if (!entry && user) {
		log_error("--user: there is no user %s", user);
		return errno ? -errno : -ENOENT;
	}
	if (!entry) {
		log_warn("stays root: there is no user " USER
			 " to become, and no --user");
		return 0;
	}
	if (geteuid() != 0 && geteuid() != entry->pw_uid) {
		log_error("--user: only root can become %s", user);
		return -EPERM;
	}
	*ret = (struct privileges){
		.change = geteuid() != entry->pw_uid,
		.uid = entry->pw_uid,
		.gid = entry->pw_gid,
		.user = user ? user : USER,
	};
	return 0;
}

void privileges_make_directory(
	const struct privileges *privileges, const char *path)
{
	if (mkdir(path, 0755) == 0 && privileges->change &&
		chown(path, privileges->uid, privileges->gid))
		log_warn("%s: cannot be given to %s: %s", path,
			privileges->user, strerror(errno));
}

/* glibc has it do so in every thread, and the groups go with it. */
static int become(const struct privileges *privileges)
{
	if (initgroups(privileges->user, privileges->gid) ||
		setresgid(privileges->gid, privileges->gid, privileges->gid) ||
		setresuid(privileges->uid, privileges->uid, privileges->uid))
		return -errno;
	return 0;
}

/* libcap would be a library for two system calls. */
static int keep_only(uint32_t mask)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct had[_LINUX_CAPABILITY_U32S_3];
	struct __user_cap_data_struct kept[_LINUX_CAPABILITY_U32S_3] = {0};

	if (syscall(SYS_capget, &head, had))
		return -errno;
	kept[0].permitted = kept[0].effective = had[0].permitted & mask;
	return syscall(SYS_capset, &head, kept) ? -errno : 0;
}

int privileges_drop(const struct privileges *privileges, const char *state)
{
	int err = 0;

	/* Refused without CAP_SETPCAP; no_new_privs is then what holds. */
	for (unsigned cap = 0; cap < 64; cap++)
		prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
	if (privileges->change)
		err = become(privileges);
	if (!err)
		err = keep_only(geteuid() == 0 ? 1u << CAP_DAC_OVERRIDE : 0);
	if (!err && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		err = -errno;
	if (err)
		log_error("privileges cannot be dropped: %s", strerror(-err));
	if (!err && privileges->change && access(state, W_OK | X_OK)) {
		err = -errno;
		log_error("state: %s: user %s cannot write there: %s", state,
			privileges->user, strerror(-err));
	}
	return err;
}
