/*
 * The other side of the wire in the harness. See peer.h.
 */
#include "peer.h"

#include <errno.h>
#include <openssl/err.h>
#include <unistd.h>

static struct peer peers[PEERS_MAX];

void peers_clear(void)
{
	for (uint32_t i = 0; i < PEERS_MAX; i++)
		peers[i] = (struct peer){ .fd = -1 };
}

void peers_close(void)
{
	for (uint32_t i = 0; i < PEERS_MAX; i++)
		if (peers[i].fd >= 0)
			peer_close(&peers[i], true);
}

static struct peer *take(int fd)
{
	for (uint32_t i = 0; fd >= 0 && i < PEERS_MAX; i++) {
		if (peers[i].fd >= 0 || peers[i].has_seen_end)
			continue;
		peers[i] = (struct peer){ .fd = fd };
		return &peers[i];
	}
	if (fd >= 0)
		close(fd);
	return NULL;
}

struct peer *peer_connect(const struct address *address)
{
	int fd = socket(address->storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return NULL;
	if (connect(fd, (const struct sockaddr *)&address->storage, address->bytes) < 0 && errno != EINPROGRESS) {
		close(fd);
		return NULL;
	}
	return take(fd);
}

struct peer *peer_accept(int listener)
{
	return take(accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC));
}

struct peer *peer_pick(uint32_t n)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < PEERS_MAX; i++)
		count += peers[i].fd >= 0;
	if (count == 0)
		return NULL;
	n %= count;
	for (uint32_t i = 0; i < PEERS_MAX; i++)
		if (peers[i].fd >= 0 && n-- == 0)
			return &peers[i];
	return NULL;
}

void peer_secure(struct peer *peer, bool is_server)
{
	peer->ssl = secure_peer(is_server, peer->fd);
}

/* Sends through OpenSSL, which has to be given the same bytes again as long as it has not sent their record. */
static ssize_t seal(struct peer *peer, const uint8_t *data, uint32_t bytes)
{
	int result;

	ERR_clear_error();
	result = SSL_write(peer->ssl, data, (int)bytes);
	peer->pending = result > 0 || SSL_get_error(peer->ssl, result) != SSL_ERROR_WANT_WRITE ? 0 : bytes;
	ERR_clear_error();
	return result;
}

void peer_send(struct peer *peer, uint32_t bytes)
{
	static uint8_t data[65536];
	struct stream *stream;
	ssize_t sent;

	if (peer->is_shut)
		return;
	if (peer->stream == 0)
		peer->stream = stream_new(true);
	if (peer->stream == 0)
		return;
	stream = stream_at(peer->stream);
	if (peer->pending > 0)
		bytes = peer->pending;
	/* One record at a time with TLS: of several OpenSSL may have sent the first ones and still say that it has sent nothing. */
	if (bytes > (peer->ssl ? SSL3_RT_MAX_PLAIN_LENGTH : sizeof data))
		bytes = peer->ssl ? SSL3_RT_MAX_PLAIN_LENGTH : sizeof data;
	if (bytes == 0)
		return;
	stream_fill(peer->stream, stream->sent, data, bytes);
	sent = peer->ssl ? seal(peer, data, bytes) : send(peer->fd, data, bytes, MSG_NOSIGNAL);
	if (sent > 0)
		stream->sent += (uint64_t)sent;
}

static void drop(struct peer *peer)
{
	SSL_free(peer->ssl);
	peer->ssl = NULL;
	close(peer->fd);
	peer->fd = -1;
}

static bool receive_sealed(struct peer *peer, uint32_t bytes)
{
	static uint8_t data[65536];
	int got, error;

	if (bytes == 0)
		return false;
	ERR_clear_error();
	got = SSL_read(peer->ssl, data, (int)(bytes < sizeof data ? bytes : sizeof data));
	if (got > 0) {
		stream_read(&peer->reader, data, (size_t)got, "peer");
		return true;
	}
	error = SSL_get_error(peer->ssl, got);
	ERR_clear_error();
	if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE)
		return false;
	peer->has_seen_end = error == SSL_ERROR_ZERO_RETURN;
	drop(peer);
	return false;
}

bool peer_receive(struct peer *peer, uint32_t bytes)
{
	static uint8_t data[65536];
	ssize_t got;

	if (peer->ssl)
		return receive_sealed(peer, bytes);
	got = recv(peer->fd, data, bytes < sizeof data ? bytes : sizeof data, 0);

	if (got > 0 && !peer->is_wild)
		stream_read(&peer->reader, data, (size_t)got, "peer");
	if (got == 0 && bytes > 0) {
		peer->has_seen_end = true;
		drop(peer);
	}
	return got > 0;
}

void peer_shut(struct peer *peer)
{
	peer->is_shut = true;
	/* With a record half sent, the goodbye would send the rest of it: bytes that nobody has counted. */
	if (peer->ssl && SSL_is_init_finished(peer->ssl) && peer->pending == 0) {
		SSL_shutdown(peer->ssl);
		ERR_clear_error();
	}
	shutdown(peer->fd, SHUT_WR);
}

void peer_close(struct peer *peer, bool is_reset)
{
	struct linger linger = { .l_onoff = 1, .l_linger = 0 };

	if (is_reset)
		setsockopt(peer->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
	drop(peer);
}

uint32_t peers_receive_all(void)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < PEERS_MAX; i++)
		while (peers[i].fd >= 0 && peer_receive(&peers[i], 65536))
			count++;
	return count;
}

void peers_require_whole(void)
{
	for (uint32_t i = 0; i < PEERS_MAX; i++) {
		const struct reader *reader = &peers[i].reader;
		const struct stream *stream;

		if (!peers[i].has_seen_end || reader->number == 0)
			continue;
		stream = stream_at(reader->number);
		REQUIRE(!stream->is_whole || reader->position == stream->promised,
			"a peer has read %llu bytes of stream %u to its end, %llu were promised",
			(unsigned long long)reader->position, reader->number, (unsigned long long)stream->promised);
	}
}
