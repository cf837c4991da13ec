/*
 * Receiving into the shared arena through one provided-buffer ring.
 *
 * JavaScript has consumed every event before it asks for a recycling turn, so buffers return in the order
 * the kernel took them and the ring stays in address order: position p always holds buffer p. Three ways to fill it:
 *   incremental (6.12): big buffers; small receives share one, packed; a buffer returns once it is full
 *   bundles (6.10): small buffers; one completion spans as many as it needs
 *   plain: one buffer per completion
 * A ring that wants the kernel's time stamps (RW_FEATURE_RECEIVE_STAMPS) takes the plain way, by RECVMSG: a header and the stamp
 * stand before the bytes. They would not fit the rest of a buffer that other receives have begun to fill.
 */
#include "tls_connection.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define BUFFER_GROUP 0
#define BUNDLE_BUFFER_BYTES 4096u
#define PLAIN_BUFFER_BYTES 16384u

/* What stands before the bytes of a stamped receive. */
#define STAMP_CONTROL_BYTES ((uint32_t)CMSG_SPACE(sizeof(struct timespec)))
#define STAMP_BYTES ((uint32_t)sizeof(struct io_uring_recvmsg_out) + STAMP_CONTROL_BYTES)

/* How long two looks at a clock may lie apart, and how often we look: a slow clock must not hold a turn up. */
#define CLOCK_GAP_NS 20000u
#define CLOCK_TRIES 8

/* Cuts the arena into pieces of about `wanted` bytes where one receive takes a whole piece. */
static void subdivide(struct ring *ring, uint32_t wanted)
{
	while (ring->buffer_bytes > wanted && ring->buffer_bytes % 8192 == 0 && ring->buffer_count < 32768) {
		ring->buffer_bytes /= 2;
		ring->buffer_count *= 2;
	}
}

static void give(struct ring *ring, uint32_t buffer, uint32_t ahead)
{
	/* The entry is written anew each time: the kernel shortens entries in some modes. */
	io_uring_buf_ring_add(ring->buffer_ring,
			      ring->block + ring->receive_offset + (size_t)buffer * ring->buffer_bytes,
			      ring->buffer_bytes, (unsigned short)buffer,
			      io_uring_buf_ring_mask(ring->buffer_count), (int)ahead);
	ring->buffer_filled[buffer] = 0;
}

static int32_t register_ring(struct ring *ring, uint16_t flags)
{
	struct io_uring_buf_reg registration = {
		.ring_addr = (uintptr_t)ring->buffer_ring,
		.ring_entries = ring->buffer_count,
		.bgid = BUFFER_GROUP,
		.pad = flags,
	};
	return io_uring_register_buf_ring(&ring->uring, &registration, 0);
}

