/* measurement.h: what every load generator needs around its loop: when to measure, the clock, the time both processes took, and the figures they share. */
#ifndef MEASUREMENT_H
#define MEASUREMENT_H

#include "histogram.h"

#include <stdint.h>

/*
 * How long to warm up and to measure. A person says it on the command line, and one slice is measured; the harness leaves `seconds` 0 and asks for
 * one slice after the other, by lines "WARMUP SECONDS PID" on standard input.
 */
struct slice {
	double warmup_seconds, seconds;
	int server_pid; /* whose processor time is taken; 0: unknown */
	enum { SLICE_FIRST, SLICE_ASKED_FOR, SLICE_LAST } state;
};

/* Waits for the next slice to measure; says "ready" before the first that the harness asks for. Returns 0 when there is none. */
int slice_next(struct slice *slice);

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

/* As many sockets as the system permits. */
void raise_file_limit(void);

#endif
