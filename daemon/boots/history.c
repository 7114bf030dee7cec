#include "daemon/boots/history.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <time.h>

#include "daemon/base/clock.h"
#include "daemon/base/log.h"
#include "daemon/base/steady.h"
#include "daemon/base/worker.h"

#define BUCKETS 4096

struct waiting {
	struct history_row row;
	LIST_ENTRY(waiting) by_seq;
	TAILQ_ENTRY(waiting) link;
};

TAILQ_HEAD(waiting_list, waiting);

/* Rows on their way to the disk; the thread's while it works. */
struct save {
	struct history *history; /* the loop's alone */
	struct history_db *db;	 /* NULL: to be opened */
	const char *directory;
	bool first, opened, set_aside, gone;
	int64_t base;
	struct history_limits limits;
	double now; /* 0: the clock is not to be believed */
	struct history_row *rows;
	size_t n;
	struct history_word words[HISTORY_MAX_WORDS];
	size_t n_words;
	int err; /* 1: not begun */
	char why[HISTORY_WHY_MAX];
};

struct history {
	struct worker *worker;
	struct event *due;
	char *directory;
	struct history_limits limits;
	struct history_db *db; /* NULL: closed, or the thread's */
	bool opened;	       /* this file; then base is what it was */
	int64_t base;
	bool saving;
	struct steady steady;
	struct history_counts counts;
	char problem[HISTORY_WHY_MAX];
	struct history_word words[HISTORY_MAX_WORDS];
	size_t n_words;
	struct waiting_list list; /* oldest first */
	LIST_HEAD(, waiting) by_seq[BUCKETS];
};

