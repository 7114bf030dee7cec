#include "daemon/boots/boot_way.h"

#include <stdio.h>
#include <string.h>

#include "proto/path.h"

#define LOCAL_IDLE_US 60000000ull

static void reach(struct boot_way *w, enum boot_step step)
{
	if (w->b.step < step)
		w->b.step = step;
}

static void mark_first(struct boot_way *w, enum boot_at at, uint64_t t_us)
{
	if (!w->b.at_us[at])
		w->b.at_us[at] = t_us;
}

static bool has(const struct boot_way *w, enum boot_at at)
{
	return w->b.at_us[at] != 0;
}

/* Is this DISCOVER that of the iPXE which the boot's firmware has loaded? */
static bool is_second_stage(
	const struct boot_way *w, const struct journal_event *e)
{
	if (e->firmware != PXE_FIRMWARE_IPXE || has(w, BOOT_AT_LAST_BYTE))
		return false;
	return w->b.firmware != PXE_FIRMWARE_IPXE ||
	       (w->loaded && !has(w, BOOT_AT_SCRIPT));
}

static bool is_restart(const struct boot_way *w, const struct journal_event *e)
{
	/* Each firmware of a machine is sent to the disk once. */
	if (w->b.outcome == BOOT_OUTCOME_LOCAL && e->firmware == w->b.firmware)
		return true;
	return has(w, BOOT_AT_SCRIPT) || has(w, BOOT_AT_FIRST_BYTE) ||
	       w->b.outcome == BOOT_OUTCOME_ELSEWHERE ||
	       (has(w, BOOT_AT_LOADER) && w->firmware != e->firmware);
}

bool way_take_discover(struct boot_way *w, const struct journal_event *e)
{
	bool again = w->xid_us && w->xid == e->xid &&
		     w->firmware == e->firmware &&
		     e->t_us - w->xid_us < BOOTS_RETRY_US &&
		     !has(w, BOOT_AT_LAST_BYTE);

	if (!again && is_second_stage(w, e)) {
		mark_first(w, BOOT_AT_IPXE, e->t_us);
		reach(w, BOOT_STEP_IPXE);
		return true;
	}
	if (!again && is_restart(w, e))
		return false;
	if (!again && w->xid_us) {
		w->b.attempts++;
		w->loaded = false;
	}
	mark_first(w, BOOT_AT_DISCOVER, e->t_us);
	w->firmware = e->firmware;
	w->xid = e->xid;
	w->xid_us = e->t_us;
	return true;
}

/* "http://HOST/PATH" or a file name as a normalised path. */
static bool path_of(const char *file, char ret[PATH_MAX_LEN + 1])
{
	const char *host = strstr(file, "://");
	const char *path = host ? strchr(host + 3, '/') : file;

	return path && path_normalise(path, strlen(path), host != NULL, ret);
}

static void describe(const struct boots_hooks *hooks, struct boot_way *w)
{
	if (hooks->describe)
		hooks->describe(hooks->arg, &w->b);
}

static void set_image(
	const struct boots_hooks *hooks, struct boot_way *w, const char *name)
{
	if (strcmp(w->b.image, name) == 0)
		return;
	snprintf(w->b.image, sizeof(w->b.image), "%s", name);
	w->b.has_digest = false;
	describe(hooks, w);
}

/* What the offer means the client to do, until it has done something. */
static void take_offer(const struct boots_hooks *hooks, struct boot_way *w,
	const struct journal_event *e)
{
	char path[PATH_MAX_LEN + 1];
	struct content_name name;

	if (has(w, BOOT_AT_FIRST_BYTE))
		return;
	if (e->local) {
		w->b.mode = BOOT_MODE_LOCAL;
		w->b.outcome = BOOT_OUTCOME_LOCAL;
		return;
	}
	w->b.outcome = BOOT_OUTCOME_RUNNING;
	w->b.mode = BOOT_MODE_IPXE;
	if (e->elsewhere) {
		w->b.mode = BOOT_MODE_HTTP;
		w->b.outcome = BOOT_OUTCOME_ELSEWHERE;
	} else if (e->file && path_of(e->file, path) &&
		   content_parse_name(path, &name)) {
		w->b.mode = e->firmware == PXE_FIRMWARE_HTTP
				    ? BOOT_MODE_HTTP
				    : BOOT_MODE_TFTP_UKI;
		set_image(hooks, w, name.image);
	}
	describe(hooks, w);
}

