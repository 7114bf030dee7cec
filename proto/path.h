/*
 * path: one normaliser for the names that TFTP and HTTP clients ask for.
 * Names are looked up in the catalogue, never in the file system; this only
 * makes every spelling of a name the same.
 */
#ifndef PROTO_PATH_H
#define PROTO_PATH_H

#include <stdbool.h>
#include <stddef.h>

#define PATH_MAX_LEN 511

/*
 * Normalise len bytes of text into ret, NUL-terminated, without '/' at either
 * end: runs of '/' become one, "." components go, '\\' counts as '/', percent
 * escapes are decoded, once, if `percent` (HTTP); a decoded slash is a slash
 * like any other. False, and ret untouched, for what can be no name: a ".."
 * component, NUL or control characters, bytes from 0x80 on, a bad escape, or
 * too long. An empty result ("/") is true.
 */
bool path_normalise(
	const char *text, size_t len, bool percent, char ret[PATH_MAX_LEN + 1]);

/*
 * If path begins with the component `head` ("images"), return what follows
 * its slash ("" if nothing does), else NULL.
 */
const char *path_below(const char *path, const char *head);

/*
 * The byte (0..255) that the escape at text ("%2F") stands for; -1 if there is
 * no whole escape in the `left` bytes that remain.
 */
int path_unescape(const char *text, size_t left);

#endif
