/*
 * The byte loops and the choice between their instruction sets.
 */
#ifndef RINGWIRE_KERNELS_H
#define RINGWIRE_KERNELS_H

#include <stddef.h>
#include <stdint.h>

/* Index: the numbers of rw_kernel_set. */
enum kernel_set {
	KERNEL_SCALAR = 0,
	KERNEL_SSE = 1, /* mask: SSE2; UTF-8: SSSE3, which every x86-64 since 2006 has */
	KERNEL_AVX2 = 2,
	KERNEL_AVX512 = 3, /* F and BW */
	KERNEL_NEON = 4,
	KERNEL_SETS = 5,
};

/* XORs while copying; the lowest byte of key applies to from[0]. In place where to is from; else the ranges must not overlap. */
typedef void mask_kernel(uint8_t *to, const uint8_t *from, size_t bytes, uint32_t key);
/* Length of a prefix that ends between characters and is valid, or -1: not UTF-8. The rest, little more than
 * a vector, is left to the scalar code. */
typedef ptrdiff_t utf8_kernel(const uint8_t *data, size_t bytes);

/* Copies, unless to is from, and goes on with a CRC-32 as zlib has it: the first begins with 0. */
typedef uint32_t crc32_kernel(uint32_t sum, uint8_t *to, const uint8_t *from, size_t bytes);

crc32_kernel crc32_scalar;
void mask_scalar(uint8_t *to, const uint8_t *from, size_t bytes, uint32_t key);
/* 0 to 3: valid, that many bytes at the end are cut off; -1: not UTF-8. */
int32_t utf8_scalar(const uint8_t *data, size_t bytes);

#if defined(__x86_64__)
mask_kernel mask_sse2, mask_avx2, mask_avx512;
utf8_kernel utf8_ssse3, utf8_avx2, utf8_avx512;
crc32_kernel crc32_avx512; /* needs VPCLMULQDQ as well */
#elif defined(__aarch64__)
mask_kernel mask_neon;
utf8_kernel utf8_neon;
#endif

#endif
