/* measurement.c: see measurement.h. */
#define _GNU_SOURCE
#include "measurement.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

/* Percentiles are printed at shares of 1 - 10^(-i/4): what an HDR plot shows, four points for each nine. */
#define POINTS_PER_NINE 4.0

int slice_next(struct slice *slice)
{
	char line[128];

	if (slice->state == SLICE_FIRST && slice->seconds > 0) {
		slice->state = SLICE_LAST;
		return 1;
	}
	if (slice->state == SLICE_LAST)
		return 0;
	if (slice->state == SLICE_FIRST) {
		slice->state = SLICE_ASKED_FOR;
		printf("ready\n");
		fflush(stdout);
	}
	if (!fgets(line, sizeof(line), stdin))
		return 0;
	if (sscanf(line, "%lf %lf %d", &slice->warmup_seconds, &slice->seconds, &slice->server_pid) == 3 &&
	    slice->warmup_seconds >= 0 && slice->seconds > 0)
		return 1;
	fprintf(stderr, "%s: \"WARMUP SECONDS PID\" is needed, not %s", program_invocation_short_name, line);
	exit(2);
}

uint64_t now_ns(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000000000ull + (uint64_t)time.tv_nsec;
}

/* User and system time of all threads of a process; 0: our own. Returns 0 when it is not known. */
static uint64_t cpu_ns(int pid)
{
	clockid_t clock;
	struct timespec time;

	if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &time) < 0)
		return 0;
	return (uint64_t)time.tv_sec * 1000000000ull + (uint64_t)time.tv_nsec;
}

void measurement_begin(struct measurement *measurement, int server_pid)
{
	measurement->server_pid = server_pid;
	measurement->own_ns = cpu_ns(0);
	measurement->server_ns = server_pid > 0 ? cpu_ns(server_pid) : 0;
	measurement->wall_ns = now_ns();
}

void measurement_end(struct measurement *measurement)
{
	measurement->wall_ns = now_ns() - measurement->wall_ns;
	measurement->own_ns = cpu_ns(0) - measurement->own_ns;
	measurement->server_ns = measurement->server_pid > 0 ? cpu_ns(measurement->server_pid) - measurement->server_ns : 0;
}

void measurement_print(const struct measurement *measurement, const struct histogram *latencies)
{
	double wall_ns = (double)measurement->wall_ns, rarity = 1;

	printf("\"seconds\":%.4f,\"p50Ns\":%" PRIu64 ",\"p99Ns\":%" PRIu64 ",\"p999Ns\":%" PRIu64 ",\"maxNs\":%" PRIu64 ","
	       "\"loadCpuPercent\":%.1f,\"serverCpuPercent\":%.1f,\"percentilesNs\":[",
	       wall_ns / 1e9, histogram_percentile(latencies, 0.5), histogram_percentile(latencies, 0.99),
	       histogram_percentile(latencies, 0.999), latencies->max_ns, (double)measurement->own_ns * 100 / wall_ns,
	       (double)measurement->server_ns * 100 / wall_ns);
	/* As far as there are values: what is rarer than one in all of them is not known. */
	for (int i = 0; rarity <= (double)latencies->total; rarity = pow(10, ++i / POINTS_PER_NINE))
		printf("%s%" PRIu64, i ? "," : "", histogram_percentile(latencies, 1 - 1 / rarity));
	printf("]}\n");
	fflush(stdout);
}

double number(const char *name, const char *text, double least, double most)
{
	char *rest;
	double value = strtod(text, &rest);

	if (*rest || rest == text || !(value >= least && value <= most)) {
		fprintf(stderr, "%s: --%s must be %g to %g, not \"%s\"\n", program_invocation_short_name, name, least, most, text);
		exit(2);
	}
	return value;
}

void raise_file_limit(void)
{
	struct rlimit files = { 0 };

	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
}
