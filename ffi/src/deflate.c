/*
 * Compressing messages, by our own encoder: on short messages it takes half of zlib's time for the same size; see
 * bench/deflate_library.md. What it writes, zlib reads back in the tests and under the fuzzers.
 */
#include "codec.h"

#include "encoder.h"

#include <errno.h>

void deflate_release(struct codec *codec)
{
	encoder_close(codec->encoder);
	codec->encoder = NULL;
	codec->held_bytes = 0;
}

RW_API int32_t rw_deflate(uint32_t id, const void *in, uint32_t in_offset, uint32_t in_bytes, void *out, uint32_t out_offset,
			  uint32_t out_capacity, uint32_t flags)
{
	int32_t error;
	struct codec *codec = codec_find(id, CODEC_DEFLATE, &error);

	if (!codec)
		return error;
	if (!in || !out || in_bytes == 0 || in_bytes > RW_CODEC_MAX_BYTES || (flags & ~(uint32_t)RW_CODEC_FRESH))
		return -EINVAL;
	if (out_capacity < RW_DEFLATE_BOUND(in_bytes))
		return -ENOBUFS;
	if (!codec->encoder) {
		codec->encoder = encoder_open(codec->window_bits, codec->level, codec->memory_level);
		if (!codec->encoder)
			return -ENOMEM;
		codec->held_bytes = (uint32_t)encoder_bytes(codec->window_bits, codec->memory_level);
	}
	return (int32_t)encoder_message(codec->encoder, (const uint8_t *)in + in_offset, in_bytes, (uint8_t *)out + out_offset,
					(flags & RW_CODEC_FRESH) != 0);
}
