/*
 * The life of a TLS connection: its handshake step by step, its deadline, what it has agreed on, its goodbye.
 *
 * A handshake costs hundreds of microseconds of arithmetic, so a turn does only a few steps, and the others wait in a list: who is
 * connected already is served in between.
 */
#include "tls_connection.h"

#include <netinet/in.h>
#include <openssl/err.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Two thirds of a millisecond each at worst (signing with RSA 2048). */
#define STEPS_PER_TURN 4u

void tls_list_add(struct tls_list *list, struct tls *tls)
{
	if (tls->list)
		return;
	tls->list = list;
	tls->next = NULL;
	tls->previous = list->last;
	if (list->last)
		list->last->next = tls;
	else
		list->first = tls;
	list->last = tls;
}

void tls_list_remove(struct tls *tls)
{
	struct tls_list *list = tls->list;

	if (!list)
		return;
	if (tls->previous)
		tls->previous->next = tls->next;
	else
		list->first = tls->next;
	if (tls->next)
		tls->next->previous = tls->previous;
	else
		list->last = tls->previous;
	tls->previous = tls->next = NULL;
	tls->list = NULL;
}

static struct tls *attach(struct connection *connection)
{
	struct tls *tls = calloc(1, sizeof *tls);

	if (!tls)
		return NULL;
	tls->connection = connection;
	connection->tls = tls;
	connection->flags |= FLAG_TLS;
	return tls;
}

/* The session holds the context from here on. */
static int32_t make_session(struct tls *tls, struct tls_context *context, const char *name, uint32_t name_bytes, uint32_t port)
{
	struct connection *connection = tls->connection;

	tls->ssl = tls_session_new(context, name, name_bytes, port);
	if (!tls->ssl || SSL_set_fd(tls->ssl, connection->fd) != 1) {
		ERR_clear_error();
		return -ENOMEM;
	}
	SSL_set_app_data(tls->ssl, tls);
	if ((connection->flags & FLAG_STREAM_UNIX) || !ktls_exists())
		SSL_clear_options(tls->ssl, SSL_OP_ENABLE_KTLS);
	connection->flags |= FLAG_HANDSHAKE | FLAG_SEAL | FLAG_UNSEAL;
	return 0;
}

/* For rw_connect and rw_listen. What it has taken is given back when the slot is freed. */
int32_t tls_open(struct ring *ring, struct connection *connection, uint32_t role, const struct rw_endpoint *endpoint)
{
	int32_t error = -ENOMEM;
	struct tls_context *context;
	struct tls *tls;

	if (ring->plain_bytes == 0)
		return -EINVAL;
	if (!ring->tls && !tls_work_new(ring))
		return -ENOMEM;
	context = tls_context_take(endpoint->tls_context, role, &error);
	if (!context)
		return error;
	tls = attach(connection);
	if (!tls) {
		tls_context_drop(context);
		return -ENOMEM;
	}
	tls->deadline.tv_sec = endpoint->tls_timeout_ms / 1000;
	tls->deadline.tv_nsec = endpoint->tls_timeout_ms % 1000 * 1000000ll;
	tls->context = context;
	if (role == RW_TLS_SERVER)
		return 0;
	if (!tls_context_takes_name(context, endpoint->tls_name, endpoint->tls_name_bytes))
		return -EINVAL;
	return make_session(tls, context, endpoint->tls_name, endpoint->tls_name_bytes, endpoint->port);
}

void tls_poll(struct ring *ring, struct connection *connection, uint32_t events)
{
	struct io_uring_sqe *entry = ring_prepare(ring, OPERATION_POLL, connection_handle(ring, connection));

	entry->opcode = IORING_OP_POLL_ADD;
	entry->fd = connection->fd;
	/* The kernel wants the halves of this word swapped on big-endian machines. */
	entry->poll32_events = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? events << 16 : events;
	connection->flags |= FLAG_POLLING;
}

/* A handshake is over, one way or the other. */
static void uncount(struct ring *ring, struct tls *tls)
{
	struct connection *listener = connection_find(ring, tls->listener);

	if (tls->is_counted && listener && listener->tls)
		listener->tls->handshakes--;
	tls->is_counted = false;
}

/* Somebody has connected. OpenSSL hears of it with the first step of the handshake: a thousand sessions at once would hold everybody up, and
 * who never says a word costs none. Returns -ENOMEM, or -ENOSPC with TLS_HANDSHAKES_MAX under way: with nothing in flight; the slot is the
 * caller's then. */
