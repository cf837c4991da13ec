/*
 * The private shape of codecs: what is behind a handle.
 */
#ifndef RINGWIRE_CODEC_H
#define RINGWIRE_CODEC_H

#include "handle_table.h"
#include "ringwire.h"

#include <stdbool.h>
#include <zlib.h>

enum codec_kind { CODEC_DEFLATE = 1, CODEC_INFLATE = 2 };

struct codec {
	struct handle handle;
	uint8_t kind, window_bits, level, memory_level;

	/* State, made when it is first needed: a stream to inflate, an encoder to deflate. */
	z_stream *stream;
	struct encoder *encoder;
	uint32_t held_bytes;    /* allocated for it */
	bool is_broken;         /* a stream with takeover that has met corrupt bytes */

	/* A message that is being inflated, in one call or in several. */
	bool is_pending;
	bool is_complete;       /* all of it was seen; `spill` may be left */
	bool has_spill;         /* `spill` is the next byte of it */
	uint8_t spill;
	uint8_t finals;         /* final blocks in it */
	uint32_t taken;         /* bytes of it and of its tail that are done with */
	uint32_t pending_bytes; /* how many it has without its tail */
};

/* ── codec.c ── */
struct codec *codec_find(uint32_t id, enum codec_kind kind, int32_t *error);
/* Allocation for zlib, counted in held_bytes; opaque is the codec. */
void *codec_allocate(void *opaque, unsigned items, unsigned size);
void codec_free(void *opaque, void *memory);

/* ── deflate.c, inflate.c ── */
void deflate_release(struct codec *codec);
void inflate_release(struct codec *codec);

#endif
