#include "daemon/http/http_reply.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "daemon/base/clock.h"
#include "daemon/http/http_booted.h"
#include "daemon/http/http_conn.h"
#include "daemon/http/http_extra.h"
#include "daemon/http/http_peer.h"
#include "daemon/http/http_send.h"
#include "daemon/metrics.h"
#include "daemon/policy/clients.h"
#include "daemon/policy/content.h"
#include "proto/path.h"

#define HEAD_SIZE  1024
#define SMALL_BODY (16u << 10) /* goes out with the head, in one packet */
#define RETRY_S	   2	       /* for iPXE, which asks again after so long */

/*
 * The head goes to the start of `out`. False: http_build_head refuses it (for
 * a media type that is none, say); what goes out is a 500 without a body, and
 * the connection ends.
 */
static bool build_head(struct http_conn *conn, const struct http_head *head)
{
	static const struct http_head failed = {
		.status = 500, .close = true, .date = -1};
	size_t n = http_build_head(head, conn->out, HEAD_SIZE);

	conn->out_at = 0;
	conn->out_len = (uint32_t)n;
	if (n)
		return true;
	log_error("HTTP: an answer of status %u has no head", head->status);
	conn->close_after = true;
	n = http_build_head(&failed, conn->out, HEAD_SIZE);
	conn->out_len = (uint32_t)n;
	return false;
}

/* A head, and a short text as the body unless it is to be left out. */
static void answer_text(struct http_conn *conn, struct http_head *head,
	const char *text, bool with_body)
{
	size_t len = strlen(text);

	head->content_length = len;
	head->close = conn->close_after;
	head->date = time(NULL);
	conn->out = malloc(HEAD_SIZE + len);
	if (!conn->out)
		return;
	if (build_head(conn, head) && with_body) {
		memcpy(conn->out + conn->out_len, text, len);
		conn->out_len += (uint32_t)len;
	}
}

void http_reply_error(struct http_conn *conn, unsigned status)
{
	struct http_head head = {
		.status = status,
		.allow = status == 405 ? "GET, HEAD" : NULL,
	};

	conn->service->counts.refused++;
	conn->close_after = true;
	conn->refused = true;
	/* The method is not known: a body might answer a HEAD. */
	answer_text(conn, &head, "", false);
}

void http_reply_status(struct http_conn *conn,
	const struct http_request *request, unsigned status, const char *why)
{
	struct http_head head = {
		.status = status,
		.retry_after = status == 503 ? RETRY_S : 0,
	};
	char text[200];

	snprintf(text, sizeof(text), "%u %s: %s\n", status,
		http_status_text(status), why);
	conn->service->counts.refused++;
	answer_text(conn, &head, text, request->method == HTTP_METHOD_GET);
}

/* A body that is short and at hand goes out with its head, in one packet. */
static void append_body(
	struct http_conn *conn, struct view *view, struct http_answer *answer)
{
	struct iovec iov = {conn->out + conn->out_len, answer->length};

	if (view_readv(view, &iov, 1, answer->first, true) < 0 ||
		!view_is_whole(view))
		return;
	conn->out_len += (uint32_t)answer->length;
	conn->service->counts.bytes += answer->length;
	answer->first += answer->length;
	answer->length = 0;
}

/* The answer to a request for this entity. */
static void evaluate(const struct http_request *request,
	const struct http_entity *entity, struct http_head *head,
	struct http_answer *answer)
{
	http_evaluate(request, entity, answer);
	head->status = answer->status;
	head->content_length = answer->length;
	head->range_first = answer->first;
	head->range_length =
		answer->status == 416 ? entity->size : answer->length;
	if (request->method != HTTP_METHOD_GET ||
		(answer->status != 200 && answer->status != 206))
		answer->length = 0;
}

