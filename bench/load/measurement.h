/* measurement.h: what every load generator needs around its loop: the clock, the time both processes took, and the figures they share. */
#ifndef MEASUREMENT_H
#define MEASUREMENT_H

#include "histogram.h"

#include <stdint.h>

/* From measurement_begin on points in time, from measurement_end on spans. */
struct measurement {
	int server_pid; /* 0: unknown */
	uint64_t wall_ns, own_ns, server_ns;
};

/* Monotonic. */
uint64_t now_ns(void);

void measurement_begin(struct measurement *measurement, int server_pid);
void measurement_end(struct measurement *measurement);

/* Prints the fields that all have, and the brace that ends the JSON object. */
void measurement_print(const struct measurement *measurement, const struct histogram *latencies);

/* The value of an option; ends the program with code 2 when it is no number from `least` to `most`. */
double number(const char *name, const char *text, double least, double most);

#endif