static void take_answer(const struct boots_hooks *hooks, struct boot_way *w,
	const struct journal_event *e)
{
	bool second = e->firmware == PXE_FIRMWARE_IPXE && has(w, BOOT_AT_IPXE);

	if (second)
		w->b.at_us[BOOT_AT_IPXE_OFFER] = e->t_us;
	else if (e->kind == JOURNAL_ACK)
		w->b.at_us[BOOT_AT_ACK] = e->t_us;
	else
		w->b.at_us[BOOT_AT_OFFER] = e->t_us;
	take_offer(hooks, w, e);
}

static void take_request(struct boot_way *w, const struct journal_event *e)
{
	if (e->firmware == PXE_FIRMWARE_IPXE && has(w, BOOT_AT_IPXE))
		return;
	mark_first(w, BOOT_AT_REQUEST, e->t_us);
	reach(w, BOOT_STEP_REQUEST);
}

/* Files. */

static bool is_tftp(const struct journal_event *e)
{
	return journal_file_of(e->kind) == JOURNAL_BY_TFTP;
}

struct way_subject way_subject_of(const struct journal_event *e)
{
	struct way_subject s = {0};
	char path[PATH_MAX_LEN + 1];
	struct client client = {0};

	s.is_file = journal_file_of(e->kind) != JOURNAL_NO_FILE;
	if (!s.is_file || !e->file || !path_of(e->file, path))
		return s;
	if (content_parse_name(path, &s.name)) {
		s.kind = WAY_IMAGE;
		if (s.name.id &&
			content_parse_id(s.name.id, s.name.id_len, &client)) {
			s.has_mac = client.has_mac;
			s.mac = client.mac;
		}
		s.own = s.name.id != NULL;
		s.name.id = NULL; /* it points into our path */
	} else if (is_tftp(e) || path_below(path, "loaders")) {
		s.kind = WAY_LOADER;
	}
	return s;
}

/* Does a transfer of this begin a boot where none runs? */
bool way_begins(const struct journal_event *e, const struct way_subject *s)
{
	switch (e->kind) {
	case JOURNAL_TFTP_START:
		return s->kind != WAY_NOTHING;
	case JOURNAL_TFTP_ABORTED: /* a question of size */
		return s->kind != WAY_NOTHING && !e->blocks;
	case JOURNAL_HTTP_START:
		return s->kind == WAY_IMAGE && s->own;
	case JOURNAL_REQUEST:
	case JOURNAL_SCRIPT:
		return true;
	case JOURNAL_DISCOVER:
	case JOURNAL_OFFER:
	case JOURNAL_ACK:
	case JOURNAL_IGNORED:
	case JOURNAL_ADVERTISEMENT:
	case JOURNAL_TFTP_DONE:
	case JOURNAL_TFTP_FAILED:
	case JOURNAL_TFTP_REFUSED:
	case JOURNAL_HTTP_DONE:
	case JOURNAL_HTTP_BROKEN:
	case JOURNAL_HTTP_REFUSED:
	case JOURNAL_FILE:
	case JOURNAL_BOOTED:
	case JOURNAL_MAX:
		break;
	}
	return false;
}

/*
 * Where DHCP is not ours, no DISCOVER tells of the next boot; then the first
 * step that nobody takes twice in one boot does.
 */
bool way_begins_anew(const struct boot_way *w, const struct journal_event *e)
{
	if (e->kind == JOURNAL_SCRIPT)
		return has(w, BOOT_AT_FIRST_BYTE);
	return has(w, BOOT_AT_LAST_BYTE) && is_tftp(e);
}

static void take_start(const struct boots_hooks *hooks, struct boot_way *w,
	const struct journal_event *e, const struct way_subject *s)
{
	w->transfers++;
	if (s->kind == WAY_LOADER) {
		w->loaded = true;
		mark_first(w, BOOT_AT_LOADER, e->t_us);
		reach(w, BOOT_STEP_LOADER);
		return;
	}
	if (has(w, BOOT_AT_LAST_BYTE))
		return;
	if (w->b.outcome == BOOT_OUTCOME_LOCAL ||
		w->b.outcome == BOOT_OUTCOME_ELSEWHERE)
		w->b.outcome = BOOT_OUTCOME_RUNNING;
	if (is_tftp(e))
		w->b.mode = BOOT_MODE_TFTP_UKI;
	else if (has(w, BOOT_AT_SCRIPT) || has(w, BOOT_AT_IPXE) ||
		 w->firmware == PXE_FIRMWARE_IPXE)
		w->b.mode = BOOT_MODE_IPXE;
	else
		w->b.mode = BOOT_MODE_HTTP;
	mark_first(w, BOOT_AT_FIRST_BYTE, e->t_us);
	reach(w, BOOT_STEP_IMAGE);
	set_image(hooks, w, s->name.image);
}

