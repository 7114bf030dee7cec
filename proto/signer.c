#include "proto/signer.h"

#include <stdbool.h>
#include <string.h>

#include "proto/text.h"
#include "proto/wire.h"

#define CERT_HEADER_LEN	      8
#define CERT_TYPE_PKCS_SIGNED 0x0002

/* Tags of DER (X.690) that occur on the way. */
#define TAG_INTEGER   0x02
#define TAG_OID	      0x06
#define TAG_UTF8      0x0c
#define TAG_PRINTABLE 0x13
#define TAG_IA5	      0x16
#define TAG_SEQUENCE  0x30
#define TAG_SET	      0x31
#define TAG_CONTEXT_0 0xa0
#define TAG_CONTEXT_1 0xa1

/* Bytes of the table, and what is left of them to walk over. */
struct der {
	const uint8_t *at;
	size_t len;
};

struct element {
	uint8_t tag;
	struct der whole, content;
};

/*
 * The next element, taken off `from`. Lengths of up to four bytes: no table is
 * longer. The indefinite form is BER's and does not occur.
 */
static bool der_next(struct der *from, struct element *ret)
{
	size_t head = 2, len;

	if (from->len < head)
		return false;
	len = from->at[1];
	if (len >= 0x80) {
		size_t n = len & 0x7f;

		if (n == 0 || n > 4 || from->len - head < n)
			return false;
		len = 0;
		for (size_t i = 0; i < n; i++)
			len = len << 8 | from->at[head + i];
		head += n;
	}
	if (len > from->len - head)
		return false;
	ret->tag = from->at[0];
	ret->whole = (struct der){from->at, head + len};
	ret->content = (struct der){from->at + head, len};
	from->at += head + len;
	from->len -= head + len;
	return true;
}

/* The next element must be of this tag. */
static bool der_expect(struct der *from, uint8_t tag, struct element *ret)
{
	return der_next(from, ret) && ret->tag == tag;
}

/* An element of this tag must come next, and is taken off. */
static bool der_pass(struct der *from, uint8_t tag)
{
	struct element passed;

	return der_expect(from, tag, &passed);
}

/* An element of this tag is taken off if it comes next. */
static void der_skip_optional(struct der *from, uint8_t tag)
{
	struct element skipped;

	if (from->len > 0 && from->at[0] == tag)
		der_next(from, &skipped);
}

