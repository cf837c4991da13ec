/*
 * Sending: straight from the send arena when the socket takes it, from a queue of our own otherwise.
 *
 * An arena send carries MSG_WAITALL | MSG_DONTWAIT and IOSQE_CQE_SKIP_SUCCESS: the kernel posts a
 * completion only when it did not take everything, so the common case costs none. (Without WAITALL a
 * short send counts as a success and would be skipped silently.) A socket whose records the kernel makes (kTLS) takes no
 * WAITALL, so there every send posts one. Where OpenSSL makes them, tls_seal.c stands between the segments and the socket.
 */
#include "tls_connection.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_BYTES_MIN 16384u
/* What one system call takes at most (MAX_RW_COUNT of the kernel). It cuts more down in silence and calls the rest
 * of it a success. */
#define SEND_BYTES_MAX 0x7ffff000u

static void notify(struct ring *ring, struct connection *connection)
{
	uint32_t slot = (uint32_t)(connection - ring->connections);

	if (connection->flags & FLAG_NOTIFY)
		return;
	connection->flags |= FLAG_NOTIFY;
	connection->next_notify = RW_NONE;
	if (ring->notify_last == RW_NONE)
		ring->notify_first = slot;
	else
		ring->connections[ring->notify_last].next_notify = slot;
	ring->notify_last = slot;
}

/* Chains command record `index` to the segments of its connection. */
void send_append(struct ring *ring, struct connection *connection, uint32_t index)
{
	if ((connection->state != STATE_OPEN && connection->state != STATE_CONNECTING) ||
	    (connection->flags & FLAG_END_ASKED))
		return;
	ring->segment_next[index] = RW_NONE;
	if (!(connection->flags & FLAG_SENDING)) {
		connection->flags |= FLAG_SENDING;
		connection->send_first = index;
		connection->send_bytes = 0;
		connection->next_touched = ring->touched;
		ring->touched = (uint32_t)(connection - ring->connections);
	} else {
		ring->segment_next[connection->send_last] = index;
	}
	connection->send_last = index;
	/* The arena is smaller than 4 GiB, but a caller may name the same bytes again and again. */
	if (__builtin_add_overflow(connection->send_bytes, ring->commands[index].b, &connection->send_bytes))
		connection->send_bytes = UINT32_MAX;
}

/* Where these are the last bytes, the kernel holds them back for the FIN that follows at once: one packet instead of two, and one wake-up
 * of the peer. Should the FIN have to wait, what it waits for pushes them out. */
int send_more(const struct connection *connection)
{
	return (connection->flags & FLAG_END_ASKED) || connection->state == STATE_CLOSING ? MSG_MORE : 0;
}

/* One send for all segments of a connection. Neighbours in the arena become one piece. */
void send_prepare(struct ring *ring, struct connection *connection)
{
	struct iovec *first = &ring->iovecs[ring->iovec_count];
	struct io_uring_sqe *entry;
	uint32_t count = 0, bytes = 0;

	connection->send_taken = 0;
	if (connection->flags & FLAG_SEAL) {
		tls_send_prepare(ring, connection);
		return;
	}
	if (connection->queued_bytes > 0 || (connection->flags & FLAG_ABORTED) ||
	    (connection->state != STATE_OPEN && connection->state != STATE_CLOSING) ||
	    (connection->flags & FLAGS_OPENING))
		return;
	for (uint32_t index = connection->send_first; index != RW_NONE; index = ring->segment_next[index]) {
		const struct rw_command *command = &ring->commands[index];
		uint32_t part = command->b < SEND_BYTES_MAX - bytes ? command->b : SEND_BYTES_MAX - bytes;
		uint8_t *data = ring->block + command->a;

		/* What stays behind follows through the queue. */
		if (part == 0)
			break;
		if (count > 0 && (uint8_t *)first[count - 1].iov_base + first[count - 1].iov_len == data)
			first[count - 1].iov_len += part;
		else if (count == IOV_MAX)
			break;
		else
			first[count++] = (struct iovec){ data, part };
		bytes += part;
	}
	entry = ring_prepare(ring, OPERATION_SEND, connection_handle(ring, connection));
	entry->fd = connection->fd;
	entry->flags = IOSQE_CQE_SKIP_SUCCESS;
	entry->msg_flags = MSG_DONTWAIT | MSG_NOSIGNAL | MSG_WAITALL | send_more(connection);
	if (connection->flags & FLAG_TLS) {
		entry->flags = 0;
		entry->msg_flags = MSG_DONTWAIT | MSG_NOSIGNAL;
	}
	if (count == 1) {
		entry->opcode = IORING_OP_SEND;
		entry->addr = (uintptr_t)first[0].iov_base;
		entry->len = bytes;
	} else {
		struct msghdr *message = &ring->messages[ring->message_count++];
		*message = (struct msghdr){ .msg_iov = first, .msg_iovlen = count };
		ring->iovec_count += count;
		entry->opcode = IORING_OP_SENDMSG;
		entry->addr = (uintptr_t)message;
		entry->len = 1;
	}
	connection->send_taken = bytes;
}

