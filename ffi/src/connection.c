/*
 * The life of a connection: slots and generations, connecting, closing in its several ways.
 *
 * A slot is used again only after everything in flight for it was reaped, its socket closed and CLOSED
 * published, so a completion never meets a stranger.
 */
#include "tls_connection.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define GENERATION_MAX 4095u

uint32_t connection_handle(const struct ring *ring, const struct connection *connection)
{
	return connection->generation << RW_HANDLE_SLOT_BITS | (uint32_t)(connection - ring->connections);
}

struct connection *connection_find(struct ring *ring, uint32_t handle)
{
	uint32_t slot = handle & ((1u << RW_HANDLE_SLOT_BITS) - 1);
	struct connection *connection;

	if (slot >= ring->connection_high)
		return NULL;
	connection = &ring->connections[slot];
	if (connection->state == STATE_FREE || connection->generation != handle >> RW_HANDLE_SLOT_BITS)
		return NULL;
	return connection;
}

struct connection *connection_new(struct ring *ring)
{
	struct connection *connection;
	uint32_t generation;

	if (ring->connection_free != RW_NONE) {
		connection = &ring->connections[ring->connection_free];
		ring->connection_free = connection->next;
	} else if (ring->connection_high < ring->connection_capacity) {
		connection = &ring->connections[ring->connection_high++];
	} else {
		return NULL;
	}
	generation = connection->generation == GENERATION_MAX ? 1 : connection->generation + 1;
	*connection = (struct connection){
		.fd = -1,
		.generation = generation,
		.send_first = RW_NONE,
		.send_last = RW_NONE,
		.next = RW_NONE,
		.next_touched = RW_NONE,
		.next_starved = RW_NONE,
		.next_notify = RW_NONE,
	};
	connection_show_queued(ring, connection);
	return connection;
}

/* Keeps the table of queued bytes true. Not for a connection that dies: its word says so already, and after the
 * end of a thread the block may be gone. */
void connection_show_queued(struct ring *ring, const struct connection *connection)
{
	if (connection->state != STATE_DYING && connection->state != STATE_FINISHED)
		ring->queued[connection - ring->connections] = connection->queued_bytes;
}

void connection_free(struct ring *ring, struct connection *connection)
{
	if (connection->tls)
		tls_free(ring, connection);
	connection->state = STATE_FREE;
	connection->next = ring->connection_free;
	ring->connection_free = (uint32_t)(connection - ring->connections);
}

/* The socket is connected, by either side: from now on it receives. */
void connection_opened(struct ring *ring, struct connection *connection)
{
	connection->state = STATE_OPEN;
	ring->control[RW_FIELD_STAT_CONNECTIONS]++;
	receive_arm(ring, connection);
}

/* Closes the socket once nothing is in flight; CLOSED follows at the end of the turn. */
static void finish_if_quiet(struct ring *ring, struct connection *connection)
{
	uint32_t slot = (uint32_t)(connection - ring->connections);
	bool is_recycle_awaited = (connection->flags & (FLAG_STARVED | FLAG_BACKLOG)) && !(connection->flags & FLAG_ABORTED);

	if (connection->state != STATE_DYING || (connection->flags & FLAGS_IN_FLIGHT) || is_recycle_awaited)
		return;
	close(connection->fd);
	connection->fd = -1;
	send_drop(ring, connection, &connection->queue);
	if (connection->flags & FLAG_TLS)
		tls_close(ring, connection);
	connection->state = STATE_FINISHED;
	connection->next = RW_NONE;
	if (ring->finished_last == RW_NONE)
		ring->finished_first = slot;
	else
		ring->connections[ring->finished_last].next = slot;
	ring->finished_last = slot;
}

static void cancel_drain(struct ring *ring, struct connection *connection)
{
	if (connection->flags & FLAG_DRAINING)
		ring_cancel(ring, OPERATION_DRAIN, connection_handle(ring, connection));
}

static void cancel_connect(struct ring *ring, struct connection *connection)
{
	if (connection->flags & FLAG_CONNECTING)
		ring_cancel(ring, OPERATION_CONNECT, connection_handle(ring, connection));
}

