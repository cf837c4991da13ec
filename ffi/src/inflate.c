/*
 * Restoring messages: zlib, and libdeflate where a message stands alone and fits into the room there is.
 *
 * The input is foreign: nothing here may trust it. What the output may be is the caller's room, to the byte.
 */
#include "codec.h"

#include <errno.h>
#include <libdeflate.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* What a sender cut off (RFC 7692 §7.2.2), and a final block for libdeflate, which wants to see the end. */
static const uint8_t tail[] = { 0x00, 0x00, 0xff, 0xff, 0x01, 0x00, 0x00, 0xff, 0xff };
#define TAIL_BYTES 4u
#define FINAL_TAIL_BYTES 9u
/* A final block ends zlib's stream; to begin it anew costs much more than the two bytes it costs to send one. */
#define MAX_FINALS 16u
/* libdeflate needs the tail behind the message, and what lies there is not ours: the message is copied. Above this size
 * it goes to zlib, which takes both from where they are. */
#define ALONE_MAX_BYTES 16384u
/* z_stream.data_type after inflate: the low bits count unread bits of the last byte; this one: at the end of a block. */
#define AT_BLOCK_END 128

/* One decompressor per thread: it keeps nothing from call to call. */
static _Thread_local struct libdeflate_decompressor *decompressor;
static pthread_key_t decompressor_key;
static bool has_decompressor_key;

static void free_decompressor(void *unused)
{
	(void)unused;
	libdeflate_free_decompressor(decompressor);
	decompressor = NULL;
}

__attribute__((constructor)) static void watch_threads(void)
{
	has_decompressor_key = pthread_key_create(&decompressor_key, free_decompressor) == 0;
}

static struct libdeflate_decompressor *get_decompressor(void)
{
	if (!decompressor && has_decompressor_key) {
		decompressor = libdeflate_alloc_decompressor();
		if (decompressor)
			pthread_setspecific(decompressor_key, decompressor);
	}
	return decompressor;
}

static int32_t open_stream(struct codec *codec)
{
	z_stream *stream = calloc(1, sizeof *stream);

	if (!stream)
		return -ENOMEM;
	stream->zalloc = codec_allocate;
	stream->zfree = codec_free;
	stream->opaque = codec;
	if (inflateInit2(stream, -(int)codec->window_bits) != Z_OK) {
		free(stream);
		codec->held_bytes = 0;
		return -ENOMEM;
	}
	codec->held_bytes += (uint32_t)sizeof *stream;
	codec->stream = stream;
	return 0;
}

void inflate_release(struct codec *codec)
{
	if (codec->stream) {
		inflateEnd(codec->stream);
		free(codec->stream);
	}
	codec->stream = NULL;
	codec->held_bytes = 0;
}

/* A whole message at once. Returns its size, or -EAGAIN: let zlib say what is the matter. */
static int32_t inflate_alone(const uint8_t *in, uint32_t in_bytes, uint8_t *out, uint32_t capacity)
{
	static _Thread_local uint8_t joined[ALONE_MAX_BYTES + FINAL_TAIL_BYTES];
	struct libdeflate_decompressor *own = get_decompressor();
	size_t taken, size;

	if (!own || in_bytes > ALONE_MAX_BYTES)
		return -EAGAIN;
	memcpy(joined, in, in_bytes);
	memcpy(joined + in_bytes, tail, FINAL_TAIL_BYTES);
	if (libdeflate_deflate_decompress_ex(own, joined, in_bytes + FINAL_TAIL_BYTES, out, capacity, &taken, &size) !=
	    LIBDEFLATE_SUCCESS)
		return -EAGAIN;
	/* Its final block was ours; or it was the sender's, with nothing or one byte of zeros behind. */
	if (taken == in_bytes + FINAL_TAIL_BYTES || taken == in_bytes || (taken + 1 == in_bytes && in[taken] == 0))
		return (int32_t)size;
	return -EAGAIN;
}

/* The stream has ended with a final block: it goes on behind it, with the window it has. */
static bool continue_behind_final(struct codec *codec)
{
	uint8_t window[1 << 15];
	uInt bytes = 0;
	z_stream *stream = codec->stream;

	return ++codec->finals <= MAX_FINALS && inflateGetDictionary(stream, window, &bytes) == Z_OK &&
	       inflateReset(stream) == Z_OK && (bytes == 0 || inflateSetDictionary(stream, window, bytes) == Z_OK);
}

