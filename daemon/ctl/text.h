/*
 * text: pieces that the functions of show.h share.
 */
#ifndef DAEMON_CTL_TEXT_H
#define DAEMON_CTL_TEXT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* o[key]; NULL if it is no text. */
const char *text_of(const json_t *o, const char *key);
/* The same, but "". */
const char *word_of(const json_t *o, const char *key);
/* 0 if it is no number. */
long long number_of(const json_t *o, const char *key);
double real_of(const json_t *o, const char *key);
bool is_true(const json_t *o, const char *key);
/* The rest are in buf, or texts that stay. */
/* "512 B", "16.7 MB" */
const char *size_text(long long bytes, char *buf, size_t cap);
/* "12 s ago", of "seconds-ago"; NULL if that is not there. */
const char *ago_text(const json_t *o, char *buf, size_t cap);
/* "12.3 MB/s", of "bytes" and "transfer-seconds"; NULL if not known. */
const char *rate_text(const json_t *o, char *buf, size_t cap);
/* "0.041 %", of "resent-share"; NULL if not known. */
const char *share_text(const json_t *o, char *buf, size_t cap);
/* "p = 0.012", "p < 0.001" */
const char *chance_text(double p, char *buf, size_t cap);
/* The machine's name, or else its MAC address. */
const char *who_text(const json_t *o);
/* May what goes out be more than text? */
bool text_is_terminal(void);
/* How wide it is and how high; 0 where it is no terminal or nobody knows. */
void text_terminal_size(unsigned *ret_columns, unsigned *ret_lines);
/* How many columns it takes, in the encoding that setlocale() was told of. */
size_t text_width(const char *text);
/* What to say instead of a list of none; `since`: it was asked for a time. */
const char *text_no_boots(bool since);
/* A label and its value as one line; nothing if there is no value. */
void text_line(const char *label, const char *value);

#endif
