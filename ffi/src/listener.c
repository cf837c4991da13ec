/*
 * Listening and accepting. A failed accept (out of descriptors …) is told of and tried again after a
 * pause; it neither spins nor ends the listener.
 */
#include "tls_connection.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static void accept_arm(struct ring *ring, struct connection *listener)
{
	struct io_uring_sqe *entry = ring_prepare(ring, OPERATION_ACCEPT, connection_handle(ring, listener));

	entry->opcode = IORING_OP_ACCEPT;
	entry->fd = listener->fd;
	entry->accept_flags = SOCK_NONBLOCK | SOCK_CLOEXEC;
	if (ring->features & RW_FEATURE_MULTISHOT_ACCEPT)
		entry->ioprio = IORING_ACCEPT_MULTISHOT;
	listener->flags |= FLAG_ACCEPTING;
}

static void retry_later(struct ring *ring, struct connection *listener)
{
	struct io_uring_sqe *entry = ring_prepare(ring, OPERATION_RETRY, connection_handle(ring, listener));

	entry->opcode = IORING_OP_TIMEOUT;
	entry->fd = -1;
	entry->addr = (uintptr_t)&ring->retry_delay;
	entry->len = 1;
	listener->flags |= FLAG_RETRYING;
}

static void free_if_quiet(struct ring *ring, struct connection *listener)
{
	if (listener->state == STATE_UNLISTENED && !(listener->flags & FLAGS_IN_FLIGHT))
		connection_free(ring, listener);
}

static void take(struct ring *ring, struct connection *listener, int fd)
{
	struct connection *connection = connection_new(ring);
	uint32_t handle = connection_handle(ring, listener);
	int on = 1;

	if (!connection) {
		close(fd);
		event_add(ring, RW_EVENT_ACCEPT_FAILED, handle, ENOSPC, 0);
		return;
	}
	connection->fd = fd;
	connection->flags = listener->flags & FLAG_STREAM_UNIX;
	/* Unlike TCP_NODELAY and keep-alive, this one is not inherited. */
	if (listener->flags & FLAG_QUICK_ACK)
		setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on);
	if (listener->flags & FLAG_TLS) {
		int32_t error = tls_accept(ring, listener, connection);
		if (error == 0)
			return;
		close(fd);
		connection_free(ring, connection);
		event_add(ring, RW_EVENT_ACCEPT_FAILED, handle, (uint32_t)-error, error == -ENOSPC ? TLS_HANDSHAKES_MAX : 0);
		return;
	}
	event_add(ring, RW_EVENT_ACCEPTED, connection_handle(ring, connection), handle, 0);
	connection_opened(ring, connection);
}

void listener_accepted(struct ring *ring, struct connection *listener, int32_t res, uint32_t flags)
{
	if (!(flags & IORING_CQE_F_MORE))
		listener->flags &= ~(uint32_t)FLAG_ACCEPTING;
	if (listener->state == STATE_UNLISTENED) {
		if (res >= 0)
			close(res);
		free_if_quiet(ring, listener);
		return;
	}
	if (res >= 0)
		take(ring, listener, res);
	if (flags & IORING_CQE_F_MORE)
		return;
	if (res >= 0 || res == -ECONNABORTED || res == -EINTR || res == -EAGAIN) {
		accept_arm(ring, listener);
		return;
	}
	event_add(ring, RW_EVENT_ACCEPT_FAILED, connection_handle(ring, listener), (uint32_t)-res, 0);
	retry_later(ring, listener);
}

void listener_retry(struct ring *ring, struct connection *listener)
{
	listener->flags &= ~(uint32_t)FLAG_RETRYING;
	if (listener->state == STATE_LISTENING)
		accept_arm(ring, listener);
	free_if_quiet(ring, listener);
}

/* Whether a Unix socket file is a leftover: a socket on which nobody accepts. */
static bool is_stale(const struct endpoint_address *address)
{
	const struct sockaddr_un *name = (const struct sockaddr_un *)&address->storage;
	struct stat status;
	bool is_refused;
	int fd;

	if (name->sun_path[0] == 0 || lstat(name->sun_path, &status) < 0 || !S_ISSOCK(status.st_mode))
		return false;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return false;
	is_refused = connect(fd, (const struct sockaddr *)&address->storage, address->bytes) < 0 &&
		     errno == ECONNREFUSED;
	close(fd);
	return is_refused;
}

