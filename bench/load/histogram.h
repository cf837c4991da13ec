/*
 * histogram.h: counts of durations with a relative error below 1 %, in fixed memory and constant time
 * per value: the idea of HdrHistogram, for one unit (nanoseconds) and one precision.
 */
#ifndef RINGWIRE_BENCH_HISTOGRAM_H
#define RINGWIRE_BENCH_HISTOGRAM_H

#include <stdint.h>

/* Every power of two is cut into 128 equal steps; below 128 ns every nanosecond has its own. */
#define HISTOGRAM_STEP_BITS 7
#define HISTOGRAM_STEPS (1u << HISTOGRAM_STEP_BITS)
#define HISTOGRAM_BUCKETS ((64 - HISTOGRAM_STEP_BITS + 1) * HISTOGRAM_STEPS)

struct histogram {
	uint64_t counts[HISTOGRAM_BUCKETS];
	uint64_t total;
	uint64_t max_ns;
};

/* Adds one duration. Inline: it runs once per message. */
static inline void histogram_add(struct histogram *histogram, uint64_t value_ns)
{
	uint32_t index;

	if (value_ns < HISTOGRAM_STEPS) {
		index = (uint32_t)value_ns;
	} else {
		uint32_t shift = 63u - (uint32_t)__builtin_clzll(value_ns) - HISTOGRAM_STEP_BITS;

		index = (shift + 1) * HISTOGRAM_STEPS + (uint32_t)((value_ns >> shift) - HISTOGRAM_STEPS);
	}
	histogram->counts[index]++;
	histogram->total++;
	if (value_ns > histogram->max_ns)
		histogram->max_ns = value_ns;
}

void histogram_reset(struct histogram *histogram);

/* The smallest duration that at least this share (0 to 1) of all values does not exceed, in ns; 0
 * without values. Gives the upper edge of its bucket, never more than the maximum. */
uint64_t histogram_percentile(const struct histogram *histogram, double share);

#endif
