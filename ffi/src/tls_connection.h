/*
 * TLS on connections: what there is for each of them and for their ring. Nothing here parses TLS; OpenSSL does.
 *
 * A handshake runs on the socket itself, driven by polls of the ring, so that it never takes a byte that comes behind it. After it,
 * either the kernel does the records (kTLS; then a connection sends and receives like one without TLS), or OpenSSL does, between
 * memory and memory: ciphertext of the receive arena in, plain bytes into the plain arena, and the other way round when sending.
 */
#ifndef RINGWIRE_TLS_CONNECTION_H
#define RINGWIRE_TLS_CONNECTION_H

#include "ring.h"
#include "tls.h"

/* The most that one record takes. */
#define RECORD_BYTES 16384u
#define SECRET_BYTES_MAX 48u
/* Handshakes under way at once on one listener: whoever connects and says nothing costs its memory until the deadline. */
#define TLS_HANDSHAKES_MAX 4096u
/* What is sealed before it is handed on, where it does not go out with the turn. */
#define TLS_SPARE_BYTES (4 * RECORD_BYTES)

struct tls {
	struct connection *connection;
	struct tls *previous, *next;  /* on a list of the ring: is ready for a step of its handshake, or has a backlog */
	struct tls_list *list;
	struct tls_context *context;  /* of a listener, or of who connects */
	SSL *ssl;                     /* NULL for a listener, and once the socket is closed */
	struct __kernel_timespec deadline;
	uint32_t listener;            /* handle of the listener that has accepted it; 0: a client */
	uint32_t detail;              /* of the error, to be told with it */
	uint32_t handshakes;          /* of a listener: under way among those it has accepted */
	bool is_counted;              /* this is one of them */

	/* Where sealing this turn's segments has got to, and what of it the send of this turn takes. */
	uint32_t segment, segment_offset;
	const uint8_t *sealed;
	uint32_t sealed_bytes;
	/* What was sent while OpenSSL listens, as it is: it is sealed behind everything in the connection's queue. */
	struct send_queue waiting;
	/* What OpenSSL wanted to send while it read, when it must wait for the segments of this turn. */
	uint8_t *said;
	uint32_t said_bytes;
	/* Ciphertext that waits for room in the plain arena. */
	uint8_t *backlog;
	uint32_t backlog_start, backlog_end, backlog_capacity;

	bool is_kernel_send, is_kernel_receive;
	bool is_over;                 /* nothing more is read: failed, or the peer has said goodbye */
	bool has_fin;                 /* of TCP, told once the backlog is done */
	bool has_goodbye;             /* our close_notify is on its way, or none can be sent */
	bool is_rekeying;             /* the peer has asked for keys that the kernel cannot change */
	bool is_flooded;              /* it has sent more messages of a handshake than anybody needs */
	uint32_t messages;            /* of a handshake, after it: new keys, tickets */
	uint64_t opened_bytes;        /* of application data */

	/* For the kernel: the secret of what the peer sends (TLS 1.3), until it has it. */
	uint8_t secret[SECRET_BYTES_MAX];
	uint8_t secret_bytes;
	/* Messages of a handshake that the kernel receives: of the one that has begun, its head and what is to come of it. */
	uint8_t message_head[4], message_head_bytes;
	uint32_t message_left;
};

struct tls_list {
	struct tls *first, *last;
};

/* Memory that OpenSSL's records are written to. */
struct tls_out {
	uint8_t *bytes;
	uint32_t used, capacity;
	bool may_grow;                /* nothing points into it while it is written */
};

/* What the connections of a ring share. */
struct tls_work {
	BIO *bio;
	struct tls *current;          /* whose call into OpenSSL this is */
	const uint8_t *in;            /* ciphertext still to be read */
	uint32_t in_bytes;
	struct tls_out *out;          /* where it writes to */
	uint8_t record_type;          /* of the next record for the kernel */
	struct tls_out sealed;        /* of this turn; the kernel takes it from there */
	struct tls_out spare;
	uint8_t gathered[RECORD_BYTES];
	struct tls_list ready, backlogs;
	uint32_t steps_left;          /* of this turn */
};

/* ── tls.c ── */
int32_t tls_open(struct ring *ring, struct connection *connection, uint32_t role, const struct rw_endpoint *endpoint);
int32_t tls_accept(struct ring *ring, struct connection *listener, struct connection *connection);
void tls_begin(struct ring *ring, struct connection *connection);
void tls_turn(struct ring *ring);
void tls_run(struct ring *ring);
void tls_polled(struct ring *ring, struct connection *connection, int32_t res);
void tls_timed_out(struct ring *ring, struct connection *connection);
void tls_stop(struct ring *ring, struct connection *connection);
void tls_fail(struct ring *ring, struct connection *connection, uint32_t error, uint32_t detail);
void tls_ended(struct ring *ring, struct connection *connection);
void tls_fin(struct ring *ring, struct connection *connection);
void tls_receive_failed(struct ring *ring, struct connection *connection, int32_t error);
bool tls_may_write(struct ring *ring, struct connection *connection);
bool tls_goodbye(struct ring *ring, struct connection *connection);
void tls_give_up(struct ring *ring, uint32_t listener);
void tls_publish_closed(struct ring *ring, struct connection *connection);
void tls_close(struct ring *ring, struct connection *connection);
void tls_free(struct ring *ring, struct connection *connection);
void tls_poll(struct ring *ring, struct connection *connection, uint32_t events);
void tls_list_add(struct tls_list *list, struct tls *tls);
void tls_list_remove(struct tls *tls);
/* Whether OpenSSL would rather read than write: it is in the handshake, or in a message of the peer's (a ticket, new keys) that has begun and
 * whose rest is in a record to come. */
static inline bool tls_listens(const struct tls *tls)
{
	return SSL_in_init(tls->ssl);
}
/* Whether something waits for the next turn, without the kernel having to do anything for it. */
static inline bool tls_has_work(const struct ring *ring)
{
	return ring->tls && (ring->tls->ready.first || ring->tls->backlogs.first);
}

/* ── tls_bio.c ── */
bool tls_work_new(struct ring *ring);
void tls_work_free(struct ring *ring);
bool tls_reserve(struct tls_out *out, uint32_t bytes);
void tls_enter(struct ring *ring, struct tls *tls, struct tls_out *out);

/* ── tls_seal.c ── */
void tls_send_prepare(struct ring *ring, struct connection *connection);
void tls_send_settle(struct ring *ring, struct connection *connection);
int32_t tls_seal_waiting(struct ring *ring, struct connection *connection);
int32_t tls_say(struct ring *ring, struct connection *connection);

/* ── tls_unseal.c ── */
void tls_watch_messages(struct tls *tls);
void tls_feed(struct ring *ring, struct connection *connection, const uint8_t *data, uint32_t bytes);
void tls_recycle(struct ring *ring);
void tls_drop_backlog(struct tls *tls);

/* ── ktls.c ── */
void ktls_take_over(struct tls *tls);
int ktls_send_record(struct tls *tls, uint8_t type, const void *data, size_t bytes);
void ktls_control(struct ring *ring, struct connection *connection);
void ktls_refuse_keys(struct ring *ring, struct connection *connection);
void ktls_failed(struct ring *ring, struct connection *connection, int32_t error);

#endif
