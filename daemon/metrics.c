#include "daemon/metrics.h"

#include <stdio.h>
#include <stdlib.h>

#include "daemon/base/clock.h"
#include "daemon/base/stream.h"
#include "daemon/boots/boot_metrics.h"
#include "daemon/boots/timeline.h"
#include "daemon/dhcp/dhcp_service.h"
#include "daemon/http/http_service.h"
#include "daemon/tftp/tftp_service.h"

struct metric {
	const char *name, *type, *help;
	unsigned long long value;
};

static void print(FILE *out, const struct metric *metrics, size_t n)
{
	for (size_t i = 0; i < n; i++)
		fprintf(out, "# HELP %s %s\n# TYPE %s %s\n%s %llu\n",
			metrics[i].name, metrics[i].help, metrics[i].name,
			metrics[i].type, metrics[i].name, metrics[i].value);
}

#define PRINT(out, metrics)                                                    \
	print(out, metrics, sizeof(metrics) / sizeof(*(metrics)))

static void print_dhcp(FILE *out, const struct dhcp_service *service)
{
	struct dhcp_counts c = dhcp_service_counts(service);
	const struct metric metrics[] = {
		{"netuki_dhcp_received_total", "counter",
			"DHCP packets received.", c.received},
		{"netuki_dhcp_malformed_total", "counter",
			"DHCP packets that were none.", c.malformed},
		{"netuki_dhcp_ignored_total", "counter",
			"DHCP packets not for us.", c.ignored},
		{"netuki_dhcp_offers_total", "counter", "OFFERs sent.",
			c.offers},
		{"netuki_dhcp_acks_total", "counter",
			"ACKs sent on the PXE port.", c.acks},
		{"netuki_dhcp_send_errors_total", "counter",
			"Replies that could not be sent.", c.send_errors},
	};

	PRINT(out, metrics);
}

static void print_tftp(FILE *out, const struct tftp_service *service)
{
	struct tftp_counts c = tftp_service_counts(service);
	const struct metric metrics[] = {
		{"netuki_tftp_requests_total", "counter",
			"TFTP requests received.", c.requests},
		{"netuki_tftp_refused_total", "counter",
			"TFTP requests answered with an error.", c.refused},
		{"netuki_tftp_over_cap_total", "counter",
			"TFTP requests left for the client's retry.",
			c.over_cap},
		{"netuki_tftp_not_allowed_total", "counter",
			"TFTP requests from addresses that are not served.",
			c.not_allowed},
		{"netuki_tftp_strays_total", "counter",
			"TFTP packets that belong to no transfer.", c.strays},
		{"netuki_tftp_completed_total", "counter",
			"TFTP transfers completed.", c.completed},
		{"netuki_tftp_questions_total", "counter",
			"TFTP requests for the size of a file only.",
			c.questions},
		{"netuki_tftp_aborted_total", "counter",
			"TFTP transfers ended by the client.", c.aborted},
		{"netuki_tftp_gave_up_total", "counter",
			"TFTP transfers whose client went silent.", c.gave_up},
		{"netuki_tftp_failed_total", "counter",
			"TFTP transfers that failed here.", c.failed},
		{"netuki_tftp_blocks_total", "counter",
			"TFTP blocks sent, ended transfers.", c.blocks},
		{"netuki_tftp_resent_blocks_total", "counter",
			"TFTP blocks sent again, ended transfers.", c.resent},
		{"netuki_tftp_bytes_total", "counter",
			"Bytes of files completed over TFTP.", c.bytes},
		{"netuki_tftp_transfers", "gauge", "TFTP transfers running.",
			c.running},
	};

	PRINT(out, metrics);
}

static void print_http(FILE *out, const struct http_service *service)
{
	struct http_counts c = http_service_counts(service);
	const struct metric metrics[] = {
		{"netuki_http_connections_total", "counter",
			"HTTP connections accepted.", c.connections},
		{"netuki_http_over_cap_total", "counter",
			"HTTP connections closed as one too many.", c.over_cap},
		{"netuki_http_requests_total", "counter", "HTTP requests read.",
			c.requests},
		{"netuki_http_completed_total", "counter",
			"HTTP answers completed.", c.completed},
		{"netuki_http_broken_total", "counter",
			"HTTP downloads broken off.", c.broken},
		{"netuki_http_timeouts_total", "counter",
			"HTTP connections past a deadline.", c.timeouts},
		{"netuki_http_refused_total", "counter",
			"HTTP requests answered with an error.", c.refused},
		{"netuki_http_bytes_total", "counter",
			"Bytes of bodies sent over HTTP.", c.bytes},
		{"netuki_http_open_connections", "gauge",
			"HTTP connections open.", c.open},
		{"netuki_http_bulk_waiting", "gauge",
			"Large HTTP answers that wait for their turn.",
			c.waiting},
	};

	PRINT(out, metrics);
}

char *metrics_text(const struct netuki *netuki)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	const struct metric metrics[] = {
		{"netuki_uptime_seconds", "gauge", "Since the daemon started.",
			(clock_us() - netuki->started_us) / 1000000},
	};

	if (!out)
		return NULL;
	PRINT(out, metrics);
	if (netuki->dhcp)
		print_dhcp(out, netuki->dhcp);
	print_tftp(out, netuki->tftp);
	print_http(out, netuki->http);
	boot_metrics_print(timeline_metrics(netuki->timeline), out);
	return stream_end(out, &text);
}
