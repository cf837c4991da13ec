/*
 * Matches are found as zlib finds them, by chains of positions with equal hashes and by looking one byte ahead (lazy matching). What
 * differs, and makes it twice as fast on messages of some hundred bytes (bench/deflate_library.md): hashes of four bytes, and a table
 * without chains for matches of three; eight bytes are compared at a time; of two matches the one that saves more bits is taken;
 * codes are made in linear time, and only where they can pay; and a message without takeover clears no tables: older positions are just too old.
 */
#include "encoder.h"

#include "block.h"

#include <stdlib.h>
#include <string.h>

/* Loads of eight bytes may begin at the last byte of the window. */
#define PADDING 16u

/* By level. Whoever wants to know what they mean: zlib's deflateTune. */
struct effort { uint16_t good, lazy, nice, chain; };
static const struct effort efforts[10] = {
	{ 0, 0, 0, 0 }, { 4, 0, 16, 4 }, { 4, 0, 24, 6 }, { 4, 4, 32, 8 }, { 4, 8, 32, 12 }, { 8, 16, 64, 20 },
	{ 8, 32, 128, 48 }, { 8, 64, 128, 128 }, { 32, 128, 258, 512 }, { 32, 258, 258, 2048 },
};

struct encoder {
	uint32_t window_bytes, room_bytes, hash_bits;
	struct effort effort;
	uint32_t low;       /* nothing before this position may be referred to */
	uint32_t position;  /* up to here it is encoded */
	uint32_t inserted;  /* up to here positions are in the tables */
	uint8_t *window;    /* room_bytes + PADDING */
	uint16_t *heads;    /* 1 << hash_bits: the last position with a hash; 0: none */
	uint16_t *shorts;   /* the same for three bytes */
	uint16_t *chain;    /* by position: the one before with its hash */
};

/* One per thread, because nothing of it outlives a call. */
static _Thread_local struct block thread_block;

static inline uint32_t load32(const uint8_t *at)
{
	uint32_t value;
	memcpy(&value, at, 4);
	return value;
}

static inline uint64_t load64(const uint8_t *at)
{
	uint64_t value;
	memcpy(&value, at, 8);
	return value;
}

/* ── memory ───────────────────────────────────────────────────────────────────────────────────*/

static uint32_t room_of(uint32_t window_bits)
{
	uint32_t window = 1u << window_bits;
	/* What lies beyond the window is moved seldom; positions fit into 16 bits. */
	return window + (window / 2 > 1024 ? window / 2 : 1024);
}

/* As zlib has it, but no more places than positions. */
static uint32_t hash_bits_of(uint32_t window_bits, uint32_t memory_level)
{
	return memory_level + 7 < window_bits ? memory_level + 7 : window_bits;
}

size_t encoder_bytes(uint32_t window_bits, uint32_t memory_level)
{
	uint32_t bits = hash_bits_of(window_bits, memory_level);

	return sizeof(struct encoder) + (2u << bits) + (2u << (bits - 1)) + 3ull * room_of(window_bits) + PADDING;
}

struct encoder *encoder_open(uint32_t window_bits, uint32_t level, uint32_t memory_level)
{
	struct encoder *encoder = calloc(1, encoder_bytes(window_bits, memory_level));

	if (!encoder)
		return NULL;
	encoder->window_bytes = 1u << window_bits;
	encoder->room_bytes = room_of(window_bits);
	encoder->hash_bits = hash_bits_of(window_bits, memory_level);
	encoder->effort = efforts[level];
	encoder->heads = (uint16_t *)(encoder + 1);
	encoder->shorts = encoder->heads + (1u << encoder->hash_bits);
	encoder->chain = encoder->shorts + (1u << (encoder->hash_bits - 1));
	encoder->window = (uint8_t *)(encoder->chain + encoder->room_bytes);
	/* Position 0 stands for none. */
	encoder->position = encoder->inserted = encoder->low = 1;
	return encoder;
}

void encoder_close(struct encoder *encoder)
{
	free(encoder);
}

static void slide_table(uint16_t *table, uint32_t count, uint16_t by)
{
	for (uint32_t i = 0; i < count; i++)
		table[i] = table[i] > by ? (uint16_t)(table[i] - by) : 0;
}

/* Moves the window's last bytes to the front. */
static void slide(struct encoder *encoder)
{
	uint32_t by = encoder->position - 1 - encoder->window_bytes, kept = encoder->position - by;

	memmove(encoder->window, encoder->window + by, kept);
	memmove(encoder->chain, encoder->chain + by, 2ull * kept);
	slide_table(encoder->heads, 1u << encoder->hash_bits, (uint16_t)by);
	slide_table(encoder->shorts, 1u << (encoder->hash_bits - 1), (uint16_t)by);
	slide_table(encoder->chain, kept, (uint16_t)by);
	encoder->position -= by;
	encoder->inserted -= by;
	encoder->low = encoder->low > by + 1 ? encoder->low - by : 1;
}

/* ── matches ──────────────────────────────────────────────────────────────────────────────────*/

static inline uint32_t hash(uint32_t bytes, uint32_t bits)
{
	return (bytes * 0x9e3779b1u) >> (32 - bits);
}

/* Enters a position, four bytes of which are there. */
static inline void insert(struct encoder *encoder, uint32_t at)
{
	uint32_t bytes = load32(encoder->window + at), slot = hash(bytes, encoder->hash_bits);

	encoder->chain[at] = encoder->heads[slot];
	encoder->heads[slot] = (uint16_t)at;
	encoder->shorts[hash(bytes << 8, encoder->hash_bits - 1)] = (uint16_t)at;
}

