/*
 * Opening, finding and closing codecs.
 *
 * As with rings: the table is only written in open and close, under a mutex; calls in between compare two
 * atomics. Its pages are never freed, so that a stale handle looks at no freed memory.
 */
#include "codec.h"

#include "ring.h"

#include <pthread.h>
#include <stdlib.h>

#define PAGE_BITS 10u
#define PAGE_SLOTS (1u << PAGE_BITS)
#define PAGES 1024u
#define SLOT_MASK ((1u << RW_HANDLE_SLOT_BITS) - 1)
#define GENERATIONS 2047u /* 11 bits: handles stay positive */

static struct codec *_Atomic pages[PAGES];
static uint32_t slots_used, free_first; /* free_first: slot + 1 */
static pthread_mutex_t codecs_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_key_t thread_key;
static bool has_thread_key;

/* The child's one thread has another id: it finds no codec to be its own. */
static void renew_after_fork(void)
{
	pthread_mutex_init(&codecs_mutex, NULL);
}

static void release(struct codec *codec)
{
	if (codec->kind == CODEC_DEFLATE)
		deflate_release(codec);
	else
		inflate_release(codec);
	atomic_store_explicit(&codec->id, 0, memory_order_release);
	atomic_store(&codec->owner, 0);
}

static struct codec *slot_at(uint32_t slot)
{
	struct codec *page = atomic_load_explicit(&pages[slot >> PAGE_BITS], memory_order_acquire);
	return page ? &page[slot & (PAGE_SLOTS - 1)] : NULL;
}

static void put_back(struct codec *codec, uint32_t slot)
{
	codec->next = free_first;
	free_first = slot + 1;
}

static void close_codecs_of_thread(void *unused)
{
	int32_t thread = current_thread();

	(void)unused;
	pthread_mutex_lock(&codecs_mutex);
	for (uint32_t slot = 0; slot < slots_used; slot++) {
		struct codec *codec = slot_at(slot);

		if (atomic_load(&codec->id) == 0 || atomic_load(&codec->owner) != thread)
			continue;
		release(codec);
		put_back(codec, slot);
	}
	pthread_mutex_unlock(&codecs_mutex);
}

/* The library is linked with -z nodelete, so these stay valid after a dlclose. */
__attribute__((constructor)) static void watch_forks_and_threads(void)
{
	pthread_atfork(NULL, NULL, renew_after_fork);
	has_thread_key = pthread_key_create(&thread_key, close_codecs_of_thread) == 0;
}

struct codec *codec_find(uint32_t id, enum codec_kind kind, int32_t *error)
{
	uint32_t slot = id & SLOT_MASK;
	struct codec *codec = slot == 0 ? NULL : slot_at(slot - 1);

	if (!codec || id == 0 || atomic_load_explicit(&codec->id, memory_order_acquire) != id) {
		*error = -EINVAL;
		return NULL;
	}
	if (atomic_load_explicit(&codec->owner, memory_order_relaxed) != current_thread()) {
		*error = -EXDEV;
		return NULL;
	}
	if (kind != 0 && codec->kind != kind) {
		*error = -EINVAL;
		return NULL;
	}
	return codec;
}

/* Under the mutex. Returns a slot, or -errno. */
static int32_t take_slot(void)
{
	uint32_t slot = slots_used;

	if (free_first != 0) {
		slot = free_first - 1;
		free_first = slot_at(slot)->next;
		return (int32_t)slot;
	}
	if (slot >= RW_CODEC_LIMIT)
		return -EMFILE;
	if (!slot_at(slot)) {
		struct codec *page = calloc(PAGE_SLOTS, sizeof *page);
		if (!page)
			return -ENOMEM;
		atomic_store_explicit(&pages[slot >> PAGE_BITS], page, memory_order_release);
	}
	slots_used++;
	return (int32_t)slot;
}

static int32_t open_codec(enum codec_kind kind, uint32_t window_bits, uint32_t level, uint32_t memory_level)
{
	struct codec *codec;
	int32_t slot, handle;

	pthread_mutex_lock(&codecs_mutex);
	slot = take_slot();
	if (slot < 0) {
		pthread_mutex_unlock(&codecs_mutex);
		return slot;
	}
	codec = slot_at((uint32_t)slot);
	codec->generation = codec->generation % GENERATIONS + 1;
	codec->kind = (uint8_t)kind;
	codec->window_bits = (uint8_t)window_bits;
	codec->level = (uint8_t)level;
	codec->memory_level = (uint8_t)memory_level;
	codec->stream = NULL;
	codec->encoder = NULL;
	codec->held_bytes = 0;
	codec->is_broken = codec->is_pending = codec->has_spill = false;
	atomic_store(&codec->owner, current_thread());
	if (has_thread_key)
		pthread_setspecific(thread_key, codec);
	handle = (int32_t)(codec->generation << RW_HANDLE_SLOT_BITS | ((uint32_t)slot + 1));
	atomic_store_explicit(&codec->id, (uint32_t)handle, memory_order_release);
	pthread_mutex_unlock(&codecs_mutex);
	return handle;
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
	pthread_mutex_lock(&codecs_mutex);
	release(codec);
	put_back(codec, (id & SLOT_MASK) - 1);
	pthread_mutex_unlock(&codecs_mutex);
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
