#include "daemon/boots/boots.h"

#include <stdlib.h>

#include "daemon/base/hash.h"
#include "daemon/boots/boot_way.h"

#define BUCKETS 8192

struct entry {
	struct boot_way w;
	LIST_ENTRY(entry) by_mac, by_ip;
	TAILQ_ENTRY(entry) lru;
	bool answered; /* else nobody is told of it */
};

LIST_HEAD(bucket, entry);

struct boots {
	struct boots_hooks hooks;
	uint64_t seq;
	size_t n;
	TAILQ_HEAD(, entry) lru;
	struct bucket mac[BUCKETS], ip[BUCKETS];
};

static struct entry *find_mac(const struct boots *boots, const struct mac *mac)
{
	struct entry *en;

	LIST_FOREACH (en, &boots->mac[hash_bucket(mac, sizeof(*mac), BUCKETS)],
		by_mac)
		if (mac_equal(&en->w.b.mac, mac))
			return en;
	return NULL;
}

static struct entry *find_ip(const struct boots *boots, uint32_t ip)
{
	struct entry *en;

	LIST_FOREACH (
		en, &boots->ip[hash_bucket(&ip, sizeof(ip), BUCKETS)], by_ip)
		if (en->w.b.ip == ip)
			return en;
	return NULL;
}

static void set_ip(struct boots *boots, struct entry *en, uint32_t ip)
{
	struct entry *other;

	if (!ip || en->w.b.ip == ip)
		return;
	other = find_ip(boots, ip);
	if (other) {
		LIST_REMOVE(other, by_ip);
		other->w.b.ip = 0;
	}
	if (en->w.b.ip)
		LIST_REMOVE(en, by_ip);
	en->w.b.ip = ip;
	LIST_INSERT_HEAD(
		&boots->ip[hash_bucket(&ip, sizeof(ip), BUCKETS)], en, by_ip);
}

static void tell(const struct boots *boots, const struct entry *en, bool gone)
{
	if (en->answered && boots->hooks.changed)
		boots->hooks.changed(boots->hooks.arg, &en->w.b, gone);
}

static void drop(struct boots *boots, struct entry *en)
{
	TAILQ_REMOVE(&boots->lru, en, lru);
	LIST_REMOVE(en, by_mac);
	if (en->w.b.ip)
		LIST_REMOVE(en, by_ip);
	boots->n--;
	free(en);
}

/* The last word on it; `lost`: why nobody will know how it went on, or NULL. */
static void finish(struct boots *boots, struct entry *en, const char *lost)
{
	way_end(&en->w, lost);
	tell(boots, en, true);
	drop(boots, en);
}

/* NULL: memory is short, and this boot will not be known. */
static struct entry *begin(struct boots *boots, const struct mac *mac,
	const struct journal_event *e)
{
	struct entry *en;

	if (boots->n >= BOOTS_MAX)
		finish(boots, TAILQ_FIRST(&boots->lru),
			"too many boots run to watch them all");
	en = calloc(1, sizeof(*en));
	if (!en)
		return NULL;
	way_begin(&en->w, &boots->hooks, mac, e);
	en->w.b.seq = ++boots->seq;
	LIST_INSERT_HEAD(&boots->mac[hash_bucket(mac, sizeof(*mac), BUCKETS)],
		en, by_mac);
	TAILQ_INSERT_TAIL(&boots->lru, en, lru);
	boots->n++;
	set_ip(boots, en, e->ip);
	return en;
}

static struct entry *find(const struct boots *boots,
	const struct journal_event *e, const struct way_subject *s)
{
	if (s->has_mac)
		return find_mac(boots, &s->mac);
	if (e->has_mac)
		return find_mac(boots, &e->mac);
	return e->ip ? find_ip(boots, e->ip) : NULL;
}

/* The boot that goes on with this DISCOVER. NULL: it is no boot's. */
static struct entry *boot_of_discover(
	struct boots *boots, struct entry *en, const struct journal_event *e)
{
	if (en && way_take_discover(&en->w, e))
		return en;
	if (en)
		finish(boots, en, NULL);
	if (!e->has_mac)
		return NULL;
	en = begin(boots, &e->mac, e);
	if (en)
		way_take_discover(&en->w, e);
	return en;
}

/* The boot that the event belongs to, perhaps a new one; NULL: none. */
static struct entry *boot_of(struct boots *boots, const struct journal_event *e,
	const struct way_subject *s)
{
	struct entry *en = find(boots, e, s);

	if (e->kind == JOURNAL_DISCOVER)
		return boot_of_discover(boots, en, e);
	if (!way_begins(e, s) || (!s->has_mac && !e->has_mac))
		return en;
	if (en && !way_begins_anew(&en->w, e))
		return en;
	if (en)
		finish(boots, en, NULL);
	return begin(boots, s->has_mac ? &s->mac : &e->mac, e);
}

void boots_take(struct boots *boots, const struct journal_event *e)
{
	struct way_subject s = way_subject_of(e);
	struct entry *en;

	if (e->kind == JOURNAL_ADVERTISEMENT ||
		(s.is_file && s.kind == WAY_NOTHING))
		return;
	en = boot_of(boots, e, &s);
	if (!en)
		return;
	if (e->kind == JOURNAL_IGNORED) {
		if (!en->answered)
			drop(boots, en);
		return;
	}
	if (e->kind != JOURNAL_DISCOVER)
		en->answered = true;
	en->w.b.last_us = e->t_us;
	TAILQ_REMOVE(&boots->lru, en, lru);
	TAILQ_INSERT_TAIL(&boots->lru, en, lru);
	set_ip(boots, en, e->ip);
	way_take(&boots->hooks, &en->w, e, &s);
	tell(boots, en, false);
}

void boots_tick(struct boots *boots, uint64_t now_us)
{
	struct entry *en, *next;

	for (en = TAILQ_FIRST(&boots->lru); en; en = next) {
		next = TAILQ_NEXT(en, lru);
		if (way_is_over(&en->w, now_us))
			finish(boots, en, NULL);
	}
}

void boots_forget_progress(struct boots *boots)
{
	struct entry *en;

	TAILQ_FOREACH (en, &boots->lru, lru)
		en->w.b.now_bytes = en->w.b.now_size = en->w.b.now_us = 0;
}

void boots_note_progress(
	struct boots *boots, const struct journal_event *e, uint64_t size)
{
	struct way_subject s = way_subject_of(e);
	struct entry *en = s.kind == WAY_NOTHING ? NULL : find(boots, e, &s);

	if (!en)
		return;
	en->w.b.now_bytes = e->bytes;
	en->w.b.now_size = size;
	en->w.b.now_us = e->us;
}

void boots_each(const struct boots *boots,
	void (*each)(void *arg, const struct boot *boot), void *arg)
{
	const struct entry *en;

	TAILQ_FOREACH (en, &boots->lru, lru)
		if (en->answered)
			each(arg, &en->w.b);
}

bool boots_has(const struct boots *boots, const struct mac *mac)
{
	return find_mac(boots, mac) != NULL;
}

size_t boots_count(const struct boots *boots)
{
	return boots->n;
}

struct boots *boots_new(const struct boots_hooks *hooks)
{
	struct boots *boots = calloc(1, sizeof(*boots));

	if (!boots)
		return NULL;
	boots->hooks = *hooks;
	TAILQ_INIT(&boots->lru);
	return boots;
}

void boots_free(struct boots *boots)
{
	if (!boots)
		return;
	while (!TAILQ_EMPTY(&boots->lru))
		finish(boots, TAILQ_FIRST(&boots->lru), "netukid ended");
	free(boots);
}
