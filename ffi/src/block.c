/*
 * Writing blocks: by the fixed codes, by codes of their own, or stored; whichever is shortest.
 */
#include "block.h"

#include <stdbool.h>

#define END_OF_BLOCK 256u
/* What codes of its own cost a block at least, in bits, and for each symbol that occurs. Below it they are not even
 * made: with takeover, short messages always go by the fixed ones. */
#define HEADER_BITS 40
#define SYMBOL_HEADER_BITS 2

uint8_t block_length_symbols[MAX_MATCH + 1];
uint8_t block_distance_symbols[512];
uint16_t block_length_savings[MAX_MATCH + 1];

/* 16 log2(1 + i / 16) */
static const uint8_t fractions[16] = { 0, 1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 12, 12, 13, 14, 15 };
static uint8_t static_lengths[HUFFMAN_MAX_SYMBOLS], static_distance_lengths[32];
static uint16_t static_codes[HUFFMAN_MAX_SYMBOLS], static_distance_codes[32];
static const uint16_t length_bases[29] = { 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99,
					   115, 131, 163, 195, 227, 258 };
static const uint8_t length_extra[29] = { 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0 };
static const uint16_t distance_bases[30] = { 1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025,
					     1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577 };
static const uint8_t distance_extra[30] = { 0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11,
					    12, 12, 13, 13 };

__attribute__((constructor)) static void make_tables(void)
{
	uint32_t symbol;

	for (symbol = 0; symbol < 29; symbol++)
		for (uint32_t i = 0; i < 1u << length_extra[symbol]; i++)
			if (length_bases[symbol] + i <= MAX_MATCH)
				block_length_symbols[length_bases[symbol] + i] = (uint8_t)symbol;
	for (uint32_t length = MIN_MATCH; length <= MAX_MATCH; length++)
		block_length_savings[length] = (uint16_t)(8 * length - 5 - length_extra[block_length_symbols[length]] -
						    (block_length_symbols[length] < 23 ? 7 : 8));
	for (symbol = 0; symbol < 30; symbol++) {
		for (uint32_t i = 0; i < 1u << distance_extra[symbol]; i++) {
			uint32_t distance = distance_bases[symbol] - 1u + i;
			block_distance_symbols[distance < 256 ? distance : 256 + (distance >> 7)] = (uint8_t)symbol;
		}
	}
	for (symbol = 0; symbol < HUFFMAN_MAX_SYMBOLS; symbol++)
		static_lengths[symbol] = symbol < 144 ? 8 : symbol < 256 ? 9 : symbol < 280 ? 7 : 8;
	memset(static_distance_lengths, 5, 32);
	huffman_codes(static_lengths, HUFFMAN_MAX_SYMBOLS, static_codes);
	huffman_codes(static_distance_lengths, 32, static_distance_codes);
}

/* 16 log2(value), value >= 1, rounded down. */
static inline int32_t log_of(uint32_t value)
{
	uint32_t exponent = 31 - (uint32_t)__builtin_clz(value);
	return (int32_t)(16 * exponent + fractions[(exponent > 4 ? value >> (exponent - 4) : value << (4 - exponent)) & 15]);
}

/* Up to 57 bits may be put between two flushes. */
static inline void put(struct writer *writer, uint64_t value, uint32_t bits)
{
	writer->bits |= value << writer->count;
	writer->count += bits;
}

static inline void flush(struct writer *writer)
{
	memcpy(writer->at, &writer->bits, 8);
	writer->at += writer->count >> 3;
	writer->bits >>= writer->count & ~7u;
	writer->count &= 7;
}

/* To the next byte. */
static void align(struct writer *writer)
{
	flush(writer);
	if (writer->count) {
		*writer->at++ = (uint8_t)writer->bits;
		writer->bits = writer->count = 0;
	}
}