static void count_loader(struct boot_way *w, const struct journal_event *e)
{
	w->b.at_us[BOOT_AT_LOADER_DONE] = e->t_us;
	if (!w->b.loads || e->t_us - w->loads_us > BOOTS_LONGEST_US) {
		w->b.loads = 0;
		w->loads_us = e->t_us;
	}
	w->loops = ++w->b.loads >= BOOTS_LOOP;
}

static void count_bytes(struct boot_way *w, const struct journal_event *e)
{
	struct boot *b = &w->b;

	b->bytes += e->bytes;
	b->transfer_us += e->us;
	if (!e->blocks)
		return;
	b->by_tftp = true;
	b->blocks += e->blocks;
	b->resent_timer += e->resent_timer;
	b->resent_rollback += e->resent_rollback;
	b->blksize = e->blksize;
	b->windowsize = e->windowsize;
}

/* A download of the image after it was complete. */
static void count_again(struct boot_way *w, const struct way_subject *s)
{
	if (has(w, BOOT_AT_UP) || s->name.part == CONTENT_INITRD)
		return;
	if (++w->b.image_loads >= BOOTS_LOOP)
		w->b.outcome = BOOT_OUTCOME_LOOPED;
}

static bool is_whole(const struct boots_hooks *hooks, struct boot_way *w,
	const struct way_subject *s)
{
	switch (s->name.part) {
	case CONTENT_WHOLE:
		return true;
	case CONTENT_KERNEL:
		w->kernel_done = true;
		return hooks->has_initrd &&
		       !hooks->has_initrd(hooks->arg, s->name.image);
	case CONTENT_INITRD:
		return w->kernel_done;
	}
	return false;
}

static void take_done(const struct boots_hooks *hooks, struct boot_way *w,
	const struct journal_event *e, const struct way_subject *s)
{
	if (w->transfers)
		w->transfers--;
	if (s->kind == WAY_LOADER) {
		if (!has(w, BOOT_AT_SCRIPT))
			count_loader(w, e);
		return;
	}
	if (has(w, BOOT_AT_LAST_BYTE)) {
		if (!e->partial)
			count_again(w, s);
		return;
	}
	count_bytes(w, e);
	if (e->partial || !is_whole(hooks, w, s))
		return;
	w->b.at_us[BOOT_AT_LAST_BYTE] = e->t_us;
	w->b.image_loads = 1;
	w->b.outcome = BOOT_OUTCOME_COMPLETE;
	w->b.why[0] = '\0';
	describe(hooks, w);
}

static void note_trouble(struct boot_way *w, const struct journal_event *e)
{
	if (has(w, BOOT_AT_LAST_BYTE))
		return;
	w->ours = e->ours;
	snprintf(w->b.why, sizeof(w->b.why), "%s", e->detail ? e->detail : "");
}

static void take_broken(struct boot_way *w, const struct journal_event *e,
	const struct way_subject *s)
{
	if (is_tftp(e) && !e->blocks)
		return; /* a question of size */
	if (w->transfers)
		w->transfers--;
	note_trouble(w, e);
	if (s->kind != WAY_IMAGE || has(w, BOOT_AT_LAST_BYTE))
		return;
	count_bytes(w, e);
	w->b.broken++;
}

/*
 * iPXE asks for files that need not be there, like autoexec.ipxe; an image
 * is asked for by whoever was told to. What means "local" to HTTP Boot is a
 * file that is not there.
 */
static void take_refused(struct boot_way *w, const struct journal_event *e,
	const struct way_subject *s)
{
	if (s->kind == WAY_IMAGE && w->b.mode != BOOT_MODE_LOCAL) {
		note_trouble(w, e);
		w->ours = true;
	}
}

