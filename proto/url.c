#include "proto/url.h"

#include <stdbool.h>
#include <string.h>

#include "proto/path.h"
#include "proto/tftp.h"

static const struct {
	const char *text;
	enum url_scheme scheme;
	uint16_t port;
} schemes[] = {
	{"tftp://", URL_SCHEME_TFTP, 69},
	{"http://", URL_SCHEME_HTTP, 80},
	{"dhcp://", URL_SCHEME_DHCP, 67},
};

/* Digits up to the end: 1..65535, or 0. */
static uint16_t port_of(const char *text, size_t len)
{
	uint32_t port = 0;

	if (len < 1 || len > 5)
		return 0;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return 0;
		port = port * 10 + (uint32_t)(text[i] - '0');
	}
	return port <= 65535 ? (uint16_t)port : 0;
}

/* host, host:port, [address] or [address]:port */
static const char *take_authority(const char *text, size_t len, struct url *ret)
{
	const char *host = text, *end = text + len, *after;

	if (memchr(text, '@', len))
		return "a user's name has no meaning here";
	if (len > 0 && text[0] == '[') {
		host++;
		after = memchr(text, ']', len);
		if (!after)
			return "']' is missing";
		len = (size_t)(after - host);
		after++;
	} else {
		after = memchr(text, ':', len);
		if (!after)
			after = end;
		len = (size_t)(after - host);
	}
	if (len == 0)
		return "the server is missing";
	if (len >= sizeof(ret->host))
		return "the server's name is too long";
	memcpy(ret->host, host, len);
	ret->host[len] = '\0';
	if (after == end)
		return NULL;
	ret->port = port_of(after + 1, (size_t)(end - after - 1));
	return *after == ':' && ret->port > 0 ? NULL : "this is no port";
}

static const char *take_name(const char *path, struct url *ret)
{
	size_t left = strlen(path), n = 0;

	for (; left > 0; path++, left--) {
		int c = (unsigned char)*path;

		if (c == '%') {
			c = path_unescape(path, left);
			if (c <= 0)
				return "this is no escape";
			path += 2;
			left -= 2;
		}
		if (n >= TFTP_MAX_NAME)
			return "the file's name is too long";
		ret->path[n++] = (char)c;
	}
	ret->path[n] = '\0';
	return n > 0 ? NULL : "the file is missing";
}

static bool is_printable(const char *text)
{
	for (; *text; text++) {
		if (*text <= ' ' || *text > '~')
			return false;
	}
	return true;
}

const char *url_parse(const char *text, struct url *ret)
{
	struct url url = {.port = 0};
	const char *wrong, *path;
	size_t i = 0;

	if (strnlen(text, URL_MAX) >= URL_MAX)
		return "this is too long";
	if (!is_printable(text) || strchr(text, '#'))
		return "this is no URL";
	while (strncmp(text, schemes[i].text, strlen(schemes[i].text)) != 0) {
		if (++i == sizeof(schemes) / sizeof(*schemes))
			return "a URL begins with tftp://, http:// or dhcp://";
	}
	text += strlen(schemes[i].text);
	url.scheme = schemes[i].scheme;
	url.port = schemes[i].port;
	path = strchr(text, '/');
	if (!path)
		path = text + strlen(text);
	wrong = take_authority(text, (size_t)(path - text), &url);
	if (!wrong && url.scheme == URL_SCHEME_TFTP)
		wrong = take_name(*path ? path + 1 : path, &url);
	else if (!wrong && url.scheme == URL_SCHEME_DHCP && path[0] && path[1])
		wrong = "a server of DHCP has no files";
	else if (!wrong)
		memcpy(url.path, *path ? path : "/",
			*path ? strlen(path) + 1 : 2);
	if (!wrong)
		*ret = url;
	return wrong;
}
