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

static int upgrade(int fd, struct tls *tls, const char *host, uint16_t port, const char *path, const char *fields,
		   char *text, size_t text_bytes)
{
	size_t have = 0;
	int length = snprintf(text, text_bytes,
			      "GET %s HTTP/1.1\r\nHost: %s:%u\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
			      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n%s\r\n",
			      path, host, port, fields);

	if (length < 0 || (size_t)length >= text_bytes ||
	    (tls ? tls_write(tls, fd, text, (size_t)length) : write(fd, text, (size_t)length)) != length)
		return -1;
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

static int connect_and_upgrade(const char *host, uint16_t port, const char *path, const char *fields, char *head,
			       size_t head_bytes, SSL_CTX *context, struct tls **tls)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };
	/* A server that accepts but never answers must not hang the bench. */
	struct timeval limit = { .tv_sec = 10 }, none = { 0 };
	int on = 1;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || inet_pton(AF_INET, host, &address.sin_addr) != 1) {
		fprintf(stderr, "load: bad host \"%s\" (an IPv4 address is needed) or no socket\n", host);
		goto failed;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		fprintf(stderr, "load: cannot connect to %s:%u: %s\n", host, port, strerror(errno));
		goto failed;
	}
	if (context) {
		*tls = tls_begin(context, fd);
		if (!*tls)
			goto failed;
	}
	if (upgrade(fd, context ? *tls : NULL, host, port, path, fields, head, head_bytes) < 0) {
		fprintf(stderr, "load: %s:%u did not upgrade to WebSocket\n", host, port);
		goto failed;
	}
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &none, sizeof(none));
	return fd;
failed:
	if (fd >= 0)
		close(fd);
	return -1;
}

int websocket_connect(const char *host, uint16_t port, const char *path, SSL_CTX *context, struct tls **tls)
{
	char head[2048];

	return connect_and_upgrade(host, port, path, "", head, sizeof(head), context, tls);
}

int websocket_connect_with(const char *host, uint16_t port, const char *path, const char *fields, char *head,
			   size_t head_bytes)
{
	return connect_and_upgrade(host, port, path, fields, head, head_bytes, NULL, NULL);
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
