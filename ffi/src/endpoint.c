/*
 * Addresses and socket options: struct rw_endpoint in, sockaddr and a socket out, and back to text.
 */
#include "ring.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

static int32_t endpoint_check(const struct rw_endpoint *endpoint)
{
	if (endpoint->host_bytes == 0 || endpoint->host_bytes > sizeof endpoint->host ||
	    endpoint->local_address_bytes > sizeof endpoint->local_address ||
	    endpoint->interface_bytes > sizeof endpoint->interface || endpoint->port > 65535)
		return -EINVAL;
	if (endpoint->tls_context != 0 &&
	    (endpoint->tls_name_bytes > sizeof endpoint->tls_name || endpoint->tls_timeout_ms == 0 ||
	     endpoint->tls_timeout_ms > INT32_MAX))
		return -EINVAL;
	return 0;
}

static int32_t parse_unix(const char *path, uint32_t bytes, struct endpoint_address *out)
{
	struct sockaddr_un *address = (struct sockaddr_un *)&out->storage;

	/* 107: a path keeps its closing NUL. An abstract name has none but counts by length. */
	if (bytes >= sizeof address->sun_path)
		return -ENAMETOOLONG;
	if (path[0] != 0 && memchr(path, 0, bytes))
		return -EINVAL;
	address->sun_family = AF_UNIX;
	memcpy(address->sun_path, path, bytes);
	out->bytes = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + bytes + (path[0] != 0));
	out->family = AF_UNIX;
	return 0;
}

int32_t endpoint_parse(uint32_t family, const char *host, uint32_t host_bytes, uint32_t port,
		       struct endpoint_address *out)
{
	char text[257];
	char *zone;

	*out = (struct endpoint_address){ 0 };
	if (host_bytes >= sizeof text)
		return -EINVAL;
	if (family == RW_FAMILY_UNIX)
		return parse_unix(host, host_bytes, out);
	memcpy(text, host, host_bytes);
	text[host_bytes] = 0;
	if (strlen(text) != host_bytes)
		return -EINVAL;
	if (family == RW_FAMILY_IPV4) {
		struct sockaddr_in *address = (struct sockaddr_in *)&out->storage;
		address->sin_family = AF_INET;
		address->sin_port = htons((uint16_t)port);
		out->bytes = sizeof *address;
		out->family = AF_INET;
		return inet_pton(AF_INET, text, &address->sin_addr) == 1 ? 0 : -EINVAL;
	}
	if (family == RW_FAMILY_IPV6) {
		struct sockaddr_in6 *address = (struct sockaddr_in6 *)&out->storage;
		address->sin6_family = AF_INET6;
		address->sin6_port = htons((uint16_t)port);
		out->bytes = sizeof *address;
		out->family = AF_INET6;
		zone = strchr(text, '%');
		if (zone) {
			*zone++ = 0;
			address->sin6_scope_id = if_nametoindex(zone);
			if (address->sin6_scope_id == 0)
				return -ENODEV;
		}
		return inet_pton(AF_INET6, text, &address->sin6_addr) == 1 ? 0 : -EINVAL;
	}
	return -EAFNOSUPPORT;
}

static int32_t set(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof value) < 0 ? -errno : 0;
}

static int32_t set_tcp_options(int fd, const struct rw_endpoint *endpoint)
{
	int32_t result = 0;

	if (endpoint->flags & RW_ENDPOINT_NO_DELAY)
		result = set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	if (result == 0 && (endpoint->flags & RW_ENDPOINT_QUICK_ACK))
		result = set(fd, IPPROTO_TCP, TCP_QUICKACK, 1);
	if (result == 0 && (endpoint->flags & RW_ENDPOINT_KEEP_ALIVE)) {
		result = set(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
		if (result == 0 && endpoint->keep_alive_seconds > 0) {
			/* 32,767 s is the kernel's own ceiling. */
			int seconds = endpoint->keep_alive_seconds > 32767 ? 32767
									   : (int)endpoint->keep_alive_seconds;
			result = set(fd, IPPROTO_TCP, TCP_KEEPIDLE, seconds);
			if (result == 0)
				result = set(fd, IPPROTO_TCP, TCP_KEEPINTVL, seconds);
		}
	}
	return result;
}

/* Has waits of the ring poll the network cards. SO_BUSY_POLL does so in calls of recv only, which a ring whose receives stand never makes. */
static int32_t busy_poll(struct ring *ring, uint32_t busy_poll_us)
{
	struct rw_napi napi = { .busy_poll_us = busy_poll_us };

	if (busy_poll_us <= ring->busy_poll_us)
		return 0;
	if (syscall(SYS_io_uring_register, ring->uring.ring_fd, RW_REGISTER_NAPI, &napi, 1) < 0)
		return errno == EINVAL ? -EOPNOTSUPP : -errno;
	ring->busy_poll_us = busy_poll_us;
	return 0;
}

/* A socket with the options that both ends share. Returns the descriptor, or -errno. */
static int32_t endpoint_socket(const struct rw_endpoint *endpoint, int family)
{
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int32_t result = 0;

	if (fd < 0)
		return -errno;
	if (family != AF_UNIX)
		result = set_tcp_options(fd, endpoint);
	if (result == 0 && endpoint->send_buffer_bytes > 0)
		result = set(fd, SOL_SOCKET, SO_SNDBUF, (int)(endpoint->send_buffer_bytes & INT32_MAX));
	if (result == 0 && endpoint->receive_buffer_bytes > 0)
		result = set(fd, SOL_SOCKET, SO_RCVBUF, (int)(endpoint->receive_buffer_bytes & INT32_MAX));
	if (result == 0 && endpoint->interface_bytes > 0 && family != AF_UNIX &&
	    setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, endpoint->interface, endpoint->interface_bytes) < 0)
		result = -errno;
	if (result < 0) {
		close(fd);
		return result;
	}
	return fd;
}

