#include "daemon/boots/journal.h"

#include <arpa/inet.h>
#include <stdio.h>

#include "daemon/base/clock.h"
#include "daemon/base/log.h"

#define FEW_A_MINUTE  120
#define MANY_A_MINUTE 10000 /* a thousand machines need less */

enum line { QUIET, FEW, LINE };

static const struct {
	const char *name;
	enum journal_file file;
	enum line line;
} kinds[] = {
#define EVENT(NAME, text, by, line)                                            \
	[JOURNAL_##NAME] = {text, JOURNAL_##by, line},
#include "daemon/boots/journal.def"
#undef EVENT
};

const char *journal_kind_name(enum journal_kind kind)
{
	return kind < JOURNAL_MAX ? kinds[kind].name : "?";
}

enum journal_file journal_file_of(enum journal_kind kind)
{
	return kind < JOURNAL_MAX ? kinds[kind].file : JOURNAL_NO_FILE;
}

void journal_init(struct journal *journal)
{
	*journal = (struct journal){
		.few.burst = FEW_A_MINUTE,
		.many.burst = MANY_A_MINUTE,
	};
	TAILQ_INIT(&journal->readers);
}

void journal_add_reader(struct journal *journal, struct journal_reader *r)
{
	TAILQ_INSERT_TAIL(&journal->readers, r, link);
}

void journal_remove_reader(struct journal *journal, struct journal_reader *r)
{
	TAILQ_REMOVE(&journal->readers, r, link);
}

static void write_line(const struct journal_event *e)
{
	char line[900], mac[MAC_TEXT_LEN] = "-", ip[INET6_ADDRSTRLEN] = "-";
	char amount[80] = "";
	struct in_addr addr = {htonl(e->ip)};

	if (e->has_mac)
		mac_format(&e->mac, ':', mac);
	if (e->ip)
		inet_ntop(AF_INET, &addr, ip, sizeof(ip));
	else if (e->ip6)
		snprintf(ip, sizeof(ip), "%s", e->ip6);
	if (e->us)
		snprintf(amount, sizeof(amount), " %llu bytes in %.3f s",
			(unsigned long long)e->bytes, (double)e->us / 1e6);
	snprintf(line, sizeof(line), "%s %s %s%s%s%s%s%s%s%s%s%s",
		journal_kind_name(e->kind), mac, ip,
		e->firmware < PXE_FIRMWARE_MAX ? " " : "",
		e->firmware < PXE_FIRMWARE_MAX ? pxe_firmware_name(e->firmware)
					       : "",
		e->arch != ARCH_INVALID ? "/" : "",
		e->arch != ARCH_INVALID ? arch_name(e->arch) : "",
		e->file ? " " : "", e->file ? e->file : "", amount,
		e->detail ? ": " : "", e->detail ? e->detail : "");
	log_info("%s", line);
}

static bool is_worth_a_line(
	struct journal *journal, const struct journal_event *e)
{
	if (log_is_debug())
		return true;
	if (kinds[e->kind].line == LINE)
		return log_allow(&journal->many);
	/* What is aborted in mid-file is more than a question of its size. */
	return (kinds[e->kind].line == FEW || e->blocks) &&
	       log_allow(&journal->few);
}

void journal_write(struct journal *journal, const struct journal_event *e)
{
	struct journal_event copy = *e;
	struct journal_reader *r, *next;

#ifdef JOURNAL_OFF
	/* Never in what is shipped: tests/bench/journal.py compares with it. */
	return;
#endif
	if (!copy.t_us)
		copy.t_us = clock_us();
	journal->counts[copy.kind]++;
	if (is_worth_a_line(journal, &copy))
		write_line(&copy);
	for (r = TAILQ_FIRST(&journal->readers); r; r = next) {
		next = TAILQ_NEXT(r, link);
		r->read(r, &copy);
	}
}
