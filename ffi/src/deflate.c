/*
 * Compressing messages: zlib, and libdeflate where a message stands alone and may come as a final block.
 *
 * Why these two: bench/deflate_library.md.
 */
#include "codec.h"

#include <errno.h>
#include <libdeflate.h>
#include <stdlib.h>

/* zlib has no raw window of 256 bytes. With one of 512 it refers to nothing farther back than
 * 512 - (MIN_LOOKAHEAD = 262) = 250 bytes, so that a receiver with 256 reads it. */
#define LEAST_WINDOW_BITS 9u
/* As many bytes as RFC 7692 §7.2.1 cuts off. */
#define TAIL_BYTES 4u
/* libdeflate's advantage lies in what a message costs before its first byte; beyond this size, zlib's output needs less of a bound. */
#define ALONE_MAX_BYTES 65536u

/* libdeflate has one allocator for everything, without an argument. */
static _Thread_local uint32_t allocated_bytes;

static void *allocate(size_t bytes)
{
	allocated_bytes += (uint32_t)bytes;
	return malloc(bytes);
}

__attribute__((constructor)) static void count_allocations(void)
{
	libdeflate_set_memory_allocator(allocate, free);
}

static int32_t open_stream(struct codec *codec)
{
	z_stream *stream = calloc(1, sizeof *stream);
	int bits = codec->window_bits < LEAST_WINDOW_BITS ? (int)LEAST_WINDOW_BITS : codec->window_bits;

	if (!stream)
		return -ENOMEM;
	stream->zalloc = codec_allocate;
	stream->zfree = codec_free;
	stream->opaque = codec;
	if (deflateInit2(stream, codec->level, Z_DEFLATED, -bits, codec->memory_level, Z_DEFAULT_STRATEGY) != Z_OK) {
		free(stream);
		codec->held_bytes = 0;
		return -ENOMEM;
	}
	codec->held_bytes += (uint32_t)sizeof *stream;
	codec->stream = stream;
	return 0;
}

void deflate_release(struct codec *codec)
{
	if (codec->stream) {
		deflateEnd(codec->stream);
		free(codec->stream);
	}
	if (codec->compressor)
		libdeflate_free_compressor(codec->compressor);
	codec->stream = NULL;
	codec->compressor = NULL;
	codec->held_bytes = 0;
}

/* The whole message as final blocks, and the byte of zeros behind them that RFC 7692 §7.2.3.4 asks for. Returns 0 when
 * it cannot be done this way. libdeflate always uses the largest window: a message that is no longer than ours cannot refer beyond. */
static int32_t deflate_alone(struct codec *codec, const uint8_t *in, uint32_t in_bytes, uint8_t *out, uint32_t capacity)
{
	size_t size;

	if (in_bytes > ALONE_MAX_BYTES || in_bytes > 1u << codec->window_bits)
		return 0;
	if (!codec->compressor) {
		allocated_bytes = 0;
		codec->compressor = libdeflate_alloc_compressor(codec->level);
		if (!codec->compressor)
			return 0;
		codec->held_bytes += allocated_bytes;
	}
	size = libdeflate_deflate_compress(codec->compressor, in, in_bytes, out, capacity - 1);
	if (size == 0)
		return 0;
	out[size] = 0;
	return (int32_t)size + 1;
}

RW_API int32_t rw_deflate(uint32_t id, const void *in, uint32_t in_offset, uint32_t in_bytes, void *out, uint32_t out_offset,
			  uint32_t out_capacity, uint32_t flags)
{
	int32_t result;
	struct codec *codec = codec_find(id, CODEC_DEFLATE, &result);
	z_stream *stream;

	if (!codec)
		return result;
	if (!in || !out || in_bytes == 0 || in_bytes > RW_CODEC_MAX_BYTES ||
	    (flags & ~(uint32_t)(RW_CODEC_FRESH | RW_CODEC_FINAL)) || flags == RW_CODEC_FINAL)
		return -EINVAL;
	if (out_capacity < RW_DEFLATE_BOUND(in_bytes))
		return -ENOBUFS;
	if (flags & RW_CODEC_FINAL) {
		result = deflate_alone(codec, (const uint8_t *)in + in_offset, in_bytes, (uint8_t *)out + out_offset,
				       out_capacity);
		if (result > 0)
			return result;
	}
	if (!codec->stream) {
		result = open_stream(codec);
		if (result < 0)
			return result;
	} else if (flags & RW_CODEC_FRESH) {
		deflateReset(codec->stream);
	}
	stream = codec->stream;
	stream->next_in = (uint8_t *)(uintptr_t)in + in_offset;
	stream->avail_in = in_bytes;
	stream->next_out = (uint8_t *)out + out_offset;
	stream->avail_out = out_capacity;
	/* A flush ends with the tail; that all of it is there shows in room being left. */
	if (deflate(stream, Z_SYNC_FLUSH) != Z_OK || stream->avail_in != 0 || stream->avail_out == 0)
		return -EIO;
	stream->next_in = NULL;
	return (int32_t)(out_capacity - stream->avail_out - TAIL_BYTES);
}
