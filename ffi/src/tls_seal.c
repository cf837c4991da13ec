/*
 * Sending through OpenSSL: the segments of a turn become records, which its send takes; what does not fit, what comes while OpenSSL
 * listens, and what it has to say by itself.
 */
#include "tls_connection.h"

#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>

/* More than any record adds to what is in it: head, explicit IV, MAC, padding. */
#define RECORD_OVERHEAD (SSL3_RT_HEADER_LENGTH + SSL3_RT_MAX_ENCRYPTED_OVERHEAD)

/* The next bytes to be sealed: at most one record's, as they lie where one segment follows the other in the arena, gathered where
 * they do not. */
static const uint8_t *fetch(struct ring *ring, struct tls *tls, uint32_t *count)
{
	uint8_t *gathered = ring->tls->gathered;
	const uint8_t *data = NULL;
	uint32_t bytes = 0;

	while (tls->segment != RW_NONE && bytes < RECORD_BYTES) {
		const struct rw_command *command = &ring->commands[tls->segment];
		const uint8_t *from = ring->block + command->a + tls->segment_offset;
		uint32_t part = command->b - tls->segment_offset;

		if (part > RECORD_BYTES - bytes)
			part = RECORD_BYTES - bytes;
		if (bytes == 0) {
			data = from;
		} else if (data != gathered && data + bytes != from) {
			memcpy(gathered, data, bytes);
			data = gathered;
		}
		if (data == gathered)
			memcpy(gathered + bytes, from, part);
		bytes += part;
		tls->segment_offset += part;
		if (tls->segment_offset == command->b) {
			tls->segment = ring->segment_next[tls->segment];
			tls->segment_offset = 0;
		}
	}
	*count = bytes;
	return data;
}

/* Returns 0, or -errno with the connection failed: there is no way a record may not be made. */
static int32_t seal(struct ring *ring, struct tls *tls, const uint8_t *data, uint32_t bytes)
{
	uint32_t error, detail = 0;
	int result = SSL_write(tls->ssl, data, (int)bytes);

	if (result == (int)bytes)
		return 0;
	error = tls_session_error(tls->ssl, result, &detail);
	tls_fail(ring, tls->connection, error ? error : RW_TLS_ERROR_PROTOCOL, detail);
	return -EPIPE;
}

/* Seals segments while there is surely room. */
static int32_t seal_segments(struct ring *ring, struct tls *tls, struct tls_out *out)
{
	int32_t error = 0;

	tls_enter(ring, tls, out);
	while (error == 0 && tls->segment != RW_NONE && out->capacity - out->used >= RECORD_BYTES + RECORD_OVERHEAD) {
		uint32_t bytes;
		const uint8_t *data = fetch(ring, tls, &bytes);
		error = seal(ring, tls, data, bytes);
	}
	return error;
}

static bool has_room_for_turn(struct ring *ring)
{
	struct tls_out *out = &ring->tls->sealed;

	if (!out->bytes) {
		uint64_t capacity = (uint64_t)ring->send_arena_bytes + ring->send_arena_bytes / 8 + TLS_SPARE_BYTES;
		if (capacity > UINT32_MAX)
			capacity = UINT32_MAX;
		/* Large, but its pages are only touched as far as a turn fills it. */
		out->bytes = malloc(capacity);
		out->capacity = out->bytes ? (uint32_t)capacity : 0;
	}
	return out->bytes != NULL;
}

static void prepare(struct ring *ring, struct connection *connection)
{
	struct tls *tls = connection->tls;
	struct io_uring_sqe *entry = ring_prepare(ring, OPERATION_SEND, connection_handle(ring, connection));

	entry->opcode = IORING_OP_SEND;
	entry->fd = connection->fd;
	entry->flags = IOSQE_CQE_SKIP_SUCCESS;
	entry->msg_flags = MSG_DONTWAIT | MSG_NOSIGNAL | MSG_WAITALL | send_more(connection);
	entry->addr = (uintptr_t)tls->sealed;
	entry->len = tls->sealed_bytes;
	connection->send_taken = tls->sealed_bytes;
}

/* One send for the records of all segments of a connection, as far as there is room for them; tls_send_settle does the rest. */
void tls_send_prepare(struct ring *ring, struct connection *connection)
{
	struct tls *tls = connection->tls;
	struct tls_out *out = &ring->tls->sealed;
	uint32_t start = out->used;

	tls->segment = connection->send_first;
	tls->segment_offset = 0;
	tls->sealed_bytes = 0;
	if (connection->queued_bytes > 0 || (connection->flags & FLAG_ABORTED) ||
	    (connection->state != STATE_OPEN && connection->state != STATE_CLOSING) || tls_listens(tls) || !has_room_for_turn(ring))
		return;
	if (seal_segments(ring, tls, out) < 0 || out->used == start)
		return;
	tls->sealed = out->bytes + start;
	tls->sealed_bytes = out->used - start;
	prepare(ring, connection);
	/* They differ as long as the turn has more to do for it than this send. */
	connection->send_bytes = tls->sealed_bytes + (tls->segment != RW_NONE);
}

