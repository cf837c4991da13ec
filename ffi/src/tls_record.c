/*
 * Records that OpenSSL makes and opens, between memory and memory: plain segments in, ciphertext for the turn's send out; ciphertext
 * of the receive arena in, plain bytes into the plain arena. All connections of a ring share one BIO.
 */
#include "tls_connection.h"

#include <openssl/err.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* More than any record adds to what is in it: head, explicit IV, MAC, padding. */
#define RECORD_OVERHEAD (SSL3_RT_HEADER_LENGTH + SSL3_RT_MAX_ENCRYPTED_OVERHEAD)
/* What is sealed before it is handed on, where it does not go out with the turn. */
#define SPARE_BYTES (4 * RECORD_BYTES)
#define BACKLOG_BYTES_MIN 16384u
/* SSL_read takes an int. */
#define READ_BYTES_MAX (1u << 30)

/* Of OpenSSL's BIO interface, but only in its internal headers: the next record is of this type, and no longer. */
#define CONTROL_SET_RECORD_TYPE 74
#define RECORD_APPLICATION_DATA 23
#define RECORD_HANDSHAKE 22
#define MESSAGE_KEY_UPDATE 24

static bool reserve(struct tls_out *out, uint32_t bytes)
{
	uint32_t capacity = out->capacity ? out->capacity : SPARE_BYTES + 4096;
	uint8_t *grown;

	if (out->capacity - out->used >= bytes)
		return true;
	if (!out->may_grow)
		return false;
	while (capacity - out->used < bytes) {
		if (capacity > UINT32_MAX / 2)
			return false;
		capacity *= 2;
	}
	grown = realloc(out->bytes, capacity);
	if (!grown)
		return false;
	out->bytes = grown;
	out->capacity = capacity;
	return true;
}

static int bio_write(BIO *bio, const char *data, int bytes)
{
	struct tls_work *work = BIO_get_data(bio);
	struct tls_out *out = work->out;
	uint8_t type = work->record_type;

	BIO_clear_retry_flags(bio);
	work->record_type = RECORD_APPLICATION_DATA;
	if (bytes <= 0)
		return 0;
	if (work->current->is_kernel_send) {
		int result;
		/* The answer to the peer's wish that we change keys: these are the kernel's. */
		if (type == RECORD_HANDSHAKE && data[0] == MESSAGE_KEY_UPDATE) {
			work->current->is_rekeying = true;
			return bytes;
		}
		result = ktls_send_record(work->current, type, data, (size_t)bytes);
		if (result < 0 && (errno == EAGAIN || errno == EINTR)) {
			work->record_type = type;
			BIO_set_retry_write(bio);
		}
		return result;
	}
	if (!out || !reserve(out, (uint32_t)bytes))
		return -1;
	memcpy(out->bytes + out->used, data, (size_t)bytes);
	out->used += (uint32_t)bytes;
	return bytes;
}

static int bio_read(BIO *bio, char *data, int bytes)
{
	struct tls_work *work = BIO_get_data(bio);

	BIO_clear_retry_flags(bio);
	if (bytes <= 0)
		return 0;
	if (work->in_bytes == 0) {
		BIO_set_retry_read(bio);
		return -1;
	}
	if ((uint32_t)bytes > work->in_bytes)
		bytes = (int)work->in_bytes;
	memcpy(data, work->in, (size_t)bytes);
	work->in += bytes;
	work->in_bytes -= (uint32_t)bytes;
	return bytes;
}

static long bio_control(BIO *bio, int command, long number, void *pointer)
{
	struct tls_work *work = BIO_get_data(bio);

	(void)pointer;
	switch (command) {
	case BIO_CTRL_FLUSH:
		return 1;
	case BIO_CTRL_GET_KTLS_SEND:
		return work->current && work->current->is_kernel_send;
	case CONTROL_SET_RECORD_TYPE:
		work->record_type = (uint8_t)number;
		return 0;
	default:
		return 0;
	}
}

static BIO_METHOD *method;

static void make_method(void)
{
	method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "ringwire");
	if (!method)
		return;
	BIO_meth_set_write(method, bio_write);
	BIO_meth_set_read(method, bio_read);
	BIO_meth_set_ctrl(method, bio_control);
}

bool tls_work_new(struct ring *ring)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct tls_work *work = calloc(1, sizeof *work);

	pthread_once(&once, make_method);
	if (!work)
		return false;
	work->bio = method ? BIO_new(method) : NULL;
	if (!work->bio) {
		free(work);
		ERR_clear_error();
		return false;
	}
	BIO_set_data(work->bio, work);
	BIO_set_init(work->bio, 1);
	work->record_type = RECORD_APPLICATION_DATA;
	work->spare.may_grow = true;
	ring->tls = work;
	return true;
}

void tls_work_free(struct ring *ring)
{
	struct tls_work *work = ring->tls;

	if (!work)
		return;
	BIO_free(work->bio);
	free(work->sealed.bytes);
	free(work->spare.bytes);
	free(work);
	ring->tls = NULL;
}

