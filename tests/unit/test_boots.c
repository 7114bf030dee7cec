/*
 * boots: events to boots. A case is two texts: the events, one a line, and the
 * boots that come of them, in the order in which they end:
 *
 *	SECONDS KIND MACHINE [KEY=VALUE...]	or	SECONDS tick
 *
 * MACHINE is a letter, the last byte of its MAC address; "-": the event does
 * not tell. Keys: fw, xid, file, ip, bytes, ms (how long it took), blocks,
 * timer, rollback, detail; partial=1, ours=1, local=1, elsewhere=1.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/boots/boots.h"

#define TEXT_MAX 4096

static const struct {
	const char *name, *events, *boots;
} cases[] = {
	{"UEFI PXE with iPXE",
		"10 discover a fw=uefi xid=1\n"
		"10.001 offer a fw=uefi file=snponly.efi detail=direct\n"
		"14 request a fw=uefi xid=2 ip=7\n"
		"14.001 ack a fw=uefi file=snponly.efi ip=7\n"
		"14.2 tftp-aborted a file=snponly.efi ip=7 ms=5\n"
		"14.3 tftp-start a file=snponly.efi\n"
		"14.5 tftp-done a file=snponly.efi bytes=90 ms=200 blocks=9\n"
		"16 discover a fw=ipxe xid=3\n"
		"16.001 offer a fw=ipxe file=http://s/ipxe/x detail=ipxe\n"
		"17 router-advertisement a\n"
		"18 script a file=x.efi_for_lab ip=7\n"
		"18.5 http-start a file=images/x.efi\n"
		"19.5 http-done a file=images/x.efi bytes=1000 ms=1000\n"
		"25 booted a\n"
		"2000 tick\n",
		"a uefi ipxe complete up x.efi discover=0 offer=0.001 "
		"request=4 ack=4.001 loader=4.3 loader_done=4.5 ipxe=6 "
		"ipxe_offer=6.001 script=8 first_byte=8.5 last_byte=9.5 up=15 "
		"bytes=1000 transfer=1 machine\n"},
	{"UEFI loads the UKI itself, after asking for its size",
		"10 discover a fw=uefi xid=1\n"
		"10.1 offer a fw=uefi file=images/x.efi\n"
		"14 tftp-aborted a file=images/x.efi ms=5\n"
		"14.1 tftp-start a file=images/x.efi\n"
		"15.1 tftp-done a file=images/x.efi bytes=900 ms=1100 "
		"blocks=12 timer=1 rollback=2\n"
		"2000 tick\n",
		"a uefi tftp-uki complete image x.efi discover=0 offer=0.1 "
		"first_byte=4.1 last_byte=5.1 bytes=900 transfer=1.1 blocks=12 "
		"timer=1 rollback=2 machine\n"},
	{"UEFI HTTP Boot",
		"10 discover a fw=http xid=1\n"
		"10.1 offer a fw=http file=http://10.0.0.1:80/images/x.efi\n"
		"14 http-start a file=images/x.efi\n"
		"15 http-done a file=images/x.efi bytes=900 ms=1000\n"
		"2000 tick\n",
		"a http http complete image x.efi discover=0 offer=0.1 "
		"first_byte=4 last_byte=5 bytes=900 transfer=1 machine\n"},
	{"another server has the image: iPXE is sent there",
		"10 discover a fw=ipxe xid=1\n"
		"10.1 offer a fw=ipxe file=http://s/ipxe/x\n"
		"11 script a elsewhere=1\n"
		"300 file a file=machines/x/seed\n"
		"310 booted a\n"
		"600 discover a fw=ipxe xid=2\n"
		"600.1 offer a fw=ipxe file=http://s/ipxe/x\n"
		"601 script a elsewhere=1\n"
		"2000 tick\n",
		"a ipxe ipxe elsewhere up - discover=0 offer=0.1 script=1 "
		"up=300 machine\n"
		"a ipxe ipxe elsewhere script - discover=0 offer=0.1 script=1 "
		"machine\n"},
	{"another server has the image: so is UEFI HTTP Boot",
		"10 discover a fw=http xid=1\n"
		"10.1 offer a fw=http file=http://o/x.efi elsewhere=1\n"
		"14 discover a fw=http xid=1\n"
		"14.1 offer a fw=http file=http://o/x.efi elsewhere=1\n"
		"99 discover a fw=http xid=2\n"
		"99.1 offer a fw=http file=http://o/x.efi elsewhere=1\n"
		"140 booted a\n"
		"2000 tick\n",
		"a http http elsewhere dhcp - discover=0 offer=4.1 machine\n"
		"a http http elsewhere up - discover=0 offer=0.1 up=41 "
		"machine\n"},
	{"BIOS: kernel and initrd",
		"10 discover a fw=bios xid=1\n"
		"10.1 offer a fw=bios file=undionly.kpxe\n"
		"11 tftp-start a file=undionly.kpxe\n"
		"12 tftp-done a file=undionly.kpxe bytes=9 ms=9 blocks=1\n"
		"13 discover a fw=ipxe xid=2\n"
		"13.1 offer a fw=ipxe file=http://s/ipxe/x\n"
		"14 script a\n"
		"15 http-start a file=images/x.efi/linux\n"
		"16 http-done a file=images/x.efi/linux bytes=100 ms=1000\n"
		"17 http-start a file=images/x.efi/initrd\n"
		"19 http-done a file=images/x.efi/initrd bytes=200 ms=2000\n"
		"2000 tick\n",
		"a bios ipxe complete image x.efi discover=0 offer=0.1 "
		"loader=1 loader_done=2 ipxe=3 ipxe_offer=3.1 script=4 "
		"first_byte=5 last_byte=9 bytes=300 transfer=3 machine\n"},
	{"BIOS: switched off between kernel and initrd",
		"15 script a\n"
		"15 http-start a file=images/x.efi/linux\n"
		"16 http-done a file=images/x.efi/linux bytes=100 ms=1000\n"
		"2000 tick\n",
		"a ipxe ipxe abandoned image x.efi script=0 first_byte=0 "
		"bytes=100 transfer=1 machine\n"},
	{"BIOS: an image without initrd",
		"15 script a\n"
		"15 http-start a file=images/bare.efi/linux\n"
		"16 http-done a file=images/bare.efi/linux bytes=100 ms=1000\n"
		"2000 tick\n",
		"a ipxe ipxe complete image bare.efi script=0 first_byte=0 "
		"last_byte=1 bytes=100 transfer=1 machine\n"},
	{"iPXE in a ROM: its one DHCP is the firmware's",
		"10 discover a fw=ipxe xid=1\n"
		"10.1 offer a fw=ipxe file=http://s/ipxe/x\n"
		"11 script a\n"
		"12 http-start a file=images/x.efi\n"
		"13 http-done a file=images/x.efi bytes=100 ms=1000\n"
		"40 discover a fw=ipxe xid=1\n"
		"40.1 offer a fw=ipxe file=http://s/ipxe/x\n"
		"2000 tick\n",
		"a ipxe ipxe complete image x.efi discover=0 offer=0.1 "
		"script=1 first_byte=2 last_byte=3 bytes=100 transfer=1 "
		"machine\n"
		"a ipxe ipxe abandoned dhcp - discover=0 offer=0.1 machine\n"},
	{"iPXE in a ROM that loads another iPXE",
		"10 discover a fw=ipxe xid=1\n"
		"10.1 offer a fw=ipxe file=undionly.kpxe\n"
		"11 tftp-start a file=undionly.kpxe\n"
		"12 tftp-done a file=undionly.kpxe bytes=9 ms=9 blocks=1\n"
		"13 discover a fw=ipxe xid=2\n"
		"13.1 offer a fw=ipxe file=http://s/ipxe/x\n"
		"14 script a\n"
		"2000 tick\n",
		"a ipxe ipxe abandoned script - discover=0 offer=0.1 loader=1 "
		"loader_done=2 ipxe=3 ipxe_offer=3.1 script=4 machine\n"},
	{"a repeated DISCOVER is the same attempt",
		"10 discover a fw=uefi xid=1\n"
		"10.1 offer a fw=uefi file=images/x.efi\n"
		"14 discover a fw=uefi xid=1\n"
		"14.1 offer a fw=uefi file=images/x.efi\n"
		"22 discover a fw=uefi xid=1\n"
		"22.1 offer a fw=uefi file=images/x.efi\n"
		"2000 tick\n",
		"a uefi tftp-uki abandoned dhcp x.efi discover=0 offer=12.1 "
		"machine\n"},
	{"PXE unheard, then HTTP Boot: one power-on",
		"10 discover a fw=uefi xid=1\n"
		"10.1 offer a fw=uefi file=snponly.efi\n"
		"70 discover a fw=http xid=2\n"
		"70.1 offer a fw=http file=http://s/images/x.efi\n"
		"74 http-start a file=images/x.efi\n"
		"75 http-done a file=images/x.efi bytes=100 ms=1000\n"
		"2000 tick\n",
		"a uefi http complete image x.efi attempts=2 discover=0 "
		"offer=60.1 first_byte=64 last_byte=65 bytes=100 transfer=1 "
		"machine\n"},
	{"PXE that had its loader, then HTTP Boot: the failure is kept",
		"10 discover a fw=uefi xid=1\n"
		"10.1 offer a fw=uefi file=snponly.efi\n"
		"11 tftp-start a file=snponly.efi\n"
		"12 tftp-done a file=snponly.efi bytes=9 ms=9 blocks=1\n"
		"20 discover a fw=http xid=2\n"
		"20.1 offer a fw=http file=http://s/images/x.efi\n"
		"24 http-start a file=images/x.efi\n"
		"25 http-done a file=images/x.efi bytes=100 ms=1000\n"
		"2000 tick\n",
		"a uefi ipxe abandoned loader - discover=0 offer=0.1 loader=1 "
		"loader_done=2 loads=1 machine\n"
		"a http http complete image x.efi discover=0 offer=0.1 "
		"first_byte=4 last_byte=5 bytes=100 transfer=1 machine\n"},
	{"power lost in the image, and the next boot",
		"10 discover a fw=uefi xid=1\n"
		"10.1 offer a fw=uefi file=images/x.efi\n"
		"14 tftp-start a file=images/x.efi\n"
		"20 discover a fw=uefi xid=2\n"
		"20.1 offer a fw=uefi file=images/x.efi\n"
		"24 tftp-start a file=images/x.efi\n"
		"25 tftp-done a file=images/x.efi bytes=900 ms=1000 blocks=9\n"
		"44 tftp-failed a file=images/x.efi bytes=90 ms=30000 blocks=3 "
		"detail=silent\n"
		"2000 tick\n",
		"a uefi tftp-uki abandoned image x.efi discover=0 offer=0.1 "
		"first_byte=4 machine\n"
		"a uefi tftp-uki complete image x.efi discover=0 offer=0.1 "
		"first_byte=4 last_byte=5 bytes=900 transfer=1 blocks=9 "
		"machine\n"},
	{"power lost in the image, for good",
		"10 discover a fw=uefi xid=1\n"
		"10.1 offer a fw=uefi file=images/x.efi\n"
		"14 tftp-start a file=images/x.efi\n"
		"44 tftp-failed a file=images/x.efi bytes=90 ms=30000 blocks=3 "
		"detail=silent\n"
		"223 tick\n"
		"225 tick\n",
		"a uefi tftp-uki abandoned image x.efi discover=0 offer=0.1 "
		"first_byte=4 bytes=90 transfer=30 blocks=3 broken=1 machine "
		"why=silent\n"},
	{"our fault",
		"10 script a\n"
		"14 http-start a file=images/x.efi\n"
		"15 http-broken a file=images/x.efi bytes=90 ms=1000 ours=1 "
		"detail=changed\n"
		"2000 tick\n",
		"a ipxe ipxe failed image x.efi script=0 first_byte=4 bytes=90 "
		"transfer=1 broken=1 machine why=changed\n"},
	{"the image is refused; autoexec.ipxe does not matter",
		"10 script a\n"
		"11 tftp-refused a file=autoexec.ipxe detail=no_such_file\n"
		"14 http-refused a file=images/x.efi detail=no_such_image\n"
		"2000 tick\n",
		"a ipxe ipxe failed script - script=0 machine "
		"why=no_such_image\n"},
	{"a download resumed by ranges",
		"10 script a\n"
		"11 http-start a file=images/x.efi\n"
		"12 http-broken a file=images/x.efi bytes=90 ms=1000 "
		"detail=reset\n"
		"13 http-start a file=images/x.efi\n"
		"14 http-done a file=images/x.efi bytes=5 ms=10 partial=1\n"
		"15 http-start a file=images/x.efi\n"
		"16 http-done a file=images/x.efi bytes=10 ms=1000\n"
		"2000 tick\n",
		"a ipxe ipxe complete image x.efi script=0 first_byte=1 "
		"last_byte=6 bytes=105 transfer=2.01 broken=1 machine\n"},
	{"the loader again and again",
		"10 discover a fw=uefi xid=1\n"
		"10.1 offer a fw=uefi file=snponly.efi\n"
		"11 tftp-start a file=snponly.efi\n"
		"12 tftp-done a file=snponly.efi bytes=9 ms=9 blocks=1\n"
		"20 discover a fw=ipxe xid=2\n"
		"20.1 offer a fw=ipxe file=http://s/ipxe/x\n"
		"21 tftp-start a file=snponly.efi\n"
		"22 tftp-done a file=snponly.efi bytes=9 ms=9 blocks=1\n"
		"30 discover a fw=uefi xid=4\n"
		"30.1 offer a fw=uefi file=snponly.efi\n"
		"31 tftp-start a file=snponly.efi\n"
		"32 tftp-done a file=snponly.efi bytes=9 ms=9 blocks=1\n"
		"2000 tick\n",
		"a uefi ipxe looped ipxe - attempts=2 discover=0 offer=20.1 "
		"loader=1 loader_done=22 ipxe=10 ipxe_offer=10.1 loads=3 "
		"machine\n"},
	{"the image again and again, as it does not start",
		"10 script a\n"
		"11 http-start a file=images/x.efi\n"
		"12 http-done a file=images/x.efi bytes=90 ms=1000\n"
		"17 http-start a file=images/x.efi\n"
		"18 http-done a file=images/x.efi bytes=90 ms=1000\n"
		"23 http-start a file=images/x.efi\n"
		"24 http-done a file=images/x.efi bytes=90 ms=1000\n"
		"2000 tick\n",
		"a ipxe ipxe looped image x.efi script=0 first_byte=1 "
		"last_byte=2 bytes=90 transfer=1 image_loads=3 machine\n"},
	{"the running system's downloads change nothing",
		"10 script a\n"
		"11 http-start a file=images/x.efi\n"
		"12 http-done a file=images/x.efi bytes=90 ms=1000\n"
		"17 booted a\n"
		"18 booted a\n"
		"23 http-start a file=images/x.efi\n"
		"24 http-done a file=images/x.efi bytes=90 ms=1000\n"
		"33 http-start a file=images/y.efi\n"
		"2000 tick\n",
		"a ipxe ipxe complete up x.efi script=0 first_byte=1 "
		"last_byte=2 up=7 bytes=90 transfer=1 machine\n"},
	{"the word of the system before",
		"10 discover a fw=uefi xid=1\n"
		"10.1 offer a fw=uefi file=images/x.efi\n"
		"11 booted a\n"
		"2000 tick\n",
		"a uefi tftp-uki abandoned dhcp x.efi discover=0 offer=0.1 "
		"machine\n"},
	{"to its disk, by HTTP Boot and PXE",
		"10 discover a fw=http xid=1\n"
		"10.1 offer a fw=http file=http://s/local.efi local=1\n"
		"14 http-refused a file=local.efi\n"
		"16 discover a fw=uefi xid=2\n"
		"16.1 offer a fw=uefi local=1\n"
		"70 tick\n"
		"80 tick\n",
		"a http local local dhcp - attempts=2 discover=0 offer=6.1 "
		"machine\n"},
	{"to its disk, and at once started anew, to boot once",
		"10 discover a fw=uefi xid=1\n"
		"10.1 offer a fw=uefi local=1\n"
		"14 discover a fw=uefi xid=1\n"
		"14.1 offer a fw=uefi local=1\n"
		"18 discover a fw=http xid=2\n"
		"18.1 offer a fw=http file=http://s/local.efi local=1\n"
		"40 discover a fw=uefi xid=3\n"
		"40.1 offer a fw=uefi file=images/x.efi\n"
		"2000 tick\n",
		"a uefi local local dhcp - attempts=2 discover=0 offer=8.1 "
		"machine\n"
		"a uefi tftp-uki abandoned dhcp x.efi discover=0 offer=0.1 "
		"machine\n"},
	{"nobody that is ignored has a boot",
		"10 discover a fw=uefi xid=1\n"
		"10 ignored a fw=uefi\n"
		"11 discover b fw=uefi xid=1\n"
		"12 http-start - ip=9 file=images/x.efi\n"
		"12 http-start c ip=9 file=images/x.efi\n"
		"12 http-done c ip=9 file=images/x.efi bytes=9 ms=9\n"
		"12 booted d\n"
		"2000 tick\n",
		""},
	{"machines interleaved, and known by address or by name",
		"10 discover a fw=uefi xid=1\n"
		"10.1 discover b fw=uefi xid=1\n"
		"10.2 offer a fw=uefi file=images/x.efi\n"
		"10.3 offer b fw=uefi file=machines/52-54-00-00-00-0b/y.efi\n"
		"11 request a fw=uefi ip=7\n"
		"12 tftp-start - ip=7 file=/images/x.efi\n"
		"12.1 tftp-start - ip=8 "
		"file=machines\\52-54-00-00-00-0b\\y.efi\n"
		"13 tftp-done - ip=8 file=machines/52-54-00-00-00-0b/y.efi "
		"bytes=2 ms=500 blocks=1\n"
		"14 tftp-done - ip=7 file=/images/x.efi bytes=3 ms=600 "
		"blocks=1\n"
		"1000 tick\n",
		"b uefi tftp-uki complete image y.efi discover=0 offer=0.2 "
		"first_byte=2 last_byte=2.9 bytes=2 transfer=0.5 blocks=1 "
		"machine\n"
		"a uefi tftp-uki complete image x.efi discover=0 offer=0.2 "
		"request=1 first_byte=2 last_byte=4 bytes=3 transfer=0.6 "
		"blocks=1 machine\n"},
	{"an address that another machine has now",
		"10 request a fw=uefi ip=7\n"
		"11 request b fw=uefi ip=7\n"
		"12 tftp-start - ip=7 file=images/x.efi\n"
		"13 tftp-done - ip=7 file=images/x.efi bytes=2 ms=500 "
		"blocks=1\n"
		"2000 tick\n",
		"a uefi - abandoned request - request=0 machine\n"
		"b uefi tftp-uki complete image x.efi request=0 first_byte=1 "
		"last_byte=2 bytes=2 transfer=0.5 blocks=1 machine\n"},
	{"without our DHCP: the second script after an image is a boot",
		"10 tftp-aborted a file=snponly.efi ms=500\n"
		"11 tftp-start a file=snponly.efi\n"
		"12 tftp-done a file=snponly.efi bytes=9 ms=9 blocks=1\n"
		"13 script a\n"
		"14 http-start a file=images/x.efi\n"
		"15 http-done a file=images/x.efi bytes=9 ms=1000\n"
		"60 tftp-start a file=snponly.efi\n"
		"61 tftp-done a file=snponly.efi bytes=9 ms=9 blocks=1\n"
		"62 script a\n"
		"63 http-start a file=images/x.efi\n"
		"64 script a\n"
		"2000 tick\n",
		"a ? ipxe complete image x.efi loader=1.5 loader_done=2.5 "
		"script=3.5 first_byte=4.5 last_byte=5.5 bytes=9 transfer=1 "
		"machine\n"
		"a ? ipxe abandoned image x.efi loader=0 loader_done=1 "
		"script=2 first_byte=3 machine\n"
		"a ipxe ipxe abandoned script - script=0 machine\n"},
	{"a slow download is no silence",
		"10 script a\n"
		"11 http-start a file=images/x.efi\n"
		"1000 tick\n"
		"3000 http-done a file=images/x.efi bytes=9 ms=1000\n"
		"3901 tick\n",
		"a ipxe ipxe complete image x.efi script=0 first_byte=1 "
		"last_byte=2990 bytes=9 transfer=1 machine\n"},
	{"the daemon ends",
		"10 script a\n"
		"11 script b\n"
		"12 http-start a file=images/x.efi\n"
		"13 http-done a file=images/x.efi bytes=9 ms=1000\n",
		"b ipxe ipxe lost script - script=0 machine "
		"why=netukid ended\n"
		"a ipxe ipxe complete image x.efi script=0 first_byte=2 "
		"last_byte=3 bytes=9 transfer=1 machine\n"},
};

struct out {
	char text[TEXT_MAX];
	size_t len;
	uint64_t changes;
};

static void add(struct out *out, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
static void add(struct out *out, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	out->len += (size_t)vsnprintf(
		out->text + out->len, TEXT_MAX - out->len, format, args);
	va_end(args);
	assert_true(out->len < TEXT_MAX);
}

static void add_count(
	struct out *out, const char *key, uint64_t value, uint64_t usual)
{
	if (value != usual)
		add(out, " %s=%llu", key, (unsigned long long)value);
}

static void on_changed(void *arg, const struct boot *b, bool gone)
{
	struct out *out = arg;

	out->changes++;
	if (!gone)
		return;
	assert_int_not_equal(b->outcome, BOOT_OUTCOME_RUNNING);
	add(out, "%c %s %s %s %s %s", b->mac.b[5] - 10 + 'a',
		b->firmware < PXE_FIRMWARE_MAX ? pxe_firmware_name(b->firmware)
					       : "?",
		boot_mode_name(b->mode) ? boot_mode_name(b->mode) : "-",
		boot_outcome_name(b->outcome), boot_step_name(b->step),
		b->image[0] ? b->image : "-");
	add_count(out, "attempts", b->attempts, 1);
	for (enum boot_at at = 0; at < BOOT_AT_MAX; at++)
		if (b->at_us[at])
			add(out, " %s=%g", boot_at_name(at),
				(double)(b->at_us[at] - b->begin_us) / 1e6);
	add_count(out, "bytes", b->bytes, 0);
	if (b->transfer_us)
		add(out, " transfer=%g", (double)b->transfer_us / 1e6);
	add_count(out, "blocks", b->blocks, 0);
	add_count(out, "timer", b->resent_timer, 0);
	add_count(out, "rollback", b->resent_rollback, 0);
	add_count(out, "loads", b->loads, 0);
	add_count(out, "broken", b->broken, 0);
	if (b->image_loads > 1)
		add_count(out, "image_loads", b->image_loads, 0);
	add(out, " %s", b->machine);
	if (b->why[0])
		add(out, " why=%s", b->why);
	add(out, "\n");
}

static void describe(void *arg, struct boot *b)
{
	(void)arg;
	strcpy(b->machine, "machine");
}

static bool has_initrd(void *arg, const char *image)
{
	(void)arg;
	return strcmp(image, "bare.efi") != 0;
}

static enum journal_kind kind_of(const char *name)
{
	enum journal_kind kind = 0;

	while (kind < JOURNAL_MAX && strcmp(journal_kind_name(kind), name) != 0)
		kind++;
	assert_int_not_equal(kind, JOURNAL_MAX);
	return kind;
}

static uint64_t microseconds(double seconds)
{
	return (uint64_t)(seconds * 1e6 + 0.5);
}

static void set(struct journal_event *e, const char *key, const char *value)
{
	uint64_t n = strtoull(value, NULL, 10);

	if (strcmp(key, "fw") == 0)
		for (e->firmware = 0;
			strcmp(pxe_firmware_name(e->firmware), value) != 0;)
			e->firmware++;
	else if (strcmp(key, "file") == 0)
		e->file = value;
	else if (strcmp(key, "detail") == 0)
		e->detail = value;
	else if (strcmp(key, "xid") == 0)
		e->xid = (uint32_t)n;
	else if (strcmp(key, "ip") == 0)
		e->ip = (uint32_t)n;
	else if (strcmp(key, "bytes") == 0)
		e->bytes = n;
	else if (strcmp(key, "ms") == 0)
		e->us = n * 1000;
	else if (strcmp(key, "blocks") == 0)
		e->blocks = n;
	else if (strcmp(key, "timer") == 0)
		e->resent_timer = n;
	else if (strcmp(key, "rollback") == 0)
		e->resent_rollback = n;
	else if (strcmp(key, "partial") == 0)
		e->partial = n;
	else if (strcmp(key, "local") == 0)
		e->local = n;
	else if (strcmp(key, "elsewhere") == 0)
		e->elsewhere = n;
	else if (strcmp(key, "ours") == 0)
		e->ours = n;
	else
		fail_msg("no such key: %s", key);
}

/* One line of events; it is taken apart in place. */
static void play(struct boots *boots, char *line)
{
	struct journal_event e = {
		.firmware = PXE_FIRMWARE_MAX, .arch = ARCH_INVALID};
	char *rest, *word = strtok_r(line, " ", &rest);

	e.t_us = microseconds(strtod(word, NULL));
	word = strtok_r(NULL, " ", &rest);
	if (strcmp(word, "tick") == 0) {
		boots_tick(boots, e.t_us);
		return;
	}
	e.kind = kind_of(word);
	word = strtok_r(NULL, " ", &rest);
	e.has_mac = *word != '-';
	e.mac = (struct mac){
		{0x52, 0x54, 0, 0, 0, (uint8_t)(*word - 'a' + 10)}};
	while ((word = strtok_r(NULL, " ", &rest))) {
		char *value = strchr(word, '=');

		assert_non_null(value);
		*value = '\0';
		set(&e, word, value + 1);
	}
	boots_take(boots, &e);
}

static void test_cases(void **state)
{
	int bad = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct out out = {0};
		struct boots_hooks hooks = {
			describe, has_initrd, on_changed, &out};
		struct boots *boots = boots_new(&hooks);
		char *events = strdup(cases[i].events), *rest, *line;

		for (line = strtok_r(events, "\n", &rest); line;
			line = strtok_r(NULL, "\n", &rest))
			play(boots, line);
		boots_free(boots);
		free(events);
		if (strcmp(out.text, cases[i].boots) == 0)
			continue;
		print_error("%s:\ngot\n%swanted\n%s", cases[i].name, out.text,
			cases[i].boots);
		bad++;
	}
	assert_int_equal(bad, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