static int describe(const struct sockaddr_storage *storage, socklen_t bytes, char *text)
{
	char host[INET6_ADDRSTRLEN + IF_NAMESIZE + 1];

	if (storage->ss_family == AF_UNIX) {
		const struct sockaddr_un *address = (const struct sockaddr_un *)storage;
		size_t length = bytes - offsetof(struct sockaddr_un, sun_path);
		if (bytes <= offsetof(struct sockaddr_un, sun_path))
			return 0; /* unnamed, as a client's end is */
		if (address->sun_path[0] != 0)
			length = strnlen(address->sun_path, length);
		memcpy(text, address->sun_path, length);
		return (int)length;
	}
	if (storage->ss_family == AF_INET) {
		const struct sockaddr_in *address = (const struct sockaddr_in *)storage;
		inet_ntop(AF_INET, &address->sin_addr, host, sizeof host);
		return snprintf(text, RW_TEXT_MAX_BYTES, "%s %u", host, ntohs(address->sin_port));
	}
	if (storage->ss_family == AF_INET6) {
		const struct sockaddr_in6 *address = (const struct sockaddr_in6 *)storage;
		char zone[IF_NAMESIZE];
		inet_ntop(AF_INET6, &address->sin6_addr, host, sizeof host);
		if (address->sin6_scope_id && if_indextoname(address->sin6_scope_id, zone))
			return snprintf(text, RW_TEXT_MAX_BYTES, "%s%%%s %u", host, zone,
					ntohs(address->sin6_port));
		return snprintf(text, RW_TEXT_MAX_BYTES, "%s %u", host, ntohs(address->sin6_port));
	}
	return -EAFNOSUPPORT;
}

RW_API int32_t rw_address(uint32_t id, uint32_t handle, uint32_t which)
{
	int32_t result;
	struct ring *ring = ring_find(id, &result);
	struct connection *connection;
	struct sockaddr_storage storage = { 0 };
	socklen_t bytes = sizeof storage;

	if (!ring)
		return result;
	connection = connection_find(ring, handle);
	if (!connection || connection->fd < 0)
		return -EBADF;
	if (which > RW_ADDRESS_PEER)
		return -EINVAL;
	result = which == RW_ADDRESS_PEER ? getpeername(connection->fd, (struct sockaddr *)&storage, &bytes)
					  : getsockname(connection->fd, (struct sockaddr *)&storage, &bytes);
	if (result < 0)
		return -errno;
	result = describe(&storage, bytes, (char *)ring->block + RW_TEXT_OFFSET);
	if (result >= 0)
		ring->control[RW_FIELD_TEXT_BYTES] = (uint32_t)result;
	return result;
}

/* Copies the endpoint out of the block, where JavaScript may change it, checks it and reads its address. */
static int32_t endpoint_read(struct opening *opening)
{
	struct rw_endpoint *endpoint = &opening->endpoint;
	int32_t result;

	memcpy(endpoint, opening->ring->block + RW_ENDPOINT_OFFSET, sizeof *endpoint);
	result = endpoint_check(endpoint);
	if (result < 0)
		return result;
	return endpoint_parse(endpoint->family, endpoint->host, endpoint->host_bytes, endpoint->port, &opening->address);
}

/* What rw_connect and rw_listen begin with: the endpoint of the block, a slot, a socket. After -errno nothing is held. */
int32_t opening_begin(uint32_t id, struct opening *opening)
{
	int32_t result;

	opening->ring = ring_find(id, &result);
	if (!opening->ring)
		return result;
	if (opening->ring->broken)
		return opening->ring->broken;
	result = endpoint_read(opening);
	if (result == 0 && opening->address.family != AF_UNIX)
		result = busy_poll(opening->ring, opening->endpoint.busy_poll_us);
	if (result < 0)
		return result;
	opening->connection = connection_new(opening->ring);
	if (!opening->connection)
		return -ENOSPC;
	result = endpoint_socket(&opening->endpoint, opening->address.family);
	if (result < 0) {
		connection_free(opening->ring, opening->connection);
		return result;
	}
	opening->connection->fd = result;
	opening->connection->flags = opening->address.family == AF_UNIX ? FLAG_STREAM_UNIX : 0;
	if (!(opening->ring->features & RW_FEATURE_RECEIVE_STAMPS) || opening->address.family == AF_UNIX)
		return 0;
	/* Accepted sockets inherit it. */
	result = set(result, SOL_SOCKET, SO_TIMESTAMPNS, 1);
	return result < 0 ? opening_undo(opening, result) : 0;
}

/* Gives back what opening_begin took, before anything was prepared for it. Returns the error, so that callers can return it. */
int32_t opening_undo(struct opening *opening, int32_t error)
{
	close(opening->connection->fd);
	connection_free(opening->ring, opening->connection);
	return error;
}

/* Submits at once (a parked loop need not be told) and leaves the handle in the control page. */
int32_t opening_submit(struct opening *opening)
{
	int32_t result = ring_submit(opening->ring, false);

	if (result < 0)
		return result;
	opening->ring->control[RW_FIELD_HANDLE] = connection_handle(opening->ring, opening->connection);
	return 0;
}