static inline void insert_to(struct encoder *encoder, uint32_t to, uint32_t end)
{
	uint32_t last = end >= 4 ? end - 3 : 0;

	if (to > last)
		to = last;
	for (uint32_t at = encoder->inserted; at < to; at++)
		insert(encoder, at);
	if (encoder->inserted < to)
		encoder->inserted = to;
}

static inline uint32_t match_length(const uint8_t *a, const uint8_t *b, uint32_t from, uint32_t limit)
{
	uint32_t length = from;

	while (length + 8 <= limit) {
		uint64_t difference = load64(a + length) ^ load64(b + length);
		if (difference)
			return length + ((uint32_t)__builtin_ctzll(difference) >> 3);
		length += 8;
	}
	while (length < limit && a[length] == b[length])
		length++;
	return length;
}

struct match { uint32_t length, distance; int32_t saved; };

/* Bits that a match saves against literals, all by the fixed codes. */
static inline int32_t saving(uint32_t length, uint32_t distance)
{
	uint32_t extra = distance > 4 ? 30u - (uint32_t)__builtin_clz(distance - 1) : 0;
	return (int32_t)block_length_savings[length] - (int32_t)extra;
}

/* The longest match at a position that is longer than `best`; enters the position. */
static inline struct match find(struct encoder *encoder, uint32_t at, uint32_t end, uint32_t best, int32_t saved, uint32_t tries)
{
	const uint8_t *window = encoder->window, *here = window + at;
	uint32_t limit = end - at < MAX_MATCH ? end - at : MAX_MATCH, nice = encoder->effort.nice < limit ? encoder->effort.nice : limit;
	uint32_t floor = at > encoder->window_bytes ? at - encoder->window_bytes : 1;
	uint32_t bytes = load32(here), slot = hash(bytes, encoder->hash_bits), short_slot = hash(bytes << 8, encoder->hash_bits - 1);
	uint32_t candidate = encoder->heads[slot], near = encoder->shorts[short_slot];
	struct match match = { best, 0, saved };

	if (floor < encoder->low)
		floor = encoder->low;
	encoder->chain[at] = (uint16_t)candidate;
	encoder->heads[slot] = encoder->shorts[short_slot] = (uint16_t)at;
	encoder->inserted = at + 1;
	if (best < MIN_MATCH && near >= floor && ((load32(window + near) ^ bytes) & 0xffffff) == 0 &&
	    saving(MIN_MATCH, at - near) > saved) {
		match.length = MIN_MATCH;
		match.distance = at - near;
		match.saved = saving(MIN_MATCH, at - near);
	}
	for (; candidate >= floor && tries > 0; candidate = encoder->chain[candidate], tries--) {
		const uint8_t *there = window + candidate;
		uint32_t length;
		if (load32(there) != bytes || load32(there + match.length - 3) != load32(here + match.length - 3))
			continue;
		length = match_length(there, here, 4, limit);
		if (length > match.length && saving(length, at - candidate) > match.saved) {
			match.length = length;
			match.distance = at - candidate;
			match.saved = saving(length, at - candidate);
			if (length >= nice)
				break;
		}
	}
	return match;
}

/* Encodes from encoder->position up to `end`, which the window reaches. `raw` is where those bytes came from, `begun`
 * where those of the current block begin there. */
static const uint8_t *encode(struct encoder *encoder, struct writer *writer, uint32_t end, const uint8_t *raw, const uint8_t *begun)
{
	const struct effort *effort = &encoder->effort;
	struct block *block = &thread_block;
	uint32_t first = encoder->position, at = first;

	/* The last three positions of what came before could not be entered without what follows them. */
	insert_to(encoder, at, end);
	while (at < end) {
		struct match match = { 0, 0, 0 };
		if (end - at >= 4)
			match = find(encoder, at, end, MIN_MATCH - 1, 0, effort->chain);
		if (match.distance == 0) {
			block_add_literal(block, encoder->window[at++]);
		} else {
			while (match.length < effort->lazy && at + 1 + match.length < end && end - at > 4 &&
			       block->count < BLOCK_TOKENS - 2) {
				uint32_t tries = match.length >= effort->good ? effort->chain >> 2 : effort->chain;
				struct match next = find(encoder, at + 1, end, match.length - 1, match.saved, tries);
				if (next.distance == 0)
					break;
				block_add_literal(block, encoder->window[at++]);
				match = next;
			}
			block_add_match(block, match.length, match.distance);
			insert_to(encoder, at + match.length, end);
			at += match.length;
		}
		if (block->count >= BLOCK_TOKENS - 2) {
			block_put(block, writer, begun, (uint32_t)(raw + (at - first) - begun));
			begun = raw + (at - first);
		}
	}
	encoder->position = end;
	return begun;
}

size_t encoder_message(struct encoder *encoder, const uint8_t *in, size_t bytes, uint8_t *out, bool is_fresh)
{
	struct writer writer = { out, 0, 0 };
	const uint8_t *begun = in, *end = in + bytes;

	if (is_fresh)
		encoder->low = encoder->inserted = encoder->position;
	while (in < end) {
		size_t left = (size_t)(end - in), part = encoder->room_bytes - encoder->position;
		if (part < left && encoder->position > encoder->window_bytes + 1) {
			slide(encoder);
			part = encoder->room_bytes - encoder->position;
		}
		part = part < left ? part : left;
		memcpy(encoder->window + encoder->position, in, part);
		begun = encode(encoder, &writer, encoder->position + (uint32_t)part, in, begun);
		in += part;
	}
	if (begun < end)
		block_put(&thread_block, &writer, begun, (uint32_t)(end - begun));
	block_put_flush(&writer);
	return (size_t)(writer.at - out);
}