int32_t tls_accept(struct ring *ring, struct connection *listener, struct connection *connection)
{
	struct tls *from = listener->tls, *tls;

	if (from->handshakes >= TLS_HANDSHAKES_MAX)
		return -ENOSPC;
	tls = attach(connection);
	if (!tls)
		return -ENOMEM;
	tls->deadline = from->deadline;
	tls->listener = connection_handle(ring, listener);
	tls->context = tls_context_share(from->context);
	tls->is_counted = true;
	from->handshakes++;
	connection->state = STATE_SECURING;
	connection->flags |= FLAG_HANDSHAKE;
	connection_time_limit(ring, connection, &connection->tls->deadline);
	/* The client speaks first. */
	tls_poll(ring, connection, POLLIN);
	return 0;
}

/* TCP has connected to a server. */
void tls_begin(struct ring *ring, struct connection *connection)
{
	connection_time_limit(ring, connection, &connection->tls->deadline);
	tls_list_add(&ring->tls->ready, connection->tls);
}

/* Ends a connection whose TLS is broken. What OpenSSL has to say about it (an alert) is on its way already. */
void tls_fail(struct ring *ring, struct connection *connection, uint32_t error, uint32_t detail)
{
	if (connection->state == STATE_DYING || connection->state == STATE_FINISHED)
		return;
	connection->tls->detail = detail;
	connection->tls->is_over = true;
	tls_drop_backlog(connection->tls);
	/* To an alert there is no answer. */
	if (error == RW_TLS_ERROR_ALERT) {
		connection->flags |= FLAG_DISCARD;
		connection_fail(ring, connection, (int32_t)error);
	} else {
		connection_refuse(ring, connection, (int32_t)error);
	}
}

static void secured(struct ring *ring, struct connection *connection)
{
	struct tls *tls = connection->tls;
	uint32_t detail = 0, error = tls_session_check(tls->ssl, &detail);
	int32_t result;

	if (error != 0) {
		/* The handshake itself is over, so no alert names the reason any more. */
		SSL_shutdown(tls->ssl);
		ERR_clear_error();
		tls_fail(ring, connection, error, detail);
		return;
	}
	if (connection->flags & FLAG_TIMING)
		ring_cancel(ring, OPERATION_DEADLINE, connection_handle(ring, connection));
	uncount(ring, tls);
	ring->control[RW_FIELD_STAT_HANDSHAKES]++;
	if (SSL_session_reused(tls->ssl))
		ring->control[RW_FIELD_STAT_RESUMPTIONS]++;
	connection->flags &= ~(uint32_t)FLAG_HANDSHAKE;
	ktls_take_over(tls);
	if (tls->is_kernel_send)
		connection->flags &= ~(uint32_t)FLAG_SEAL;
	if (tls->is_kernel_receive)
		connection->flags &= ~(uint32_t)FLAG_UNSEAL;
	tls_enter(ring, tls, NULL);
	BIO_up_ref(ring->tls->bio);
	SSL_set0_rbio(tls->ssl, ring->tls->bio);
	BIO_up_ref(ring->tls->bio);
	SSL_set0_wbio(tls->ssl, ring->tls->bio);
	/* Not before: during the handshake nothing may be read beyond it. */
	SSL_set_read_ahead(tls->ssl, 1);
	tls_watch_messages(tls);
	result = tls_seal_waiting(ring, connection);
	if (result < 0) {
		connection->flags |= FLAG_HANDSHAKE; /* nobody was told that it is over */
		connection_abort(ring, connection, -result);
		return;
	}
	connection_secured(ring, connection);
}

static void step(struct ring *ring, struct connection *connection)
{
	struct tls *tls = connection->tls;
	uint32_t error, detail = 0;
	int result;

	if (!tls->ssl && make_session(tls, tls->context, NULL, 0, 0) < 0) {
		tls_fail(ring, connection, ENOMEM, 0);
		return;
	}
	ERR_clear_error();
	errno = 0;
	result = SSL_do_handshake(tls->ssl);
	if (result == 1) {
		secured(ring, connection);
		return;
	}
	switch (SSL_get_error(tls->ssl, result)) {
	case SSL_ERROR_WANT_READ:
		tls_poll(ring, connection, POLLIN);
		break;
	case SSL_ERROR_WANT_WRITE:
		tls_poll(ring, connection, POLLOUT);
		break;
	default:
		error = tls_session_error(tls->ssl, result, &detail);
		tls_fail(ring, connection, error ? error : RW_TLS_ERROR_PROTOCOL, detail);
		break;
	}
}

