/*
 * Opening, finding and closing codecs.
 */
#include "codec.h"

#include <errno.h>
#include <stdlib.h>

static void release(struct handle *item)
{
	struct codec *codec = (struct codec *)item;

	if (codec->kind == CODEC_DEFLATE)
		deflate_release(codec);
	else
		inflate_release(codec);
}

static struct handle_table codecs = { .limit = RW_CODEC_LIMIT, .item_bytes = sizeof(struct codec), .release = release };

__attribute__((constructor)) static void watch(void)
{
	handle_table_watch(&codecs);
}

struct codec *codec_find(uint32_t id, enum codec_kind kind, int32_t *error)
{
	struct codec *codec = (struct codec *)handle_find(&codecs, id, error);

	if (codec && kind != 0 && codec->kind != kind) {
		*error = -EINVAL;
		return NULL;
	}
	return codec;
}

static int32_t open_codec(enum codec_kind kind, uint32_t window_bits, uint32_t level, uint32_t memory_level)
{
	int32_t error;
	struct codec *codec = (struct codec *)handle_take(&codecs, &error);

	if (!codec)
		return error;
	codec->kind = (uint8_t)kind;
	codec->window_bits = (uint8_t)window_bits;
	codec->level = (uint8_t)level;
	codec->memory_level = (uint8_t)memory_level;
	codec->stream = NULL;
	codec->encoder = NULL;
	codec->held_bytes = 0;
	codec->is_broken = codec->is_pending = codec->has_spill = false;
	return handle_publish(&codecs, &codec->handle);
}

RW_API int32_t rw_deflate_open(uint32_t window_bits, uint32_t level, uint32_t memory_level)
{
	if (window_bits < 8 || window_bits > 15 || level < 1 || level > 9 || memory_level < 1 || memory_level > 9)
		return -EINVAL;
	return open_codec(CODEC_DEFLATE, window_bits, level, memory_level);
}

RW_API int32_t rw_inflate_open(uint32_t window_bits)
{
	if (window_bits < 8 || window_bits > 15)
		return -EINVAL;
	return open_codec(CODEC_INFLATE, window_bits, 0, 0);
}

RW_API int32_t rw_codec_close(uint32_t id)
{
	int32_t error;
	struct codec *codec = codec_find(id, 0, &error);

	if (!codec)
		return error;
	handle_close(&codecs, &codec->handle);
	return 0;
}

RW_API int32_t rw_codec_bytes(uint32_t id)
{
	int32_t error;
	struct codec *codec = codec_find(id, 0, &error);

	return codec ? (int32_t)codec->held_bytes : error;
}

void *codec_allocate(void *opaque, unsigned items, unsigned size)
{
	struct codec *codec = opaque;
	void *memory = calloc(items, size);

	if (memory)
		codec->held_bytes += items * size;
	return memory;
}

void codec_free(void *opaque, void *memory)
{
	(void)opaque;
	free(memory);
}