static bool der_equal(struct der a, struct der b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

/* What of a certificate names it, and whom it names. */
struct certificate {
	struct der issuer, serial, subject;
};

static bool read_certificate(struct der from, struct certificate *ret)
{
	struct element e;

	if (!der_expect(&from, TAG_SEQUENCE, &e)) /* TBSCertificate */
		return false;
	from = e.content;
	der_skip_optional(&from, TAG_CONTEXT_0); /* version */
	if (!der_expect(&from, TAG_INTEGER, &e))
		return false;
	ret->serial = e.content;
	if (!der_pass(&from, TAG_SEQUENCE) || /* signature */
		!der_expect(&from, TAG_SEQUENCE, &e))
		return false;
	ret->issuer = e.content;
	if (!der_pass(&from, TAG_SEQUENCE) || /* validity */
		!der_expect(&from, TAG_SEQUENCE, &e))
		return false;
	ret->subject = e.content;
	return true;
}

/* The last attribute of this type in a Name; an empty one if there is none. */
static struct der find_attribute(struct der name, const uint8_t type[3])
{
	struct der found = {NULL, 0};
	struct element rdn, attribute, oid, value;

	while (der_expect(&name, TAG_SET, &rdn)) {
		while (der_expect(&rdn.content, TAG_SEQUENCE, &attribute)) {
			struct der in = attribute.content;

			if (der_expect(&in, TAG_OID, &oid) &&
				der_next(&in, &value) && oid.content.len == 3 &&
				memcmp(oid.content.at, type, 3) == 0 &&
				(value.tag == TAG_UTF8 ||
					value.tag == TAG_PRINTABLE ||
					value.tag == TAG_IA5))
				found = value.content;
		}
	}
	return found;
}

/* Its common name, or else its organisation. */
static struct der subject_name(struct der subject)
{
	static const uint8_t common_name[] = {0x55, 4, 3};
	static const uint8_t organisation[] = {0x55, 4, 10};
	struct der name = find_attribute(subject, common_name);

	return name.len ? name : find_attribute(subject, organisation);
}

/* The subject of the certificate that this SignerInfo means. */
static struct der find_subject(struct der certificates, struct der signer)
{
	struct certificate wanted = {0}, one;
	struct element e;

	if (!der_expect(&signer, TAG_INTEGER, &e) || /* version */
		!der_expect(&signer, TAG_SEQUENCE, &e))
		return (struct der){NULL, 0};
	signer = e.content;
	if (!der_expect(&signer, TAG_SEQUENCE, &e))
		return (struct der){NULL, 0};
	wanted.issuer = e.content;
	if (!der_expect(&signer, TAG_INTEGER, &e))
		return (struct der){NULL, 0};
	wanted.serial = e.content;
	while (der_expect(&certificates, TAG_SEQUENCE, &e))
		if (read_certificate(e.content, &one) &&
			der_equal(one.issuer, wanted.issuer) &&
			der_equal(one.serial, wanted.serial))
			return one.subject;
	return (struct der){NULL, 0};
}

/* The name of a SignedData's first signer; an empty one if it has none. */
static struct der signed_data_name(struct der from)
{
	struct der certificates = {NULL, 0}, none = {NULL, 0};
	struct element e;

	if (!der_expect(&from, TAG_SEQUENCE, &e)) /* ContentInfo */
		return none;
	from = e.content;
	if (!der_expect(&from, TAG_OID, &e) ||
		!der_expect(&from, TAG_CONTEXT_0, &e))
		return none;
	from = e.content;
	if (!der_expect(&from, TAG_SEQUENCE, &e)) /* SignedData */
		return none;
	from = e.content;
	if (!der_expect(&from, TAG_INTEGER, &e) ||    /* version */
		!der_expect(&from, TAG_SET, &e) ||    /* digest algorithms */
		!der_expect(&from, TAG_SEQUENCE, &e)) /* content */
		return none;
	if (from.len > 0 && from.at[0] == TAG_CONTEXT_0 && der_next(&from, &e))
		certificates = e.content;
	der_skip_optional(&from, TAG_CONTEXT_1); /* revocation lists */
	if (!der_expect(&from, TAG_SET, &e))	 /* signer infos */
		return none;
	from = e.content;
	if (!der_expect(&from, TAG_SEQUENCE, &e))
		return none;
	return subject_name(find_subject(certificates, e.content));
}

static void put_name(struct der name, char *ret, size_t cap, size_t *len)
{
	size_t before = *len, added;

	if (!name.len)
		return;
	if (before > 0) {
		if (cap - before < 3)
			return;
		memcpy(ret + before, ", ", 3);
		*len += 2;
	}
	added = text_clean(name.at, name.len, ret + *len, cap - *len);
	if (added == SIZE_MAX || added == 0) {
		*len = before;
		ret[before] = '\0';
		return;
	}
	*len += added;
}

size_t signer_names(
	const uint8_t *table, size_t table_len, char *ret, size_t cap)
{
	struct wire_reader r;
	size_t len = 0, at = 0;

	if (!cap)
		return 0;
	ret[0] = '\0';
	while (table_len - at > CERT_HEADER_LEN) {
		uint32_t entry_len;
		uint16_t type;

		wire_reader_init(&r, table + at, table_len - at);
		entry_len = wire_get_le32(&r);
		wire_skip(&r, 2);
		type = wire_get_le16(&r);
		if (entry_len <= CERT_HEADER_LEN || entry_len > table_len - at)
			break;
		if (type == CERT_TYPE_PKCS_SIGNED)
			put_name(signed_data_name((struct der){
					 table + at + CERT_HEADER_LEN,
					 entry_len - CERT_HEADER_LEN}),
				ret, cap, &len);
		if (table_len - at - entry_len < 8)
			break;
		at += (entry_len + 7u) & ~(size_t)7;
	}
	return len;
}