/* Steps that are due, as many as this turn may still do. */
void tls_run(struct ring *ring)
{
	struct tls_work *work = ring->tls;

	while (work->ready.first && work->steps_left > 0 && event_room(ring) > 0) {
		struct tls *tls = work->ready.first;
		tls_list_remove(tls);
		work->steps_left--;
		step(ring, tls->connection);
	}
}

/* A turn begins. */
void tls_turn(struct ring *ring)
{
	ring->tls->steps_left = STEPS_PER_TURN;
	if (ring->tls->backlogs.first)
		tls_recycle(ring);
}

void tls_polled(struct ring *ring, struct connection *connection, int32_t res)
{
	connection->flags &= ~(uint32_t)FLAG_POLLING;
	if (connection->state == STATE_DYING || !(connection->flags & FLAG_HANDSHAKE))
		connection_progress(ring, connection);
	else if (res < 0 && res != -EINTR && res != -EAGAIN)
		tls_fail(ring, connection, (uint32_t)-res, 0);
	else
		tls_list_add(&ring->tls->ready, connection->tls);
}

/* The deadline of the handshake has passed, or of a message that the goodbye waits for: there is nothing to say about that. */
void tls_timed_out(struct ring *ring, struct connection *connection)
{
	struct tls *tls = connection->tls;

	if (connection->flags & FLAG_HANDSHAKE) {
		connection->flags |= FLAG_DISCARD;
		connection_fail(ring, connection, RW_TLS_ERROR_TIMEOUT);
	} else if ((connection->state == STATE_CLOSING || (connection->flags & FLAG_END_ASKED)) && tls_listens(tls)) {
		send_drop(ring, connection, &tls->waiting);
		send_show(ring, connection);
		tls->has_goodbye = true;
		connection_progress(ring, connection);
	}
}

/* The connection dies: gives up what its handshake waits for. */
void tls_stop(struct ring *ring, struct connection *connection)
{
	uint32_t handle = connection_handle(ring, connection);

	if (connection->flags & FLAG_HANDSHAKE)
		tls_list_remove(connection->tls);
	if (connection->flags & FLAG_POLLING)
		ring_cancel(ring, OPERATION_POLL, handle);
	if (connection->flags & FLAG_TIMING)
		ring_cancel(ring, OPERATION_DEADLINE, handle);
}

/* The peer has said goodbye: nothing that comes behind it counts, not even how TCP ends. */
void tls_ended(struct ring *ring, struct connection *connection)
{
	connection->tls->is_over = true;
	connection->flags |= FLAG_PEER_ENDED;
	receive_cancel(ring, connection);
	if (connection->state == STATE_OPEN)
		event_add(ring, RW_EVENT_ENDED, connection_handle(ring, connection), 0, 0);
}

/* The peer's FIN. */
void tls_fin(struct ring *ring, struct connection *connection)
{
	if (connection->flags & FLAG_BACKLOG)
		connection->tls->has_fin = true;
	else if (!connection->tls->is_over && connection->state == STATE_OPEN)
		connection_fail(ring, connection, RW_TLS_ERROR_TRUNCATED);
}

/* Receiving has ended with an error. */
void tls_receive_failed(struct ring *ring, struct connection *connection, int32_t error)
{
	struct tls *tls = connection->tls;

	if (error == EIO && tls->is_kernel_receive && !tls->is_over && connection->state != STATE_DYING) {
		ktls_control(ring, connection);
		return;
	}
	if (connection->state == STATE_DYING || tls->is_over)
		connection->flags |= FLAG_PEER_ENDED;
	else if (tls->is_kernel_receive)
		ktls_failed(ring, connection, error);
	else
		connection_fail(ring, connection, error);
}

/* Whether the last of what a connection has to say, and then its goodbye, can be sealed. A peer in the middle of a message is waited for
 * as long as one that does not end. */
bool tls_may_write(struct ring *ring, struct connection *connection)
{
	if (connection->flags & FLAGS_OPENING)
		return false;
	if (connection->tls->has_goodbye || !tls_listens(connection->tls))
		return true;
	if (!(connection->flags & FLAG_TIMING))
		connection_time_limit(ring, connection, &ring->linger_limit);
	return false;
}

/* Says goodbye once everything else has left. Returns whether that has left too, as far as it can. */
bool tls_goodbye(struct ring *ring, struct connection *connection)
{
	struct tls *tls = connection->tls;
	int result;

	if (connection->flags & FLAG_POLLING)
		return false;
	if (tls->has_goodbye)
		return true;
	ERR_clear_error();
	tls_enter(ring, tls, &ring->tls->spare);
	ring->tls->spare.used = 0;
	result = SSL_shutdown(tls->ssl);
	if (result < 0 && SSL_get_error(tls->ssl, result) == SSL_ERROR_WANT_WRITE) {
		tls_poll(ring, connection, POLLOUT);
		return false;
	}
	ERR_clear_error();
	tls->has_goodbye = true;
	/* May find the connection broken, and then it is not ours to go on with. */
	return tls_say(ring, connection) == 0 && connection->queued_bytes == 0 &&
	       (connection->state == STATE_OPEN || connection->state == STATE_CLOSING);
}

