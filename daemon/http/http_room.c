#include "daemon/http/http_room.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>

#include "daemon/base/clock.h"
#include "daemon/http/http_conn.h"
#include "daemon/http/http_peer.h"
#include "daemon/http/http_send.h"

/* Who has owed a request for so long makes room. */
#define STALE_US 1000000

static struct http_conn *find_stale(const struct http_service *s)
{
	struct http_conn *conn = TAILQ_FIRST(&s->owing);

	return conn && clock_us() - conn->owing_us >= STALE_US ? conn : NULL;
}

/* The largest number of connections of an address; of equals, `first`. */
static const uint16_t *find_most(
	const struct http_service *s, const uint16_t *first)
{
	const uint16_t *most = first;

	for (size_t i = 0; i < HTTP_PER_ADDR_BUCKETS; i++)
		if (s->per_addr[i] > *most)
			most = &s->per_addr[i];
	return most;
}

/* Of an address the first that stopped reading, or else its oldest. */
static struct http_conn *find_of(
	const struct http_service *s, const uint16_t *count)
{
	struct http_conn *conn, *oldest = NULL;
	uint64_t now = clock_us();

	TAILQ_FOREACH (conn, &s->conns, link) {
		if (http_peer_count(conn) != count)
			continue;
		if (http_bulk_stalls(conn, now))
			return conn;
		if (!oldest)
			oldest = conn;
	}
	return oldest;
}

static void give_way(struct http_conn *conn)
{
	conn->service->counts.over_cap++;
	http_send_break(conn, "its address has more connections than others");
}

bool http_room_is_to_be_had(const struct http_service *s)
{
	return find_stale(s) || *find_most(s, s->per_addr) > HTTP_FAIR_PER_ADDR;
}

bool http_room_make(struct http_service *s, struct http_conn *newcomer)
{
	const uint16_t *own = http_peer_count(newcomer), *most;
	struct http_conn *conn = find_stale(s);

	if (conn) {
		s->counts.timeouts++;
		http_conn_free(conn);
		return false;
	}
	most = find_most(s, own);
	if (most == own) {
		give_way(newcomer);
		return false;
	}
	conn = find_of(s, most);
	if (conn)
		give_way(conn);
	return true;
}

static uint64_t unread(const struct http_conn *conn)
{
	int queued;

	return ioctl(conn->fd, SIOCOUTQ, &queued) < 0 ? 0 : (uint64_t)queued;
}

/* The total when those of addresses with more than `limit` have given way. */
static uint64_t cut_down(
	struct http_service *s, uint64_t now_us, uint64_t total, unsigned limit)
{
	struct http_conn *conn, *next;
	uint64_t bytes;

	for (conn = TAILQ_FIRST(&s->conns); conn && total > HTTP_UNREAD_MAX;
		conn = next) {
		next = TAILQ_NEXT(conn, link);
		if (*http_peer_count(conn) <= limit ||
			!http_bulk_stalls(conn, now_us))
			continue;
		/* What waits for a disk of ours frees nothing. */
		bytes = unread(conn);
		if (!bytes)
			continue;
		total -= bytes;
		give_way(conn);
	}
	return total;
}

void http_room_tick(struct http_service *s, uint64_t now_us)
{
	unsigned limit = *find_most(s, s->per_addr);
	const struct http_conn *conn;
	uint64_t total = 0;

	TAILQ_FOREACH (conn, &s->conns, link)
		if (http_bulk_stalls(conn, now_us))
			total += unread(conn);
	/* By halves, so that whoever has most loses most. */
	while (total > HTTP_UNREAD_MAX && limit > HTTP_FAIR_PER_ADDR) {
		limit /= 2;
		if (limit < HTTP_FAIR_PER_ADDR)
			limit = HTTP_FAIR_PER_ADDR;
		total = cut_down(s, now_us, total, limit);
	}
}
