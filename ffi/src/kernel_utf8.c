/*
 * UTF-8 validation (RFC 3629).
 *
 * The vector code classifies each byte by three 16-entry table look-ups (high and low half of the byte
 * before it, high half of the byte itself); the AND of the three is non-zero where two neighbours cannot stand
 * together. The method is described by Keiser and Lemire, "Validating UTF-8 In Less Than One Instruction Per
 * Byte" (2020). What is left behind the last whole vector goes to the scalar code, from a character boundary.
 */
#include "kernels.h"

#include <stdbool.h>
#include <string.h>

/* How many bytes follow the lead byte, or -1. *low and *high bound the first of them. */
static int follow(uint8_t lead, uint8_t *low, uint8_t *high)
{
	*low = 0x80;
	*high = 0xbf;
	if (lead >= 0xc2 && lead <= 0xdf)
		return 1;
	if (lead >= 0xe0 && lead <= 0xef) {
		if (lead == 0xe0)
			*low = 0xa0; /* overlong below */
		else if (lead == 0xed)
			*high = 0x9f; /* surrogates above */
		return 2;
	}
	if (lead >= 0xf0 && lead <= 0xf4) {
		if (lead == 0xf0)
			*low = 0x90;
		else if (lead == 0xf4)
			*high = 0x8f; /* U+10FFFF */
		return 3;
	}
	return -1;
}

int32_t utf8_scalar(const uint8_t *data, size_t bytes)
{
	size_t i = 0;

	while (i < bytes) {
		uint8_t low, high;
		int count;

		if (data[i] < 0x80) {
			uint64_t word;
			while (i + 8 <= bytes) {
				memcpy(&word, data + i, sizeof word);
				if (word & 0x8080808080808080ull)
					break;
				i += 8;
			}
			while (i < bytes && data[i] < 0x80)
				i++;
			continue;
		}
		count = follow(data[i], &low, &high);
		if (count < 0)
			return -1;
		for (int k = 1; k <= count; k++) {
			if (i + (size_t)k == bytes)
				return k;
			if (data[i + (size_t)k] < low || data[i + (size_t)k] > high)
				return -1;
			low = 0x80;
			high = 0xbf;
		}
		i += (size_t)count + 1;
	}
	return 0;
}

#if defined(__x86_64__) || defined(__aarch64__)

/* What two neighbours can do wrong; a bit survives the AND only if all three tables have it. */
enum {
	SHORT = 1 << 0,      /* lead, then no continuation */
	LONG = 1 << 1,       /* ASCII, then a continuation */
	OVER_3 = 1 << 2,     /* E0 80..9F */
	LARGE = 1 << 3,      /* F4 90.. and beyond */
	SURROGATE = 1 << 4,  /* ED A0.. */
	OVER_2 = 1 << 5,     /* C0, C1 */
	LARGE_8X = 1 << 6,   /* F5.. 80..8F */
	OVER_4 = 1 << 6,     /* F0 80..8F */
	TWO = 1 << 7,        /* two continuations: right only in a sequence of three or four */
	ALWAYS = SHORT | LONG | TWO,
};

static const uint8_t first_high[16] __attribute__((aligned(16))) = {
	LONG, LONG, LONG, LONG, LONG, LONG, LONG, LONG, TWO, TWO, TWO, TWO,
	SHORT | OVER_2, SHORT, SHORT | OVER_3 | SURROGATE, SHORT | LARGE | LARGE_8X | OVER_4,
};
static const uint8_t first_low[16] __attribute__((aligned(16))) = {
	ALWAYS | OVER_3 | OVER_2 | OVER_4, ALWAYS | OVER_2, ALWAYS, ALWAYS, ALWAYS | LARGE,
	ALWAYS | LARGE | LARGE_8X, ALWAYS | LARGE | LARGE_8X, ALWAYS | LARGE | LARGE_8X,
	ALWAYS | LARGE | LARGE_8X, ALWAYS | LARGE | LARGE_8X, ALWAYS | LARGE | LARGE_8X,
	ALWAYS | LARGE | LARGE_8X, ALWAYS | LARGE | LARGE_8X, ALWAYS | LARGE | LARGE_8X | SURROGATE,
	ALWAYS | LARGE | LARGE_8X, ALWAYS | LARGE | LARGE_8X,
};
static const uint8_t second_high[16] __attribute__((aligned(16))) = {
	SHORT, SHORT, SHORT, SHORT, SHORT, SHORT, SHORT, SHORT,
	LONG | OVER_2 | TWO | OVER_3 | LARGE_8X | OVER_4, LONG | OVER_2 | TWO | OVER_3 | LARGE,
	LONG | OVER_2 | TWO | SURROGATE | LARGE, LONG | OVER_2 | TWO | SURROGATE | LARGE,
	SHORT, SHORT, SHORT, SHORT,
};

