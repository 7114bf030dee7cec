#include "daemon/boots/timeline.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/clock.h"
#include "daemon/base/log.h"
#include "daemon/boots/boot_metrics.h"
#include "daemon/boots/boots.h"
#include "daemon/boots/history.h"
#include "daemon/policy/clients.h"

#define TICK_S 5

struct timeline {
	struct journal_reader reader;
	struct netuki *netuki;
	struct boots *boots;
	struct event *tick;
	struct boot_metrics metrics;
	struct log_limit limit; /* of lines about boots that failed */
	struct timeline_watcher *watcher;
};

static void describe(void *arg, struct boot *b)
{
	const struct netuki *netuki = ((struct timeline *)arg)->netuki;
	struct decide_world world = netuki_world(netuki);
	const struct client_record *r = clients_find(netuki->clients, &b->mac);
	const struct config_machine *machine = config_find(netuki->config,
		&b->mac, r && r->has_uuid ? &r->uuid : NULL, NULL, NULL);
	struct config_resolved set;
	struct decide_override override;
	const struct image *image;

	if (machine && !b->machine[0])
		snprintf(b->machine, sizeof(b->machine), "%s", machine->name);
	if (b->arch == ARCH_INVALID && r)
		b->arch = r->arch;
	decide_settings(&world, machine, &set, &override);
	if (set.mode == CONFIG_MODE_LOCAL && !b->at_us[BOOT_AT_FIRST_BYTE] &&
		b->mode == BOOT_MODE_IPXE)
		b->mode = BOOT_MODE_LOCAL;
	if (!b->image[0] && set.image && b->mode != BOOT_MODE_UNKNOWN &&
		b->mode != BOOT_MODE_LOCAL)
		snprintf(b->image, sizeof(b->image), "%s", set.image);
	image = b->image[0] ? images_find_for(netuki->images, b->image, b->arch)
			    : NULL;
	if (image && image->has_digest) {
		b->has_digest = true;
		b->digest = image->digest;
	}
}

static bool has_initrd(void *arg, const char *name)
{
	const struct netuki *netuki = ((struct timeline *)arg)->netuki;
	const struct image *image =
		images_find_for(netuki->images, name, ARCH_BIOS);

	return !image || image->state != IMAGE_STATE_READY ||
	       decide_has_initrd(image);
}

static double seconds(const struct boot *b, enum boot_at at)
{
	return (double)(b->at_us[at] - b->begin_us) / 1e6;
}

static void say_complete(const struct boot *b, const char *who)
{
	double busy = (double)b->transfer_us / 1e6;
	char again[80] = "";

	if (b->by_tftp)
		snprintf(again, sizeof(again),
			", %llu of %llu blocks sent again",
			(unsigned long long)(b->resent_timer +
					     b->resent_rollback),
			(unsigned long long)b->blocks);
	log_info("boot: %s: %s by %s: whole after %.3f s, %llu bytes in %.3f s "
		 "(%.1f MB/s)%s",
		who, b->image, boot_mode_name(b->mode),
		seconds(b, BOOT_AT_LAST_BYTE), (unsigned long long)b->bytes,
		busy, busy > 0 ? (double)b->bytes / 1e6 / busy : 0, again);
}

static void say_failure(
	struct timeline *timeline, const struct boot *b, const char *who)
{
	const char *mode = boot_mode_name(b->mode);

	if (!log_allow(&timeline->limit))
		return;
	log_warn("boot: %s: %s%s%s %s at step %s after %.3f s: %s", who,
		b->image, b->image[0] ? " by " : "", mode ? mode : "",
		boot_outcome_name(b->outcome), boot_step_name(b->step),
		(double)(b->last_us - b->begin_us) / 1e6, boot_reason(b));
}

/* Once when the image is whole, once for the guest's word or a failure. */
static bool is_news(const struct boot *b, bool gone)
{
	switch (b->outcome) {
	case BOOT_OUTCOME_COMPLETE:
		return !gone && (b->at_us[BOOT_AT_LAST_BYTE] == b->last_us ||
					b->at_us[BOOT_AT_UP] == b->last_us);
	case BOOT_OUTCOME_ELSEWHERE:
		return gone || b->at_us[BOOT_AT_UP] == b->last_us;
	case BOOT_OUTCOME_LOCAL:
	case BOOT_OUTCOME_ABANDONED:
	case BOOT_OUTCOME_LOOPED:
	case BOOT_OUTCOME_FAILED:
	case BOOT_OUTCOME_LOST:
		return gone;
	case BOOT_OUTCOME_RUNNING:
	case BOOT_OUTCOME_MAX:
		break;
	}
	return false;
}