/* Only posted when something was left over. */
void send_completed(struct ring *ring, struct connection *connection, int32_t res)
{
	if (res >= 0) {
		connection->send_taken = (uint32_t)res;
	} else if (res == -EAGAIN || res == -EINTR || res == -ENOBUFS || res == -ENOMEM) {
		connection->send_taken = 0; /* the queue's own send waits until there is room */
	} else {
		connection_fail(ring, connection, -res);
	}
}

static struct queue_block *block_new(uint32_t capacity)
{
	struct queue_block *block = malloc(sizeof *block + capacity);

	if (block)
		*block = (struct queue_block){ .capacity = capacity };
	return block;
}

/* Appends to a queue of the connection. Returns 0, -ENOBUFS beyond a limit, or -ENOMEM. */
static int32_t enqueue(struct ring *ring, struct connection *connection, struct send_queue *queue, const uint8_t *data,
		       uint32_t bytes, uint32_t bytes_to_come)
{
	struct queue_block *last = queue->last;
	uint32_t allowed = ring->max_queued_bytes - connection->queued_bytes;

	if (bytes > allowed || bytes > ring->max_queued_total - ring->queued_total)
		return -ENOBUFS;
	/* A caller may name the same bytes again and again: no block for gigabytes that will be refused. */
	if (bytes_to_come > allowed)
		bytes_to_come = allowed;
	while (bytes > 0) {
		uint32_t room = last ? last->capacity - last->end : 0;
		uint32_t part = bytes < room ? bytes : room;

		if (part == 0) {
			last = block_new(bytes_to_come > BLOCK_BYTES_MIN ? bytes_to_come : BLOCK_BYTES_MIN);
			if (!last)
				return -ENOMEM;
			if (queue->last)
				queue->last->next = last;
			else
				queue->first = last;
			queue->last = last;
			continue;
		}
		memcpy(last->bytes + last->end, data, part);
		last->end += part;
		data += part;
		bytes -= part;
		bytes_to_come -= part;
		connection->queued_bytes += part;
		ring->queued_total += part;
	}
	return 0;
}

/* The queue has changed, and may have to be sent. */
void send_show(struct ring *ring, struct connection *connection)
{
	notify(ring, connection);
	connection_show_queued(ring, connection);
	send_drain(ring, connection);
}

/* Appends segments, from this one on and without so many bytes at their start, to a queue. Returns 0 or -errno. */
int32_t send_keep(struct ring *ring, struct connection *connection, struct send_queue *queue, uint32_t segment, uint32_t skip)
{
	int32_t error = 0;
	uint64_t left = 0;

	for (uint32_t index = segment; index != RW_NONE; index = ring->segment_next[index])
		left += ring->commands[index].b;
	left -= skip;
	for (uint32_t index = segment; index != RW_NONE && error == 0; index = ring->segment_next[index]) {
		const struct rw_command *command = &ring->commands[index];

		if (skip >= command->b) {
			skip -= command->b;
			continue;
		}
		error = enqueue(ring, connection, queue, ring->block + command->a + skip, command->b - skip,
				left < UINT32_MAX ? (uint32_t)left : UINT32_MAX);
		left -= command->b - skip;
		skip = 0;
	}
	return error;
}

