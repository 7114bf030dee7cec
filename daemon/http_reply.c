#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "daemon/clients.h"
#include "daemon/clock.h"
#include "daemon/content.h"
#include "daemon/http_conn.h"
#include "daemon/metrics.h"
#include "proto/path.h"

#define HEAD_SIZE  1024
#define SMALL_BODY (16u << 10) /* goes out with the head, in one packet */

static char *allocate(size_t len)
{
	char *p = malloc(len);

	if (!p)
		abort();
	return p;
}

/* A head, and a short text as the body unless it is to be left out. */
static void answer_text(struct http_conn *conn, struct http_head *head,
	const char *text, bool with_body)
{
	size_t len = strlen(text), n;

	head->content_length = len;
	head->close = conn->close_after;
	head->date = time(NULL);
	conn->out = allocate(HEAD_SIZE + len);
	conn->out_at = 0;
	n = http_build_head(head, conn->out, HEAD_SIZE);
	if (with_body) {
		memcpy(conn->out + n, text, len);
		n += len;
	}
	conn->out_len = (uint32_t)n;
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
	free(conn->out);
	/* The method is not known: a body might answer a HEAD. */
	answer_text(conn, &head, "", false);
}

static void answer_status(struct http_conn *conn,
	const struct http_request *request, unsigned status, const char *why)
{
	struct http_head head = {.status = status};
	char text[200];

	snprintf(text, sizeof(text), "%u %s: %s\n", status,
		http_status_text(status), why);
	conn->service->counts.refused++;
	answer_text(conn, &head, text, request->method == HTTP_METHOD_GET);
}

/* Takes the view over. */
static void answer_view(struct http_conn *conn,
	const struct http_request *request, struct view *view)
{
	bool get = request->method == HTTP_METHOD_GET;
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
	size_t room = HEAD_SIZE, n;

	http_evaluate(request, &entity, &answer);
	head.status = answer.status;
	head.content_length = answer.length;
	head.range_first = answer.first;
	head.range_length = answer.status == 416 ? entity.size : answer.length;
	if (!get || (answer.status != 200 && answer.status != 206))
		answer.length = 0;
	if (answer.length <= SMALL_BODY)
		room += answer.length;
	conn->out = allocate(room);
	conn->out_at = 0;
	n = http_build_head(&head, conn->out, HEAD_SIZE);
	if (answer.length && answer.length <= SMALL_BODY) {
		struct iovec iov = {conn->out + n, answer.length};

		if (view_readv(view, &iov, 1, answer.first, true) == 0) {
			n += answer.length;
			conn->service->counts.bytes += answer.length;
			answer.first += answer.length;
			answer.length = 0;
		}
	}
	conn->out_len = (uint32_t)n;
	conn->view = view;
	conn->view_at = answer.first;
	conn->view_end = answer.first + answer.length;
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
	struct client *client, char serial[128])
{
	const struct client_record *record = NULL;
	char value[64];

	client->firmware = PXE_FIRMWARE_IPXE;
	client->ipxe_http = true;
	client->server = ntohl(conn->local.sin_addr.s_addr);
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
	if (http_query_get(query, "serial", serial, 128) && *serial)
		client->serial = serial;
}

static void answer_script(struct http_conn *conn,
	const struct http_request *request, const char *id)
{
	struct netuki *netuki = conn->service->netuki;
	struct decide_world world = netuki_world(netuki);
	struct client client = {0};
	struct plan plan;
	struct script_plan script;
	char serial[128], text[16384];
	size_t len;

	if (!content_parse_id(id, strlen(id), &client)) {
		answer_status(conn, request, 404, "not a MAC address or UUID");
		return;
	}
	if (client.has_mac) {
		struct client_record *r =
			clients_touch(netuki->clients, &client.mac, clock_us());

		clients_set_ip(
			netuki->clients, r, ntohl(conn->peer.sin_addr.s_addr));
		conn->mac = client.mac;
		conn->has_mac = true;
	}
	describe_ipxe(conn, request->query, &client, serial);
	decide(&world, &client, &plan);
	if (plan.kind == PLAN_SILENCE && !plan.machine) {
		answer_status(conn, request, 404, plan.reason);
		return;
	}
	decide_script(&world, &client, &plan, &script);
	len = ipxe_script_build(&script.script, text, sizeof(text));
	if (!len) {
		answer_status(conn, request, 500, "the script is too long");
		return;
	}
	http_note(conn, JOURNAL_SCRIPT, script.title, plan.reason);
	answer_view(conn, request, view_of_text("text/plain", text, len));
}

static void answer_file(struct http_conn *conn,
	const struct http_request *request, const char *path)
{
	const char *why = "nothing of this name";
	struct view *view = content_find(conn->service->netuki, path, &why);

	if (!view) {
		answer_status(conn, request, 404, why);
		http_note(conn, JOURNAL_HTTP_REFUSED, path, why);
		return;
	}
	answer_view(conn, request, view);
	if (conn->view_at < conn->view_end) {
		conn->path = strdup(path);
		conn->noted = true;
		conn->begin_us = clock_us();
		conn->begin_at = conn->view_at;
		http_note(conn, JOURNAL_HTTP_START, path, NULL);
	}
}

static void answer_metrics(
	struct http_conn *conn, const struct http_request *request)
{
	char *text = metrics_text(conn->service->netuki);

	answer_view(conn, request,
		view_of_text("text/plain; version=0.0.4", text, strlen(text)));
	free(text);
}

void http_reply(struct http_conn *conn, const struct http_request *request)
{
	char path[PATH_MAX_LEN + 1];
	const char *rest;

	conn->service->counts.requests++;
	conn->close_after = !request->keep_alive;
	if (!path_normalise(request->path.p, request->path.len, true, path))
		answer_status(conn, request, 400, "not a path");
	else if ((rest = path_below(path, "ipxe")))
		answer_script(conn, request, rest);
	else if (strcmp(path, "healthz") == 0)
		answer_view(
			conn, request, view_of_text("text/plain", "ok\n", 3));
	else if (strcmp(path, "metrics") == 0)
		answer_metrics(conn, request);
	else
		answer_file(conn, request, path);
}
