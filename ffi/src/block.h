/*
 * One block of a DEFLATE stream: its tokens, and their way into bits (RFC 1951 §3.2.3 to §3.2.7).
 */
#ifndef RINGWIRE_BLOCK_H
#define RINGWIRE_BLOCK_H

#include "huffman.h"

#include <stdint.h>
#include <string.h>

#define MIN_MATCH 3u
#define MAX_MATCH 258u
#define LITERALS 286u
#define DISTANCES 30u
#define BLOCK_TOKENS 8192u

/* Bits on their way into memory: lowest bit first. Stores go up to eight bytes beyond `at`. */
struct writer { uint8_t *at; uint64_t bits; uint32_t count; };

struct block {
	uint32_t tokens[BLOCK_TOKENS]; /* a literal, or length << 16 | distance */
	uint32_t count, matches;
	/* Padded to a multiple of four. */
	uint16_t literal_counts[LITERALS + 2], distance_counts[DISTANCES + 2];
};

extern uint8_t block_length_symbols[MAX_MATCH + 1];  /* symbol - 257 */
extern uint8_t block_distance_symbols[512];          /* of distance - 1 below 256, then of (distance - 1) >> 7 */
extern uint16_t block_length_savings[MAX_MATCH + 1]; /* bits against literals, both by the fixed codes; the distance's extra bits not counted */

static inline uint32_t block_distance_symbol(uint32_t distance)
{
	distance--;
	return block_distance_symbols[distance < 256 ? distance : 256 + (distance >> 7)];
}

static inline void block_add_literal(struct block *block, uint8_t byte)
{
	block->tokens[block->count++] = byte;
	block->literal_counts[byte]++;
}

static inline void block_add_match(struct block *block, uint32_t length, uint32_t distance)
{
	block->matches++;
	block->tokens[block->count++] = length << 16 | distance;
	block->literal_counts[257 + block_length_symbols[length]]++;
	block->distance_counts[block_distance_symbol(distance)]++;
}

/* Writes the tokens, which stand for `bytes` bytes at `in`, in the shortest of the three forms, and empties the block. */
void block_put(struct block *block, struct writer *writer, const uint8_t *in, uint32_t bytes);
/* The header of an empty stored block, up to the next byte: a flush, but for the four bytes that RFC 7692 §7.2.1 cuts off. */
void block_put_flush(struct writer *writer);

#endif