static void take_script(const struct boots_hooks *hooks, struct boot_way *w,
	const struct journal_event *e)
{
	mark_first(w, BOOT_AT_SCRIPT, e->t_us);
	reach(w, BOOT_STEP_SCRIPT);
	if (!w->b.mode)
		w->b.mode = BOOT_MODE_IPXE;
	w->b.loads = 0;
	w->loops = false;
	describe(hooks, w);
	if (w->b.mode == BOOT_MODE_LOCAL)
		w->b.outcome = BOOT_OUTCOME_LOCAL;
	if (e->elsewhere)
		w->b.outcome = BOOT_OUTCOME_ELSEWHERE;
}

static void take_up(struct boot_way *w, const struct journal_event *e)
{
	/* Else it is the word of the system before this boot. */
	if (w->b.outcome == BOOT_OUTCOME_RUNNING || has(w, BOOT_AT_UP))
		return;
	w->b.at_us[BOOT_AT_UP] = e->t_us;
	reach(w, BOOT_STEP_UP);
	if (w->b.outcome == BOOT_OUTCOME_LOOPED)
		w->b.outcome = BOOT_OUTCOME_COMPLETE;
}

void way_take(const struct boots_hooks *hooks, struct boot_way *w,
	const struct journal_event *e, const struct way_subject *s)
{
	switch (e->kind) {
	case JOURNAL_OFFER:
	case JOURNAL_ACK:
		take_answer(hooks, w, e);
		break;
	case JOURNAL_REQUEST:
		take_request(w, e);
		break;
	case JOURNAL_SCRIPT:
		take_script(hooks, w, e);
		break;
	case JOURNAL_TFTP_START:
	case JOURNAL_HTTP_START:
		take_start(hooks, w, e, s);
		break;
	case JOURNAL_TFTP_DONE:
	case JOURNAL_HTTP_DONE:
		take_done(hooks, w, e, s);
		break;
	case JOURNAL_TFTP_ABORTED:
	case JOURNAL_TFTP_FAILED:
	case JOURNAL_HTTP_BROKEN:
		take_broken(w, e, s);
		break;
	case JOURNAL_TFTP_REFUSED:
	case JOURNAL_HTTP_REFUSED:
		take_refused(w, e, s);
		break;
	case JOURNAL_BOOTED:
		take_up(w, e);
		break;
	case JOURNAL_DISCOVER:
	case JOURNAL_IGNORED:
	case JOURNAL_ADVERTISEMENT:
	case JOURNAL_FILE:
	case JOURNAL_MAX:
		break;
	}
}

void way_begin(struct boot_way *w, const struct boots_hooks *hooks,
	const struct mac *mac, const struct journal_event *e)
{
	/* A question of size is told when it is over. */
	bool late = e->kind == JOURNAL_TFTP_ABORTED && e->us < e->t_us;

	*w = (struct boot_way){
		.b =
			{
				.mac = *mac,
				.firmware = e->kind == JOURNAL_SCRIPT
						    ? PXE_FIRMWARE_IPXE
						    : e->firmware,
				.arch = e->arch,
				.attempts = 1,
				.begin_us = late ? e->t_us - e->us : e->t_us,
				.last_us = e->t_us,
			},
	};
	w->firmware = w->b.firmware;
	describe(hooks, w);
}

bool way_is_over(const struct boot_way *w, uint64_t now_us)
{
	uint64_t idle_us = now_us - w->b.last_us;

	if (now_us <= w->b.last_us)
		return false;
	if (w->b.outcome == BOOT_OUTCOME_LOCAL)
		return idle_us > LOCAL_IDLE_US;
	if (has(w, BOOT_AT_LAST_BYTE) || w->b.outcome == BOOT_OUTCOME_ELSEWHERE)
		return idle_us > BOOTS_UP_US;
	if (w->transfers)
		return idle_us > BOOTS_LONGEST_US;
	return idle_us > BOOTS_IDLE_US ||
	       now_us - w->b.begin_us > BOOTS_LONGEST_US;
}

void way_end(struct boot_way *w, const char *lost)
{
	if (w->b.outcome != BOOT_OUTCOME_RUNNING)
		return;
	if (lost)
		snprintf(w->b.why, sizeof(w->b.why), "%s", lost);
	w->b.outcome = lost	  ? BOOT_OUTCOME_LOST
		       : w->loops ? BOOT_OUTCOME_LOOPED
		       : w->ours  ? BOOT_OUTCOME_FAILED
				  : BOOT_OUTCOME_ABANDONED;
}