int32_t receive_open(struct ring *ring, bool may_combine)
{
	int32_t result = -EINVAL;

	ring->buffer_ring_bytes = 32768 * sizeof(struct io_uring_buf);
	ring->buffer_ring = mmap(NULL, ring->buffer_ring_bytes, PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (ring->buffer_ring == MAP_FAILED) {
		ring->buffer_ring = NULL;
		return -ENOMEM;
	}
	if ((ring->control[RW_FIELD_WANTED_FEATURES] & ~ring->control[RW_FIELD_DISABLED_FEATURES] & RW_FEATURE_RECEIVE_STAMPS) &&
	    (ring->features & RW_FEATURE_MULTISHOT_RECEIVE)) {
		ring->features |= RW_FEATURE_RECEIVE_STAMPS;
		ring->features &= ~(uint32_t)(RW_FEATURE_BUFFER_INCREMENTAL | RW_FEATURE_RECEIVE_BUNDLE);
	}
	if (ring->features & RW_FEATURE_BUFFER_INCREMENTAL)
		result = register_ring(ring, RW_PBUF_RING_INCREMENTAL);
	/* Both together measured best: as cheap as either for small messages (within 2 % of instructions), 10 to 30 %
	 * cheaper from 16 KiB up. Their accounting was repaired in several releases up to 6.17. */
	if (result == 0 && !may_combine)
		ring->features &= ~(uint32_t)RW_FEATURE_RECEIVE_BUNDLE;
	if (result == -EINVAL) {
		ring->features &= ~(uint32_t)RW_FEATURE_BUFFER_INCREMENTAL;
		subdivide(ring, ring->features & RW_FEATURE_RECEIVE_BUNDLE ? BUNDLE_BUFFER_BYTES
									   : PLAIN_BUFFER_BYTES);
		result = register_ring(ring, 0);
	}
	if (result < 0)
		return result;
	ring->is_buffer_ring_registered = true;
	ring->buffer_filled = calloc(ring->buffer_count, sizeof *ring->buffer_filled);
	if (!ring->buffer_filled)
		return -ENOMEM;
	io_uring_buf_ring_init(ring->buffer_ring);
	for (uint32_t buffer = 0; buffer < ring->buffer_count; buffer++)
		give(ring, buffer, buffer);
	io_uring_buf_ring_advance(ring->buffer_ring, (int)ring->buffer_count);
	return 0;
}

void receive_close(struct ring *ring)
{
	if (ring->is_buffer_ring_registered)
		io_uring_unregister_buf_ring(&ring->uring, BUFFER_GROUP);
	ring->is_buffer_ring_registered = false;
	if (ring->buffer_ring)
		munmap(ring->buffer_ring, ring->buffer_ring_bytes);
	ring->buffer_ring = NULL;
	free(ring->buffer_filled);
	ring->buffer_filled = NULL;
}

void receive_arm(struct ring *ring, struct connection *connection)
{
	/* Only read, by the kernel too: it says how much room control messages get in each buffer. */
	static struct msghdr stamped = { .msg_controllen = STAMP_CONTROL_BYTES };
	struct io_uring_sqe *entry = ring_prepare(ring, OPERATION_RECEIVE, connection_handle(ring, connection));

	entry->opcode = IORING_OP_RECV;
	if (ring->features & RW_FEATURE_RECEIVE_STAMPS) {
		entry->opcode = IORING_OP_RECVMSG;
		entry->addr = (uintptr_t)&stamped;
		entry->len = 1;
	}
	entry->fd = connection->fd;
	entry->flags = IOSQE_BUFFER_SELECT;
	entry->buf_group = BUFFER_GROUP;
	if (ring->features & RW_FEATURE_MULTISHOT_RECEIVE)
		entry->ioprio |= IORING_RECV_MULTISHOT;
	if (ring->features & RW_FEATURE_RECEIVE_BUNDLE)
		entry->ioprio |= IORING_RECVSEND_BUNDLE;
	connection->flags |= FLAG_RECEIVING;
	connection->flags &= ~(uint32_t)FLAG_CANCELLING;
}

void receive_cancel(struct ring *ring, struct connection *connection)
{
	if ((connection->flags & (FLAG_RECEIVING | FLAG_CANCELLING)) != FLAG_RECEIVING)
		return;
	connection->flags |= FLAG_CANCELLING;
	ring_cancel(ring, OPERATION_RECEIVE, connection_handle(ring, connection));
}

/* Tells of received bytes. */
void receive_publish(struct ring *ring, struct connection *connection, uint32_t offset, uint32_t bytes)
{
	uint32_t handle = connection_handle(ring, connection);

	if (ring->event_count > ring->event_turn_start) {
		/* Bytes that follow on from the last event of this turn join it: fewer, longer runs to parse. */
		struct rw_event *last = &ring->events[ring->event_count - 1];
		if (last->kind == RW_EVENT_RECEIVED && last->handle == handle && last->a + last->b == offset) {
			last->b += bytes;
			return;
		}
	}
	event_add(ring, RW_EVENT_RECEIVED, handle, offset, bytes);
}

static bool is_in_message(const struct connection *connection)
{
	return (connection->flags & FLAG_UNSEAL) && tls_listens(connection->tls);
}

/* Bytes of the socket stand in the receive arena. */
static void take(struct ring *ring, struct connection *connection, uint32_t offset, uint32_t bytes)
{
	if (connection->flags & FLAG_UNSEAL)
		tls_feed(ring, connection, ring->block + offset, bytes);
	else
		receive_publish(ring, connection, offset, bytes);
}

/* Finds the bytes of a completion in the arena, books them, and tells of them unless they are unwanted.
 * Returns false when the kernel's account and ours differ. */
static bool book(struct ring *ring, struct connection *connection, uint32_t bytes, uint32_t flags)
{
	bool is_incremental = ring->features & RW_FEATURE_BUFFER_INCREMENTAL;
	/* What is still to be sent may wait for the end of a message of the peer's. */
	bool is_wanted = !(connection->flags & FLAG_DISCARD) || (connection->state == STATE_CLOSING && is_in_message(connection));
	uint32_t buffer = flags >> IORING_CQE_BUFFER_SHIFT;
	uint32_t run_offset = 0, run_bytes = 0;

	if (!(flags & IORING_CQE_F_BUFFER) || buffer >= ring->buffer_count)
		return bytes == 0;
	if (bytes == 0 && !is_incremental)
		ring->buffer_filled[buffer] = ring->buffer_bytes; /* older kernels spend a buffer on EOF */
	while (bytes > 0) {
		uint32_t filled = ring->buffer_filled[buffer];
		uint32_t part = ring->buffer_bytes - filled;
		uint32_t offset = ring->receive_offset + buffer * ring->buffer_bytes + filled;

		if (part == 0)
			return false;
		if (part > bytes)
			part = bytes;
		ring->buffer_filled[buffer] = is_incremental ? filled + part : ring->buffer_bytes;
		if (run_bytes > 0 && run_offset + run_bytes == offset) {
			run_bytes += part;
		} else {
			if (run_bytes > 0 && is_wanted)
				take(ring, connection, run_offset, run_bytes);
			run_offset = offset;
			run_bytes = part;
		}
		bytes -= part;
		if (bytes > 0)
			buffer = (buffer + 1) & (ring->buffer_count - 1);
	}
	if (run_bytes > 0 && is_wanted)
		take(ring, connection, run_offset, run_bytes);
	return true;
}

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec time;

	clock_gettime(clock, &time);
	return (uint64_t)time.tv_sec * 1000000000ull + (uint64_t)time.tv_nsec;
}

