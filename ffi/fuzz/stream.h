/*
 * Bytes that say where they belong: the first of a stream is its number, every other follows from the number and the
 * position. Who receives can tell lost, doubled, swapped and foreign bytes at once.
 */
#ifndef RINGWIRE_FUZZ_STREAM_H
#define RINGWIRE_FUZZ_STREAM_H

#include "fuzz.h"

#define STREAMS_MAX 255u

struct stream {
	uint64_t sent;        /* handed to whoever sends */
	uint64_t promised;    /* of these, what has to arrive when the connection is closed in order */
	bool is_peers;        /* written by the harness's own socket */
	bool is_whole;        /* the writer's connection was closed in order */
};

/* One direction of one connection, as seen by its receiving end. */
struct reader {
	uint8_t number;       /* 0: no byte yet */
	uint64_t position;
};

void streams_clear(void);
/* A new stream's number, or 0 when there are no more. */
uint8_t stream_new(bool is_peers);
struct stream *stream_at(uint8_t number);
void stream_fill(uint8_t number, uint64_t position, uint8_t *out, size_t bytes);
void stream_read(struct reader *reader, const uint8_t *data, size_t bytes, const char *who);

#endif
