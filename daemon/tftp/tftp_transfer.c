#include "daemon/tftp/tftp_transfer.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/clock.h"
#include "daemon/images/reader.h"
#include "daemon/policy/clients.h"

#define BUSY_LOOK_US 1000000 /* while the socket or the disk is busy */
/* Time-outs without any block acknowledged: does it get through at all? */
#define DEAF_TIMEOUTS 3

_Static_assert(
	sizeof(struct transfer) + TFTP_REQUEST_MAX + TFTP_MAX_NAME + 1 <= 2048,
	"a transfer must take at most 2 KiB");

/*
 * Whose address is it? The kernel is not asked for one that never answered: it
 * may be forged, and netlink is slow.
 */
static void identify(struct transfer *t)
{
	struct netuki *netuki = t->service->netuki;

	if (t->looked_up)
		return;
	t->looked_up = t->answered;
	t->has_mac = clients_identify(netuki->clients, netuki->netifs,
		t->ifindex, ntohl(t->path.peer.sin_addr.s_addr), clock_us(),
		!t->answered, &t->mac);
}

/* What happened to it; for its end, with what it took. */
static struct journal_event event_of(struct transfer *t, enum journal_kind kind)
{
	uint64_t acked = t->send.base * t->send.params.blksize;
	struct journal_event e = {
		.kind = kind,
		.ip = ntohl(t->path.peer.sin_addr.s_addr),
		.firmware = PXE_FIRMWARE_MAX,
		.arch = ARCH_INVALID,
		.file = t->name,
	};

	if (!t->has_mac)
		identify(t);
	e.has_mac = t->has_mac;
	e.mac = t->mac;
	e.us = clock_us() - t->begin_us;
	e.bytes = acked < view_size(t->view) ? acked : view_size(t->view);
	return e;
}

struct journal_event transfer_progress(struct transfer *t)
{
	return event_of(t, JOURNAL_TFTP_START);
}

static void unlink_transfer(struct transfer *t)
{
	struct tftp_service *s = t->service;

	LIST_REMOVE(t, by_peer);
	LIST_REMOVE(t, by_addr);
	if (!t->answered)
		TAILQ_REMOVE(&s->unanswered, t, unanswered);
	if (t->waits)
		TAILQ_REMOVE(&t->port->waiting, t, waiting);
	deadline_clear(s->deadlines, &t->timer);
	if (s->ticking == t)
		s->ticking = NULL;
}

static bool is_bulk(const struct transfer *t)
{
	return view_size(t->view) >= TFTP_BULK_BYTES;
}

void transfer_free(struct transfer *t)
{
	struct tftp_service *s = t->service;

	s->counts.blocks += t->send.stats.blocks_sent;
	s->counts.resent +=
		t->send.stats.resent_timer + t->send.stats.resent_rollback;
	s->counts.running--;
	unlink_transfer(t);
	worker_cancel(t->job);
	/* A loader is likely to be asked for again, while there is a storm. */
	if (is_bulk(t)) {
		s->bulk_running--;
		tftp_cache_forget(s->cache, t->view);
	}
	if (!s->counts.running)
		tftp_cache_forget(s->cache, NULL);
	view_unref(t->view);
	free(t);
}

/* How it ended, for the journal: its one line. */
static void end(
	struct transfer *t, enum journal_kind kind, bool ours, const char *why)
{
	const struct tftp_send_stats *stats = &t->send.stats;
	const struct tftp_params *params = &t->send.params;
	struct journal_event e = event_of(t, kind);
	char detail[JOURNAL_TEXT_MAX], asked[64] = "";

	e.ours = ours;
	e.blocks = stats->blocks_sent;
	e.resent_timer = stats->resent_timer;
	e.resent_rollback = stats->resent_rollback;
	e.blksize = params->blksize;
	e.windowsize = params->windowsize;
	if ((t->asked_blksize && t->asked_blksize != params->blksize) ||
		(t->asked_windowsize &&
			t->asked_windowsize != params->windowsize))
		snprintf(asked, sizeof(asked), " (asked for %u and %u)",
			t->asked_blksize, t->asked_windowsize);
	snprintf(detail, sizeof(detail),
		"%s%sblksize %u windowsize %u%s, resent %llu by timer %llu by "
		"roll-back, round trip %.1f ms",
		why ? why : "", why ? ", " : "", e.blksize, e.windowsize, asked,
		(unsigned long long)e.resent_timer,
		(unsigned long long)e.resent_rollback,
		(double)stats->srtt_us / 1000);
	e.detail = detail;
	journal_write(&t->service->netuki->journal, &e);
	transfer_free(t);
}

