#include <string.h>

#include "proto/http.h"

#define DAY_S		((int64_t)24 * 60 * 60)
#define EPOCH_DAYS	719528 /* from 0000-01-01 to 1970-01-01 */
#define MAX_TIME	((int64_t)253402300799) /* 9999-12-31T23:59:59Z */
#define CYCLE_YEARS	400
#define CYCLE_DAYS	146097 /* the calendar repeats every 400 years */
#define CENTURY_PIVOT	70     /* the first two-digit year that means 19xx */
#define UNIX_EPOCH_WDAY 4      /* a Thursday, Sunday being 0 */

static const char day_names[7][10] = {
	"Sunday",
	"Monday",
	"Tuesday",
	"Wednesday",
	"Thursday",
	"Friday",
	"Saturday",
};

static const char month_names[12][4] = {
	"Jan",
	"Feb",
	"Mar",
	"Apr",
	"May",
	"Jun",
	"Jul",
	"Aug",
	"Sep",
	"Oct",
	"Nov",
	"Dec",
};

static bool is_leap(int64_t year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int64_t month_days(int64_t year, unsigned month)
{
	static const uint8_t days[12] = {
		31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

	return month == 1 && is_leap(year) ? 29 : days[month];
}

/* From 0000-01-01 to the first day of a year >= 0; year 0 is a leap year. */
static int64_t days_before_year(int64_t year)
{
	return year * 365 + (year + 3) / 4 - (year + 99) / 100 +
	       (year + 399) / 400;
}

static void put_digits(char *out, int64_t v, size_t digits)
{
	for (size_t i = digits; i > 0; i--) {
		out[i - 1] = (char)('0' + v % 10);
		v /= 10;
	}
}

void http_format_date(int64_t t, char ret[HTTP_DATE_LEN])
{
	if (t < 0)
		t = 0;
	if (t > MAX_TIME)
		t = MAX_TIME;

	int64_t day = t / DAY_S, second = t % DAY_S;
	const char *day_name = day_names[(day + UNIX_EPOCH_WDAY) % 7];
	unsigned month = 0;

	/* Wrong by one year at most, around its ends. */
	day += EPOCH_DAYS;
	int64_t year = day * CYCLE_YEARS / CYCLE_DAYS;
	while (days_before_year(year) > day)
		year--;
	while (days_before_year(year + 1) <= day)
		year++;
	day -= days_before_year(year);
	while (day >= month_days(year, month))
		day -= month_days(year, month++);

	memcpy(ret, "Sun, 00 Jan 0000 00:00:00 GMT", HTTP_DATE_LEN);
	memcpy(ret, day_name, 3);
	put_digits(ret + 5, day + 1, 2);
	memcpy(ret + 8, month_names[month], 3);
	put_digits(ret + 12, year, 4);
	put_digits(ret + 17, second / 3600, 2);
	put_digits(ret + 20, second / 60 % 60, 2);
	put_digits(ret + 23, second % 60, 2);
}

/*
 * A form of dates as a pattern:
 *   W name of the day, three letters    L the same in full
 *   D day, two digits                   E day, a space for its leading zero
 *   M name of the month                 T hh:mm:ss
 *   Y year, four digits                 y year, two digits
 *   Z "GMT"
 * and everything else stands for itself.
 */
static const char *const forms[] = {
	"W, D M Y T Z",
	"L, D-M-y T Z",
	"W M E T Y",
};

struct reader {
	const char *p;
	size_t left;
	bool ok;
};

struct calendar {
	int64_t year, day;
	unsigned month;
	int64_t hour, minute, second;
};

static bool skip_text(struct reader *r, const char *text, size_t len)
{
	if (r->left < len || memcmp(r->p, text, len) != 0)
		return false;
	r->p += len;
	r->left -= len;
	return true;
}

static int64_t read_digits(struct reader *r, size_t digits)
{
	int64_t v = 0;

	if (r->left < digits) {
		r->ok = false;
		return 0;
	}
	for (size_t i = 0; i < digits; i++) {
		if (r->p[i] < '0' || r->p[i] > '9')
			r->ok = false;
		v = v * 10 + (r->p[i] - '0');
	}
	r->p += digits;
	r->left -= digits;
	return v;
}

static void read_day_name(struct reader *r, bool full)
{
	for (size_t i = 0; i < 7; i++) {
		size_t len = full ? strlen(day_names[i]) : 3;

		if (skip_text(r, day_names[i], len))
			return;
	}
	r->ok = false;
}

static unsigned read_month_name(struct reader *r)
{
	for (unsigned i = 0; i < 12; i++) {
		if (skip_text(r, month_names[i], 3))
			return i;
	}
	r->ok = false;
	return 0;
}

static void read_time(struct reader *r, struct calendar *c)
{
	c->hour = read_digits(r, 2);
	r->ok = skip_text(r, ":", 1) && r->ok;
	c->minute = read_digits(r, 2);
	r->ok = skip_text(r, ":", 1) && r->ok;
	c->second = read_digits(r, 2);
}

static void read_part(struct reader *r, char part, struct calendar *c)
{
	switch (part) {
	case 'W':
	case 'L':
		read_day_name(r, part == 'L');
		break;
	case 'D':
		c->day = read_digits(r, 2);
		break;
	case 'E':
		c->day = read_digits(r, skip_text(r, " ", 1) ? 1 : 2);
		break;
	case 'M':
		c->month = read_month_name(r);
		break;
	case 'Y':
		c->year = read_digits(r, 4);
		break;
	case 'y':
		c->year = read_digits(r, 2);
		c->year += c->year < CENTURY_PIVOT ? 2000 : 1900;
		break;
	case 'T':
		read_time(r, c);
		break;
	case 'Z':
		r->ok = skip_text(r, "GMT", 3);
		break;
	default:
		r->ok = skip_text(r, &part, 1);
	}
}

static bool read_form(
	const char *text, size_t len, const char *form, struct calendar *ret)
{
	struct reader r = {text, len, true};

	for (; *form != '\0' && r.ok; form++)
		read_part(&r, *form, ret);
	return r.ok && r.left == 0;
}

bool http_parse_date(const char *text, size_t len, int64_t *ret)
{
	struct calendar c = {.year = 0};
	bool found = false;

	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]) && !found; i++)
		found = read_form(text, len, forms[i], &c);
	if (!found || c.day < 1 || c.day > month_days(c.year, c.month) ||
		c.hour > 23 || c.minute > 59 || c.second > 60)
		return false;

	int64_t days = days_before_year(c.year) - EPOCH_DAYS + c.day - 1;
	for (unsigned month = 0; month < c.month; month++)
		days += month_days(c.year, month);
	*ret = days * DAY_S + c.hour * 3600 + c.minute * 60 + c.second;
	return true;
}