/* The last character boundary at or before `end`; everything before it was checked. */
static ptrdiff_t boundary(const uint8_t *data, size_t end)
{
	for (size_t back = 1; back <= 3 && back <= end; back++) {
		uint8_t byte = data[end - back];
		if (byte < 0x80)
			break;
		if (byte >= 0xc0) {
			size_t size = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
			return (ptrdiff_t)(size > back ? end - back : end);
		}
	}
	return (ptrdiff_t)end;
}
#endif

#if defined(__x86_64__)
#include <immintrin.h>

/* A vector whose last bytes begin a sequence exceeds these in one of its last three lanes. */
#define OPEN_END (char)(0xf0 - 1), (char)(0xe0 - 1), (char)(0xc0 - 1)
#define ONES_13 -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1

__attribute__((target("ssse3"))) static inline __m128i check_ssse3(__m128i now, __m128i before)
{
	const __m128i half = _mm_set1_epi8(0x0f);
	__m128i back1 = _mm_alignr_epi8(now, before, 15);
	__m128i back2 = _mm_alignr_epi8(now, before, 14);
	__m128i back3 = _mm_alignr_epi8(now, before, 13);
	__m128i a = _mm_shuffle_epi8(_mm_load_si128((const __m128i *)first_high),
				     _mm_and_si128(_mm_srli_epi16(back1, 4), half));
	__m128i b = _mm_shuffle_epi8(_mm_load_si128((const __m128i *)first_low), _mm_and_si128(back1, half));
	__m128i c = _mm_shuffle_epi8(_mm_load_si128((const __m128i *)second_high),
				     _mm_and_si128(_mm_srli_epi16(now, 4), half));
	__m128i third = _mm_subs_epu8(back2, _mm_set1_epi8((char)(0xe0 - 0x80)));
	__m128i fourth = _mm_subs_epu8(back3, _mm_set1_epi8((char)(0xf0 - 0x80)));
	__m128i must = _mm_and_si128(_mm_or_si128(third, fourth), _mm_set1_epi8((char)0x80));
	return _mm_xor_si128(must, _mm_and_si128(_mm_and_si128(a, b), c));
}

__attribute__((target("ssse3"))) ptrdiff_t utf8_ssse3(const uint8_t *data, size_t bytes)
{
	const __m128i limit = _mm_setr_epi8(ONES_13, OPEN_END);
	__m128i before = _mm_setzero_si128(), error = before, open = before;
	size_t i = 0;

	for (; i + 16 <= bytes; i += 16) {
		__m128i now = _mm_loadu_si128((const __m128i *)(data + i));
		if (_mm_movemask_epi8(now) == 0) {
			error = _mm_or_si128(error, open);
			open = _mm_setzero_si128();
		} else {
			error = _mm_or_si128(error, check_ssse3(now, before));
			open = _mm_subs_epu8(now, limit);
		}
		before = now;
	}
	if (_mm_movemask_epi8(_mm_cmpeq_epi8(error, _mm_setzero_si128())) != 0xffff)
		return -1;
	return boundary(data, i);
}

__attribute__((target("avx2"))) static inline __m256i check_avx2(__m256i now, __m256i before)
{
	const __m256i half = _mm256_set1_epi8(0x0f);
	__m256i across = _mm256_permute2x128_si256(before, now, 0x21);
	__m256i back1 = _mm256_alignr_epi8(now, across, 15);
	__m256i back2 = _mm256_alignr_epi8(now, across, 14);
	__m256i back3 = _mm256_alignr_epi8(now, across, 13);
	__m256i a = _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(_mm_load_si128((const __m128i *)first_high)),
					_mm256_and_si256(_mm256_srli_epi16(back1, 4), half));
	__m256i b = _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(_mm_load_si128((const __m128i *)first_low)),
					_mm256_and_si256(back1, half));
	__m256i c = _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(_mm_load_si128((const __m128i *)second_high)),
					_mm256_and_si256(_mm256_srli_epi16(now, 4), half));
	__m256i third = _mm256_subs_epu8(back2, _mm256_set1_epi8((char)(0xe0 - 0x80)));
	__m256i fourth = _mm256_subs_epu8(back3, _mm256_set1_epi8((char)(0xf0 - 0x80)));
	__m256i must = _mm256_and_si256(_mm256_or_si256(third, fourth), _mm256_set1_epi8((char)0x80));
	return _mm256_xor_si256(must, _mm256_and_si256(_mm256_and_si256(a, b), c));
}

__attribute__((target("avx2"))) ptrdiff_t utf8_avx2(const uint8_t *data, size_t bytes)
{
	const __m256i limit = _mm256_setr_epi8(-1, -1, -1, ONES_13, ONES_13, OPEN_END);
	__m256i before = _mm256_setzero_si256(), error = before, open = before;
	size_t i = 0;

	for (; i + 32 <= bytes; i += 32) {
		__m256i now = _mm256_loadu_si256((const __m256i *)(data + i));
		if (_mm256_movemask_epi8(now) == 0) {
			error = _mm256_or_si256(error, open);
			open = _mm256_setzero_si256();
		} else {
			error = _mm256_or_si256(error, check_avx2(now, before));
			open = _mm256_subs_epu8(now, limit);
		}
		before = now;
	}
	if (!_mm256_testz_si256(error, error))
		return -1;
	return boundary(data, i);
}

