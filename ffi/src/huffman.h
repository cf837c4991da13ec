/*
 * Prefix codes for DEFLATE blocks (RFC 1951 §3.2.2, §3.2.7).
 */
#ifndef RINGWIRE_HUFFMAN_H
#define RINGWIRE_HUFFMAN_H

#include <stdint.h>

#define HUFFMAN_MAX_SYMBOLS 288u

/* Code lengths of at most `limit` bits, close to the shortest total. Symbols that do not occur get length 0. Fewer than two
 * that occur: two get 1 bit each, as every inflater takes it. `counts` is padded with zeros to a multiple of four. */
void huffman_lengths(const uint16_t *counts, uint32_t symbols, uint32_t limit, uint8_t *lengths);

/* The codes of given lengths, reversed as DEFLATE packs them. */
void huffman_codes(const uint8_t *lengths, uint32_t symbols, uint16_t *codes);

#endif