static void fail(struct transfer *t, const char *why)
{
	tftp_socket_error(&t->path, TFTP_ERROR_UNDEFINED, why);
	t->service->counts.failed++;
	end(t, JOURNAL_TFTP_FAILED, true, why);
}

void transfer_abort(struct transfer *t, const char *why)
{
	t->service->counts.aborted++;
	end(t, JOURNAL_TFTP_ABORTED, false, why);
}

void transfer_gone(struct transfer *t)
{
	if (t->send.last_block && t->send.base + 1 >= t->send.last_block)
		transfer_abort(t, "it closed its port at the end");
	else
		transfer_abort(t, "it closed its port");
}

static bool perform(struct transfer *t, struct tftp_action action);

/* Afterwards it may be no more: without a timer it would stay for ever. */
static void arm(struct transfer *t)
{
	uint64_t us = tftp_send_deadline(&t->send);

	/*
	 * The timer is left alone while packets come in: it fires, sees that
	 * its deadline has moved, and is set again. So an ACK costs nothing.
	 */
	if (us == UINT64_MAX || (t->timer.slot && t->timer.us <= us))
		return;
	if (!deadline_set(t->service->deadlines, &t->timer, us))
		fail(t, "out of memory");
}

/* All blocks of both; what lies between them is in the window as well. */
static struct tftp_action join(struct tftp_action a, struct tftp_action b)
{
	uint64_t a_end = a.first + a.count, b_end = b.first + b.count;
	uint64_t last = a_end > b_end ? a_end : b_end;

	if (a.step != TFTP_STEP_BLOCKS)
		return b;
	if (b.first < a.first)
		a.first = b.first;
	a.count = (uint32_t)(last - a.first);
	return a;
}

static void on_data_warm(void *arg, int err);

static bool wait_for_disk(struct transfer *t)
{
	uint64_t offset = (t->unsent.first - 1) * t->send.params.blksize;

	offset -= offset % TFTP_CACHE_PIECE;
	t->job = reader_start(t->service->netuki->worker, t->view, offset,
		READER_CHUNK, on_data_warm, t);
	if (t->job)
		return true;
	fail(t, "out of memory");
	return false;
}

static void wait_for_socket(struct transfer *t)
{
	t->waits = true;
	TAILQ_INSERT_TAIL(&t->port->waiting, t, waiting);
}

static const char changed[] = "the file was changed while it was sent";

/* Blocks go out; what the socket or the disk does not take now waits. */
static bool send_blocks(struct transfer *t, struct tftp_action action)
{
	struct tftp_sent sent = tftp_socket_blocks(
		&t->path, t->view, &t->send, action.first, action.count);

	t->port->sent += (uint64_t)sent.count * t->send.params.blksize;
	t->unsent = (struct tftp_action){
		.step = TFTP_STEP_BLOCKS,
		.first = action.first + sent.count,
		.count = action.count - sent.count,
	};
	switch (sent.result) {
	case TFTP_SENT_ALL:
		t->unsent.step = TFTP_STEP_WAIT;
		return true;
	case TFTP_SENT_FULL:
		wait_for_socket(t);
		event_add(t->port->writable, NULL);
		return true;
	case TFTP_SENT_COLD:
		return wait_for_disk(t);
	case TFTP_SENT_CHANGED:
		fail(t, changed);
		return false;
	case TFTP_SENT_GONE:
		break;
	}
	t->service->counts.gave_up++;
	end(t, JOURNAL_TFTP_FAILED, false, "the client cannot be reached");
	return false;
}

/* What waits, without what was acknowledged meanwhile. False: nothing. */
static bool is_left(struct transfer *t)
{
	struct tftp_action *action = &t->unsent;
	uint64_t last = action->first + action->count, base = t->send.base;

	if (action->step != TFTP_STEP_BLOCKS || last <= base + 1) {
		action->step = TFTP_STEP_WAIT;
		return false;
	}
	if (action->first <= base) {
		action->first = base + 1;
		action->count = (uint32_t)(last - action->first);
	}
	return true;
}

/* Go on with what had to wait. False: the transfer is no more. */
static bool resume(struct transfer *t)
{
	if (!is_left(t))
		return true;
	tftp_send_delayed(&t->send, clock_us());
	return send_blocks(t, t->unsent);
}

static void on_data_warm(void *arg, int err)
{
	struct transfer *t = arg;

	t->job = NULL;
	if (err)
		fail(t, err == -ESTALE ? changed : "the file cannot be read");
	else if (resume(t))
		arm(t);
}

/* The first that wait, as far as one system call can serve them. */
static uint32_t gather(
	struct tftp_port *port, struct transfer *ret[TFTP_GATHER_MAX])
{
	struct transfer *t;
	uint32_t n = 0;