static double wall_clock(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void schedule(struct history *h, unsigned ms)
{
	struct timeval in = {ms / 1000, ms % 1000 * 1000};

	if (!h->saving && !evtimer_pending(h->due, NULL))
		evtimer_add(h->due, &in);
}

static void drop(struct history *h, struct waiting *w)
{
	TAILQ_REMOVE(&h->list, w, link);
	LIST_REMOVE(w, by_seq);
	h->counts.waiting--;
	free(w);
}

static struct waiting *find(struct history *h, uint64_t seq)
{
	struct waiting *w;

	LIST_FOREACH (w, &h->by_seq[seq % BUCKETS], by_seq)
		if (w->row.boot.seq == seq)
			return w;
	return NULL;
}

/* NULL: memory is short. */
static struct waiting *add(struct history *h, uint64_t seq)
{
	struct waiting *w = calloc(1, sizeof(*w));

	if (!w) {
		h->counts.dropped++;
		return NULL;
	}
	if (h->counts.waiting >= HISTORY_MAX_WAITING) {
		drop(h, TAILQ_FIRST(&h->list));
		h->counts.dropped++;
	}
	LIST_INSERT_HEAD(&h->by_seq[seq % BUCKETS], w, by_seq);
	TAILQ_INSERT_TAIL(&h->list, w, link);
	h->counts.waiting++;
	return w;
}

void history_put(struct history *h, const struct boot *boot)
{
	struct waiting *w = find(h, boot->seq);

	if (!w) {
		w = add(h, boot->seq);
		if (!w)
			return;
		w->row.started = wall_clock() -
				 (double)(clock_us() - boot->begin_us) / 1e6;
	}
	w->row.boot = *boot;
	if (!h->problem[0])
		schedule(h, HISTORY_DELAY_MS);
}

static void add_word(struct history *h, const struct history_word *word)
{
	if (h->n_words < HISTORY_MAX_WORDS)
		h->words[h->n_words++] = *word;
}

void history_note_up(struct history *h, const struct mac *mac)
{
	add_word(h, &(struct history_word){*mac, wall_clock()});
	if (!h->problem[0])
		schedule(h, HISTORY_DELAY_MS);
}

/* They were not written, after all; what is newer stays. */
static void put_back(
	struct history *h, const struct history_row *rows, size_t n)
{
	for (size_t i = n; i-- > 0;) {
		struct waiting *w = find(h, rows[i].boot.seq);

		if (!w) {
			w = add(h, rows[i].boot.seq);
			if (!w)
				continue;
			w->row = rows[i];
			TAILQ_REMOVE(&h->list, w, link);
			TAILQ_INSERT_HEAD(&h->list, w, link);
		}
		w->row.started = rows[i].started;
	}
}

static void write_rows(struct save *save)
{
	save->err = 0;
	if (save->db && history_db_is_gone(save->db)) {
		history_db_close(save->db);
		save->db = NULL;
		save->gone = save->first = true;
	}
	if (!save->db) {
		save->err = history_db_open(save->directory, save->first,
			&save->db, &save->set_aside, save->why);
		if (save->err)
			return;
		save->opened = true;
		if (save->first)
			save->base = history_db_last_id(save->db);
	}
	save->err = history_db_write(save->db, save->rows, save->n, save->base,
		&save->limits, save->now, save->why);
	for (size_t i = 0; !save->err && i < save->n_words; i++)
		history_db_note_up(save->db, &save->words[i]);
	if (save->err) {
		history_db_close(save->db);
		save->db = NULL;
	}
}

static void note_failure(struct history *h, const char *why)
{
	if (!h->problem[0])
		log_error("history: cannot be written: %s: boots go on, and "
			  "are kept in memory as far as that goes; it is tried "
			  "again every %d s",
			why, HISTORY_RETRY_S);
	snprintf(h->problem, sizeof(h->problem), "%s", why);
}

/* What the thread has done, taken over. */
static void take_over(struct history *h, struct save *save)
{
	h->db = save->db;
	save->db = NULL;
	if (save->gone)
		log_warn("history: " HISTORY_FILE " was removed or replaced: "
			 "it goes on with what is there now");
	if (save->set_aside)
		log_error("history: " HISTORY_FILE " was no database: it is "
			  "kept as " HISTORY_FILE ".bad, and begun anew");
	if (save->first) {
		h->opened = save->opened;
		h->base = save->base;
	}
	if (save->err) {
		put_back(h, save->rows, save->n);
		for (size_t i = 0; i < save->n_words; i++)
			add_word(h, &save->words[i]);
		if (save->err < 0)
			note_failure(h, save->why);
		return;
	}
	h->counts.written += save->n;
	if (h->problem[0])
		log_info("history: written again");
	h->problem[0] = '\0';
}

static void save_work(void *arg)
{
	write_rows(arg);
}

static void save_done(void *arg)
{
	struct save *save = arg;
	struct history *h = save->history;

	h->saving = false;
	take_over(h, save);
	save->history = NULL;
	if (h->problem[0])
		schedule(h, HISTORY_RETRY_S * 1000);
	else if (h->counts.waiting || h->n_words)
		schedule(h, HISTORY_DELAY_MS);
}

static void save_free(struct save *save)
{
	history_db_close(save->db);
	free(save->rows);
	free(save);
}

/* Without save_done the worker has ended: history_free writes it then. */
static void save_drop(void *arg)
{
	struct save *save = arg;

	if (save->history) {
		save->history->saving = false;
		take_over(save->history, save);
	}
	save_free(save);
}

/* All that waits. NULL: memory is short. */
static struct save *save_new(struct history *h)
{
	struct save *save = calloc(1, sizeof(*save));
	double now = wall_clock();
	struct waiting *w;

	if (save)
		save->rows = calloc(h->counts.waiting + 1, sizeof(*save->rows));
	if (!save || !save->rows) {
		free(save);
		return NULL;
	}
	save->history = h;
	save->db = h->db;
	save->directory = h->directory;
	save->first = !h->opened;
	save->base = h->base;
	save->limits = h->limits;
	save->now = steady_look(&h->steady, now, clock_us()) ? now : 0;
	save->err = 1;
	h->db = NULL;
	while ((w = TAILQ_FIRST(&h->list))) {
		save->rows[save->n++] = w->row;
		drop(h, w);
	}
	memcpy(save->words, h->words, sizeof(save->words));
	save->n_words = h->n_words;
	h->n_words = 0;
	return save;
}

static void on_due(evutil_socket_t fd, short what, void *arg)
{
	struct history *h = arg;
	struct worker_task task = {save_work, save_done, save_drop, NULL};
	struct save *save;

	(void)fd, (void)what;
	if (h->saving || (!h->counts.waiting && !h->n_words))
		return;
	task.arg = save = save_new(h);
	h->saving = true;
	if (save && worker_start(h->worker, &task))
		return;
	h->saving = false;
	if (save) {
		take_over(h, save);
		save_free(save);
	}
	schedule(h, HISTORY_RETRY_S * 1000);
}

struct history_counts history_counts(const struct history *h)
{
	return h->counts;
}

const char *history_problem(const struct history *h)
{
	return h->problem[0] ? h->problem : NULL;
}

const char *history_directory(const struct history *h)
{
	return h->directory;
}

struct history *history_new(struct event_base *base, struct worker *worker,
	const char *directory, const struct history_limits *limits)
{
	struct history *h = calloc(1, sizeof(*h));
	struct save *save;

	if (!h)
		return NULL;
	TAILQ_INIT(&h->list);
	h->worker = worker;
	h->limits = *limits;
	h->directory = strdup(directory);
	h->due = evtimer_new(base, on_due, h);
	if (!h->directory || !h->due) {
		history_free(h);
		return NULL;
	}
	/* At once: nothing is served yet, and boots that ran are lost now. */
	save = save_new(h);
	if (!save) {
		history_free(h);
		return NULL;
	}
	write_rows(save);
	take_over(h, save);
	save_free(save);
	if (h->problem[0])
		schedule(h, HISTORY_RETRY_S * 1000);
	return h;
}

void history_free(struct history *h)
{
	struct save *save = NULL;

	if (!h)
		return;
	if (h->due && (h->counts.waiting || h->n_words))
		save = save_new(h);
	if (save) {
		write_rows(save);
		take_over(h, save);
		save_free(save);
	}
	while (!TAILQ_EMPTY(&h->list))
		drop(h, TAILQ_FIRST(&h->list));
	history_db_close(h->db);
	if (h->due)
		event_free(h->due);
	free(h->directory);
	free(h);
}
