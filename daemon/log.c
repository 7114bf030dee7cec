#include "daemon/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "daemon/clock.h"

static bool debug_on;
static bool to_journal;

void log_init(bool debug)
{
	debug_on = debug;
	to_journal = getenv("JOURNAL_STREAM") != NULL;
	setvbuf(stderr, NULL, _IOLBF, 0);
}

bool log_is_debug(void)
{
	return debug_on;
}

static void say(enum log_level level, const char *format, va_list args)
	__attribute__((format(printf, 2, 0)));
static void say(enum log_level level, const char *format, va_list args)
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
	char line[1024];

	vsnprintf(line, sizeof(line), format, args);
	/* Texts from the network are printable by now; a line stays a line. */
	for (char *p = line; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = '?';
	if (to_journal) {
		fprintf(stderr, "<%d>%s%s\n", levels[level].syslog,
			levels[level].word, line);
	} else {
		/* Made anew once a second: lines come by the thousand. */
		static __thread time_t stamped = -1;
		static __thread char stamp[32];
		struct timespec now;
		struct tm tm;

		clock_gettime(CLOCK_REALTIME, &now);
		if (now.tv_sec != stamped) {
			stamped = now.tv_sec;
			localtime_r(&stamped, &tm);
			strftime(stamp, sizeof(stamp), "%H:%M:%S", &tm);
		}
		fprintf(stderr, "%s.%03ld %s%s\n", stamp, now.tv_nsec / 1000000,
			levels[level].word, line);
	}
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