static void put_tokens(struct writer *writer, const struct block *block, const uint8_t *lengths, const uint16_t *codes, const uint8_t *distance_lengths,
		       const uint16_t *distance_codes)
{
	for (uint32_t i = 0; i < block->count; i++) {
		uint32_t token = block->tokens[i], length = token >> 16, distance = token & 0xffff, symbol;
		if (length == 0) {
			put(writer, codes[distance], lengths[distance]);
		} else {
			symbol = block_length_symbols[length];
			put(writer, codes[257 + symbol], lengths[257 + symbol]);
			put(writer, length - length_bases[symbol], length_extra[symbol]);
			symbol = block_distance_symbol(distance);
			put(writer, distance_codes[symbol], distance_lengths[symbol]);
			put(writer, distance - distance_bases[symbol], distance_extra[symbol]);
		}
		flush(writer);
	}
	put(writer, codes[END_OF_BLOCK], lengths[END_OF_BLOCK]);
	flush(writer);
}

/* The code lengths of a block, as RFC 1951 §3.2.7 packs them. */
struct header {
	uint8_t symbols[LITERALS + DISTANCES], extra[LITERALS + DISTANCES];
	uint32_t count, literals, distances, packed_lengths;
	uint8_t lengths[19];
	uint16_t codes[19];
	uint32_t bits;
};
static const uint8_t packed_order[19] = { 16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15 };
static const uint8_t packed_extra[3] = { 2, 3, 7 };

static void make_header(struct header *header, const uint8_t *literal_lengths, const uint8_t *distance_lengths)
{
	uint8_t all[LITERALS + DISTANCES];
	uint16_t counts[20] = { 0 };
	uint32_t total, i = 0;

	for (header->literals = LITERALS; header->literals > 257 && literal_lengths[header->literals - 1] == 0;)
		header->literals--;
	for (header->distances = DISTANCES; header->distances > 1 && distance_lengths[header->distances - 1] == 0;)
		header->distances--;
	total = header->literals + header->distances;
	memcpy(all, literal_lengths, header->literals);
	memcpy(all + header->literals, distance_lengths, header->distances);
	header->count = 0;
	while (i < total) {
		uint32_t run = 1, symbol = all[i], extra = 0;
		while (i + run < total && all[i + run] == symbol)
			run++;
		if (symbol == 0 && run >= 3) {
			run = run < 138 ? run : 138;
			symbol = run < 11 ? 17 : 18;
			extra = run - (run < 11 ? 3 : 11);
		} else if (symbol != 0 && run >= 3 && i > 0 && all[i - 1] == symbol) {
			run = run < 6 ? run : 6;
			symbol = 16;
			extra = run - 3;
		} else {
			run = 1;
		}
		counts[symbol]++;
		header->symbols[header->count] = (uint8_t)symbol;
		header->extra[header->count++] = (uint8_t)extra;
		i += run;
	}
	huffman_lengths(counts, 19, 7, header->lengths);
	for (header->packed_lengths = 19; header->packed_lengths > 4 && header->lengths[packed_order[header->packed_lengths - 1]] == 0;)
		header->packed_lengths--;
	header->bits = 14 + 3 * header->packed_lengths;
	for (uint32_t symbol = 0; symbol < 19; symbol++)
		header->bits += counts[symbol] * (header->lengths[symbol] + (symbol >= 16 ? packed_extra[symbol - 16] : 0u));
}

static void put_header(struct writer *writer, const struct header *header)
{
	put(writer, header->literals - 257, 5);
	put(writer, header->distances - 1, 5);
	put(writer, header->packed_lengths - 4, 4);
	flush(writer);
	for (uint32_t i = 0; i < header->packed_lengths; i++) {
		put(writer, header->lengths[packed_order[i]], 3);
		if ((i & 15) == 15)
			flush(writer);
	}
	flush(writer);
	for (uint32_t i = 0; i < header->count; i++) {
		uint32_t symbol = header->symbols[i];
		put(writer, header->codes[symbol], header->lengths[symbol]);
		if (symbol >= 16)
			put(writer, header->extra[i], packed_extra[symbol - 16]);
		flush(writer);
	}
}

