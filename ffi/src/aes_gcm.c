/*
 * aes_gcm.c: see aes_gcm.h.
 *
 * Blocks are hashed with their bytes reversed, as carry-less multiplication wants them, and with the hash key shifted by a bit in
 * advance, so that products need no shift. 16 blocks are multiplied with 16 powers of the hash key and reduced together.
 */
#include "aes_gcm.h"

#ifdef __x86_64__
#include <cpuid.h>
#include <immintrin.h>
#include <string.h>

#define TARGET __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,vaes,vpclmulqdq,aes,pclmul,ssse3,sse4.1")))
#define INLINE TARGET static inline __attribute__((always_inline))
#define BATCH_BLOCKS 16
#define BATCH_BYTES 256u

bool aes_gcm_works(void)
{
	uint32_t a, b, c = 0, d;

	/* VAES and VPCLMULQDQ, which compilers that we support cannot be asked for by name. */
	if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || (c & (3u << 9)) != 3u << 9)
		return false;
	return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
	       __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("aes") && __builtin_cpu_supports("pclmul");
}

/* The product so far, of each lane: low, middle and high part. */
struct product {
	__m512i low, middle, high;
};

TARGET static inline __m512i reversal(void)
{
	return _mm512_broadcast_i32x4(_mm_set_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15));
}

TARGET static inline __m512i polynomial(void)
{
	return _mm512_broadcast_i32x4(_mm_set_epi64x((long long)0xc200000000000000ull, 1));
}

TARGET static inline void multiply_add(struct product *sum, __m512i a, __m512i b)
{
	__m512i middle = _mm512_xor_si512(_mm512_clmulepi64_epi128(a, b, 0x01), _mm512_clmulepi64_epi128(a, b, 0x10));

	sum->low = _mm512_xor_si512(sum->low, _mm512_clmulepi64_epi128(a, b, 0x00));
	sum->middle = _mm512_xor_si512(sum->middle, middle);
	sum->high = _mm512_xor_si512(sum->high, _mm512_clmulepi64_epi128(a, b, 0x11));
}