/* Seals what is left of the segments, a few records at a time: the socket or the queue takes them. */
static int32_t seal_rest(struct ring *ring, struct connection *connection)
{
	struct tls_out *out = &ring->tls->spare;
	struct tls *tls = connection->tls;
	int32_t error = 0;

	out->used = 0;
	if (!tls_reserve(out, TLS_SPARE_BYTES))
		return -ENOMEM;
	while (error == 0 && tls->segment != RW_NONE) {
		out->used = 0;
		error = seal_segments(ring, tls, out);
		if (error == 0)
			error = send_now(ring, connection, out->bytes, out->used);
	}
	return error;
}

/* Hands on what a reading OpenSSL had to say while segments were on their way. */
static int32_t speak(struct ring *ring, struct connection *connection)
{
	struct tls *tls = connection->tls;
	int32_t error = 0;

	if (tls->said_bytes > 0 && !(connection->flags & FLAG_END_DONE))
		error = send_now(ring, connection, tls->said, tls->said_bytes);
	free(tls->said);
	tls->said = NULL;
	tls->said_bytes = 0;
	return error;
}

/* Keeps what is left of the segments until OpenSSL listens no longer. */
static int32_t keep_rest(struct ring *ring, struct connection *connection)
{
	struct tls *tls = connection->tls;
	int32_t error = send_keep(ring, connection, &tls->waiting, tls->segment, tls->segment_offset);

	if (error == 0)
		send_show(ring, connection);
	return error;
}

/* Copies what the kernel did not take, and sees to what did not fit. */
void tls_send_settle(struct ring *ring, struct connection *connection)
{
	struct tls *tls = connection->tls;
	uint32_t left = tls->sealed_bytes - connection->send_taken;
	int32_t error = 0;

	tls->sealed_bytes = 0;
	if (connection->state == STATE_CONNECTING || connection->state == STATE_OPEN || connection->state == STATE_CLOSING) {
		if (left > 0) {
			ring->control[RW_FIELD_STAT_SHORT_SENDS]++;
			error = send_enqueue(ring, connection, tls->sealed + connection->send_taken, left);
		}
		if (error == 0 && tls->said)
			error = speak(ring, connection);
		if (error == 0 && tls->segment != RW_NONE)
			error = tls_listens(tls) ? keep_rest(ring, connection) : seal_rest(ring, connection);
		if (error == -ENOBUFS || error == -ENOMEM)
			connection_abort(ring, connection, -error);
		else if (error < 0)
			connection_fail(ring, connection, -error);
	}
	connection_progress(ring, connection);
}

/* Seals what was sent while OpenSSL listened, or leaves it to the kernel. Returns 0 or -errno. */
int32_t tls_seal_waiting(struct ring *ring, struct connection *connection)
{
	struct tls *tls = connection->tls;
	struct tls_out *out = &ring->tls->spare;
	struct queue_block *block;
	int32_t error = 0;

	if (!tls->waiting.first)
		return 0;
	if (!(connection->flags & FLAG_SEAL)) {
		connection->queue = tls->waiting;
		tls->waiting = (struct send_queue){ 0 };
		return 0;
	}
	out->used = 0;
	if (!tls_reserve(out, TLS_SPARE_BYTES))
		return -ENOMEM;
	block = send_take(ring, connection, &tls->waiting);
	tls_enter(ring, tls, out);
	while (block) {
		struct queue_block *next = block->next;
		while (error == 0 && block->start < block->end) {
			uint32_t bytes = block->end - block->start;
			if (bytes > RECORD_BYTES)
				bytes = RECORD_BYTES;
			out->used = 0;
			error = seal(ring, tls, block->bytes + block->start, bytes);
			if (error == 0)
				error = send_now(ring, connection, out->bytes, out->used);
			block->start += bytes;
		}
		free(block);
		block = next;
	}
	send_show(ring, connection);
	return error;
}

/* Sends what OpenSSL has put into `spare` by itself: an answer to new keys, an alert, close_notify. Returns 0 or -errno. */
int32_t tls_say(struct ring *ring, struct connection *connection)
{
	struct tls_out *out = &ring->tls->spare;
	struct tls *tls = connection->tls;
	uint8_t *grown;

	if (out->used == 0 || (connection->flags & FLAG_END_DONE) ||
	    (connection->state != STATE_OPEN && connection->state != STATE_CLOSING))
		return 0;
	if (tls->sealed_bytes == 0)
		return send_now(ring, connection, out->bytes, out->used);
	/* The segments of this turn come first, and how much of them the kernel has taken is not known yet. */
	grown = realloc(tls->said, tls->said_bytes + out->used);
	if (!grown)
		return -ENOMEM;
	memcpy(grown + tls->said_bytes, out->bytes, out->used);
	tls->said = grown;
	tls->said_bytes += out->used;
	return 0;
}
