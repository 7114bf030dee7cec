#include "daemon/base/log.h"

#include <errno.h>
#include <event2/event.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "daemon/base/clock.h"

#define ROOM	    65536 /* for lines that wait */
#define LINE_SIZE   1100  /* with what stands before its text */
#define PIECE	    4096  /* so much does not wait where poll says "room" */
#define PATIENCE_MS 1000  /* with who reads, at the end */

static bool debug_on;
static bool to_journal;
static bool to_file; /* a write to it is as good as done */
static char room[ROOM];
static size_t used;
static unsigned long dropped; /* lines, since `room` was full */
static struct event *writing; /* NULL: no loop, each line goes at once */
static int patience_ms;	      /* with who reads; -1: without end */

void log_init(bool debug)
{
	struct stat st;

	debug_on = debug;
	to_journal = getenv("JOURNAL_STREAM") != NULL;
	to_file = fstat(STDERR_FILENO, &st) == 0 && S_ISREG(st.st_mode);
	patience_ms = -1;
	setvbuf(stderr, NULL, _IOLBF, 0);
}

bool log_is_debug(void)
{
	return debug_on;
}

/* Level or time. Returns its length. */
static int stamp_line(char *line, size_t size, enum log_level level)
{
	static const struct {
		int syslog;
		const char *word;
	} levels[] = {
		[LOG_LEVEL_ERROR] = {3, "error: "},
		[LOG_LEVEL_WARN] = {4, "warning: "},
		[LOG_LEVEL_INFO] = {6, ""},
		[LOG_LEVEL_DEBUG] = {7, ""},
	};
	/* Made anew once a second: lines come by the thousand. */
	static time_t stamped = -1;
	static char stamp[32];
	struct timespec now;
	struct tm tm;

	if (to_journal)
		return snprintf(line, size, "<%d>%s", levels[level].syslog,
			levels[level].word);
	clock_gettime(CLOCK_REALTIME, &now);
	if (now.tv_sec != stamped) {
		stamped = now.tv_sec;
		localtime_r(&stamped, &tm);
		strftime(stamp, sizeof(stamp), "%H:%M:%S", &tm);
	}
	return snprintf(line, size, "%s.%03ld %s", stamp, now.tv_nsec / 1000000,
		levels[level].word);
}

/* There is room for it. */
static void add_line(enum log_level level, const char *format, va_list args)
	__attribute__((format(printf, 2, 0)));
static void add_line(enum log_level level, const char *format, va_list args)
{
	char *line = room + used;
	int n = stamp_line(line, LINE_SIZE, level);

	vsnprintf(line + n, LINE_SIZE - (size_t)n, format, args);
	/* Texts from the network are printable by now; a line stays a line. */
	for (; *line; line++)
		if ((unsigned char)*line < ' ' || *line == 0x7f)
			*line = '?';
	*line++ = '\n';
	used = (size_t)(line - room);
}

static void add_count(const char *format, ...)
	__attribute__((format(printf, 1, 2)));
static void add_count(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	add_line(LOG_LEVEL_WARN, format, args);
	va_end(args);
}

/*
 * What of `len` bytes at `text` goes out by one write: whole lines, and where
 * somebody reads no more than a write takes without waiting. 0: none for now.
 */
static size_t next_piece(const char *text, size_t len)
{
	struct pollfd out = {.fd = STDERR_FILENO, .events = POLLOUT};
	int ready;

	if (to_file)
		return len;
	while ((ready = poll(&out, 1, patience_ms)) < 0 && errno == EINTR) {
	}
	if (ready <= 0)
		return 0;
	if (len > PIECE)
		len = (size_t)((const char *)memrchr(text, '\n', PIECE) -
			       text) +
		      1;
	return len;
}

/* As much as standard error takes. */
static void write_lines(void)
{
	size_t at = 0, len;

	while (at < used && (len = next_piece(room + at, used - at))) {
		ssize_t n = write(STDERR_FILENO, room + at, len);

		if (n < 0 && errno == EAGAIN)
			break;
		/* What cannot be written is lost: whom to tell? */
		if (n >= 0 || errno != EINTR)
			at += n >= 0 ? (size_t)n : len;
	}
	used -= at;
	memmove(room, room + at, used);
}

static void write_all(void)
{
	write_lines();
	if (used || !dropped)
		return;
	add_count("%lu lines were left out here: nobody read them", dropped);
	dropped = 0;
	write_lines();
}

static void on_writing(evutil_socket_t fd, short what, void *arg)
{
	static const struct timeval again = {0, 100000};

	(void)fd, (void)what, (void)arg;
	write_all();
	if (used)
		event_add(writing, &again);
}

void log_begin_turns(struct event_base *base)
{
	writing = event_new(base, -1, 0, on_writing, NULL);
	patience_ms = 0;
}

void log_end_turns(void)
{
	if (writing)
		event_free(writing);
	writing = NULL;
	patience_ms = PATIENCE_MS;
	write_all();
	patience_ms = 0;
}

static void say(enum log_level level, const char *format, va_list args)
	__attribute__((format(printf, 2, 0)));
static void say(enum log_level level, const char *format, va_list args)
{
	bool can_wait = writing && level >= LOG_LEVEL_INFO;

	if (!dropped && sizeof(room) - used < LINE_SIZE)
		write_all();
	/* Without an event that tries again, each line tries for itself. */
	if (dropped && !writing)
		write_all();
	if (dropped || sizeof(room) - used < LINE_SIZE) {
		dropped++;
		return;
	}
	add_line(level, format, args);
	if (!can_wait)
		write_all();
	/* At the end of this turn, or once somebody reads again. */
	if (used && writing && !event_pending(writing, EV_TIMEOUT, NULL))
		event_active(writing, EV_TIMEOUT, 0);
}

#define SAY(level)                                                             \
	do {                                                                   \
		va_list args;                                                  \
		va_start(args, format);                                        \
		say(level, format, args);                                      \
		va_end(args);                                                  \
	} while (0)

void log_error(const char *format, ...)
{
	SAY(LOG_LEVEL_ERROR);
}

void log_warn(const char *format, ...)
{
	SAY(LOG_LEVEL_WARN);
}

void log_info(const char *format, ...)
{
	SAY(LOG_LEVEL_INFO);
}

void log_debug(const char *format, ...)
{
	if (debug_on)
		SAY(LOG_LEVEL_DEBUG);
}

bool log_allow(struct log_limit *limit)
{
	unsigned long long minute = clock_us() / 60000000;

	if (minute != limit->minute) {
		if (limit->dropped)
			log_warn("%u more lines like the last were left out",
				limit->dropped);
		limit->minute = minute;
		limit->used = 0;
		limit->dropped = 0;
	}
	if (limit->used < limit->burst) {
		limit->used++;
		return true;
	}
	limit->dropped++;
	return false;
}
