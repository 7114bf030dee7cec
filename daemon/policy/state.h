/*
 * state: what netukid remembers across restarts: modes set at run time,
 * boot-once, and the form of offer that worked for a machine. Small, in
 * memory, and in one JSON file, STATE/state.json, which a helper thread
 * replaces whole (write, fsync, rename): a crash or a full disk leaves the
 * old file or the new one, never neither.
 *
 * Reading it is pure; decide() does. Every change is saved soon, and the
 * saves of a burst are one. What could not be saved stays in force, is tried
 * again every few seconds, and is reported by state_problem.
 */
#ifndef DAEMON_POLICY_STATE_H
#define DAEMON_POLICY_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "config/config.h"
#include "proto/id.h"

struct event_base;
struct worker;
struct state;

#define STATE_MAX_MACHINES 131072
#define STATE_MAX_FORMS	   16384
#define STATE_NAME_MAX	   128 /* a nameless machine's is its serial number */
#define STATE_IMAGE_MAX	   128

/* What is remembered of one machine of the configuration, by its name. */
struct state_machine {
	char name[STATE_NAME_MAX + 1];
	enum config_mode mode;	    /* set at run time; UNSET: not */
	bool once;		    /* netboot the next time, then no more */
	enum config_mode once_mode; /* UNSET: as otherwise */
	char once_image[STATE_IMAGE_MAX + 1]; /* "": as otherwise */
	enum config_mode last_mode;	      /* of the last finished boot, for
						 `alternate`; UNSET: none yet */
};

/*
 * Read DIRECTORY/state.json; none is an empty state, and one that makes no
 * sense is set aside as state.json.bad, with a line in the log. Without a
 * worker (base and worker NULL) nothing is ever saved; directory NULL: nothing
 * is read either. 0, or -errno after having logged why.
 */
int state_new(struct event_base *base, struct worker *worker,
	const char *directory, struct state **ret);
/*
 * Saves what is not saved yet, so the worker must have been freed before.
 * Who waits is not called. NULL is fine.
 */
void state_free(struct state *state);
/* NULL, or why the last save failed; until the next one. NULL is fine. */
const char *state_problem(const struct state *state);

/* The mode set for all machines; UNSET: none. state NULL: UNSET. */
enum config_mode state_mode_for_all(const struct state *state);
/* Also for those that the configuration sets to `local`? */
bool state_all_includes_local(const struct state *state);
void state_set_mode_for_all(
	struct state *state, enum config_mode mode, bool include_local);
/*
 * NULL: nothing is remembered of it. Valid until something is changed. state
 * NULL is fine.
 */
const struct state_machine *state_find(
	const struct state *state, const char *name);
/*
 * Change what is remembered of this machine. Entries that say nothing any
 * more are dropped. False: the table is full, or there is no name.
 */
bool state_put(struct state *state, const struct state_machine *machine);
/*
 * Of state_find, or with nothing but the name if nothing is remembered; no
 * name if it is too long.
 */
struct state_machine state_get(const struct state *state, const char *name);
/*
 * Nothing is saved until as many releases have followed: the changes between
 * them are on the disk all together, or none is.
 */
void state_hold(struct state *state);
void state_release(struct state *state);
size_t state_count(const struct state *state);
/* In no particular order. */
const struct state_machine *state_at(const struct state *state, size_t i);

/* The form of offer that worked; UNSET: not known. state NULL is fine. */
enum config_offer state_form(const struct state *state, const struct mac *mac);
/*
 * When the table is full the oldest makes room. Saved within some seconds: to
 * learn it again costs a machine one attempt.
 */
void state_set_form(
	struct state *state, const struct mac *mac, enum config_offer form);

/* Who waits; it belongs to the state until it is called, or forgotten. */
struct state_waiter {
	TAILQ_ENTRY(state_waiter) link;
	uint64_t generation; /* is called when this one is saved */
	void (*saved)(void *arg);
	void *arg;
};

/*
 * Call saved(arg) from the loop when all that has changed up to now is on the
 * disk, or could not be written (state_problem says why). At once if there is
 * nothing to save.
 */
void state_when_saved(struct state *state, struct state_waiter *waiter,
	void (*saved)(void *arg), void *arg);
void state_forget_wait(struct state *state, struct state_waiter *waiter);

#endif
