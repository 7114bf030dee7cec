#include "daemon/ctl/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>

const char *text_of(const json_t *o, const char *key)
{
	return json_string_value(json_object_get(o, key));
}

const char *word_of(const json_t *o, const char *key)
{
	const char *text = text_of(o, key);

	return text ? text : "";
}

long long number_of(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

double real_of(const json_t *o, const char *key)
{
	return json_number_value(json_object_get(o, key));
}

bool is_true(const json_t *o, const char *key)
{
	return json_is_true(json_object_get(o, key));
}

const char *size_text(long long bytes, char *buf, size_t cap)
{
	if (bytes < 10000)
		snprintf(buf, cap, "%lld B", bytes);
	else if (bytes < 10000000)
		snprintf(buf, cap, "%.1f kB", (double)bytes / 1e3);
	else
		snprintf(buf, cap, "%.1f MB", (double)bytes / 1e6);
	return buf;
}

const char *ago_text(const json_t *o, char *buf, size_t cap)
{
	const json_t *value = json_object_get(o, "seconds-ago");
	long long s = json_integer_value(value);

	if (!value)
		return NULL;
	if (s < 120)
		snprintf(buf, cap, "%lld s ago", s);
	else if (s < 7200)
		snprintf(buf, cap, "%lld min ago", s / 60);
	else
		snprintf(buf, cap, "%lld h ago", s / 3600);
	return buf;
}

const char *rate_text(const json_t *o, char *buf, size_t cap)
{
	double seconds = real_of(o, "transfer-seconds");

	if (seconds <= 0)
		return NULL;
	snprintf(buf, cap, "%.1f MB/s", real_of(o, "bytes") / 1e6 / seconds);
	return buf;
}

const char *share_text(const json_t *o, char *buf, size_t cap)
{
	if (!json_is_number(json_object_get(o, "resent-share")))
		return NULL;
	snprintf(buf, cap, "%.3g %%", real_of(o, "resent-share") * 100);
	return buf;
}

const char *chance_text(double p, char *buf, size_t cap)
{
	if (p < 0.001)
		return "p < 0.001";
	snprintf(buf, cap, "p = %.2g", p);
	return buf;
}

const char *who_text(const json_t *o)
{
	return text_of(o, "machine") ? text_of(o, "machine")
				     : text_of(o, "mac");
}

bool text_is_terminal(void)
{
	const char *term = getenv("TERM");

	return isatty(STDOUT_FILENO) && term && strcmp(term, "dumb") != 0;
}

void text_terminal_size(unsigned *ret_columns, unsigned *ret_lines)
{
	struct winsize size = {0};

	ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
	*ret_columns = size.ws_col;
	*ret_lines = size.ws_row;
}

size_t text_width(const char *text)
{
	size_t n = 0;

	while (*text) {
		mbstate_t state = {0};
		wchar_t c;
		size_t len = mbrtowc(&c, text, MB_CUR_MAX, &state);
		int columns = 1;

		if (len <= MB_CUR_MAX)
			columns = wcwidth(c);
		else
			len = 1;
		n += columns < 0 ? 1 : (size_t)columns;
		text += len;
	}
	return n;
}

const char *text_no_boots(bool since)
{
	return since ? "No boot has begun since then; without --since there "
		       "may be earlier ones."
		     : "No machine has booted yet. `netukictl boots --follow` "
		       "shows what one does,\n`netukictl explain MACHINE` what "
		       "it would be given.";
}

void text_line(const char *label, const char *value)
{
	if (value && *value)
		printf("%-12s %s\n", label, value);
}