static void answer_view(struct http_conn *conn,
	const struct http_request *request, struct view *view)
{
	struct http_entity entity = {
		.size = view_size(view),
		.etag = view_etag(view),
		.mtime = view_mtime(view),
		.type = view_type(view),
	};
	struct http_answer answer;
	struct http_head head = {
		.close = conn->close_after,
		.date = time(NULL),
		.entity = &entity,
	};
	bool is_small;

	evaluate(request, &entity, &head, &answer);
	/*
	 * What the catalogue has not seen yet: it will be another image. What
	 * goes out at one go is looked at then, and once is enough.
	 */
	if ((!answer.length || answer.length > HTTP_BULK_MIN) &&
		!view_is_whole(view)) {
		view_unref(view);
		http_reply_status(
			conn, request, 503, "the file is being changed");
		return;
	}
	is_small = answer.length && answer.length <= SMALL_BODY;
	conn->out = malloc(HEAD_SIZE + (is_small ? answer.length : 0));
	if (!conn->out) {
		view_unref(view);
		return;
	}
	conn->begin_at = answer.first;
	if (!build_head(conn, &head))
		answer.length = 0;
	else if (is_small)
		append_body(conn, view, &answer);
	conn->view = view;
	conn->view_at = answer.first;
	conn->view_end = answer.first + answer.length;
}

void http_reply_view(struct http_conn *conn, const struct http_request *request,
	struct view *view)
{
	if (view)
		answer_view(conn, request, view);
	else
		http_reply_status(conn, request, 503, "memory is short");
}

static enum arch arch_of_ipxe(const char *buildarch)
{
	static const struct {
		const char *ipxe;
		enum arch arch;
	} names[] = {
		{"i386", ARCH_IA32},
		{"x86_64", ARCH_X64},
		{"arm32", ARCH_ARM32},
		{"arm64", ARCH_ARM64},
		{"riscv32", ARCH_RISCV32},
		{"riscv64", ARCH_RISCV64},
		{"loong64", ARCH_LOONGARCH64},
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (strcmp(names[i].ipxe, buildarch) == 0)
			return names[i].arch;
	return ARCH_INVALID;
}

/* What iPXE said of itself in the URL, over what we know of it. */
static void describe_ipxe(struct http_conn *conn, struct http_slice query,
	struct client *client, char serial[CLIENTS_SERIAL_MAX])
{
	const struct client_record *record = NULL;
	char value[64];

