#include "daemon/journal.h"

#include <arpa/inet.h>
#include <stdio.h>

#include "daemon/clock.h"
#include "daemon/log.h"

const char *journal_kind_name(enum journal_kind kind)
{
	static const char *const names[] = {
#define EVENT(NAME, text) [JOURNAL_##NAME] = text,
#include "daemon/journal.def"
#undef EVENT
	};

	return kind < JOURNAL_MAX ? names[kind] : "?";
}

void journal_init(struct journal *journal)
{
	*journal = (struct journal){0};
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

/* Lines for finished and failed things; the rest only when debugging. */
static bool is_worth_a_line(const struct journal_event *e)
{
	switch (e->kind) {
	case JOURNAL_TFTP_DONE:
	case JOURNAL_TFTP_FAILED:
	case JOURNAL_SCRIPT:
	case JOURNAL_HTTP_DONE:
	case JOURNAL_HTTP_BROKEN:
	case JOURNAL_BOOTED:
		return true;
	case JOURNAL_DISCOVER:
	case JOURNAL_OFFER:
	case JOURNAL_REQUEST:
	case JOURNAL_ACK:
	case JOURNAL_IGNORED:
	case JOURNAL_ADVERTISEMENT:
	case JOURNAL_TFTP_START:
	case JOURNAL_TFTP_ABORTED:
	case JOURNAL_TFTP_REFUSED:
	case JOURNAL_HTTP_START:
	case JOURNAL_HTTP_REFUSED:
	case JOURNAL_MAX:
		break;
	}
	return log_is_debug();
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

void journal_write(struct journal *journal, const struct journal_event *e)
{
	struct journal_event copy = *e;
	struct journal_reader *r, *next;

	if (!copy.t_us)
		copy.t_us = clock_us();
	journal->counts[copy.kind]++;
	if (is_worth_a_line(&copy))
		write_line(&copy);
	for (r = TAILQ_FIRST(&journal->readers); r; r = next) {
		next = TAILQ_NEXT(r, link);
		r->read(r, &copy);
	}
}