/* Copies what the kernel did not take, so that the arena is free again. */
void send_settle(struct ring *ring, struct connection *connection)
{
	int32_t error;

	connection->flags &= ~(uint32_t)FLAG_SENDING;
	if (connection->flags & FLAG_SEAL) {
		tls_send_settle(ring, connection);
		return;
	}
	if (connection->send_taken == connection->send_bytes || connection->state == STATE_DYING ||
	    (connection->flags & FLAG_ABORTED)) {
		connection_progress(ring, connection);
		return;
	}
	if (connection->queued_bytes == 0 && connection->state != STATE_CONNECTING)
		ring->control[RW_FIELD_STAT_SHORT_SENDS]++;
	error = send_keep(ring, connection, &connection->queue, connection->send_first, connection->send_taken);
	if (error < 0) {
		connection_abort(ring, connection, -error);
		return;
	}
	send_show(ring, connection);
}

/* Puts bytes behind everything that is queued. Returns 0, or -errno: it can send no more. */
int32_t send_enqueue(struct ring *ring, struct connection *connection, const uint8_t *data, uint32_t bytes)
{
	int32_t error = enqueue(ring, connection, &connection->queue, data, bytes, bytes);

	if (error == 0)
		send_show(ring, connection);
	return error;
}

/* The same for bytes of C's own that the socket may take at once. Only while no segment of this turn is on its way. */
int32_t send_now(struct ring *ring, struct connection *connection, const uint8_t *data, uint32_t bytes)
{
	ssize_t taken = 0;

	if (!connection->queue.first && !(connection->flags & FLAG_DRAINING)) {
		taken = send(connection->fd, data, bytes, MSG_DONTWAIT | MSG_NOSIGNAL | send_more(connection));
		if (taken < 0 && errno != EAGAIN && errno != EINTR && errno != ENOBUFS && errno != ENOMEM)
			return -errno;
		if (taken < 0)
			taken = 0;
	}
	return (uint32_t)taken == bytes ? 0 : send_enqueue(ring, connection, data + taken, bytes - (uint32_t)taken);
}

/* Starts sending the first block of the queue, unless one is on its way. */
void send_drain(struct ring *ring, struct connection *connection)
{
	struct queue_block *block = connection->queue.first;
	struct io_uring_sqe *entry;

	if (!block ||
	    (connection->flags & (FLAG_DRAINING | FLAGS_OPENING | FLAG_ABORTED)) ||
	    (connection->state != STATE_OPEN && connection->state != STATE_CLOSING))
		return;
	entry = ring_prepare(ring, OPERATION_DRAIN, connection_handle(ring, connection));
	entry->opcode = IORING_OP_SEND;
	entry->fd = connection->fd;
	entry->addr = (uintptr_t)(block->bytes + block->start);
	entry->len = block->end - block->start;
	entry->msg_flags = MSG_NOSIGNAL;
	connection->flags |= FLAG_DRAINING;
}

void send_drained(struct ring *ring, struct connection *connection, int32_t res)
{
	struct queue_block *block = connection->queue.first;

	connection->flags &= ~(uint32_t)FLAG_DRAINING;
	if (res < 0 && res != -EINTR && res != -EAGAIN) {
		if (connection->state == STATE_DYING)
			connection_progress(ring, connection);
		else
			connection_fail(ring, connection, -res);
		return;
	}
	if (res > 0) {
		block->start += (uint32_t)res;
		connection->queued_bytes -= (uint32_t)res;
		ring->queued_total -= (uint32_t)res;
		if (block->start == block->end) {
			connection->queue.first = block->next;
			if (!block->next)
				connection->queue.last = NULL;
			free(block);
		}
		notify(ring, connection);
		connection_show_queued(ring, connection);
	}
	send_drain(ring, connection);
	connection_progress(ring, connection);
}

/* Empties a queue; its blocks are the caller's to free. Only when no send from it is in flight. */
struct queue_block *send_take(struct ring *ring, struct connection *connection, struct send_queue *queue)
{
	struct queue_block *first = queue->first;

	for (const struct queue_block *block = first; block; block = block->next) {
		connection->queued_bytes -= block->end - block->start;
		ring->queued_total -= block->end - block->start;
	}
	*queue = (struct send_queue){ 0 };
	return first;
}

void send_drop(struct ring *ring, struct connection *connection, struct send_queue *queue)
{
	struct queue_block *block = send_take(ring, connection, queue);

	while (block) {
		struct queue_block *next = block->next;
		free(block);
		block = next;
	}
}