#define AVX512 __attribute__((target("avx512f,avx512bw")))

AVX512 static inline __m512i table_avx512(const uint8_t *table)
{
	return _mm512_broadcast_i32x4(_mm_load_si128((const __m128i *)table));
}

AVX512 static inline __m512i check_avx512(__m512i now, __m512i before)
{
	const __m512i half = _mm512_set1_epi8(0x0f);
	__m512i across = _mm512_alignr_epi64(now, before, 6);
	__m512i back1 = _mm512_alignr_epi8(now, across, 15);
	__m512i back2 = _mm512_alignr_epi8(now, across, 14);
	__m512i back3 = _mm512_alignr_epi8(now, across, 13);
	__m512i a = _mm512_shuffle_epi8(table_avx512(first_high),
					_mm512_and_si512(_mm512_srli_epi16(back1, 4), half));
	__m512i b = _mm512_shuffle_epi8(table_avx512(first_low), _mm512_and_si512(back1, half));
	__m512i c = _mm512_shuffle_epi8(table_avx512(second_high),
					_mm512_and_si512(_mm512_srli_epi16(now, 4), half));
	__m512i third = _mm512_subs_epu8(back2, _mm512_set1_epi8((char)(0xe0 - 0x80)));
	__m512i fourth = _mm512_subs_epu8(back3, _mm512_set1_epi8((char)(0xf0 - 0x80)));
	__m512i must = _mm512_and_si512(_mm512_or_si512(third, fourth), _mm512_set1_epi8((char)0x80));
	return _mm512_xor_si512(must, _mm512_and_si512(_mm512_and_si512(a, b), c));
}

AVX512 ptrdiff_t utf8_avx512(const uint8_t *data, size_t bytes)
{
	static const uint8_t limits[64] = {
		255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
		255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
		255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
		255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
		0xf0 - 1, 0xe0 - 1, 0xc0 - 1,
	};
	const __m512i limit = _mm512_loadu_si512(limits);
	__m512i before = _mm512_setzero_si512(), error = before, open = before;
	size_t i = 0;

	for (; i + 64 <= bytes; i += 64) {
		__m512i now = _mm512_loadu_si512(data + i);
		if (_mm512_movepi8_mask(now) == 0) {
			error = _mm512_or_si512(error, open);
			open = _mm512_setzero_si512();
		} else {
			error = _mm512_or_si512(error, check_avx512(now, before));
			open = _mm512_subs_epu8(now, limit);
		}
		before = now;
	}
	if (_mm512_test_epi8_mask(error, error) != 0)
		return -1;
	return boundary(data, i);
}

#elif defined(__aarch64__)
#include <arm_neon.h>

static inline uint8x16_t check_neon(uint8x16_t now, uint8x16_t before)
{
	uint8x16_t back1 = vextq_u8(before, now, 15);
	uint8x16_t back2 = vextq_u8(before, now, 14);
	uint8x16_t back3 = vextq_u8(before, now, 13);
	uint8x16_t a = vqtbl1q_u8(vld1q_u8(first_high), vshrq_n_u8(back1, 4));
	uint8x16_t b = vqtbl1q_u8(vld1q_u8(first_low), vandq_u8(back1, vdupq_n_u8(0x0f)));
	uint8x16_t c = vqtbl1q_u8(vld1q_u8(second_high), vshrq_n_u8(now, 4));
	uint8x16_t third = vqsubq_u8(back2, vdupq_n_u8(0xe0 - 0x80));
	uint8x16_t fourth = vqsubq_u8(back3, vdupq_n_u8(0xf0 - 0x80));
	uint8x16_t must = vandq_u8(vorrq_u8(third, fourth), vdupq_n_u8(0x80));
	return veorq_u8(must, vandq_u8(vandq_u8(a, b), c));
}

ptrdiff_t utf8_neon(const uint8_t *data, size_t bytes)
{
	static const uint8_t limits[16] = {
		255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 0xf0 - 1, 0xe0 - 1, 0xc0 - 1,
	};
	const uint8x16_t limit = vld1q_u8(limits);
	uint8x16_t before = vdupq_n_u8(0), error = before, open = before;
	size_t i = 0;

	for (; i + 16 <= bytes; i += 16) {
		uint8x16_t now = vld1q_u8(data + i);
		if (vmaxvq_u8(now) < 0x80) {
			error = vorrq_u8(error, open);
			open = vdupq_n_u8(0);
		} else {
			error = vorrq_u8(error, check_neon(now, before));
			open = vqsubq_u8(now, limit);
		}
		before = now;
	}
	if (vmaxvq_u8(error) != 0)
		return -1;
	return boundary(data, i);
}
#endif
