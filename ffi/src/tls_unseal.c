/*
 * Receiving through OpenSSL: ciphertext of the receive arena in, plain bytes into the plain arena; what finds no room there waits.
 */
#include "tls_connection.h"

#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>

#define BACKLOG_BYTES_MIN 16384u
/* SSL_read takes an int. */
#define READ_BYTES_MAX (1u << 30)

enum outcome { WANTS_MORE, NO_ROOM, ENDED, FAILED };

/* Messages of a handshake that a peer may send after it, and for how many bytes one more. New keys cost us some 20 us a message, and the
 * peer 27 bytes: without a limit one stranger could take all of the thread's time (others draw the line at 32 in a row). */
#define MESSAGES_MAX 64u
#define BYTES_PER_MESSAGE 65536u

/* OpenSSL asks nobody between two messages; told that the peer has said goodbye, it reads no further. */
static void count_message(int is_sent, int version, int type, const void *data, size_t bytes, SSL *ssl, void *unused)
{
	struct tls *tls = SSL_get_app_data(ssl);

	(void)version, (void)data, (void)bytes, (void)unused;
	if (is_sent || type != SSL3_RT_HANDSHAKE || ++tls->messages <= MESSAGES_MAX + tls->opened_bytes / BYTES_PER_MESSAGE)
		return;
	tls->is_flooded = true;
	SSL_set_shutdown(ssl, SSL_get_shutdown(ssl) | SSL_RECEIVED_SHUTDOWN);
}

/* From the end of the handshake on. */
void tls_watch_messages(struct tls *tls)
{
	SSL_set_msg_callback(tls->ssl, count_message);
}

/* Opens the records at work->in, and tells of what is in them. */
static enum outcome unseal(struct ring *ring, struct tls *tls, uint32_t *error, uint32_t *detail)
{
	const struct connection *connection = tls->connection;
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
			tls->opened_bytes += (uint32_t)result;
			/* To hear that there is no more costs OpenSSL a buffer of 16 KiB, made and freed. */
			if (work->in_bytes == 0 && !SSL_has_pending(tls->ssl))
				break;
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
	if (tls->is_flooded) {
		outcome = FAILED;
		*error = RW_TLS_ERROR_PROTOCOL;
	}
	if (connection->flags & FLAG_DISCARD)
		ring->plain_used = start;
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

	if (out->used > 0 && !connection->queue.first && !(connection->flags & (FLAG_DRAINING | FLAG_END_DONE)))
		send(connection->fd, out->bytes, out->used, MSG_DONTWAIT | MSG_NOSIGNAL);
	return 0;
}

/* No message of the peer's stands half open: what waited for that can be done. */
static void go_on(struct ring *ring, struct connection *connection)
{
	int32_t error;

	if (connection->state != STATE_OPEN && connection->state != STATE_CLOSING)
		return;
	error = tls_seal_waiting(ring, connection);
	if (error == -ENOBUFS || error == -ENOMEM)
		connection_abort(ring, connection, -error);
	else if (error < 0)
		connection_fail(ring, connection, -error);
	if (connection->flags & FLAG_PAUSED)
		receive_pause(ring, connection);
	connection_progress(ring, connection);
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
	else if (!tls_listens(tls))
		go_on(ring, tls->connection);
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
