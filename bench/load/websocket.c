/*
 * websocket.c: see websocket.h.
 */
#include "websocket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

/* Connections whose requests are under way together: the server answers one while we write the next. */
#define TOGETHER 64u
/* Connections from one of our addresses, 127.0.0.1 and up: it has 28,000 ports. */
#define PER_ADDRESS 20000u

static int write_request(int fd, struct tls *tls, const char *host, uint16_t port, const char *path, const char *fields)
{
	char text[1024];
	int length = snprintf(text, sizeof(text),
			      "GET %s HTTP/1.1\r\nHost: %s:%u\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
			      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n%s\r\n",
			      path, host, port, fields);

	if (length < 0 || (size_t)length >= sizeof(text))
		return -1;
	return (tls ? tls_write(tls, fd, text, (size_t)length) : write(fd, text, (size_t)length)) == length ? 0 : -1;
}

static int read_answer(int fd, struct tls *tls, char *text, size_t text_bytes)
{
	size_t have = 0;

	for (;;) {
		ssize_t got = tls ? tls_read(tls, fd, text + have, text_bytes - 1 - have)
				  : read(fd, text + have, text_bytes - 1 - have);
		char *end;

		if (got <= 0)
			return -1;
		have += (size_t)got;
		text[have] = 0;
		end = strstr(text, "\r\n\r\n");
		if (end)
			return strncmp(text, "HTTP/1.1 101", 12) == 0 && end + 4 == text + have ? 0 : -1;
		if (have == text_bytes - 1)
			return -1;
	}
}

/* A socket, connected and without Nagle's delay; -1 with a line on stderr. `own_address`: how far behind 127.0.0.1 ours is. */
static int connect_socket(const char *host, uint16_t port, uint32_t own_address)
{
	struct sockaddr_in server = { .sin_family = AF_INET, .sin_port = htons(port) }, own = { .sin_family = AF_INET };
	/* A server that accepts but never answers must not hang the bench. */
	struct timeval limit = { .tv_sec = 10 };
	int on = 1;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || inet_pton(AF_INET, host, &server.sin_addr) != 1) {
		fprintf(stderr, "load: bad host \"%s\" (an IPv4 address is needed) or no socket: %s\n", host, strerror(errno));
		return -1;
	}
	own.sin_addr.s_addr = htonl(INADDR_LOOPBACK + own_address);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	if ((own_address > 0 && bind(fd, (struct sockaddr *)&own, sizeof(own)) < 0) ||
	    connect(fd, (struct sockaddr *)&server, sizeof(server)) < 0) {
		fprintf(stderr, "load: cannot connect to %s:%u: %s\n", host, port, strerror(errno));
		close(fd);
		return -1;
	}
	return fd;
}

/* What remains once a connection is upgraded, or was not. */
static int finish(int fd, int result, const char *host, uint16_t port)
{
	struct timeval none = { 0 };

	if (result == 0) {
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &none, sizeof(none));
		return fd;
	}
	fprintf(stderr, "load: %s:%u did not upgrade to WebSocket\n", host, port);
	close(fd);
	return -1;
}

int websocket_connect_tls(const char *host, uint16_t port, const char *path, SSL_CTX *context, struct tls **tls)
{
	char head[2048];
	int fd = connect_socket(host, port, 0);

	if (fd < 0)
		return -1;
	*tls = tls_begin(context, fd);
	if (!*tls) {
		close(fd);
		return -1;
	}
	return finish(fd, write_request(fd, *tls, host, port, path, "") | read_answer(fd, *tls, head, sizeof(head)), host, port);
}

int websocket_connect_with(const char *host, uint16_t port, const char *path, const char *fields, char *head,
			   size_t head_bytes)
{
	int fd = connect_socket(host, port, 0);

	if (fd < 0)
		return -1;
	return finish(fd, write_request(fd, NULL, host, port, path, fields) | read_answer(fd, NULL, head, head_bytes), host, port);
}

int websocket_connect_many(const char *host, uint16_t port, const char *path, const char *fields, int *fds,
			   uint32_t first, uint32_t count)
{
	char head[2048];

	for (uint32_t done = 0; done < count; done += TOGETHER) {
		uint32_t group = count - done < TOGETHER ? count - done : TOGETHER;

		for (uint32_t i = 0; i < group; i++) {
			int fd = connect_socket(host, port, (first + done + i) / PER_ADDRESS);

			fds[done + i] = fd;
			if (fd < 0 || write_request(fd, NULL, host, port, path, fields) < 0)
				return -1;
		}
		for (uint32_t i = 0; i < group; i++)
			if (finish(fds[done + i], read_answer(fds[done + i], NULL, head, sizeof(head)), host, port) < 0)
				return -1;
	}
	return 0;
}