/* Before each call into OpenSSL that may read or write. */
void tls_enter(struct ring *ring, struct tls *tls, struct tls_out *out)
{
	struct tls_work *work = ring->tls;

	work->current = tls;
	work->out = out;
	work->in_bytes = 0;
	work->record_type = RECORD_APPLICATION_DATA;
	/* Clearing costs more than looking. */
	if (ERR_peek_error() != 0)
		ERR_clear_error();
}

/* ── sealing ── */

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
		uint64_t capacity = (uint64_t)ring->send_arena_bytes + ring->send_arena_bytes / 8 + SPARE_BYTES;
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
	entry->msg_flags = MSG_DONTWAIT | MSG_NOSIGNAL | MSG_WAITALL;
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
	if (connection->queued_bytes > 0 || (connection->flags & (FLAG_ABORTED | FLAGS_OPENING)) ||
	    (connection->state != STATE_OPEN && connection->state != STATE_CLOSING) || !has_room_for_turn(ring) ||
	    out->capacity - out->used < tls->said_bytes)
		return;
	if (tls->said_bytes > 0)
		memcpy(out->bytes + out->used, tls->said, tls->said_bytes);
	out->used += tls->said_bytes;
	tls->said_bytes = 0;
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

	if (tls->segment == RW_NONE)
		return 0;
	out->used = 0;
	if (!reserve(out, SPARE_BYTES))
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

/* Copies what the kernel did not take, seals what did not fit. Returns false when it is to be done as without TLS, because the
 * handshake is not over yet: what is sent before that waits as it is. */
bool tls_send_settle(struct ring *ring, struct connection *connection)
{
	struct tls *tls = connection->tls;
	uint32_t left = tls->sealed_bytes - connection->send_taken;
	int32_t error = 0;

	if (connection->flags & FLAG_HANDSHAKE)
		return false;
	tls->sealed_bytes = 0;
	if (connection->state == STATE_OPEN || connection->state == STATE_CLOSING) {
		if (left > 0) {
			ring->control[RW_FIELD_STAT_SHORT_SENDS]++;
			error = send_enqueue(ring, connection, tls->sealed + connection->send_taken, left);
		}
		if (error == 0 && tls->said)
			error = speak(ring, connection);
		if (error == 0)
			error = seal_rest(ring, connection);
		if (error == -ENOBUFS || error == -ENOMEM)
			connection_abort(ring, connection, -error);
		else if (error < 0)
			connection_fail(ring, connection, -error);
	}
	connection_progress(ring, connection);
	return true;
}