/* Both clocks at one moment: who was interrupted between two looks looks again. */
static void look_at_clocks(uint64_t *real_ns, uint64_t *now_ns)
{
	for (int tries = 0; tries < CLOCK_TRIES; tries++) {
		uint64_t before_ns = clock_ns(CLOCK_MONOTONIC);

		*real_ns = clock_ns(CLOCK_REALTIME);
		*now_ns = clock_ns(CLOCK_MONOTONIC);
		if (*now_ns - before_ns < CLOCK_GAP_NS)
			return;
	}
}

/* Tells when the kernel received something. It stamps with the wall clock, which may be set at any time: both clocks are read
 * now, and only the little time since then is taken from it. */
static void publish_stamp(struct ring *ring, struct connection *connection, const struct timespec *stamp)
{
	uint64_t stamp_ns = (uint64_t)stamp->tv_sec * 1000000000ull + (uint64_t)stamp->tv_nsec;
	uint64_t real_ns, now_ns, age_ns, received_ns;

	look_at_clocks(&real_ns, &now_ns);
	age_ns = real_ns > stamp_ns ? real_ns - stamp_ns : 0;
	received_ns = now_ns > age_ns ? now_ns - age_ns : 0;
	ring->control[RW_FIELD_CLOCK_LOW] = (uint32_t)now_ns;
	ring->control[RW_FIELD_CLOCK_HIGH] = (uint32_t)(now_ns >> 32);
	event_add(ring, RW_EVENT_STAMP, connection_handle(ring, connection), (uint32_t)received_ns,
		  (uint32_t)(received_ns >> 32));
}

/* Takes off what stands before the bytes of a stamped receive: res becomes how many those are, 0 for FIN. Returns false when the kernel's
 * account and ours differ. */
static bool unstamp(struct ring *ring, struct connection *connection, int32_t *res, uint32_t flags)
{
	uint32_t buffer = flags >> IORING_CQE_BUFFER_SHIFT;
	struct io_uring_recvmsg_out out;
	struct cmsghdr control;
	struct timespec stamp;
	const uint8_t *start;

	if ((uint32_t)*res < STAMP_BYTES || !(flags & IORING_CQE_F_BUFFER) || buffer >= ring->buffer_count ||
	    ring->buffer_filled[buffer] != 0)
		return false;
	start = ring->block + ring->receive_offset + (size_t)buffer * ring->buffer_bytes;
	ring->buffer_filled[buffer] = STAMP_BYTES;
	memcpy(&out, start, sizeof out);
	memcpy(&control, start + sizeof out, sizeof control);
	*res -= (int32_t)STAMP_BYTES;
	if (*res == 0 || (connection->flags & (FLAG_DISCARD | FLAG_HANDSHAKE)) || out.controllen < CMSG_LEN(sizeof stamp) ||
	    control.cmsg_level != SOL_SOCKET || control.cmsg_type != SO_TIMESTAMPNS)
		return true;
	memcpy(&stamp, start + sizeof out + CMSG_LEN(0), sizeof stamp);
	publish_stamp(ring, connection, &stamp);
	return true;
}

