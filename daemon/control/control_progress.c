#include "daemon/control/control_progress.h"

#include "daemon/base/clock.h"
#include "daemon/boots/timeline.h"
#include "daemon/control/control_json.h"
#include "daemon/http/http_service.h"
#include "daemon/tftp/tftp_service.h"

struct picture {
	json_t *list;
	uint64_t now_us, more;
};

static json_t *boot_json(const struct boot *b, uint64_t us)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:s, s:f}", "machine",
		json_of_text(b->machine[0] ? b->machine : NULL), "mac",
		json_of_mac(&b->mac), "mode",
		json_of_text(boot_mode_name(b->mode)), "image",
		json_of_text(b->image[0] ? b->image : NULL), "step",
		boot_step_name(b->step), "seconds", (double)us / 1e6);
}

static void set_bytes(json_t *o, uint64_t bytes, uint64_t us)
{
	json_object_set_new(o, "bytes", json_integer((json_int_t)bytes));
	json_object_set_new(o, "transfer-seconds", json_real((double)us / 1e6));
}

static void add_boot(void *arg, const struct boot *b)
{
	struct picture *p = arg;
	json_t *o;

	if (b->outcome != BOOT_OUTCOME_RUNNING)
		return;
	if (json_array_size(p->list) >= CONTROL_PROGRESS_MAX) {
		p->more++;
		return;
	}
	o = boot_json(b, p->now_us - b->begin_us);
	if (b->now_size) {
		set_bytes(o, b->now_bytes, b->now_us);
		json_object_set_new(
			o, "size", json_integer((json_int_t)b->now_size));
	}
	json_array_append_new(p->list, o);
}

static void note(void *arg, const struct journal_event *e, uint64_t size)
{
	boots_note_progress(arg, e, size);
}

json_t *control_running(const struct netuki *netuki)
{
	struct boots *boots = timeline_boots(netuki->timeline);
	struct picture picture = {json_array(), clock_us(), 0};

	boots_forget_progress(boots);
	tftp_service_each(netuki->tftp, note, boots);
	http_service_each(netuki->http, note, boots);
	boots_each(boots, add_boot, &picture);
	return json_pack("{s:o, s:I}", "running", picture.list, "more",
		(json_int_t)picture.more);
}

json_t *control_news(const struct boot *b)
{
	json_t *o = boot_json(b, b->last_us - b->begin_us);

	set_bytes(o, b->bytes, b->transfer_us);
	json_object_set_new(
		o, "outcome", json_string(boot_outcome_name(b->outcome)));
	if (b->outcome != BOOT_OUTCOME_COMPLETE &&
		b->outcome != BOOT_OUTCOME_ELSEWHERE &&
		b->outcome != BOOT_OUTCOME_LOCAL)
		json_object_set_new(o, "why", json_string(boot_reason(b)));
	return json_pack("{s:o}", "news", o);
}