/* Seals what was sent before the handshake was done. Returns 0 or -errno. */
int32_t tls_seal_queue(struct ring *ring, struct connection *connection)
{
	struct tls_out *out = &ring->tls->spare;
	struct queue_block *block;
	int32_t error = 0;

	if (connection->queued_bytes == 0)
		return 0;
	out->used = 0;
	if (!reserve(out, SPARE_BYTES))
		return -ENOMEM;
	block = send_take_queue(ring, connection);
	tls_enter(ring, connection->tls, out);
	while (block) {
		struct queue_block *next = block->next;
		while (error == 0 && block->start < block->end) {
			uint32_t bytes = block->end - block->start;
			if (bytes > RECORD_BYTES)
				bytes = RECORD_BYTES;
			out->used = 0;
			error = seal(ring, connection->tls, block->bytes + block->start, bytes);
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
	if (!(connection->flags & FLAG_SENDING))
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

/* ── opening ── */

enum outcome { WANTS_MORE, NO_ROOM, ENDED, FAILED };

/* Opens the records at work->in, and tells of what is in them. */
static enum outcome unseal(struct ring *ring, struct tls *tls, uint32_t *error, uint32_t *detail)
{
	struct tls_work *work = ring->tls;
	uint32_t start = ring->plain_used;
	enum outcome outcome = WANTS_MORE;

	for (;;) {
		uint32_t room = ring->plain_bytes - ring->plain_used;
		int result;

		if (room == 0) {
			outcome = work->in_bytes > 0 || SSL_has_pending(tls->ssl) ? NO_ROOM : WANTS_MORE;
			break;
		}
		result = SSL_read(tls->ssl, ring->block + ring->plain_offset + ring->plain_used,
				  (int)(room < READ_BYTES_MAX ? room : READ_BYTES_MAX));
		if (result > 0) {
			ring->plain_used += (uint32_t)result;
			continue;
		}
		switch (SSL_get_error(tls->ssl, result)) {
		case SSL_ERROR_WANT_READ:
			break;
		case SSL_ERROR_ZERO_RETURN:
			outcome = ENDED;
			break;
		default:
			outcome = FAILED;
			*error = tls_session_error(tls->ssl, result, detail);
			if (*error == 0)
				*error = RW_TLS_ERROR_PROTOCOL;
			break;
		}
		break;
	}
	if (ring->plain_used > start)
		receive_publish(ring, tls->connection, ring->plain_offset + start, ring->plain_used - start);
	return outcome;
}

/* Keeps ciphertext until there is room for what is in it. */
static void keep(struct ring *ring, struct tls *tls, const uint8_t *data, uint32_t bytes)
{
	struct connection *connection = tls->connection;
	uint32_t capacity = tls->backlog_capacity ? tls->backlog_capacity : BACKLOG_BYTES_MIN;

	while (capacity - tls->backlog_end < bytes)
		capacity *= 2;
	if (!tls->backlog || capacity > tls->backlog_capacity) {
		uint8_t *grown = realloc(tls->backlog, capacity);
		if (!grown) {
			connection_abort(ring, connection, ENOMEM);
			return;
		}
		tls->backlog = grown;
		tls->backlog_capacity = capacity;
	}
	memcpy(tls->backlog + tls->backlog_end, data, bytes);
	tls->backlog_end += bytes;
	if (connection->flags & FLAG_BACKLOG)
		return;
	connection->flags |= FLAG_BACKLOG;
	tls_list_add(&ring->tls->backlogs, tls);
	receive_cancel(ring, connection);
}

void tls_drop_backlog(struct tls *tls)
{
	struct connection *connection = tls->connection;

	if (!(connection->flags & FLAG_BACKLOG))
		return;
	connection->flags &= ~(uint32_t)FLAG_BACKLOG;
	tls_list_remove(tls);
	free(tls->backlog);
	tls->backlog = NULL;
	tls->backlog_start = tls->backlog_end = tls->backlog_capacity = 0;
}

/* Sends the alert with which a connection fails, unless it would break into a record. */
static int32_t last_words(struct ring *ring, const struct connection *connection)
{
	const struct tls_out *out = &ring->tls->spare;

	if (out->used > 0 && connection->queued_bytes == 0 && !(connection->flags & (FLAG_DRAINING | FLAG_END_DONE)))
		send(connection->fd, out->bytes, out->used, MSG_DONTWAIT | MSG_NOSIGNAL);
	return 0;
}

/* Opens ciphertext. Returns how much of it must wait for room. */
static uint32_t open_records(struct ring *ring, struct tls *tls, const uint8_t *data, uint32_t bytes, bool *must_wait)
{
	struct tls_work *work = ring->tls;
	uint32_t error = 0, detail = 0;
	enum outcome outcome;
	int32_t spoken;

	tls_enter(ring, tls, &work->spare);
	work->spare.used = 0;
	work->in = data;
	work->in_bytes = bytes;
	outcome = unseal(ring, tls, &error, &detail);
	bytes = work->in_bytes;
	*must_wait = outcome == NO_ROOM;
	spoken = outcome == FAILED ? last_words(ring, tls->connection) : tls_say(ring, tls->connection);
	/* OpenSSL answers a wish for new keys of ours with its next record, but those are the kernel's. */
	if (tls->is_kernel_send && SSL_get_key_update_type(tls->ssl) != SSL_KEY_UPDATE_NONE)
		tls->is_rekeying = true;
	if (tls->is_rekeying)
		ktls_refuse_keys(ring, tls->connection);
	else if (outcome == FAILED)
		tls_fail(ring, tls->connection, error, detail);
	else if (spoken < 0)
		connection_fail(ring, tls->connection, -spoken);
	else if (outcome == ENDED)
		tls_ended(ring, tls->connection);
	return bytes;
}

/* Ciphertext has come. */
void tls_feed(struct ring *ring, struct connection *connection, const uint8_t *data, uint32_t bytes)
{
	struct tls *tls = connection->tls;
	bool must_wait = true;
	uint32_t left = bytes;

	if (tls->is_over)
		return;
	if (!(connection->flags & FLAG_BACKLOG))
		left = open_records(ring, tls, data, bytes, &must_wait);
	if (must_wait)
		keep(ring, tls, data + bytes - left, left);
}

/* The plain arena is empty again: goes on with those who wait for room, in the order in which they began to. */
void tls_recycle(struct ring *ring)
{
	struct tls *tls = ring->tls->backlogs.first;

	while (tls && event_room(ring) >= EVENTS_PER_COMPLETION) {
		struct tls *next = tls->next;
		struct connection *connection = tls->connection;
		uint32_t bytes = tls->backlog_end - tls->backlog_start;
		bool must_wait;
		uint32_t left = open_records(ring, tls, tls->backlog + tls->backlog_start, bytes, &must_wait);

		if (must_wait && (connection->flags & FLAG_BACKLOG)) {
			tls->backlog_start = tls->backlog_end - left;
			return;
		}
		tls_drop_backlog(tls);
		if (tls->has_fin)
			tls_fin(ring, connection);
		receive_rearm(ring, connection);
		connection_progress(ring, connection);
		tls = next;
	}
}
