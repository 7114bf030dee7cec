#include "daemon/ctl/since.h"

#include <ctype.h>
#include <stddef.h>
#include <string.h>
#include <time.h>

static bool parse_ago(const char *text, double now, double *ret)
{
	static const struct {
		const char *name;
		double seconds;
	} units[] = {{"s", 1}, {"min", 60}, {"h", 3600}, {"d", 86400},
		{"w", 604800}};
	double n = 0;
	size_t digits = 0;

	for (; isdigit((unsigned char)*text) && digits < 12; text++, digits++)
		n = n * 10 + (*text - '0');
	for (size_t i = 0; digits && i < sizeof(units) / sizeof(*units); i++) {
		if (strcmp(text, units[i].name) == 0) {
			*ret = now - n * units[i].seconds;
			return true;
		}
	}
	return false;
}

bool since_parse(const char *text, double now, double *ret)
{
	static const char *const formats[] = {
		"%Y-%m-%d", "%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S"};
	double unix_time;

	if (text[0] == '@') {
		char seconds[20];
		size_t len = strlen(text + 1);

		if (!len || len > 12)
			return false;
		memcpy(seconds, text + 1, len);
		memcpy(seconds + len, "s", 2);
		if (!parse_ago(seconds, 0, &unix_time))
			return false;
		*ret = -unix_time;
		return true;
	}
	for (size_t i = 0; i < sizeof(formats) / sizeof(*formats); i++) {
		struct tm tm = {.tm_isdst = -1};
		const char *end = strptime(text, formats[i], &tm);
		int day = tm.tm_mday;

		if (!end || *end)
			continue;
		unix_time = (double)mktime(&tm);
		/*
		 * There is no 30th of February; and who writes 24 does not
		 * mean the year of that number.
		 */
		if (tm.tm_mday != day || unix_time < 0)
			return false;
		*ret = unix_time;
		return true;
	}
	return parse_ago(text, now, ret);
}
