/*
 * The private shape of a ring and of its connections, and what the files of the shim call in each
 * other. Nothing here is exported.
 *
 * Rings live in static storage and are reused, so that a call with a stale id can look at one without
 * touching freed memory. Everything a ring points at belongs to the thread that opened it.
 */
#ifndef RINGWIRE_RING_H
#define RINGWIRE_RING_H

#include "kernel_constants.h"
#include "ringwire.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define RW_NONE UINT32_MAX
/* Event records one completion may need at most: a receive that wraps the arena, and ENDED behind it. */
#define EVENTS_PER_COMPLETION 4u

/* What a completion belongs to: the byte above the handle in user_data. */
enum operation {
	OPERATION_IGNORED = 0,
	OPERATION_SEND = 1,    /* from the send arena, completes inside the submit */
	OPERATION_DRAIN = 2,   /* from the connection's queue, completes whenever the peer reads */
	OPERATION_RECEIVE = 3,
	OPERATION_CONNECT = 4,
	OPERATION_ACCEPT = 5,
	OPERATION_RETRY = 6,   /* the pause after a failed accept */
	OPERATION_POLL = 7,    /* OpenSSL wants to read or write the socket itself */
	OPERATION_DEADLINE = 8,/* of a TLS handshake; of waiting for the peer's FIN behind ours */
	OPERATION_CANCEL = 16, /* and above: a cancel of the operation so far above, when it found nothing */
};
/* The flag that says an operation is in flight. */
#define FLAG_OF(operation) (1u << ((operation) - 1))

enum connection_state {
	STATE_FREE = 0,
	STATE_CONNECTING,
	STATE_OPEN,
	STATE_CLOSING,   /* CLOSE with FLUSH: waits for its queue to drain */
	STATE_DYING,     /* waits until nothing is in flight */
	STATE_FINISHED,  /* socket closed, CLOSED not yet published */
	STATE_LISTENING,
	STATE_UNLISTENED,
	STATE_SECURING,  /* accepted, in its TLS handshake: nobody was told of it yet */
};

enum connection_flag {
	/* In flight in the kernel, or prepared for it. The slot lives until all are clear. */
	FLAG_SENDING = 1 << 0,      /* arena segments of this turn */
	FLAG_DRAINING = 1 << 1,
	FLAG_RECEIVING = 1 << 2,
	FLAG_CONNECTING = 1 << 3,
	FLAG_ACCEPTING = 1 << 4,
	FLAG_RETRYING = 1 << 5,
	FLAG_POLLING = 1 << 6,
	FLAG_TIMING = 1 << 7,
	FLAGS_IN_FLIGHT = (1 << 8) - 1,

	FLAG_PAUSED = 1 << 8,
	FLAG_CANCELLING = 1 << 9,   /* a cancel of the receive is on its way */
	FLAG_PEER_ENDED = 1 << 10,
	FLAG_END_ASKED = 1 << 11,   /* half-close wanted once everything has left */
	FLAG_END_DONE = 1 << 12,
	FLAG_DISCARD = 1 << 13,     /* bytes that still arrive are dropped */
	FLAG_ABORTED = 1 << 14,
	FLAG_STARVED = 1 << 15,     /* its receive ended for want of buffers; on the starved list */
	FLAG_NOTIFY = 1 << 16,      /* QUEUED to be published; on the notify list */
	FLAG_STREAM_UNIX = 1 << 17,
	FLAG_QUICK_ACK = 1 << 18,

	FLAG_TLS = 1 << 19,
	FLAG_HANDSHAKE = 1 << 20,   /* TLS, and not secured yet */
	FLAG_SEAL = 1 << 21,        /* what is sent goes through OpenSSL */
	FLAG_UNSEAL = 1 << 22,      /* what is received goes through OpenSSL */
	FLAG_BACKLOG = 1 << 23,     /* ciphertext waits in C's memory for room in the plain arena */

	/* Nothing can be sent yet. */
	FLAGS_OPENING = FLAG_CONNECTING | FLAG_HANDSHAKE,
};

/* What a send left over, in C's memory. */
struct queue_block {
	struct queue_block *next;
	uint32_t start, end, capacity;
	uint8_t bytes[];
};

struct send_queue {
	struct queue_block *first, *last;
};

struct connection {
	int32_t fd;
	uint32_t generation;     /* 1 to 4,095 */
	uint32_t flags;
	uint16_t state;
	uint16_t error;          /* errno or RW_TLS_ERROR_* to be told with CLOSED */

