/*
 * hash: buckets for tables whose keys strangers choose (MAC, address, name).
 * The tables are capped; the key of this process keeps a stranger from
 * choosing keys that all fall into one bucket.
 */
#ifndef DAEMON_BASE_HASH_H
#define DAEMON_BASE_HASH_H

#include <stddef.h>

/* Below `buckets`, which is not 0; the same throughout this process only. */
size_t hash_bucket(const void *data, size_t len, size_t buckets);

#endif