	while ((t = TAILQ_FIRST(&port->waiting)) && is_left(t) &&
		tftp_socket_gather(&t->path, t->view, &t->send, t->unsent.first,
			t->unsent.count)) {
		TAILQ_REMOVE(&port->waiting, t, waiting);
		t->waits = false;
		ret[n++] = t;
	}
	return n;
}

/* These did not go with the others. False: there is no room for them. */
static bool send_apart(struct transfer *batch[], uint32_t n)
{
	bool room = true;

	for (uint32_t i = 0; i < n; i++) {
		struct transfer *t = batch[i];

		if (!room)
			wait_for_socket(t);
		else if (!resume(t))
			continue;
		room = !t->waits;
		arm(t);
	}
	return room;
}

bool transfer_send_waiting(struct tftp_port *port)
{
	struct transfer *t, *batch[TFTP_GATHER_MAX];
	bool room = true;

	while (room && (t = TAILQ_FIRST(&port->waiting))) {
		uint32_t n = gather(port, batch), gone = 0;
		uint64_t now = clock_us();

		if (n) {
			gone = tftp_socket_send_gathered(port->fd);
		} else {
			TAILQ_REMOVE(&port->waiting, t, waiting);
			t->waits = false;
			batch[n++] = t;
		}
		for (uint32_t i = 0; i < gone; i++) {
			t = batch[i];
			port->sent += (uint64_t)t->unsent.count *
				      t->send.params.blksize;
			t->unsent.step = TFTP_STEP_WAIT;
			tftp_send_delayed(&t->send, now);
			arm(t);
		}
		room = send_apart(batch + gone, n - gone);
	}
	return room;
}

/* May one more packet go to a client that has not answered? */
static bool may_send(struct transfer *t)
{
	if (t->answered)
		return true;
	if (t->before.packets >= TFTP_UNANSWERED_PACKETS)
		return false;
	t->before.packets++;
	t->before.last_us = clock_us();
	return true;
}

static bool perform_blocks(struct transfer *t, struct tftp_action action)
{
	if (!may_send(t))
		return true;
	/* Without an OACK there is no answer yet that would allow a window. */
	if (!t->started) {
		struct journal_event e = event_of(t, JOURNAL_TFTP_START);

		t->started = true;
		journal_write(&t->service->netuki->journal, &e);
	}
	if (t->job || t->waits) {
		t->unsent = join(t->unsent, action);
		return true;
	}
	/*
	 * A router that drops what it may not fragment should say so, and then
	 * the kernel knows better; some do not.
	 */
	if (!t->path.fragments && t->send.base == 0 &&
		t->send.stats.timeouts >= DEAF_TIMEOUTS)
		t->path.fragments = true;
	/* Clients far apart in large files would only push each other out. */
	t->path.cache =
		!is_bulk(t) || t->service->bulk_running <= TFTP_CACHE_PIECES / 3
			? t->service->cache
			: NULL;
	if (t->port->gathering) {
		t->unsent = action;
		wait_for_socket(t);
		return true;
	}
	return send_blocks(t, action);
}

static void remember_done(struct transfer *t)
{
	struct tftp_service *s = t->service;

	s->done[s->next_done++ % (sizeof(s->done) / sizeof(s->done[0]))] =
		t->path.peer;
}

/* Do what the state machine says. False: the transfer is no more. */
static bool perform(struct transfer *t, struct tftp_action action)
{
	struct tftp_service *s = t->service;

	switch (action.step) {
	case TFTP_STEP_WAIT:
		return true;
	case TFTP_STEP_OACK:
		if (may_send(t))
			tftp_socket_oack(
				&t->path, &t->send.params, view_size(t->view));
		return true;
	case TFTP_STEP_BLOCKS:
		return perform_blocks(t, action);
	case TFTP_STEP_DONE:
		s->counts.completed++;
		s->counts.bytes += view_size(t->view);
		remember_done(t);
		end(t, JOURNAL_TFTP_DONE, false, NULL);
		return false;
	case TFTP_STEP_ABORTED:
		transfer_abort(t, "by the client");
		return false;
	case TFTP_STEP_GAVE_UP:
		s->counts.gave_up++;
		end(t, JOURNAL_TFTP_FAILED, false,
			t->answered ? "the client went silent"
				    : "the client never answered");
		return false;
	}
	return true;
}

/*
 * Who wants to know the size of a file only, as UEFI does before it asks for
 * the file, ends that with an error as well: EDK2 with 8, Intel's ROMs with 0.
 */
static bool is_question(const struct transfer *t, enum tftp_error code)
{
	return !t->started && t->send.params.oack_tsize &&
	       (code == TFTP_ERROR_OPTION || code == TFTP_ERROR_UNDEFINED);
}

