/*
 * websocket.h: as much of RFC 6455 as a load generator needs: the client's handshake, frames built in
 * advance, and a parser that only counts what a server sends back.
 */
#ifndef RINGWIRE_BENCH_WEBSOCKET_H
#define RINGWIRE_BENCH_WEBSOCKET_H

#include "tls.h"

#include <stddef.h>
#include <stdint.h>

/*
 * All connect (blocking, TCP_NODELAY) and upgrade; `fields` are further request fields ("Name: value\r\n" each, or ""). They return the socket or 0, or
 * -1 with a line on stderr. Bytes behind the response head are an error: nobody has asked the server for anything yet.
 */

/* Over TLS; *tls becomes what goes on with it. */
int websocket_connect_tls(const char *host, uint16_t port, const char *path, SSL_CTX *context, struct tls **tls);

/* The answer's head, at most `head_bytes` with its final 0, is copied to `head`. */
int websocket_connect_with(const char *host, uint16_t port, const char *path, const char *fields, char *head,
			   size_t head_bytes);

/* Fills `fds` with `count` sockets, of which this is number `first` and up: beyond 20,000 they come from further addresses of ours (127.0.0.2 …). */
int websocket_connect_many(const char *host, uint16_t port, const char *path, const char *fields, int *fds,
			   uint32_t first, uint32_t count);

/* Builds `count` equal masked binary frames back to back in new memory, which the caller frees.
 * *frame_bytes becomes the length of one. */
uint8_t *websocket_frames(uint32_t count, uint32_t payload_bytes, uint32_t *frame_bytes);

/* The byte at an index of every payload, before masking. */
static inline uint8_t websocket_pattern(uint32_t index)
{
	return (uint8_t)(index * 31u + 7u);
}

/* Where a connection is within what the server sends. */
struct websocket_reader {
	uint8_t header[10];
	uint32_t header_have;
	uint32_t header_need;     /* 0: the second byte is not known yet */
	uint32_t payload_left;
	uint32_t payload_bytes;
};

/* Takes bytes from a server. Each frame must be an unfragmented binary one of exactly payload_bytes.
 * check_content compares every payload byte as well. Returns the number of frames that ended, or -1
 * with a line on stderr. */
int websocket_read(struct websocket_reader *reader, const uint8_t *data, size_t bytes,
		   uint32_t payload_bytes, int check_content);

#endif
