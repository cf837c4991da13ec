/*
 * Masking (RFC 6455 §5.3): XOR with a repeating 4-byte key.
 *
 * All vector widths are multiples of four, so the key never needs rotating inside a call.
 */
#include "kernels.h"

#include <string.h>

void mask_scalar(uint8_t *to, const uint8_t *from, size_t bytes, uint32_t key)
{
	const uint64_t wide = (uint64_t)key << 32 | key;
	size_t i = 0;

	for (; i + 8 <= bytes; i += 8) {
		uint64_t word;
		memcpy(&word, from + i, sizeof word);
		word ^= wide;
		memcpy(to + i, &word, sizeof word);
	}
	for (; i < bytes; i++)
		to[i] = from[i] ^ (uint8_t)(key >> 8 * (i & 3));
}

#if defined(__x86_64__)
#include <immintrin.h>

__attribute__((target("sse2"))) void mask_sse2(uint8_t *to, const uint8_t *from, size_t bytes, uint32_t key)
{
	const __m128i wide = _mm_set1_epi32((int)key);
	size_t i = 0;

	for (; i + 16 <= bytes; i += 16) {
		__m128i some = _mm_loadu_si128((const __m128i *)(from + i));
		_mm_storeu_si128((__m128i *)(to + i), _mm_xor_si128(some, wide));
	}
	mask_scalar(to + i, from + i, bytes - i, key);
}

__attribute__((target("avx2"))) void mask_avx2(uint8_t *to, const uint8_t *from, size_t bytes, uint32_t key)
{
	const __m256i wide = _mm256_set1_epi32((int)key);
	size_t i = 0;

	for (; i + 64 <= bytes; i += 64) {
		const __m256i *source = (const __m256i *)(from + i);
		__m256i *target = (__m256i *)(to + i);
		__m256i low = _mm256_loadu_si256(source), high = _mm256_loadu_si256(source + 1);
		_mm256_storeu_si256(target, _mm256_xor_si256(low, wide));
		_mm256_storeu_si256(target + 1, _mm256_xor_si256(high, wide));
	}
	for (; i + 32 <= bytes; i += 32) {
		__m256i some = _mm256_loadu_si256((const __m256i *)(from + i));
		_mm256_storeu_si256((__m256i *)(to + i), _mm256_xor_si256(some, wide));
	}
	mask_scalar(to + i, from + i, bytes - i, key);
}

__attribute__((target("avx512f,avx512bw"))) void mask_avx512(uint8_t *to, const uint8_t *from, size_t bytes, uint32_t key)
{
	const __m512i wide = _mm512_set1_epi32((int)key);
	size_t i = 0;

	/* Stores that cross a cache line cost most at this width: reach alignment with one masked step. */
	if (bytes >= 256 && ((uintptr_t)to & 3) == 0) {
		size_t head = (64 - ((uintptr_t)to & 63)) & 63;
		__mmask64 lanes = ((__mmask64)1 << head) - 1;
		_mm512_mask_storeu_epi8(to, lanes,
					_mm512_xor_si512(_mm512_maskz_loadu_epi8(lanes, from), wide));
		i = head; /* a multiple of four: the key stands as it was */
	}
	for (; i + 64 <= bytes; i += 64)
		_mm512_storeu_si512(to + i, _mm512_xor_si512(_mm512_loadu_si512(from + i), wide));
	if (i < bytes) {
		__mmask64 lanes = ((__mmask64)1 << (bytes - i)) - 1;
		_mm512_mask_storeu_epi8(to + i, lanes,
					_mm512_xor_si512(_mm512_maskz_loadu_epi8(lanes, from + i), wide));
	}
}

#elif defined(__aarch64__)
#include <arm_neon.h>

void mask_neon(uint8_t *to, const uint8_t *from, size_t bytes, uint32_t key)
{
	const uint8x16_t wide = vreinterpretq_u8_u32(vdupq_n_u32(key));
	size_t i = 0;

	for (; i + 32 <= bytes; i += 32) {
		uint8x16_t low = vld1q_u8(from + i), high = vld1q_u8(from + i + 16);
		vst1q_u8(to + i, veorq_u8(low, wide));
		vst1q_u8(to + i + 16, veorq_u8(high, wide));
	}
	for (; i + 16 <= bytes; i += 16)
		vst1q_u8(to + i, veorq_u8(vld1q_u8(from + i), wide));
	mask_scalar(to + i, from + i, bytes - i, key);
}
#endif