static int32_t bind_and_listen(struct connection *listener, const struct rw_endpoint *endpoint,
			       const struct endpoint_address *address)
{
	const struct sockaddr *name = (const struct sockaddr *)&address->storage;
	int on = 1, off = 0;
	int fd = listener->fd;

	if (address->family != AF_UNIX) {
		const int *only = endpoint->flags & RW_ENDPOINT_IPV6_ONLY ? &on : &off;
		if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0)
			return -errno;
		if ((endpoint->flags & RW_ENDPOINT_REUSE_PORT) &&
		    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) < 0)
			return -errno;
		if (address->family == AF_INET6 &&
		    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, only, sizeof *only) < 0)
			return -errno;
	}
	if (bind(fd, name, address->bytes) < 0) {
		if (errno != EADDRINUSE || address->family != AF_UNIX || !is_stale(address))
			return -errno;
		unlink(((const struct sockaddr_un *)name)->sun_path);
		if (bind(fd, name, address->bytes) < 0)
			return -errno;
	}
	return listen(fd, endpoint->backlog ? (int)(endpoint->backlog & INT32_MAX) : SOMAXCONN) < 0 ? -errno : 0;
}

/* Remembers the file of a Unix listener. Without it (no memory) the file merely stays behind. */
static void remember_path(struct connection *listener, const struct endpoint_address *address)
{
	const struct sockaddr_un *name = (const struct sockaddr_un *)&address->storage;
	struct stat status;

	if (address->family != AF_UNIX || name->sun_path[0] == 0 || stat(name->sun_path, &status) < 0)
		return;
	listener->listener.path = strdup(name->sun_path);
	listener->listener.inode = status.st_ino;
}

RW_API int32_t rw_listen(uint32_t id)
{
	struct opening opening;
	struct connection *listener;
	int32_t result = opening_begin(id, &opening);

	if (result < 0)
		return result;
	listener = opening.connection;
	if (opening.endpoint.tls_context != 0)
		result = tls_open(opening.ring, listener, RW_TLS_SERVER, &opening.endpoint);
	if (result == 0)
		result = bind_and_listen(listener, &opening.endpoint, &opening.address);
	if (result < 0)
		return opening_undo(&opening, result);
	remember_path(listener, &opening.address);
	listener->state = STATE_LISTENING;
	if (opening.endpoint.flags & RW_ENDPOINT_QUICK_ACK)
		listener->flags |= FLAG_QUICK_ACK;
	accept_arm(opening.ring, listener);
	return opening_submit(&opening);
}

/* Removes the file of a Unix listener, unless another socket has taken its place. */
void listener_forget_path(struct connection *listener)
{
	struct stat status;

	if (!listener->listener.path)
		return;
	if (lstat(listener->listener.path, &status) == 0 && status.st_ino == listener->listener.inode)
		unlink(listener->listener.path);
	free(listener->listener.path);
	listener->listener.path = NULL;
}

/* Stops listening and starts cancelling; the slot is freed when the last completion was reaped. */
void listener_release(struct ring *ring, struct connection *listener)
{
	uint32_t handle = connection_handle(ring, listener);

	if (listener->state != STATE_LISTENING)
		return;
	listener->state = STATE_UNLISTENED;
	listener_forget_path(listener);
	/* The accept in flight holds the socket; shutdown ends the listening at once all the same. */
	shutdown(listener->fd, SHUT_RDWR);
	if (listener->flags & FLAG_ACCEPTING)
		ring_cancel(ring, OPERATION_ACCEPT, handle);
	if (listener->flags & FLAG_RETRYING)
		ring_cancel(ring, OPERATION_RETRY, handle);
	if (listener->flags & FLAG_TLS)
		tls_give_up(ring, handle);
	ring_submit(ring, true);
	close(listener->fd);
	listener->fd = -1;
	free_if_quiet(ring, listener);
}

RW_API int32_t rw_unlisten(uint32_t id, uint32_t handle)
{
	int32_t result;
	struct ring *ring = ring_find(id, &result);
	struct connection *listener;

	if (!ring)
		return result;
	listener = connection_find(ring, handle);
	if (!listener || listener->state != STATE_LISTENING)
		return -EBADF;
	listener_release(ring, listener);
	return 0;
}
