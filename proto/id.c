#include "proto/id.h"

#include <string.h>

#include "proto/hex.h"

/* Where the dashes of a UUID stand: before these bytes. */
static bool uuid_dash_before(size_t byte)
{
	return byte == 4 || byte == 6 || byte == 8 || byte == 10;
}

bool mac_parse(const char *text, size_t len, struct mac *ret)
{
	struct mac mac;
	size_t step = len == 17 ? 3 : 2;
	size_t i;

	if (len != 12 && len != 17)
		return false;
	if (step == 3 && text[2] != ':' && text[2] != '-')
		return false;
	for (i = 0; i < sizeof(mac.b); i++) {
		if (!hex_get(text + i * step, &mac.b[i]))
			return false;
		if (step == 3 && i > 0 && text[i * 3 - 1] != text[2])
			return false;
	}
	*ret = mac;
	return true;
}

void mac_format(const struct mac *mac, char sep, char ret[MAC_TEXT_LEN])
{
	char *p = ret;
	size_t i;

	for (i = 0; i < sizeof(mac->b); i++) {
		if (i > 0)
			*p++ = sep;
		p = hex_put(p, mac->b[i]);
	}
	*p = '\0';
}

bool mac_equal(const struct mac *a, const struct mac *b)
{
	return memcmp(a->b, b->b, sizeof(a->b)) == 0;
}

bool mac_is_unicast(const struct mac *mac)
{
	static const struct mac zero;

	return (mac->b[0] & 1) == 0 && !mac_equal(mac, &zero);
}

bool uuid_parse(const char *text, size_t len, struct uuid *ret)
{
	struct uuid uuid;
	bool dashes = len == 36;
	size_t i;

	if (len != 32 && len != 36)
		return false;
	for (i = 0; i < sizeof(uuid.b); i++) {
		if (dashes && uuid_dash_before(i) && *text++ != '-')
			return false;
		if (!hex_get(text, &uuid.b[i]))
			return false;
		text += 2;
	}
	*ret = uuid;
	return true;
}

void uuid_format(const struct uuid *uuid, char ret[UUID_TEXT_LEN])
{
	char *p = ret;
	size_t i;

	for (i = 0; i < sizeof(uuid->b); i++) {
		if (uuid_dash_before(i))
			*p++ = '-';
		p = hex_put(p, uuid->b[i]);
	}
	*p = '\0';
}

struct uuid uuid_swap(const struct uuid *uuid)
{
	/* time_low, time_mid and time_hi are little-endian in SMBIOS. */
	static const uint8_t from[16] = {
		3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15};
	struct uuid swapped;
	size_t i;

	for (i = 0; i < sizeof(from); i++)
		swapped.b[i] = uuid->b[from[i]];
	return swapped;
}

bool uuid_equal(const struct uuid *a, const struct uuid *b)
{
	return memcmp(a->b, b->b, sizeof(a->b)) == 0;
}

/* The last `len` bytes are all the same. */
static bool uuid_ends_uniform(const struct uuid *uuid, size_t len)
{
	size_t i;

	for (i = sizeof(uuid->b) - len; i < sizeof(uuid->b); i++)
		if (uuid->b[i] != uuid->b[sizeof(uuid->b) - 1])
			return false;
	return true;
}

bool uuid_is_junk(const struct uuid *uuid)
{
	/*
	 * Inventories see these on many machines each. Firmware is not of one
	 * mind on the byte order, so either spelling of each counts.
	 */
	static const struct uuid placeholders[] = {
		/* 03000200-0400-0500-0006-000700080009: AMI's default */
		{{3, 0, 2, 0, 4, 0, 5, 0, 0, 6, 0, 7, 0, 8, 0, 9}},
		/* 00010203-0405-0607-0809-0a0b0c0d0e0f */
		{{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}},
		/* 12345678-1234-5678-90ab-cddeefaabbcc */
		{{0x12, 0x34, 0x56, 0x78, 0x12, 0x34, 0x56, 0x78, 0x90, 0xab,
			0xcd, 0xde, 0xef, 0xaa, 0xbb, 0xcc}},
		/* 07090201-0103-0301-0807-060504030201 */
		{{7, 9, 2, 1, 1, 3, 3, 1, 8, 7, 6, 5, 4, 3, 2, 1}},
	};
	struct uuid swapped = uuid_swap(uuid);
	size_t i;

	if (uuid_ends_uniform(uuid, 16))
		return true;
	/* 56f49712-ffff-ffff-ffff-ffffffffffff and others like it */
	if (uuid->b[15] == 0xff && uuid_ends_uniform(uuid, 12))
		return true;
	for (i = 0; i < sizeof(placeholders) / sizeof(placeholders[0]); i++)
		if (uuid_equal(uuid, &placeholders[i]) ||
			uuid_equal(&swapped, &placeholders[i]))
			return true;
	return false;
}