	/* Segments of this turn: indices of command records, chained through ring->segment_next. */
	uint32_t send_first, send_last;
	uint32_t send_bytes;     /* in all segments */
	uint32_t send_taken;     /* by the kernel; assumed whole until a completion says otherwise */

	uint32_t queued_bytes;   /* in the queue, and with TLS in what waits to be sealed */
	uint32_t next;           /* free list, finished list */
	uint32_t next_touched, next_starved, next_notify;
	union {
		struct send_queue queue;
		struct {
			char *path;      /* of a Unix listener's file, or NULL */
			uint64_t inode;  /* so that only our own file is unlinked */
		} listener;
	};
	struct tls *tls;         /* with FLAG_TLS; of a listener too */
};

/* A completion that found no room in the event array. */
struct held_completion {
	uint64_t user_data;
	int32_t res;
	uint32_t flags;
};

struct ring {
	_Atomic uint32_t id;      /* 0: free */
	_Atomic int32_t owner;    /* thread id */

	struct io_uring uring;    /* what follows is cleared when a ring is opened */
	bool is_uring_open;
	int32_t broken;           /* -errno once the kernel takes no submissions any more */

	uint8_t *block;
	uint32_t block_bytes;
	uint32_t *control;
	uint32_t features;

	struct rw_command *commands;
	uint32_t command_capacity;
	uint32_t *segment_next;   /* one per command record */
	struct iovec *iovecs;     /* for this turn's gathered sends; one per command record */
	struct msghdr *messages;  /* one per two command records */
	uint32_t iovec_count, message_count;

	struct rw_event *events;
	uint32_t event_capacity, event_count;
	uint32_t event_turn_start; /* first event of the current turn: older ones may be in JavaScript's hands */
	bool may_tell;            /* in a turn, once its commands are taken: only then is anything told */
	struct held_completion *held;
	uint32_t held_first, held_count, held_capacity;

	/* Receive arena. Ring position p always holds buffer p, because buffers return in the order taken. */
	struct io_uring_buf_ring *buffer_ring;
	size_t buffer_ring_bytes;
	bool is_buffer_ring_registered;
	uint32_t receive_offset, buffer_bytes, buffer_count;
	uint32_t *buffer_filled;  /* bytes of each buffer that events have told of */
	uint32_t buffer_next;     /* the next buffer to give back */
	uint32_t buffer_given;    /* buffers the kernel has, or that events point into */

	uint32_t send_offset, send_arena_bytes;

	/* TLS; see tls_connection.h. Plain bytes are put one run behind the other until a recycling turn empties the arena. */
	uint32_t plain_offset, plain_bytes, plain_used;
	struct tls_work *tls;     /* made when it is first needed */

	struct connection *connections;
	uint32_t connection_capacity, connection_high, connection_free;
	uint32_t max_queued_bytes;
	uint64_t max_queued_total, queued_total;
	uint32_t *queued;         /* in the block: queued_bytes by slot, for JavaScript */
	uint32_t touched, starved, notify_first, notify_last, finished_first, finished_last;

	/* Parking; see wake.c. */
	struct io_uring waker;
	bool is_waker_open, is_signalling, is_chain_armed;
	int32_t event_fd, wake_fd, wake_listener;
	uint64_t wake_count;      /* the chain reads the eventfd into this; must outlive it */

	uint32_t busy_poll_us;    /* the longest that an endpoint has asked for */
	struct __kernel_timespec retry_delay;
	struct __kernel_timespec linger_limit;
};

/* ── ring.c ── */
struct ring *ring_find(uint32_t id, int32_t *error);
int32_t current_thread(void);

/* ── turn.c ── */
struct io_uring_sqe *ring_prepare(struct ring *ring, enum operation operation, uint32_t handle);
void ring_cancel(struct ring *ring, enum operation operation, uint32_t handle);
int32_t ring_submit(struct ring *ring, bool collect);
/* Makes the copies that the caller has asked for. False: a record made no sense. */
bool ring_copy(struct ring *ring);
void ring_reap(struct ring *ring);
void ring_release_held(struct ring *ring);
void ring_drop_accepted(struct ring *ring);
void ring_settle_sends(struct ring *ring);
bool ring_is_idle(struct ring *ring);
static inline uint32_t event_room(const struct ring *ring)
{
	return ring->event_capacity - ring->event_count;
}
static inline void event_add(struct ring *ring, uint32_t kind, uint32_t handle, uint32_t a, uint32_t b)
{
	ring->events[ring->event_count++] = (struct rw_event){ kind, handle, a, b };
}