/* Modulo the polynomial; the sum of all lanes. */
TARGET static inline __m128i reduce(const struct product *sum)
{
	const __m512i poly = polynomial();
	__m512i middle, high;
	__m256i half;

	middle = _mm512_ternarylogic_epi64(sum->middle, _mm512_shuffle_epi32(sum->low, 0x4e),
					   _mm512_clmulepi64_epi128(poly, sum->low, 0x01), 0x96);
	high = _mm512_ternarylogic_epi64(sum->high, _mm512_shuffle_epi32(middle, 0x4e),
					 _mm512_clmulepi64_epi128(poly, middle, 0x01), 0x96);
	half = _mm256_xor_si256(_mm512_castsi512_si256(high), _mm512_extracti64x4_epi64(high, 1));
	return _mm_xor_si128(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
}

TARGET static inline __m128i multiply(__m128i a, __m128i b)
{
	struct product sum = { 0 };

	multiply_add(&sum, _mm512_zextsi128_si512(a), _mm512_zextsi128_si512(b));
	return reduce(&sum);
}

TARGET static __m128i next_key(__m128i key, __m128i assist)
{
	key = _mm_xor_si128(key, _mm_slli_si128(key, 4));
	key = _mm_xor_si128(key, _mm_slli_si128(key, 8));
	return _mm_xor_si128(key, assist);
}

TARGET static void expand_128(__m128i *keys)
{
#define STEP(i, constant) \
	keys[i] = next_key(keys[i - 1], _mm_shuffle_epi32(_mm_aeskeygenassist_si128(keys[i - 1], constant), 0xff))
	STEP(1, 0x01); STEP(2, 0x02); STEP(3, 0x04); STEP(4, 0x08); STEP(5, 0x10);
	STEP(6, 0x20); STEP(7, 0x40); STEP(8, 0x80); STEP(9, 0x1b); STEP(10, 0x36);
#undef STEP
}

TARGET static void expand_256(__m128i *keys)
{
#define EVEN(i, constant) \
	keys[i] = next_key(keys[i - 2], _mm_shuffle_epi32(_mm_aeskeygenassist_si128(keys[i - 1], constant), 0xff))
#define ODD(i) keys[i] = next_key(keys[i - 2], _mm_shuffle_epi32(_mm_aeskeygenassist_si128(keys[i - 1], 0), 0xaa))
	EVEN(2, 0x01); ODD(3); EVEN(4, 0x02); ODD(5); EVEN(6, 0x04); ODD(7); EVEN(8, 0x08);
	ODD(9); EVEN(10, 0x10); ODD(11); EVEN(12, 0x20); ODD(13); EVEN(14, 0x40);
#undef EVEN
#undef ODD
}

TARGET static __m128i encrypt_block(const struct aes_gcm *gcm, __m128i block)
{
	const __m128i *keys = (const __m128i *)gcm->round_keys;

	block = _mm_xor_si128(block, keys[0]);
	for (uint32_t i = 1; i < gcm->rounds; i++)
		block = _mm_aesenc_si128(block, keys[i]);
	return _mm_aesenclast_si128(block, keys[gcm->rounds]);
}

TARGET void aes_gcm_set_key(struct aes_gcm *gcm, const uint8_t *key, uint32_t key_bytes)
{
	__m128i *keys = (__m128i *)gcm->round_keys, *powers = (__m128i *)gcm->powers;
	__m128i hash_key, carry;

	memset(gcm, 0, sizeof(*gcm));
	gcm->rounds = key_bytes == 16 ? 10 : 14;
	keys[0] = _mm_loadu_si128((const __m128i *)key);
	if (key_bytes == 16) {
		expand_128(keys);
	} else {
		keys[1] = _mm_loadu_si128((const __m128i *)(key + 16));
		expand_256(keys);
	}
	hash_key = _mm_shuffle_epi8(encrypt_block(gcm, _mm_setzero_si128()), _mm512_castsi512_si128(reversal()));
	/* Times x: a shift by one bit, and the polynomial where a bit falls out. */
	carry = _mm_srai_epi32(_mm_shuffle_epi32(hash_key, 0xd3), 31);
	carry = _mm_and_si128(carry, _mm_set_epi64x((long long)0xc200000000000001ull, 1));
	hash_key = _mm_xor_si128(_mm_add_epi64(hash_key, hash_key), carry);
	powers[BATCH_BLOCKS - 1] = hash_key;
	for (int i = BATCH_BLOCKS - 2; i >= 0; i--)
		powers[i] = multiply(powers[i + 1], hash_key);
}

/* 16 blocks of the key stream. `rounds` is a constant where it matters: unrolled, messages open in five sixths of the time. */
INLINE void make_stream(const struct aes_gcm *gcm, uint32_t rounds, __m512i *counter, __m512i *stream)
{
	const __m512i reverse = reversal(), four = _mm512_set_epi32(0, 0, 0, 4, 0, 0, 0, 4, 0, 0, 0, 4, 0, 0, 0, 4);
	__m512i key = _mm512_broadcast_i32x4(*(const __m128i *)gcm->round_keys[0]);

	for (int i = 0; i < 4; i++) {
		stream[i] = _mm512_xor_si512(_mm512_shuffle_epi8(*counter, reverse), key);
		*counter = _mm512_add_epi32(*counter, four);
	}
#pragma GCC unroll 16
	for (uint32_t round = 1; round < rounds; round++) {
		key = _mm512_broadcast_i32x4(*(const __m128i *)gcm->round_keys[round]);
		for (int i = 0; i < 4; i++)
			stream[i] = _mm512_aesenc_epi128(stream[i], key);
	}
	key = _mm512_broadcast_i32x4(*(const __m128i *)gcm->round_keys[rounds]);
	for (int i = 0; i < 4; i++)
		stream[i] = _mm512_aesenclast_epi128(stream[i], key);
}

/* Whole batches; returns what is left. */
INLINE size_t crypt_batches(const struct aes_gcm *gcm, uint32_t rounds, bool seals, __m512i *counter, __m128i *hash, const uint8_t *in,
			    uint8_t *out, size_t bytes)
{
	const __m512i reverse = reversal();
	__m512i powers[4];

	for (int i = 0; i < 4; i++)
		powers[i] = _mm512_loadu_si512(gcm->powers[4 * i]);
	for (; bytes >= BATCH_BYTES; bytes -= BATCH_BYTES, in += BATCH_BYTES, out += BATCH_BYTES) {
		struct product sum = { 0 };
		__m512i stream[4];

		make_stream(gcm, rounds, counter, stream);
		for (int i = 0; i < 4; i++) {
			__m512i data = _mm512_loadu_si512(in + 64 * i);
			__m512i done = _mm512_xor_si512(data, stream[i]);
			__m512i hashed = _mm512_shuffle_epi8(seals ? done : data, reverse);

			_mm512_storeu_si512(out + 64 * i, done);
			if (i == 0)
				hashed = _mm512_xor_si512(hashed, _mm512_zextsi128_si512(*hash));
			multiply_add(&sum, hashed, powers[i]);
		}
		*hash = reduce(&sum);
	}
	return bytes;
}

/* Less than a batch. */
TARGET static inline void crypt_rest(const struct aes_gcm *gcm, bool seals, __m512i *counter, __m128i *hash, const uint8_t *in,
				     uint8_t *out, size_t bytes)
{
	const __m512i reverse = reversal();
	size_t blocks = (bytes + 15) / 16;
	struct product sum = { 0 };
	__m512i stream[4];

	make_stream(gcm, gcm->rounds, counter, stream);
	for (size_t i = 0; i * 64 < bytes; i++) {
		size_t part = bytes - i * 64;
		__mmask64 mask = part >= 64 ? ~0ull : (1ull << part) - 1;
		__m512i data = _mm512_maskz_loadu_epi8(mask, in + 64 * i);
		__m512i done = _mm512_maskz_mov_epi8(mask, _mm512_xor_si512(data, stream[i]));
		__m512i hashed = _mm512_shuffle_epi8(seals ? done : data, reverse);

		_mm512_mask_storeu_epi8(out + 64 * i, mask, done);
		if (i == 0)
			hashed = _mm512_xor_si512(hashed, _mm512_zextsi128_si512(*hash));
		/* Behind the last power there are zeros, and so there are behind the last block. */
		multiply_add(&sum, hashed, _mm512_loadu_si512(gcm->powers[BATCH_BLOCKS - blocks + 4 * i]));
	}
	*hash = reduce(&sum);
}

TARGET void aes_gcm_crypt(const struct aes_gcm *gcm, bool seals, const uint8_t *iv, const uint8_t *aad, uint32_t aad_bytes,
			  const uint8_t *in, uint8_t *out, size_t bytes, uint8_t *tag)
{
	const __m128i reverse = _mm512_castsi512_si128(reversal());
	const __m128i hash_key = *(const __m128i *)gcm->powers[BATCH_BLOCKS - 1];
	uint8_t block[16] = { 0 };
	__m128i first, lengths, hash;
	__m512i counter;
	size_t left;

	memcpy(block, iv, AES_GCM_IV_BYTES);
	block[15] = 1;
	first = _mm_loadu_si128((const __m128i *)block);
	/* Counters count in their last four bytes, big-endian: kept reversed. The first one is the tag's. */
	counter = _mm512_add_epi32(_mm512_broadcast_i32x4(_mm_shuffle_epi8(first, reverse)),
				   _mm512_set_epi32(0, 0, 0, 4, 0, 0, 0, 3, 0, 0, 0, 2, 0, 0, 0, 1));
	memset(block, 0, sizeof(block));
	memcpy(block, aad, aad_bytes);
	hash = multiply(_mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)block), reverse), hash_key);
	if (aad_bytes == 0)
		hash = _mm_setzero_si128();
	if (gcm->rounds == 10)
		left = seals ? crypt_batches(gcm, 10, true, &counter, &hash, in, out, bytes)
			     : crypt_batches(gcm, 10, false, &counter, &hash, in, out, bytes);
	else
		left = crypt_batches(gcm, 14, seals, &counter, &hash, in, out, bytes);
	if (left > 0)
		crypt_rest(gcm, seals, &counter, &hash, in + bytes - left, out + bytes - left, left);
	lengths = _mm_set_epi64x((long long)aad_bytes * 8, (long long)bytes * 8);
	hash = multiply(_mm_xor_si128(hash, lengths), hash_key);
	hash = _mm_xor_si128(_mm_shuffle_epi8(hash, reverse), encrypt_block(gcm, first));
	_mm_storeu_si128((__m128i *)tag, hash);
}
#else
bool aes_gcm_works(void)
{
	return false;
}

void aes_gcm_set_key(struct aes_gcm *gcm, const uint8_t *key, uint32_t key_bytes)
{
	(void)gcm, (void)key, (void)key_bytes;
}

void aes_gcm_crypt(const struct aes_gcm *gcm, bool seals, const uint8_t *iv, const uint8_t *aad, uint32_t aad_bytes,
		   const uint8_t *in, uint8_t *out, size_t bytes, uint8_t *tag)
{
	(void)gcm, (void)seals, (void)iv, (void)aad, (void)aad_bytes, (void)in, (void)out, (void)bytes, (void)tag;
}
#endif