static void say(struct timeline *timeline, const struct boot *b, bool gone)
{
	char who[BOOT_MACHINE_MAX + MAC_TEXT_LEN + 1];
	char mac[MAC_TEXT_LEN];

	mac_format(&b->mac, ':', mac);
	snprintf(who, sizeof(who), "%s", b->machine[0] ? b->machine : mac);
	if (b->outcome == BOOT_OUTCOME_LOCAL)
		log_info("boot: %s: sent to its own disk", who);
	else if (b->outcome == BOOT_OUTCOME_ELSEWHERE && gone)
		log_info("boot: %s: sent to %s%s", who, b->image,
			b->at_us[BOOT_AT_UP] ? "" : ", not heard of since");
	else if (b->outcome != BOOT_OUTCOME_COMPLETE &&
		 b->outcome != BOOT_OUTCOME_ELSEWHERE)
		say_failure(timeline, b, who);
	else if (b->at_us[BOOT_AT_UP] == b->last_us)
		log_info("boot: %s: up after %.3f s", who,
			seconds(b, BOOT_AT_UP));
	else
		say_complete(b, who);
}

/*
 * A DISCOVER costs a stranger nothing and may bear any address: what went no
 * further is counted, and fills neither the log nor the history.
 */
static bool is_noise(const struct boot *b)
{
	return !b->machine[0] &&
	       (b->step == BOOT_STEP_DHCP || b->step == BOOT_STEP_REQUEST);
}

static void on_changed(void *arg, const struct boot *b, bool gone)
{
	struct timeline *timeline = arg;

	boot_metrics_count(&timeline->metrics, b, gone);
	if (is_noise(b))
		return;
	if (is_news(b, gone)) {
		say(timeline, b, gone);
		if (timeline->watcher)
			timeline->watcher->news(timeline->watcher, b);
	}
	history_put(timeline->netuki->history, b);
}

static void on_event(
	struct journal_reader *reader, const struct journal_event *e)
{
	struct timeline *timeline = (struct timeline *)(void *)reader;

	/* After a restart only the history knows of the boot. */
	if (e->kind == JOURNAL_BOOTED && e->has_mac &&
		!boots_has(timeline->boots, &e->mac))
		history_note_up(timeline->netuki->history, &e->mac);
	boots_take(timeline->boots, e);
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct timeline *timeline = arg;

	(void)fd, (void)what;
	boots_tick(timeline->boots, clock_us());
}

const struct boot_metrics *timeline_metrics(const struct timeline *timeline)
{
	return &timeline->metrics;
}

struct boots *timeline_boots(const struct timeline *timeline)
{
	return timeline->boots;
}

void timeline_watch(struct timeline *timeline, struct timeline_watcher *watcher)
{
	timeline->watcher = watcher;
}

struct timeline *timeline_new(struct netuki *netuki)
{
	static const struct timeval interval = {TICK_S, 0};
	struct timeline *timeline = calloc(1, sizeof(*timeline));
	struct boots_hooks hooks = {
		.describe = describe,
		.has_initrd = has_initrd,
		.changed = on_changed,
		.arg = timeline,
	};

	if (!timeline)
		return NULL;
	timeline->netuki = netuki;
	timeline->limit.burst = 100;
	timeline->boots = boots_new(&hooks);
	timeline->tick = event_new(
		netuki->base, -1, EV_PERSIST | EV_TIMEOUT, on_tick, timeline);
	if (!timeline->boots || !timeline->tick) {
		boots_free(timeline->boots);
		if (timeline->tick)
			event_free(timeline->tick);
		free(timeline);
		return NULL;
	}
	event_add(timeline->tick, &interval);
	timeline->reader.read = on_event;
	journal_add_reader(&netuki->journal, &timeline->reader);
	return timeline;
}

void timeline_free(struct timeline *timeline)
{
	if (!timeline)
		return;
	journal_remove_reader(&timeline->netuki->journal, &timeline->reader);
	event_free(timeline->tick);
	boots_free(timeline->boots);
	free(timeline);
}