/* Runs the message and its tail from where `taken` stands. Returns Z_OK: done; Z_BUF_ERROR: no room is left; else: corrupt. */
static int run(struct codec *codec, const uint8_t *in, uint32_t in_bytes)
{
	z_stream *stream = codec->stream;

	while (!codec->is_complete) {
		bool is_tail = codec->taken >= in_bytes;
		uint32_t end = is_tail ? in_bytes + TAIL_BYTES : in_bytes;
		int result;

		if (codec->taken == end && is_tail) {
			/* A message that was cut off ends inside a block, or in the middle of a byte. */
			if (stream->data_type != AT_BLOCK_END)
				return Z_DATA_ERROR;
			codec->is_complete = true;
			break;
		}
		stream->avail_in = end - codec->taken;
		stream->next_in = is_tail ? (uint8_t *)(uintptr_t)tail + (codec->taken - in_bytes)
					  : (uint8_t *)(uintptr_t)in + codec->taken;
		result = inflate(stream, Z_SYNC_FLUSH);
		codec->taken = end - stream->avail_in;
		if (result == Z_STREAM_END) {
			if (!continue_behind_final(codec))
				return Z_DATA_ERROR;
			/* Behind a final block the tail means nothing; zlib holds back no output at the end of a stream. */
			codec->is_complete = codec->taken >= in_bytes;
		} else if (result != Z_OK && result != Z_BUF_ERROR) {
			return result;
		} else if (stream->avail_out == 0) {
			return Z_BUF_ERROR;
		} else if (codec->taken != end) {
			return Z_DATA_ERROR;
		}
	}
	return Z_OK;
}

/* The same, one byte further than there is room, so that a message that just fits is told from one that does not. */
static int run_beyond(struct codec *codec, const uint8_t *in, uint32_t in_bytes)
{
	z_stream *stream = codec->stream;
	int result = run(codec, in, in_bytes);

	if (result != Z_BUF_ERROR)
		return result;
	stream->next_out = &codec->spill;
	stream->avail_out = 1;
	result = run(codec, in, in_bytes);
	codec->has_spill = stream->avail_out == 0;
	stream->avail_out = 0;
	if (codec->has_spill && result == Z_OK)
		return Z_BUF_ERROR;
	return result;
}

static int32_t begin(struct codec *codec, uint32_t flags)
{
	if (codec->is_broken)
		return -EILSEQ;
	if (!codec->stream)
		return open_stream(codec);
	if (flags & RW_CODEC_FRESH)
		inflateReset(codec->stream);
	return 0;
}

static int32_t inflate_stream(struct codec *codec, const uint8_t *in, uint32_t in_bytes, uint8_t *out, uint32_t capacity,
			      uint32_t flags)
{
	z_stream *stream;
	uint32_t before = 0;
	int32_t error;
	int result;

	if (!(flags & RW_CODEC_MORE)) {
		error = begin(codec, flags);
		if (error < 0)
			return error;
		codec->taken = 0;
		codec->finals = 0;
		codec->has_spill = codec->is_complete = false;
	} else if (codec->has_spill && capacity > 0) {
		out[0] = codec->spill;
		codec->has_spill = false;
		before = 1;
	} else if (codec->has_spill) {
		codec->is_pending = true;
		return -ENOBUFS;
	}
	stream = codec->stream;
	stream->next_out = out + before;
	stream->avail_out = capacity - before;
	result = run_beyond(codec, in, in_bytes);
	stream->next_in = NULL;
	codec->is_pending = result == Z_BUF_ERROR;
	if (result == Z_BUF_ERROR)
		return -ENOBUFS;
	if (result == Z_OK)
		return (int32_t)(capacity - stream->avail_out);
	codec->is_broken = !(flags & RW_CODEC_FRESH);
	return result == Z_MEM_ERROR ? -ENOMEM : -EILSEQ;
}

RW_API int32_t rw_inflate(uint32_t id, const void *in, uint32_t in_offset, uint32_t in_bytes, void *out, uint32_t out_offset,
			  uint32_t out_capacity, uint32_t flags)
{
	int32_t result;
	struct codec *codec = codec_find(id, CODEC_INFLATE, &result);
	const uint8_t *from;
	uint8_t *to;

	if (!codec)
		return result;
	if (!in || !out || in_bytes > RW_CODEC_MAX_BYTES || out_capacity > RW_CODEC_MAX_BYTES ||
	    (flags & ~(uint32_t)(RW_CODEC_FRESH | RW_CODEC_MORE)))
		return -EINVAL;
	/* With takeover, a message that was begun must be seen to its end. */
	if (codec->is_pending ? !flags : (flags & RW_CODEC_MORE) != 0)
		return -EINVAL;
	/* `taken` counts in the bytes of before. */
	if ((flags & RW_CODEC_MORE) && in_bytes != codec->pending_bytes)
		return -EINVAL;
	codec->is_pending = false;
	codec->pending_bytes = in_bytes;
	from = (const uint8_t *)in + in_offset;
	to = (uint8_t *)out + out_offset;
	if (flags == RW_CODEC_FRESH) {
		result = inflate_alone(from, in_bytes, to, out_capacity);
		if (result >= 0)
			return result;
	}
	return inflate_stream(codec, from, in_bytes, to, out_capacity, flags);
}
