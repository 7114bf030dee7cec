/*
 * log: what the daemon says, one line each, to standard error.
 *
 * Under systemd (JOURNAL_STREAM is set) lines carry the "<n>" prefixes that
 * the journal reads as levels; else a time stamp. The handler that knows the
 * client logs, once; helpers return errors instead.
 *
 * While the loop runs, the lines of one of its turns go out together, at its
 * end; a warning goes at once, with all before it. Nobody waits for who reads
 * them: what is too much for him is left out, and counted. Of one thread, the
 * loop's.
 */
#ifndef DAEMON_BASE_LOG_H
#define DAEMON_BASE_LOG_H

#include <stdbool.h>

struct event_base;

enum log_level {
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARN,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG
};

void log_init(bool debug);
/* From now on in turns of this loop; if memory is short, each at once. */
void log_begin_turns(struct event_base *base);
/* Before the loop is freed; all that waits goes out. */
void log_end_turns(void);
bool log_is_debug(void);
void log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *format, ...) __attribute__((format(printf, 1, 2)));

/*
 * For what a stranger can cause again and again: at most `burst` lines of one
 * limiter a minute; what was left out is said in a line of its own.
 */
struct log_limit {
	unsigned burst, used, dropped;
	unsigned long long minute;
};
bool log_allow(struct log_limit *limit);

#endif