/* ── connection.c ── */
struct connection *connection_find(struct ring *ring, uint32_t handle);
struct connection *connection_new(struct ring *ring);
void connection_free(struct ring *ring, struct connection *connection);
uint32_t connection_handle(const struct ring *ring, const struct connection *connection);
void connection_command(struct ring *ring, struct connection *connection, const struct rw_command *command);
void connection_connected(struct ring *ring, struct connection *connection, int32_t res);
void connection_opened(struct ring *ring, struct connection *connection);
void connection_fail(struct ring *ring, struct connection *connection, int32_t error);
void connection_refuse(struct ring *ring, struct connection *connection, int32_t error);
void connection_abort(struct ring *ring, struct connection *connection, int32_t error);
void connection_progress(struct ring *ring, struct connection *connection);
void connection_time_limit(struct ring *ring, struct connection *connection, struct __kernel_timespec *limit);
void connection_timed(struct ring *ring, struct connection *connection, int32_t res);
void connection_publish(struct ring *ring);
void connection_show_queued(struct ring *ring, const struct connection *connection);
void connection_secured(struct ring *ring, struct connection *connection);

/* ── listener.c ── */
void listener_accepted(struct ring *ring, struct connection *listener, int32_t res, uint32_t flags);
void listener_retry(struct ring *ring, struct connection *listener);
void listener_release(struct ring *ring, struct connection *listener);
void listener_forget_path(struct connection *listener);

/* ── endpoint.c ── */
struct endpoint_address {
	struct sockaddr_storage storage;
	socklen_t bytes;
	int family;
};
int32_t endpoint_parse(uint32_t family, const char *host, uint32_t host_bytes, uint32_t port,
		       struct endpoint_address *out);
/* A connection or listener in the making. */
struct opening {
	struct ring *ring;
	struct connection *connection;
	struct rw_endpoint endpoint;
	struct endpoint_address address;
};
int32_t opening_begin(uint32_t id, struct opening *opening);
int32_t opening_undo(struct opening *opening, int32_t error);
int32_t opening_submit(struct opening *opening);

/* ── send.c ── */
int send_more(const struct connection *connection);
void send_append(struct ring *ring, struct connection *connection, uint32_t index);
void send_prepare(struct ring *ring, struct connection *connection);
void send_completed(struct ring *ring, struct connection *connection, int32_t res);
void send_settle(struct ring *ring, struct connection *connection);
void send_drain(struct ring *ring, struct connection *connection);
void send_drained(struct ring *ring, struct connection *connection, int32_t res);
void send_show(struct ring *ring, struct connection *connection);
void send_drop(struct ring *ring, struct connection *connection, struct send_queue *queue);
struct queue_block *send_take(struct ring *ring, struct connection *connection, struct send_queue *queue);
int32_t send_keep(struct ring *ring, struct connection *connection, struct send_queue *queue, uint32_t segment, uint32_t skip);
int32_t send_enqueue(struct ring *ring, struct connection *connection, const uint8_t *data, uint32_t bytes);
int32_t send_now(struct ring *ring, struct connection *connection, const uint8_t *data, uint32_t bytes);

/* ── receive.c ── */
int32_t receive_open(struct ring *ring, bool may_combine);
void receive_close(struct ring *ring);
void receive_arm(struct ring *ring, struct connection *connection);
void receive_rearm(struct ring *ring, struct connection *connection);
void receive_cancel(struct ring *ring, struct connection *connection);
void receive_pause(struct ring *ring, struct connection *connection);
void receive_publish(struct ring *ring, struct connection *connection, uint32_t offset, uint32_t bytes);
void receive_completed(struct ring *ring, struct connection *connection, int32_t res, uint32_t flags);
void receive_recycle(struct ring *ring);
void receive_forget_starved(struct ring *ring);

/* ── wake.c ── */
bool wake_works(void);
void wake_awake(struct ring *ring);
int32_t wake_park(struct ring *ring);
void wake_close(struct ring *ring);

/* ── probe.c ── */
struct probe {
	uint32_t kernel_major, kernel_minor;
	uint32_t features;
};
void probe_kernel(struct probe *probe);
int32_t probe_open(struct io_uring *uring, uint32_t entries, uint32_t disabled, struct probe *probe,
		   char *text, size_t text_bytes);
int probe_describe(const struct probe *probe, char *text, size_t text_bytes);

#endif
