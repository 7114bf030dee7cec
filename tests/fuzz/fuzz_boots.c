/*
 * boots: whatever happens in whatever order, the table stays within its bound,
 * no boot is told of after its last word, its moments lie within it, and each
 * has an outcome in the end.
 *
 * Input: records of four bytes: what happens, to whom, with which file, after
 * how long.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/boots/boots.h"

#define SEQS 4096

struct seen {
	uint64_t last_seq;
	uint8_t gone[SEQS];
};

static void on_changed(void *arg, const struct boot *b, bool gone)
{
	struct seen *seen = arg;

	if (!b->seq || b->last_us < b->begin_us || b->mode >= BOOT_MODE_MAX ||
		b->step >= BOOT_STEP_MAX || !b->attempts)
		abort();
	for (enum boot_at at = 0; at < BOOT_AT_MAX; at++)
		if (b->at_us[at] && (b->at_us[at] < b->begin_us ||
					    b->at_us[at] > b->last_us))
			abort();
	if (b->outcome == BOOT_OUTCOME_COMPLETE && !b->at_us[BOOT_AT_LAST_BYTE])
		abort();
	if (b->resent_timer > b->blocks || (b->blocks && !b->by_tftp))
		abort();
	if (b->seq >= SEQS)
		return;
	if (seen->gone[b->seq] || (gone && b->outcome == BOOT_OUTCOME_RUNNING))
		abort();
	seen->gone[b->seq] = gone;
}

static bool has_initrd(void *arg, const char *image)
{
	(void)arg;
	return image[0] != 'y';
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct journal_event event_of(const uint8_t r[4], uint64_t t_us)
{
	static const char *const files[] = {NULL, "snponly.efi", "images/x.efi",
		"images/y.efi/linux", "images/x.efi/initrd",
		"images/x.efi/linux", "machines/52-54-00-00-00-01/x.efi",
		"http://10.0.0.1/images/x.efi", "http://10.0.0.1", "loaders/x",
		"machines/lab-01/x.efi", "\\images\\x.efi", "../x", ""};
	static const char *const details[] = {NULL, "local", "direct", "no"};

	return (struct journal_event){
		.kind = r[0] % JOURNAL_MAX,
		.t_us = t_us,
		.has_mac = (r[1] & 0x80) == 0,
		.mac = {{0x52, 0x54, 0, 0, 0, r[1] & 7}},
		.ip = r[1] >> 3 & 7,
		.firmware = (enum pxe_firmware)(r[2] >> 4) % 5,
		.arch = ARCH_X64,
		.file = files[(r[2] & 15) % (sizeof(files) / sizeof(*files))],
		.bytes = r[3],
		.partial = (r[3] & 0x40) != 0,
		.us = 1 + r[3],
		.xid = r[3] & 3,
		.ours = (r[3] & 0x20) != 0,
		.elsewhere = (r[3] & 0x10) != 0,
		.blocks = r[3] & 0x0f,
		.resent_timer = (r[3] & 0x0f) / 2,
		.detail = details[r[3] >> 2 & 3],
	};
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct seen *seen = calloc(1, sizeof(*seen));
	struct boots_hooks hooks = {NULL, has_initrd, on_changed, seen};
	struct boots *boots = boots_new(&hooks);
	uint64_t now_us = 1000;

	if (!seen || !boots)
		abort();
	for (; size >= 4; data += 4, size -= 4) {
		struct journal_event e;

		/* From no time at all to 68 minutes. */
		now_us += (1ull << (data[3] & 31)) * (data[3] >> 5);
		e = event_of(data, now_us);
		if (data[0] == 0xff)
			boots_tick(boots, now_us);
		else
			boots_take(boots, &e);
		/* Three bits of MAC address. */
		if (boots_count(boots) > 8)
			abort();
	}
	boots_free(boots);
	free(seen);
	return 0;
}