uint8_t *websocket_frames(uint32_t count, uint32_t payload_bytes, uint32_t *frame_bytes)
{
	static const uint8_t key[4] = { 0x37, 0xfa, 0x21, 0x3d };
	uint32_t header_bytes = payload_bytes < 126 ? 6 : payload_bytes < 65536 ? 8 : 14;
	uint8_t *frames, *at;

	*frame_bytes = header_bytes + payload_bytes;
	frames = at = malloc((size_t)count * *frame_bytes);
	if (!frames)
		return NULL;
	at[0] = 0x82; /* FIN, binary */
	if (header_bytes == 6) {
		at[1] = (uint8_t)(0x80 | payload_bytes);
	} else if (header_bytes == 8) {
		at[1] = 0x80 | 126;
		at[2] = (uint8_t)(payload_bytes >> 8);
		at[3] = (uint8_t)payload_bytes;
	} else {
		at[1] = 0x80 | 127;
		memset(at + 2, 0, 4);
		for (int i = 0; i < 4; i++)
			at[6 + i] = (uint8_t)(payload_bytes >> (24 - 8 * i));
	}
	memcpy(at + header_bytes - 4, key, 4);
	for (uint32_t i = 0; i < payload_bytes; i++)
		at[header_bytes + i] = websocket_pattern(i) ^ key[i & 3];
	for (uint32_t i = 1; i < count; i++)
		memcpy(frames + (size_t)i * *frame_bytes, frames, *frame_bytes);
	return frames;
}

static int refuse(const char *what, uint32_t got)
{
	fprintf(stderr, "load: the server sent a frame with %s (%u)\n", what, got);
	return -1;
}

/* The header is whole: reads it. Returns 0, or -1 when the frame is not what was asked for. */
static int read_header(struct websocket_reader *reader, uint32_t expected_bytes)
{
	const uint8_t *header = reader->header;
	uint64_t length = header[1];

	if (header[0] != 0x82)
		return refuse("another first byte than 0x82", header[0]);
	if (length == 126)
		length = (uint64_t)header[2] << 8 | header[3];
	else if (length == 127)
		for (int i = length = 0; i < 8; i++)
			length = length << 8 | header[2 + i];
	if (length != expected_bytes)
		return refuse("a wrong length", (uint32_t)length);
	reader->payload_bytes = reader->payload_left = (uint32_t)length;
	reader->header_have = reader->header_need = 0;
	return 0;
}

/* Frames that lie whole in front of us with a 2-byte header: the common case of small messages. */
static inline size_t skip_small(const uint8_t *data, size_t bytes, uint32_t payload_bytes, int *count)
{
	size_t at = 0;

	while (bytes - at >= payload_bytes + 2 && data[at] == 0x82 && data[at + 1] == payload_bytes) {
		at += payload_bytes + 2;
		++*count;
	}
	return at;
}

int websocket_read(struct websocket_reader *reader, const uint8_t *data, size_t bytes,
		   uint32_t payload_bytes, int check_content)
{
	size_t at = 0;
	int count = 0;

	while (at < bytes) {
		if (reader->payload_left > 0) {
			size_t take = bytes - at < reader->payload_left ? bytes - at : reader->payload_left;

			if (check_content) {
				uint32_t from = reader->payload_bytes - reader->payload_left;

				for (size_t i = 0; i < take; i++)
					if (data[at + i] != websocket_pattern(from + (uint32_t)i))
						return refuse("other content than was sent, at byte",
							      from + (uint32_t)i);
			}
			at += take;
			reader->payload_left -= (uint32_t)take;
			count += reader->payload_left == 0;
			continue;
		}
		if (!check_content && reader->header_have == 0 && payload_bytes < 126) {
			at += skip_small(data + at, bytes - at, payload_bytes, &count);
			if (at == bytes)
				break;
		}
		reader->header[reader->header_have++] = data[at++];
		if (reader->header_have == 2) {
			uint32_t length = reader->header[1];

			if (length & 0x80)
				return refuse("a mask", length);
			reader->header_need = length == 127 ? 10 : length == 126 ? 4 : 2;
		}
		if (reader->header_need > 0 && reader->header_have == reader->header_need &&
		    read_header(reader, payload_bytes) < 0)
			return -1;
	}
	return count;
}