static uint32_t cost(const uint16_t *counts, const uint8_t *lengths, uint32_t symbols)
{
	uint32_t bits = 0;
	for (uint32_t symbol = 0; symbol < symbols; symbol++)
		bits += (uint32_t)counts[symbol] * lengths[symbol];
	return bits;
}

static void put_stored(struct writer *writer, const uint8_t *in, uint32_t bytes)
{
	while (bytes > 0) {
		uint32_t part = bytes < 65535 ? bytes : 65535;
		put(writer, 0, 3);
		align(writer);
		put(writer, part | (uint64_t)(~part & 0xffff) << 16, 32);
		flush(writer);
		memcpy(writer->at, in, part);
		writer->at += part;
		in += part;
		bytes -= part;
	}
}

/* What codes made for these counts would save against the fixed ones at best, in sixteenths of a bit; adds the symbols that occur. */
static int32_t best_saving(const uint16_t *counts, const uint8_t *fixed_lengths, uint32_t symbols, uint32_t total, uint32_t *used)
{
	int32_t saved = 0, of_total = log_of(total);

	for (uint32_t symbol = 0; symbol < symbols; symbol += 4) {
		uint64_t four;
		memcpy(&four, counts + symbol, 8);
		while (four) {
			uint32_t lane = (uint32_t)__builtin_ctzll(four) >> 4, count = counts[symbol + lane];
			saved += (int32_t)count * (16 * fixed_lengths[symbol + lane] - of_total + log_of(count));
			four &= ~(0xffffull << 16 * lane);
			++*used;
		}
	}
	return saved;
}

/* Whether codes of the block's own can be worth their header, which takes HEADER_BITS and some for each symbol. */
static bool may_pay(const struct block *block)
{
	uint32_t used = 0;
	int32_t saved = best_saving(block->literal_counts, static_lengths, LITERALS, block->count + 1, &used);

	if (block->matches > 0)
		saved += best_saving(block->distance_counts, static_distance_lengths, DISTANCES, block->matches, &used);
	return saved / 16 > (int32_t)(HEADER_BITS + SYMBOL_HEADER_BITS * used);
}

void block_put(struct block *block, struct writer *writer, const uint8_t *in, uint32_t bytes)
{
	uint8_t lengths[HUFFMAN_MAX_SYMBOLS], distance_lengths[32];
	uint16_t codes[HUFFMAN_MAX_SYMBOLS], distance_codes[32];
	struct header header;
	uint32_t fixed, dynamic, stored = 8 * bytes + 40;

	block->literal_counts[END_OF_BLOCK] = 1;
	fixed = cost(block->literal_counts, static_lengths, LITERALS) + cost(block->distance_counts, static_distance_lengths, DISTANCES);
	dynamic = UINT32_MAX;
	if (may_pay(block)) {
		huffman_lengths(block->literal_counts, LITERALS, 15, lengths);
		huffman_lengths(block->distance_counts, DISTANCES, 15, distance_lengths);
		make_header(&header, lengths, distance_lengths);
		dynamic = header.bits + cost(block->literal_counts, lengths, LITERALS) +
			  cost(block->distance_counts, distance_lengths, DISTANCES);
	}
	if (stored < (fixed < dynamic ? fixed : dynamic)) {
		put_stored(writer, in, bytes);
	} else if (fixed <= dynamic) {
		put(writer, 1 << 1, 3);
		put_tokens(writer, block, static_lengths, static_codes, static_distance_lengths, static_distance_codes);
	} else {
		huffman_codes(lengths, header.literals, codes);
		huffman_codes(distance_lengths, header.distances, distance_codes);
		huffman_codes(header.lengths, 19, header.codes);
		put(writer, 2 << 1, 3);
		put_header(writer, &header);
		put_tokens(writer, block, lengths, codes, distance_lengths, distance_codes);
	}
	block->count = block->matches = 0;
	memset(block->literal_counts, 0, sizeof block->literal_counts);
	memset(block->distance_counts, 0, sizeof block->distance_counts);
}

void block_put_flush(struct writer *writer)
{
	put(writer, 0, 3);
	align(writer);
}