	client->firmware = PXE_FIRMWARE_IPXE;
	client->ipxe_http = true;
	client->arch = ARCH_INVALID;
	if (client->has_mac)
		record = clients_find(
			conn->service->netuki->clients, &client->mac);
	if (record)
		client->arch = record->arch;
	if (http_query_get(query, "arch", value, sizeof(value)) && *value)
		client->arch = arch_of_ipxe(value);
	if (http_query_get(query, "platform", value, sizeof(value)) &&
		strcmp(value, "pcbios") == 0)
		client->arch = ARCH_BIOS;
	if (!client->has_uuid &&
		http_query_get(query, "uuid", value, sizeof(value)))
		client->has_uuid =
			uuid_parse(value, strlen(value), &client->uuid);
	if (http_query_get(query, "serial", serial, CLIENTS_SERIAL_MAX) &&
		*serial)
		client->serial = serial;
}

/* Wait for it, says 503: iPXE does, and tries again. */
static bool is_pending(const struct image *image)
{
	return image && image->state == IMAGE_STATE_PENDING;
}

/* Likewise for a machine whose pinned image has no digest yet. */
static bool must_wait(const struct plan *plan)
{
	const struct image *image = plan->image;

	if (!image || plan->set.mode == CONFIG_MODE_LOCAL)
		return false;
	if (is_pending(image))
		return true;
	return image->state == IMAGE_STATE_READY && plan->set.sha256 &&
	       !image->has_digest && !image->digest_error;
}

static void answer_script(struct http_conn *conn,
	const struct http_request *request, const char *id)
{
	struct netuki *netuki = conn->service->netuki;
	struct decide_world world = netuki_world(netuki);
	struct client_record *record = NULL;
	struct client client = {0};
	struct plan plan;
	struct script_plan script;
	char serial[CLIENTS_SERIAL_MAX], server[INET6_ADDRSTRLEN + 2],
		text[16384];
	size_t len;

	if (!content_parse_id(id, strlen(id), &client)) {
		http_reply_status(
			conn, request, 404, "not a MAC address or UUID");
		return;
	}
	if (client.has_mac) {
		record =
			clients_touch(netuki->clients, &client.mac, clock_us());
		if (http_peer_may_be(conn, &client.mac))
			http_peer_is(conn, record);
		else
			record = NULL;
	}
	http_peer_server(conn, &client, server);
	describe_ipxe(conn, request->query, &client, serial);
	if (record && client.serial)
		strcpy(record->serial, serial);
	decide(&world, &client, &plan);
	if (plan.kind == PLAN_SILENCE && !plan.machine) {
		http_reply_status(conn, request, 404, plan.reason);
		return;
	}
	if (must_wait(&plan)) {
		http_reply_status(conn, request, 503, plan.image_problem);
		return;
	}
	decide_script(&world, &client, &plan, &script);
	len = ipxe_script_build(&script.script, text, sizeof(text));
	if (!len) {
		http_reply_status(conn, request, 500, "the script is too long");
		return;
	}
	conn->elsewhere = script.script.kind == IPXE_SCRIPT_CHAIN &&
			  decide_is_elsewhere(&plan.set);
	http_note(conn, JOURNAL_SCRIPT, script.title,
		script.script.kind == IPXE_SCRIPT_SAY ? script.message
						      : plan.reason);
	http_reply_view(conn, request, view_of_text("text/plain", text, len));
}

static void answer_file(struct http_conn *conn,
	const struct http_request *request, const char *path)
{
	const char *why = "nothing of this name";
	struct netuki *netuki = conn->service->netuki;
	struct view *view = content_find(netuki, path, &why);
	const char *name = path_below(path, "images");

	if (!view && why) {
		bool wait =
			name && is_pending(images_find(netuki->images, name));

		http_reply_status(conn, request, wait ? 503 : 404, why);
		http_note(conn, JOURNAL_HTTP_REFUSED, path, why);
		return;
	}
	http_reply_view(conn, request, view);
	if (!view)
		return;
	/* Some of it, or all, may stand behind the head already. */
	if (conn->begin_at < conn->view_end) {
		http_bulk_begin(conn);
		conn->path = strdup(path);
		conn->noted = true;
		conn->partial = conn->view_end < view_size(view);
		conn->begin_us = clock_us();
		http_note(conn, JOURNAL_HTTP_START, path, NULL);
	}
}

static void answer_booted(struct http_conn *conn,
	const struct http_request *request, const char *path)
{
	if (http_booted_take(conn, path, request->method == HTTP_METHOD_GET))
		http_reply_view(
			conn, request, view_of_text("text/plain", "ok\n", 3));
	else
		http_reply_status(conn, request, 404, "no such machine");
}

static void answer_metrics(
	struct http_conn *conn, const struct http_request *request)
{
	char *text = metrics_text(conn->service->netuki);

	http_reply_view(conn, request,
		text ? view_of_text(
			       "text/plain; version=0.0.4", text, strlen(text))
		     : NULL);
	free(text);
}

void http_reply(struct http_conn *conn, const struct http_request *request)
{
	char path[PATH_MAX_LEN + 1];
	const char *rest;

	conn->close_after |= !request->keep_alive;
	if (!path_normalise(request->path.p, request->path.len, true, path))
		http_reply_status(conn, request, 400, "not a path");
	else if ((rest = path_below(path, "ipxe")))
		answer_script(conn, request, rest);
	else if (strcmp(path, "healthz") == 0)
		http_reply_view(
			conn, request, view_of_text("text/plain", "ok\n", 3));
	else if (strcmp(path, "metrics") == 0)
		answer_metrics(conn, request);
	else if (http_booted_is(path))
		answer_booted(conn, request, path);
	else if (http_extra_is(path))
		http_extra_reply(conn, request, path);
	else
		answer_file(conn, request, path);
}
