/*
 * The exported byte loops, and which instruction set runs them.
 */
#include "kernels.h"

#include "ring.h"

#include <string.h>

struct kernel_choice {
	enum kernel_set set;
	mask_kernel *mask;
	utf8_kernel *utf8; /* NULL: scalar only */
	crc32_kernel *crc32;
};

static const struct kernel_choice choices[KERNEL_SETS] = {
	[KERNEL_SCALAR] = { KERNEL_SCALAR, mask_scalar, NULL, crc32_scalar },
#if defined(__x86_64__)
	[KERNEL_SSE] = { KERNEL_SSE, mask_sse2, utf8_ssse3, crc32_scalar },
	[KERNEL_AVX2] = { KERNEL_AVX2, mask_avx2, utf8_avx2, crc32_scalar },
	[KERNEL_AVX512] = { KERNEL_AVX512, mask_avx512, utf8_avx512, crc32_avx512 },
#elif defined(__aarch64__)
	[KERNEL_NEON] = { KERNEL_NEON, mask_neon, utf8_neon, crc32_scalar },
#endif
};

/* One for all threads; each of its values works, so a race between choosers is harmless. */
static const struct kernel_choice *_Atomic chosen;

static bool is_supported(uint32_t set)
{
	switch (set) {
	case KERNEL_SCALAR:
		return true;
#if defined(__x86_64__)
	case KERNEL_SSE:
		return __builtin_cpu_supports("ssse3");
	case KERNEL_AVX2:
		return __builtin_cpu_supports("avx2");
	case KERNEL_AVX512:
		return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw");
#elif defined(__aarch64__)
	case KERNEL_NEON:
		return true;
#endif
	default:
		return false;
	}
}

static const struct kernel_choice *kernels(void)
{
	const struct kernel_choice *current = atomic_load_explicit(&chosen, memory_order_relaxed);

	if (current)
		return current;
#if defined(__x86_64__)
	__builtin_cpu_init();
#endif
	for (uint32_t set = KERNEL_SETS; set-- > 0;) {
		if (is_supported(set)) {
			current = &choices[set];
			break;
		}
	}
	atomic_store_explicit(&chosen, current, memory_order_relaxed);
	return current;
}

static int32_t validate(const uint8_t *data, uint32_t bytes)
{
	utf8_kernel *vector = kernels()->utf8;
	ptrdiff_t checked = vector ? vector(data, bytes) : 0;
	int32_t result;

	if (checked < 0)
		return -EILSEQ;
	result = utf8_scalar(data + checked, bytes - (size_t)checked);
	return result < 0 ? -EILSEQ : result;
}

static bool is_inside(uint32_t offset, uint32_t bytes, uint32_t start, uint32_t end)
{
	return offset >= start && offset <= end && bytes <= end - offset;
}

/* The bytes inside the block of a ring, or NULL. The control page is not for kernels. */
static uint8_t *locate(uint32_t id, uint32_t offset, uint32_t bytes, int32_t *error)
{
	struct ring *ring = ring_find(id, error);

	if (!ring)
		return NULL;
	if (!is_inside(offset, bytes, RW_CONTROL_BYTES, ring->block_bytes)) {
		*error = -EINVAL;
		return NULL;
	}
	return ring->block + offset;
}

RW_API int32_t rw_unmask(uint32_t ring, uint32_t offset, uint32_t bytes, uint32_t key)
{
	int32_t error;
	uint8_t *data = locate(ring, offset, bytes, &error);

	if (!data)
		return error;
	kernels()->mask(data, data, bytes, key);
	return 0;
}

RW_API int32_t rw_unmask_at(void *data, uint32_t bytes, uint32_t key)
{
	if (!data && bytes > 0)
		return -EINVAL;
	kernels()->mask(data, data, bytes, key);
	return 0;
}

/* Each record is read once, before it is checked: a garbage one may make bytes of others. */
bool ring_copy(struct ring *ring)
{
	uint32_t count = ring->control[RW_FIELD_COPY_COUNT];
	const uint8_t *record = ring->block + ring->send_offset + ring->send_arena_bytes / sizeof(struct rw_copy) * sizeof(struct rw_copy);
	mask_kernel *mask = kernels()->mask;
	bool is_clean = true;

	ring->control[RW_FIELD_COPY_COUNT] = 0;
	if (count > ring->send_arena_bytes / sizeof(struct rw_copy))
		return false;
	for (; count > 0; count--) {
		struct rw_copy copy;

		record -= sizeof copy;
		memcpy(&copy, record, sizeof copy);
		if (is_inside(copy.from, copy.bytes, RW_CONTROL_BYTES, ring->block_bytes) &&
		    is_inside(copy.to, copy.bytes, ring->send_offset, ring->send_offset + ring->send_arena_bytes))
			mask(ring->block + copy.to, ring->block + copy.from, copy.bytes, copy.key);
		else
			is_clean = false;
	}
	return is_clean;
}

RW_API int32_t rw_copy(uint32_t id)
{
	int32_t error;
	struct ring *ring = ring_find(id, &error);

	if (!ring)
		return error;
	return ring_copy(ring) ? 0 : -EBADMSG;
}

RW_API int32_t rw_utf8(uint32_t ring, uint32_t offset, uint32_t bytes)
{
	int32_t error;
	const uint8_t *data = locate(ring, offset, bytes, &error);

	return data ? validate(data, bytes) : error;
}

RW_API int32_t rw_utf8_at(const void *data, uint32_t bytes)
{
	if (bytes == 0)
		return 0;
	return data ? validate(data, bytes) : -EINVAL;
}

RW_API int32_t rw_copy_crc32(const void *in, uint32_t in_offset, uint32_t bytes, void *out, uint32_t out_offset, uint32_t sum_offset)
{
	uint8_t *target = out;
	uint32_t sum;

	if (!in || !out)
		return -EINVAL;
	sum = kernels()->crc32(0, target + out_offset, (const uint8_t *)in + in_offset, bytes);
	for (uint32_t i = 0; i < sizeof sum; i++)
		target[sum_offset + i] = (uint8_t)(sum >> 8 * i);
	return 0;
}

RW_API int32_t rw_kernel_set(void)
{
	return kernels()->set;
}

RW_API int32_t rw_kernel_select(uint32_t set)
{
	kernels();
	if (set >= KERNEL_SETS || !is_supported(set))
		return -ENOTSUP;
	atomic_store_explicit(&chosen, &choices[set], memory_order_relaxed);
	return 0;
}