static void starve(struct ring *ring, struct connection *connection)
{
	ring->control[RW_FIELD_STAT_NO_BUFFERS]++;
	if (connection->flags & FLAG_STARVED)
		return;
	connection->flags |= FLAG_STARVED;
	connection->next_starved = ring->starved;
	ring->starved = (uint32_t)(connection - ring->connections);
}

/* Whether the program has paused it. A message that has begun is read to its end: it tells the program nothing, and what is sent may
 * wait for it. */
static bool is_held_back(const struct connection *connection)
{
	return (connection->flags & FLAG_PAUSED) && connection->state == STATE_OPEN && !is_in_message(connection);
}

void receive_pause(struct ring *ring, struct connection *connection)
{
	if (is_held_back(connection))
		receive_cancel(ring, connection);
}

/* Goes on receiving, unless something stands against it. */
void receive_rearm(struct ring *ring, struct connection *connection)
{
	if (connection->fd < 0 || is_held_back(connection) ||
	    (connection->flags & (FLAG_ABORTED | FLAG_PEER_ENDED | FLAG_RECEIVING | FLAG_STARVED | FLAG_BACKLOG)))
		return;
	receive_arm(ring, connection);
}

void receive_completed(struct ring *ring, struct connection *connection, int32_t res, uint32_t flags)
{
	bool is_stamped = res > 0 && (ring->features & RW_FEATURE_RECEIVE_STAMPS);
	bool is_sound = (!is_stamped || unstamp(ring, connection, &res, flags)) &&
			book(ring, connection, res > 0 ? (uint32_t)res : 0, flags);

	if (!(flags & IORING_CQE_F_MORE))
		connection->flags &= ~(uint32_t)(FLAG_RECEIVING | FLAG_CANCELLING);
	if (!is_sound) {
		connection_abort(ring, connection, EIO);
		return;
	}
	if (flags & IORING_CQE_F_MORE)
		return;
	if (res > 0 || res == -EAGAIN || res == -EINTR) {
		receive_rearm(ring, connection);
	} else if (res == 0) {
		connection->flags |= FLAG_PEER_ENDED;
		if (connection->flags & FLAG_TLS)
			tls_fin(ring, connection);
		else if (connection->state == STATE_OPEN)
			event_add(ring, RW_EVENT_ENDED, connection_handle(ring, connection), 0, 0);
	} else if (res == -ENOBUFS) {
		starve(ring, connection);
	} else if (res == -ECANCELED) {
		/* PAUSE, or the end. When RESUME overtook the cancel, go on. */
		receive_rearm(ring, connection);
	} else if (connection->flags & FLAG_TLS) {
		tls_receive_failed(ring, connection, -res);
	} else if (connection->state == STATE_DYING) {
		connection->flags |= FLAG_PEER_ENDED;
	} else {
		connection_fail(ring, connection, -res);
		return;
	}
	connection_progress(ring, connection);
}

/* Everything told so far was handled: full buffers go back, and who waited for one is armed again. */
void receive_recycle(struct ring *ring)
{
	uint32_t slot = ring->starved;
	uint32_t count = 0;

	/* Never more than all: a buffer given back has filled == 0. */
	while (ring->buffer_filled[ring->buffer_next] == ring->buffer_bytes) {
		give(ring, ring->buffer_next, count++);
		ring->buffer_next = (ring->buffer_next + 1) & (ring->buffer_count - 1);
	}
	if (count > 0)
		io_uring_buf_ring_advance(ring->buffer_ring, (int)count);
	if (slot == RW_NONE || (count == 0 && ring->held_count > 0))
		return;
	ring->starved = RW_NONE;
	while (slot != RW_NONE) {
		struct connection *connection = &ring->connections[slot];
		slot = connection->next_starved;
		connection->flags &= ~(uint32_t)FLAG_STARVED;
		receive_rearm(ring, connection);
		connection_progress(ring, connection);
	}
}

/* Takes the finished off the starved list, so that their slots can be used again. */
void receive_forget_starved(struct ring *ring)
{
	uint32_t slot = ring->starved;

	ring->starved = RW_NONE;
	while (slot != RW_NONE) {
		struct connection *connection = &ring->connections[slot];
		uint32_t next = connection->next_starved;
		if (connection->state == STATE_FINISHED) {
			connection->flags &= ~(uint32_t)FLAG_STARVED;
		} else {
			connection->next_starved = ring->starved;
			ring->starved = slot;
		}
		slot = next;
	}
}
