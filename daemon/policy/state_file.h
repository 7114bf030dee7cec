/*
 * state_file: state.json, read and replaced. Without a loop and without
 * threads of its own, so that state.c may write in a helper thread.
 *
 *	{"version": 1,
 *	 "mode": "tftp-uki",                          for all machines
 *	 "include-local": true,                       not only those netbooted
 *	 "machines": {"lab-01": {"mode": "local", "last-mode": "ipxe",
 *	                         "once": {"mode": "ipxe", "image": "x.efi"}}},
 *	 "offers": {"52:54:00:12:34:56": "pxe-port"}}  oldest first
 *
 * What is not set is left out.
 */
#ifndef DAEMON_POLICY_STATE_FILE_H
#define DAEMON_POLICY_STATE_FILE_H

#include "daemon/policy/state.h"

#define STATE_FILE_MAX (128u << 20) /* bytes; more is not ours */
#define STATE_WHY_MAX  512

struct state_form_entry {
	struct mac mac;
	enum config_offer form;
};

struct state_content {
	enum config_mode mode_for_all;
	bool all_includes_local;
	struct state_machine *machines; /* malloc'ed, as are the forms */
	size_t n_machines;
	struct state_form_entry *forms;
	size_t n_forms;
};

void state_content_done(struct state_content *content);

/*
 * Read directory/state.json. 0; -ENOENT; -EBADMSG: it is no state of ours; or
 * another -errno. Entries that mean nothing are left out with a line in the
 * log. *ret is for state_content_done, on success only; why is text on
 * failure.
 */
int state_file_read(const char *directory, struct state_content *ret,
	char why[STATE_WHY_MAX]);
/* Rename it to state.json.bad. 0 or -errno. */
int state_file_set_aside(const char *directory);
/*
 * Replace directory/state.json, or leave it as it is: 0, or -errno and why. A
 * directory that is not there is made.
 */
int state_file_write(const char *directory, const struct state_content *content,
	char why[STATE_WHY_MAX]);

#endif
