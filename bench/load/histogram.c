/*
 * histogram.c: the slow half of histogram.h, which runs once per measurement.
 */
#include "histogram.h"

#include <string.h>

void histogram_reset(struct histogram *histogram)
{
	memset(histogram, 0, sizeof(*histogram));
}

static uint64_t bucket_end_ns(uint32_t index)
{
	uint32_t shift;

	if (index < HISTOGRAM_STEPS)
		return index;
	shift = index / HISTOGRAM_STEPS - 1;
	return ((uint64_t)(index % HISTOGRAM_STEPS + HISTOGRAM_STEPS + 1) << shift) - 1;
}

uint64_t histogram_percentile(const struct histogram *histogram, double share)
{
	uint64_t wanted = (uint64_t)((double)histogram->total * share + 0.5);
	uint64_t seen = 0;

	if (histogram->total == 0)
		return 0;
	if (wanted == 0)
		wanted = 1;
	for (uint32_t index = 0; index < HISTOGRAM_BUCKETS; index++) {
		seen += histogram->counts[index];
		if (seen >= wanted) {
			uint64_t end_ns = bucket_end_ns(index);

			return end_ns < histogram->max_ns ? end_ns : histogram->max_ns;
		}
	}
	return histogram->max_ns;
}
