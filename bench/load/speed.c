/*
 * speed.c: keeps the cores named on the command line awake, and says how fast they are. For every line on standard input, all of them do a fixed piece of
 * work at once, and the first and the last pass a cache line to and fro. Prints a JSON list: nanoseconds for a step of each core, and
 * for a round trip.
 *
 * Machines in a cloud change their speed without a word. Ours does so when the host moves one of its cores: alone, each is as fast as before, but a
 * cache line takes 480 ns between them instead of 90, and whoever talks to another core has half the speed or less. Hosts move cores that wake up.
 * So a thread of the lowest priority (SCHED_IDLE) spins on each: it gives way to everybody, and no core ever sleeps.
 */
#define _GNU_SOURCE
#include "measurement.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define MAX_CORES 16
/* Medians of short pieces, because an interruption is no change of speed. */
#define PIECES 9
#define STEPS 20000u
#define ROUND_TRIPS 200u

static int cores[MAX_CORES], core_count;
static double step_ns[MAX_CORES], round_trip_ns;
static _Alignas(64) atomic_uint ball;
/* Counts the phases that have been asked for, and the threads that have done the last one. */
static _Alignas(64) atomic_uint phase;
static atomic_int done;

static int ascending(const void *a, const void *b)
{
	double left = *(const double *)a, right = *(const double *)b;

	return (left > right) - (left < right);
}

static double middle(double *values)
{
	qsort(values, PIECES, sizeof(values[0]), ascending);
	return values[PIECES / 2];
}

/* Four chains that do not wait for each other: as much as a core can do. */
static double arithmetic(void)
{
	uint64_t begin_ns = now_ns(), a = 1, b = 2, c = 3, d = 4;

	for (uint32_t i = 0; i < STEPS; i++) {
		a ^= a << 13, b ^= b << 13, c ^= c << 13, d ^= d << 13;
		a ^= a >> 7, b ^= b >> 7, c ^= c >> 7, d ^= d >> 7;
		a ^= a << 17, b ^= b << 17, c ^= c << 17, d ^= d << 17;
		__asm__ volatile("" : "+r"(a), "+r"(b), "+r"(c), "+r"(d)); /* somebody wants them one by one */
	}
	return (double)(now_ns() - begin_ns) / STEPS;
}

/* `turn`: 0 throws first. Both count up the same number, one its even values, the other its odd ones. */
static double round_trips(unsigned turn)
{
	uint64_t begin_ns = now_ns();

	for (unsigned i = 0; i < ROUND_TRIPS; i++) {
		while (atomic_load_explicit(&ball, memory_order_acquire) % 2 != turn)
			;
		atomic_fetch_add_explicit(&ball, 1, memory_order_release);
	}
	return (double)(now_ns() - begin_ns) / ROUND_TRIPS;
}

static void measure_steps(int index)
{
	double values[PIECES];

	for (int i = 0; i < PIECES; i++)
		values[i] = arithmetic();
	step_ns[index] = middle(values);
}

static void measure_round_trips(int index)
{
	double values[PIECES];

	if (core_count == 1 || (index > 0 && index < core_count - 1))
		return;
	for (int i = 0; i < PIECES; i++)
		values[i] = round_trips(index == 0 ? 0 : 1);
	if (index == 0)
		round_trip_ns = middle(values);
}

static void *work(void *argument)
{
	const struct sched_param none = { 0 };
	int index = (int)(intptr_t)argument;
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cores[index], &set);
	if (sched_setaffinity(0, sizeof(set), &set) < 0 || sched_setscheduler(0, SCHED_IDLE, &none) < 0)
		exit(1);
	for (unsigned seen = 0;; seen++) {
		while (atomic_load_explicit(&phase, memory_order_acquire) == seen)
			;
		if (seen % 2 == 0)
			measure_steps(index);
		else
			measure_round_trips(index);
		atomic_fetch_add(&done, 1);
	}
	return NULL;
}

/* Lets all threads do the next phase, and waits for them without taking a core from them. */
static void next_phase(void)
{
	atomic_store(&done, 0);
	atomic_fetch_add(&phase, 1);
	while (atomic_load(&done) < core_count)
		usleep(200);
}

int main(int argc, char **argv)
{
	char line[64];

	for (int i = 1; i < argc && core_count < MAX_CORES; i++)
		cores[core_count++] = (int)number("core", argv[i], 0, CPU_SETSIZE - 1);
	if (core_count == 0) {
		fprintf(stderr, "speed: CORE ... (then a line for each question)\n");
		return 2;
	}
	for (int i = 0; i < core_count; i++) {
		pthread_t thread;

		if (pthread_create(&thread, NULL, work, (void *)(intptr_t)i) != 0)
			return 1;
	}
	while (fgets(line, sizeof(line), stdin)) {
		next_phase();
		next_phase();
		printf("[");
		for (int i = 0; i < core_count; i++)
			printf("%.3f,", step_ns[i]);
		printf("%.1f]\n", round_trip_ns);
		fflush(stdout);
	}
	return 0;
}