static void take_error(struct transfer *t, const struct tftp_packet *packet)
{
	char why[96];

	if (is_question(t, packet->code)) {
		t->service->counts.questions++;
		end(t, JOURNAL_TFTP_ABORTED, false, "a question of size");
		return;
	}
	snprintf(why, sizeof(why), "by the client: error %d%s%s",
		(int)packet->code, packet->text[0] ? ", " : "", packet->text);
	transfer_abort(t, why);
}

void transfer_take(struct transfer *t, const uint8_t *data, size_t len)
{
	struct tftp_packet packet;

	if (!tftp_parse_packet(data, len, &packet))
		return;
	if (!t->answered &&
		(packet.op == TFTP_OP_ACK || packet.op == TFTP_OP_ERROR)) {
		t->answered = true;
		TAILQ_REMOVE(&t->service->unanswered, t, unanswered);
	}
	if (packet.op == TFTP_OP_ERROR) {
		take_error(t, &packet);
		return;
	}
	if (perform(t, tftp_send_packet(&t->send, &packet, clock_us())))
		arm(t);
}

void transfer_again(struct transfer *t)
{
	uint64_t now = clock_us();

	if (!t->answered) {
		if (now - t->before.last_us < TFTP_UNANSWERED_AGAIN_US)
			return;
		if (t->before.packets)
			t->before.packets--;
	}
	if (perform(t, tftp_send_again(&t->send, now)))
		arm(t);
}

/*
 * The address to send from, 0 where it is the route's own: to name it costs
 * the kernel another look-up for each packet.
 */
static uint32_t source_of(
	const struct transfer *t, const struct tftp_route *route)
{
	return route->source == t->to ? 0 : t->to;
}

void transfer_tick(struct transfer *t)
{
	uint64_t now = clock_us(), timeouts = t->send.stats.timeouts;
	struct tftp_action action;
	struct tftp_route route;

	/* No answer can be expected to what has not gone out. */
	if (t->job || t->waits) {
		if (t->waits && now - t->begin_us > TFTP_GIVE_UP_US &&
			now - t->send.progress_us > TFTP_GIVE_UP_US)
			perform(t, (struct tftp_action){
					   .step = TFTP_STEP_GAVE_UP});
		else
			deadline_set(t->service->deadlines, &t->timer,
				now + BUSY_LOOK_US);
		return;
	}
	if (!t->answered && now - t->begin_us > TFTP_UNANSWERED_US) {
		perform(t, (struct tftp_action){.step = TFTP_STEP_GAVE_UP});
		return;
	}
	action = tftp_send_tick(&t->send, now);
	/* Our addresses may have changed, and the route's own with them. */
	if (t->send.stats.timeouts > timeouts &&
		!tftp_socket_route(t->service->route_fd, &t->path.peer, &route))
		t->path.from = source_of(t, &route);
	if (perform(t, action))
		arm(t);
}

void transfer_begin(struct tftp_service *s, struct tftp_port *port,
	const struct tftp_arrival *a, const struct tftp_request *request,
	struct view *view)
{
	struct tftp_limits limits = {
		.max_blksize = tftp_socket_max_blksize(a->route.mtu),
		.max_windowsize = s->netuki->config->tftp.max_windowsize,
	};
	size_t name_len = strlen(request->name) + 1;
	struct transfer *t = calloc(1, sizeof(*t) + a->len + name_len);
	struct tftp_params params;
	struct tftp_action action;

	if (!t) {
		view_unref(view);
		return;
	}
	t->service = s;
	t->port = port;
	t->path = (struct tftp_path){
		.fd = port->fd,
		.peer = a->from,
	};
	t->to = a->to;
	t->path.from = source_of(t, &a->route);
	t->ifindex = a->netif->index;
	t->view = view;
	t->asked_blksize = request->blksize;
	t->asked_windowsize = request->windowsize;
	t->name = memcpy(t->request + a->len, request->name, name_len);
	memcpy(t->request, a->data, a->len);
	t->request_len = a->len;
	t->begin_us = clock_us();
	t->before = a->unanswered;
	LIST_INSERT_HEAD(tftp_peer_bucket(s, &a->from), t, by_peer);
	LIST_INSERT_HEAD(
		tftp_addr_bucket(s, a->from.sin_addr.s_addr), t, by_addr);
	TAILQ_INSERT_TAIL(&s->unanswered, t, unanswered);
	s->counts.running++;
	s->bulk_running += is_bulk(t);
	tftp_negotiate(request, &limits, &params);
	action = tftp_send_start(
		&t->send, &params, view_size(view), t->begin_us);
	if (perform(t, action))
		arm(t);
}