/* The listener is gone, and with it all handshakes of those it has accepted. */
void tls_give_up(struct ring *ring, uint32_t listener)
{
	for (uint32_t slot = 0; slot < ring->connection_high; slot++) {
		struct connection *connection = &ring->connections[slot];
		if (connection->state == STATE_SECURING && connection->tls->listener == listener)
			connection_abort(ring, connection, 0);
	}
}

/* Tells of the end, to whom it concerns. */
void tls_publish_closed(struct ring *ring, struct connection *connection)
{
	const struct tls *tls = connection->tls;
	const struct connection *listener;
	uint32_t error = connection->error;

	if (tls->listener == 0 || !(connection->flags & FLAG_HANDSHAKE)) {
		event_add(ring, RW_EVENT_CLOSED, connection_handle(ring, connection), error, tls->detail);
		return;
	}
	listener = connection_find(ring, tls->listener);
	if (!listener || listener->state != STATE_LISTENING)
		return;
	/* An errno would say that accepting has failed. A peer that goes away in its handshake has merely cut it short. */
	if (error < RW_TLS_ERROR_EXPIRED && error != ENOMEM)
		error = RW_TLS_ERROR_TRUNCATED;
	event_add(ring, RW_EVENT_ACCEPT_FAILED, tls->listener, error, tls->detail);
}

/* The socket is closed: only what is still to be told stays. */
void tls_close(struct ring *ring, struct connection *connection)
{
	struct tls *tls = connection->tls;

	tls_drop_backlog(tls);
	tls_list_remove(tls);
	send_drop(ring, connection, &tls->waiting);
	free(tls->said);
	tls->said = NULL;
	tls_session_free(tls->ssl);
	tls->ssl = NULL;
	OPENSSL_cleanse(tls->secret, sizeof tls->secret);
}

/* Frees all there is. Does not touch the block: it may be gone. */
void tls_free(struct ring *ring, struct connection *connection)
{
	struct tls *tls = connection->tls;

	if (ring->tls && ring->tls->current == tls)
		ring->tls->current = NULL;
	uncount(ring, tls);
	tls_close(ring, connection);
	tls_context_drop(tls->context);
	connection->tls = NULL;
	free(tls);
}

static struct tls *find_secured(uint32_t id, uint32_t handle, struct ring **ring, int32_t *error)
{
	struct connection *connection;

	*ring = ring_find(id, error);
	if (!*ring)
		return NULL;
	connection = connection_find(*ring, handle);
	if (!connection)
		*error = -EBADF;
	else if (!(connection->flags & FLAG_TLS) || (connection->flags & FLAG_HANDSHAKE) || !connection->tls->ssl)
		*error = -ENOTCONN;
	else
		return connection->tls;
	return NULL;
}

RW_API int32_t rw_tls_describe(uint32_t id, uint32_t handle)
{
	int32_t error;
	struct ring *ring;
	struct tls *tls = find_secured(id, handle, &ring, &error);
	char *text;
	int bytes;

	if (!tls)
		return error;
	text = (char *)ring->block + RW_TEXT_OFFSET;
	bytes = tls_session_describe(tls->ssl, text, RW_TEXT_MAX_BYTES);
	ERR_clear_error();
	if (bytes > 0) {
		char lines[32];
		int more = snprintf(lines, sizeof lines, "\nktls_tx %d\nktls_rx %d", tls->is_kernel_send, tls->is_kernel_receive);
		if (bytes + more > (int)RW_TEXT_MAX_BYTES)
			return -ENOBUFS;
		memcpy(text + bytes, lines, (size_t)more);
		bytes += more;
	}
	ring->control[RW_FIELD_TEXT_BYTES] = (uint32_t)bytes;
	return bytes > 0 ? bytes : -ENOBUFS;
}

RW_API int32_t rw_tls_peer_certificate(uint32_t id, uint32_t handle, void *out, uint32_t capacity)
{
	int32_t error;
	struct ring *ring;
	struct tls *tls = find_secured(id, handle, &ring, &error);

	if (!tls)
		return error;
	error = tls_session_certificate(tls->ssl, out, capacity);
	ERR_clear_error();
	return error;
}
