/*
 * tftp_transfer: one TFTP transfer: the state machine of proto/tftp_send with
 * its file, its timer and what waits for the socket or the disk.
 *
 * What it shares with tftp_service, which finds transfers and gives them
 * their packets, is here; nobody else includes this.
 */
#ifndef DAEMON_TFTP_TFTP_TRANSFER_H
#define DAEMON_TFTP_TFTP_TRANSFER_H

#include <netinet/in.h>
#include <sys/queue.h>

#include "daemon/base/deadlines.h"
#include "daemon/base/hash.h"
#include "daemon/base/netif.h"
#include "daemon/base/turn.h"
#include "daemon/tftp/tftp_service.h"
#include "daemon/tftp/tftp_socket.h"
#include "proto/tftp.h"

#define TFTP_REQUEST_MAX 1024 /* bytes; more is no request */
/*
 * A client that has not answered yet may be an address that somebody else
 * wrote into a packet: it is sent so many packets, and then waited for.
 */
#define TFTP_UNANSWERED_PACKETS 4
#define TFTP_UNANSWERED_US	10000000
/*
 * One more each time that it asks again, but not within this time of the last:
 * no firmware asks more often (iPXE: after 250 ms).
 */
#define TFTP_UNANSWERED_AGAIN_US 200000

#define TFTP_PEER_BUCKETS 4096
#define TFTP_ADDR_BUCKETS 1024
#define TFTP_PORTS	  4 /* of each class */
/* An image; what is smaller is a loader, or something else for a start. */
#define TFTP_BULK_BYTES (4u << 20)

/* What a client was sent before it answered. */
struct tftp_unanswered {
	unsigned packets;
	uint64_t last_us;
};

struct transfer {
	struct tftp_service *service;
	struct tftp_port *port;
	struct tftp_path path;
	uint32_t to; /* our address that was asked */
	LIST_ENTRY(transfer) by_peer, by_addr;
	TAILQ_ENTRY(transfer) unanswered; /* while !answered */
	TAILQ_ENTRY(transfer) waiting;	  /* while waits */
	struct deadline timer;
	struct view *view;
	struct tftp_send send;
	struct worker_job *job;	   /* waiting for cold data */
	struct tftp_action unsent; /* what waits for the socket or the disk */
	bool waits;		   /* for the socket */
	bool started;		   /* the first block has gone out */
	bool answered;		   /* the client has, to what was sent */
	bool has_mac, looked_up;
	struct mac mac;
	unsigned ifindex;
	struct tftp_unanswered before;
	uint64_t begin_us;
	uint32_t asked_blksize, asked_windowsize;
	const char *name; /* behind the request */
	size_t request_len;
	uint8_t request[]; /* as it came, to know it again */
};

LIST_HEAD(transfer_list, transfer);
TAILQ_HEAD(transfer_queue, transfer);

/* A socket and who is served by it. */
struct tftp_port {
	struct tftp_service *service;
	int fd; /* -1: none */
	struct event *readable, *writable;
	struct turn turn;
	struct transfer_queue waiting; /* for room in the socket */
	bool gathering; /* and until all that came in one turn is dealt with */
	bool requests;	/* they come here */
	unsigned batch; /* packets to take in one turn */
	unsigned full;	/* turns in a row that took so many */
	uint64_t sent;	/* bytes sent in this turn */
};

/*
 * Loaders are served ahead of images: their ports have DHCP's priority in the
 * loop. There are few ports: what comes for many transfers is read at once.
 */
struct tftp_service {
	struct netuki *netuki;
	struct deadlines *deadlines;
	struct tftp_port ask; /* port 69 */
	struct tftp_port small[TFTP_PORTS], bulk[TFTP_PORTS];
	unsigned next_port;
	int route_fd;
	struct tftp_cache *cache;
	unsigned bulk_running;
	bool ending; /* no new transfers */
	struct tftp_counts counts;
	struct transfer_queue unanswered; /* oldest first */
	struct transfer *ticking;	  /* NULL once it has ended */
	/* Answers to strangers in this second. */
	uint64_t strays_us;
	unsigned strays;
	/* Who was done lately, and may say so again. */
	struct sockaddr_in done[64];
	unsigned next_done;
	struct transfer_list by_peer[TFTP_PEER_BUCKETS];
	struct transfer_list by_addr[TFTP_ADDR_BUCKETS];
};

/* Clients choose their ports, and who forges requests the addresses, too. */
static inline struct transfer_list *tftp_peer_bucket(
	struct tftp_service *s, const struct sockaddr_in *peer)
{
	const struct {
		uint32_t s_addr, sin_port;
	} key = {peer->sin_addr.s_addr, peer->sin_port};

	return &s->by_peer[hash_bucket(&key, sizeof(key), TFTP_PEER_BUCKETS)];
}

static inline struct transfer_list *tftp_addr_bucket(
	struct tftp_service *s, uint32_t s_addr)
{
	return &s->by_addr[hash_bucket(
		&s_addr, sizeof(s_addr), TFTP_ADDR_BUCKETS)];
}

/* A request that came in, and where. */
struct tftp_arrival {
	const uint8_t *data;
	size_t len;
	struct sockaddr_in from;
	uint32_t to; /* our address that it was sent to; host order */
	const struct netif *netif;
	struct tftp_route route;	   /* to the client */
	struct tftp_unanswered unanswered; /* by the request before it */
};

/* The reference to the view is the transfer's. */
void transfer_begin(struct tftp_service *s, struct tftp_port *port,
	const struct tftp_arrival *a, const struct tftp_request *request,
	struct view *view);
/* Its start, with what was acknowledged so far. */
struct journal_event transfer_progress(struct transfer *t);
/* A datagram from its client came; t may be gone afterwards. */
void transfer_take(struct transfer *t, const uint8_t *data, size_t len);
/* The same request came again. */
void transfer_again(struct transfer *t);
/* The client's port is closed: it has gone on. */
void transfer_gone(struct transfer *t);
/* It ends because of something else; why is static text. */
void transfer_abort(struct transfer *t, const char *why);
void transfer_free(struct transfer *t);
/* Send what waits for it. False: there is no room for all of it. */
bool transfer_send_waiting(struct tftp_port *port);
/* Its deadline has passed; the packets that had come are dealt with. */
void transfer_tick(struct transfer *t);

#endif
