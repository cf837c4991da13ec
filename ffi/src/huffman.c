/*
 * Building prefix codes: sorting by count, lengths in place after Moffat and Katajainen ("In-place calculation of minimum-redundancy
 * codes", 1995), then the lengths are brought within the limit.
 *
 * For messages of some hundred bytes this is where zlib spends a third of its time: it works with a heap.
 */
#include "huffman.h"

#include <string.h>

#define SYMBOL_BITS 9u
#define SYMBOL_MASK ((1u << SYMBOL_BITS) - 1)
#define MAX_BITS 15u
/* Counts below this are sorted by counting; in short messages, that is all of them but one or two. */
#define BUCKETS 64u

/* Fills `sorted` with count << SYMBOL_BITS | symbol, ascending by count. Returns how many symbols occur. */
static uint32_t sort_symbols(const uint16_t *counts, uint32_t symbols, uint32_t *sorted)
{
	uint32_t found[HUFFMAN_MAX_SYMBOLS], used = 0, at = 0, large;
	uint16_t starts[BUCKETS] = { 0 };

	for (uint32_t symbol = 0; symbol < symbols; symbol += 4) {
		/* Most symbols do not occur in a short message: four at a time. */
		uint64_t four;
		memcpy(&four, counts + symbol, 8);
		while (four) {
			uint32_t lane = (uint32_t)__builtin_ctzll(four) >> 4, count = counts[symbol + lane];
			found[used++] = count << SYMBOL_BITS | (symbol + lane);
			starts[count < BUCKETS ? count : BUCKETS - 1]++;
			four &= ~(0xffffull << 16 * lane);
		}
	}
	for (uint32_t bucket = 0; bucket < BUCKETS; bucket++) {
		uint32_t size = starts[bucket];
		starts[bucket] = (uint16_t)at;
		at += size;
	}
	large = starts[BUCKETS - 1];
	for (uint32_t i = 0; i < used; i++) {
		uint32_t count = found[i] >> SYMBOL_BITS;
		sorted[starts[count < BUCKETS ? count : BUCKETS - 1]++] = found[i];
	}
	/* The last bucket holds different counts; long messages have up to 286 there, still few. */
	for (uint32_t i = large + 1; i < used; i++) {
		uint32_t value = sorted[i], to = i;
		for (; to > large && sorted[to - 1] > value; to--)
			sorted[to] = sorted[to - 1];
		sorted[to] = value;
	}
	return used;
}

/* Turns ascending weights into how many codes there are of each length, 1 to `limit`. n >= 2. */
static void count_lengths(uint32_t *a, uint32_t n, uint32_t limit, uint32_t *of_length)
{
	uint32_t leaf = 0, root = 0;

	/* The tree, bottom up: inner nodes come in ascending order too, so two queues do. a[inner] becomes the parent's index. */
	for (uint32_t next = 0; next < n - 1; next++) {
		uint32_t weight = 0;
		for (int child = 0; child < 2; child++) {
			if (leaf >= n || (root < next && a[root] < a[leaf])) {
				weight += a[root];
				a[root++] = next;
			} else {
				weight += a[leaf++];
			}
		}
		a[next] = weight;
	}
	/* Top down: each inner node is a leaf that becomes two, one deeper. At the limit, the next shorter leaf is split instead. */
	a[n - 2] = 0;
	of_length[1] = 2;
	for (uint32_t node = n - 2; node-- > 0;) {
		uint32_t depth = a[a[node]] + 1;
		a[node] = depth;
		if (depth >= limit)
			for (depth = limit - 1; of_length[depth] == 0;)
				depth--;
		of_length[depth]--;
		of_length[depth + 1] += 2;
	}
}

void huffman_codes(const uint8_t *lengths, uint32_t symbols, uint16_t *codes)
{
	uint16_t counts[MAX_BITS + 1] = { 0 }, next[MAX_BITS + 1];
	uint32_t code = 0;

	for (uint32_t symbol = 0; symbol < symbols; symbol++)
		counts[lengths[symbol]]++;
	counts[0] = 0;
	for (uint32_t bits = 1; bits <= MAX_BITS; bits++) {
		code = (code + counts[bits - 1]) << 1;
		next[bits] = (uint16_t)code;
	}
	for (uint32_t symbol = 0; symbol < symbols; symbol++) {
		uint32_t bits = lengths[symbol], value;
		if (bits == 0) {
			/* Symbols that do not occur come in long runs. */
			while (symbol + 8 <= symbols && memcmp(lengths + symbol, "\0\0\0\0\0\0\0", 8) == 0)
				symbol += 8;
			if (symbol >= symbols || (bits = lengths[symbol]) == 0)
				continue;
		}
		value = next[bits]++;
		/* Reversed: the first bit of a code is sent first, but DEFLATE fills bytes from the lowest bit. */
		value = (value & 0x5555) << 1 | (value >> 1 & 0x5555);
		value = (value & 0x3333) << 2 | (value >> 2 & 0x3333);
		value = (value & 0x0f0f) << 4 | (value >> 4 & 0x0f0f);
		value = (value & 0x00ff) << 8 | (value >> 8 & 0x00ff);
		codes[symbol] = (uint16_t)(value >> (16 - bits));
	}
}

void huffman_lengths(const uint16_t *counts, uint32_t symbols, uint32_t limit, uint8_t *lengths)
{
	uint32_t sorted[HUFFMAN_MAX_SYMBOLS], weights[HUFFMAN_MAX_SYMBOLS], of_length[MAX_BITS + 2] = { 0 };
	uint32_t used = sort_symbols(counts, symbols, sorted), i = 0;

	memset(lengths, 0, symbols);
	if (used < 2) {
		uint32_t only = used ? sorted[0] & SYMBOL_MASK : 0;
		lengths[only] = 1;
		lengths[only ? 0 : 1] = 1;
	} else {
		for (i = 0; i < used; i++)
			weights[i] = sorted[i] >> SYMBOL_BITS;
		count_lengths(weights, used, limit, of_length);
		i = 0;
		for (uint32_t bits = limit; bits > 0; bits--)
			for (uint32_t count = of_length[bits]; count > 0; count--)
				lengths[sorted[i++] & SYMBOL_MASK] = (uint8_t)bits;
	}
}
