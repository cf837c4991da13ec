/*
 * CRC-32 (of zlib, gzip and PNG) while copying: memory is read once for both.
 */
#include "kernels.h"

#include <libdeflate.h>
#include <string.h>

/* So much is copied and then summed while it is in the first cache. */
#define PIECE_BYTES 4096u

uint32_t crc32_scalar(uint32_t sum, uint8_t *to, const uint8_t *from, size_t bytes)
{
	for (size_t done = 0, piece; done < bytes; done += piece) {
		piece = bytes - done < PIECE_BYTES ? bytes - done : PIECE_BYTES;
		if (to != from)
			memcpy(to + done, from + done, piece);
		sum = libdeflate_crc32(sum, to + done, piece);
	}
	return sum;
}

#if defined(__x86_64__)
#include <immintrin.h>

#define VPCLMULQDQ __attribute__((target("avx512f,avx512bw,vpclmulqdq,pclmul")))
#define STEP_BYTES 256u

/* What carries 128 bits of the message past D that follow: x^(D-32) and x^(D+32) modulo the polynomial, bits reflected and one to the left
 * (Gopal and others, "Fast CRC Computation for Generic Polynomials Using PCLMULQDQ Instruction", Intel 2009). */
#define PAST_2048 0x1322d1430, 0x11542778a
#define PAST_512 0x1c6e41596, 0x154442bd4
#define PAST_128 0x0ccaa009e, 0x1751997d0

VPCLMULQDQ static inline __m512i fold(__m512i sum, __m512i past, __m512i next)
{
	__m512i low = _mm512_clmulepi64_epi128(sum, past, 0x00), high = _mm512_clmulepi64_epi128(sum, past, 0x11);

	return _mm512_ternarylogic_epi64(low, high, next, 0x96);
}

VPCLMULQDQ static inline __m128i fold_lane(__m128i sum, __m128i past, __m128i next)
{
	__m128i low = _mm_clmulepi64_si128(sum, past, 0x00), high = _mm_clmulepi64_si128(sum, past, 0x11);

	return _mm_xor_si128(_mm_xor_si128(low, high), next);
}

VPCLMULQDQ static inline __m512i move(uint8_t *to, const uint8_t *from)
{
	__m512i some = _mm512_loadu_si512(from);

	_mm512_storeu_si512(to, some);
	return some;
}

VPCLMULQDQ uint32_t crc32_avx512(uint32_t sum, uint8_t *to, const uint8_t *from, size_t bytes)
{
	const __m512i past_2048 = _mm512_broadcast_i32x4(_mm_set_epi64x(PAST_2048));
	const __m512i past_512 = _mm512_broadcast_i32x4(_mm_set_epi64x(PAST_512));
	const __m128i past_128 = _mm_set_epi64x(PAST_128);
	__m512i a, b, c, d;
	__m128i rest;
	uint8_t left[16];
	size_t i = STEP_BYTES;

	/* The set asks for AVX-512 only, which some processors have without this. */
	if (bytes < STEP_BYTES || !__builtin_cpu_supports("vpclmulqdq") || !__builtin_cpu_supports("pclmul"))
		return crc32_scalar(sum, to, from, bytes);
	a = _mm512_xor_si512(move(to, from), _mm512_zextsi128_si512(_mm_cvtsi32_si128((int)~sum)));
	b = move(to + 64, from + 64);
	c = move(to + 128, from + 128);
	d = move(to + 192, from + 192);
	for (; i + STEP_BYTES <= bytes; i += STEP_BYTES) {
		a = fold(a, past_2048, move(to + i, from + i));
		b = fold(b, past_2048, move(to + i + 64, from + i + 64));
		c = fold(c, past_2048, move(to + i + 128, from + i + 128));
		d = fold(d, past_2048, move(to + i + 192, from + i + 192));
	}
	d = fold(fold(fold(a, past_512, b), past_512, c), past_512, d);
	rest = _mm512_castsi512_si128(d);
	rest = fold_lane(rest, past_128, _mm512_extracti32x4_epi32(d, 1));
	rest = fold_lane(rest, past_128, _mm512_extracti32x4_epi32(d, 2));
	rest = fold_lane(rest, past_128, _mm512_extracti32x4_epi32(d, 3));
	/* These 16 bytes have the remainder that everything so far has. ~0: nothing came before them. */
	_mm_storeu_si128((__m128i *)left, rest);
	sum = libdeflate_crc32(UINT32_MAX, left, sizeof left);
	return crc32_scalar(sum, to + i, from + i, bytes - i);
}
#endif