static void set_dying(struct ring *ring, struct connection *connection, int32_t error)
{
	connection->state = STATE_DYING;
	connection->error = (uint16_t)error;
	ring->queued[connection - ring->connections] = RW_QUEUED_GONE;
}

static void die(struct ring *ring, struct connection *connection, int32_t error)
{
	if (connection->state == STATE_OPEN ||
	    (connection->state == STATE_CLOSING && !(connection->flags & FLAGS_OPENING)))
		ring->control[RW_FIELD_STAT_CONNECTIONS]--;
	set_dying(ring, connection, error);
	if (connection->flags & FLAG_TLS)
		tls_stop(ring, connection);
}

/* Ends a connection that can send no more. What its socket still holds is delivered: after shutdown the
 * receive runs to its natural end. */
void connection_fail(struct ring *ring, struct connection *connection, int32_t error)
{
	if (connection->state != STATE_OPEN && connection->state != STATE_CLOSING &&
	    connection->state != STATE_CONNECTING && connection->state != STATE_SECURING)
		return;
	die(ring, connection, error);
	shutdown(connection->fd, SHUT_RDWR);
	cancel_drain(ring, connection);
	cancel_connect(ring, connection);
	finish_if_quiet(ring, connection);
}

/* Ends a connection at once, with RST where the protocol has one. */
void connection_abort(struct ring *ring, struct connection *connection, int32_t error)
{
	struct linger linger = { .l_onoff = 1, .l_linger = 0 };

	if (connection->state == STATE_FINISHED || (connection->flags & FLAG_ABORTED))
		return;
	if (connection->state != STATE_DYING)
		die(ring, connection, error);
	connection->flags |= FLAG_ABORTED | FLAG_DISCARD;
	if (!(connection->flags & FLAG_STREAM_UNIX))
		setsockopt(connection->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
	receive_cancel(ring, connection);
	cancel_drain(ring, connection);
	cancel_connect(ring, connection);
	if (connection->flags & FLAG_TIMING)
		ring_cancel(ring, OPERATION_DEADLINE, connection_handle(ring, connection));
	if (connection->flags & FLAG_TLS) {
		/* It may take a while until it is quiet, and nothing may be told of it any more. */
		tls_drop_backlog(connection->tls);
		tls_stop(ring, connection);
	}
	finish_if_quiet(ring, connection);
}

/* Our FIN has left: waits a while for the peer's, and drops what it still sends. Closing on bytes that are unread or on their way is
 * answered with RST, and the peer would lose our last ones (RFC 1122 section 4.2.2.13). */
static void linger(struct ring *ring, struct connection *connection)
{
	if (!(connection->flags & (FLAG_TIMING | FLAG_ABORTED | FLAG_PEER_ENDED)) &&
	    (connection->flags & (FLAG_RECEIVING | FLAG_STARVED)))
		connection_time_limit(ring, connection, &ring->linger_limit);
}

/* Ends a connection in which the peer has done something wrong, and was told so by what was sent last: it may still read that. */
void connection_refuse(struct ring *ring, struct connection *connection, int32_t error)
{
	if (connection->state != STATE_OPEN && connection->state != STATE_CLOSING &&
	    connection->state != STATE_CONNECTING && connection->state != STATE_SECURING)
		return;
	die(ring, connection, error);
	connection->flags |= FLAG_DISCARD;
	shutdown(connection->fd, SHUT_WR);
	cancel_drain(ring, connection);
	receive_rearm(ring, connection);
	linger(ring, connection);
	finish_if_quiet(ring, connection);
}

/* Takes the next step of closing that has become possible. */
void connection_progress(struct ring *ring, struct connection *connection)
{
	bool has_left, is_ending;

	if (connection->state == STATE_OPEN && !(connection->flags & FLAG_END_ASKED))
		return;
	has_left = connection->queued_bytes == 0 && !(connection->flags & (FLAG_SENDING | FLAG_DRAINING | FLAGS_OPENING));
	is_ending = (connection->state == STATE_OPEN && !(connection->flags & FLAG_END_DONE)) || connection->state == STATE_CLOSING;

	/* TLS says goodbye behind everything else, and that may have to wait in the queue too. */
	if (is_ending && (connection->flags & FLAG_TLS))
		has_left = tls_may_write(ring, connection) && has_left && tls_goodbye(ring, connection);
	if (has_left && connection->state == STATE_OPEN && is_ending) {
		connection->flags |= FLAG_END_DONE;
		shutdown(connection->fd, SHUT_WR);
	}
	if (has_left && connection->state == STATE_CLOSING) {
		die(ring, connection, 0);
		if (!(connection->flags & FLAG_END_DONE))
			shutdown(connection->fd, SHUT_WR);
		receive_rearm(ring, connection);
		linger(ring, connection);
	}
	if (connection->state == STATE_DYING && (connection->flags & FLAG_TIMING) &&
	    !(connection->flags & (FLAG_RECEIVING | FLAG_STARVED)))
		ring_cancel(ring, OPERATION_DEADLINE, connection_handle(ring, connection));
	finish_if_quiet(ring, connection);
}

void connection_time_limit(struct ring *ring, struct connection *connection, struct __kernel_timespec *limit)
{
	struct io_uring_sqe *entry = ring_prepare(ring, OPERATION_DEADLINE, connection_handle(ring, connection));

	entry->opcode = IORING_OP_TIMEOUT;
	entry->fd = -1;
	entry->addr = (uintptr_t)limit;
	entry->len = 1;
	connection->flags |= FLAG_TIMING;
}

void connection_timed(struct ring *ring, struct connection *connection, int32_t res)
{
	connection->flags &= ~(uint32_t)FLAG_TIMING;
	if (connection->state == STATE_DYING && res == -ETIME) {
		/* The peer goes on and on, or says nothing. */
		receive_cancel(ring, connection);
		connection->flags |= FLAG_PEER_ENDED;
	} else if (connection->state == STATE_DYING) {
		linger(ring, connection);
	} else if (res == -ETIME && (connection->flags & FLAG_TLS)) {
		tls_timed_out(ring, connection);
		return;
	}
	connection_progress(ring, connection);
}

static void close_gently(struct ring *ring, struct connection *connection)
{
	/* Also of one that is failing already: what its socket still holds is not wanted any more. */
	connection->flags |= FLAG_DISCARD;
	if (connection->flags & FLAG_BACKLOG) {
		tls_drop_backlog(connection->tls);
		receive_rearm(ring, connection);
		connection_progress(ring, connection);
	}
	if (connection->state != STATE_OPEN && connection->state != STATE_CONNECTING)
		return;
	if (connection->state == STATE_CONNECTING && connection->queued_bytes == 0 &&
	    !(connection->flags & FLAG_SENDING)) {
		connection_abort(ring, connection, 0);
		return;
	}
	connection->state = STATE_CLOSING;
	connection_progress(ring, connection);
}

void connection_command(struct ring *ring, struct connection *connection, const struct rw_command *command)
{
	if (connection->state == STATE_LISTENING || connection->state == STATE_UNLISTENED ||
	    connection->state == STATE_SECURING)
		return;
	switch (command->op) {
	case RW_COMMAND_CLOSE:
		if (command->a == RW_CLOSE_ABORT)
			connection_abort(ring, connection, 0);
		else
			close_gently(ring, connection);
		break;
	case RW_COMMAND_END:
		connection->flags |= FLAG_END_ASKED;
		connection_progress(ring, connection);
		break;
	case RW_COMMAND_PAUSE:
		if (connection->state != STATE_OPEN && connection->state != STATE_CONNECTING)
			break;
		connection->flags |= FLAG_PAUSED;
		receive_pause(ring, connection);
		break;
	case RW_COMMAND_RESUME:
		connection->flags &= ~(uint32_t)FLAG_PAUSED;
		/* A cancel still on its way: its completion arms the receive again. */
		if (connection->state == STATE_OPEN &&
		    !(connection->flags & (FLAG_RECEIVING | FLAG_PEER_ENDED | FLAG_STARVED | FLAG_BACKLOG)))
			receive_arm(ring, connection);
		break;
	default:
		break;
	}
}

/* A connection of ours can be used: TCP is connected, and TLS is agreed on. */
static void ready(struct ring *ring, struct connection *connection)
{
	if (connection->state == STATE_CLOSING) {
		ring->control[RW_FIELD_STAT_CONNECTIONS]++;
	} else {
		event_add(ring, RW_EVENT_CONNECTED, connection_handle(ring, connection), 0, 0);
		connection_opened(ring, connection);
		if (connection->flags & FLAG_PAUSED)
			receive_cancel(ring, connection);
	}
	send_drain(ring, connection);
	connection_progress(ring, connection);
}

void connection_connected(struct ring *ring, struct connection *connection, int32_t res)
{
	connection->flags &= ~(uint32_t)FLAG_CONNECTING;
	if (connection->state == STATE_DYING) {
		finish_if_quiet(ring, connection);
		return;
	}
	if (res < 0) {
		set_dying(ring, connection, -res);
		finish_if_quiet(ring, connection);
		return;
	}
	if (connection->flags & FLAG_TLS)
		tls_begin(ring, connection);
	else
		ready(ring, connection);
}

/* The TLS handshake is done, by either side. */
void connection_secured(struct ring *ring, struct connection *connection)
{
	if (connection->state == STATE_SECURING) {
		event_add(ring, RW_EVENT_ACCEPTED, connection_handle(ring, connection), connection->tls->listener, 0);
		connection_opened(ring, connection);
	} else {
		ready(ring, connection);
	}
}

/* Publishes QUEUED, then CLOSED, as far as there is room; the rest waits for the next turn. */
void connection_publish(struct ring *ring)
{
	while (ring->notify_first != RW_NONE && event_room(ring) > 0) {
		struct connection *connection = &ring->connections[ring->notify_first];
		ring->notify_first = connection->next_notify;
		if (ring->notify_first == RW_NONE)
			ring->notify_last = RW_NONE;
		connection->flags &= ~(uint32_t)FLAG_NOTIFY;
		if (connection->state == STATE_CONNECTING || connection->state == STATE_OPEN ||
		    connection->state == STATE_CLOSING)
			event_add(ring, RW_EVENT_QUEUED, connection_handle(ring, connection),
				  connection->queued_bytes, 0);
	}
	if (ring->notify_first != RW_NONE)
		return;
	while (ring->finished_first != RW_NONE && event_room(ring) > 0) {
		struct connection *connection = &ring->connections[ring->finished_first];
		if (connection->flags & FLAG_STARVED)
			receive_forget_starved(ring);
		ring->finished_first = connection->next;
		if (ring->finished_first == RW_NONE)
			ring->finished_last = RW_NONE;
		if (connection->flags & FLAG_TLS)
			tls_publish_closed(ring, connection);
		else
			event_add(ring, RW_EVENT_CLOSED, connection_handle(ring, connection), connection->error, 0);
		connection_free(ring, connection);
	}
}

static int32_t bind_local(int fd, const struct rw_endpoint *endpoint, const struct endpoint_address *peer)
{
	struct endpoint_address local;
	int32_t result;

	if (endpoint->local_address_bytes == 0)
		return 0;
	result = endpoint_parse(peer->family == AF_INET6 ? RW_FAMILY_IPV6 : RW_FAMILY_IPV4, endpoint->local_address,
				endpoint->local_address_bytes, 0, &local);
	if (result < 0)
		return result;
	return bind(fd, (struct sockaddr *)&local.storage, local.bytes) < 0 ? -errno : 0;
}

RW_API int32_t rw_connect(uint32_t id)
{
	struct opening opening;
	struct connection *connection;
	struct io_uring_sqe *entry;
	int32_t result = opening_begin(id, &opening);

	if (result < 0)
		return result;
	connection = opening.connection;
	result = bind_local(connection->fd, &opening.endpoint, &opening.address);
	if (result == 0 && opening.endpoint.tls_context != 0)
		result = tls_open(opening.ring, connection, RW_TLS_CLIENT, &opening.endpoint);
	if (result < 0)
		return opening_undo(&opening, result);
	connection->state = STATE_CONNECTING;
	connection->flags |= FLAG_CONNECTING;
	entry = ring_prepare(opening.ring, OPERATION_CONNECT, connection_handle(opening.ring, connection));
	entry->opcode = IORING_OP_CONNECT;
	entry->fd = connection->fd;
	/* The kernel copies the address while it is submitted. */
	entry->addr = (uintptr_t)&opening.address.storage;
	entry->off = opening.address.bytes;
	return opening_submit(&opening);
}
