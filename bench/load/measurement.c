/* measurement.c: see measurement.h. */
#define _GNU_SOURCE
#include "measurement.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

uint64_t now_ns(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000000000ull + (uint64_t)time.tv_nsec;
}

/* User and system time. */
static uint64_t own_cpu_ns(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return ((uint64_t)usage.ru_utime.tv_sec + (uint64_t)usage.ru_stime.tv_sec) * 1000000000ull +
	       ((uint64_t)usage.ru_utime.tv_usec + (uint64_t)usage.ru_stime.tv_usec) * 1000ull;
}

/* The same, in steps of a clock tick (10 ms); 0 when unknown. */
static uint64_t server_cpu_ns(int pid)
{
	char path[64], text[1024], *after;
	unsigned long long user = 0, system = 0;
	FILE *file;
	size_t got;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	file = pid > 0 ? fopen(path, "r") : NULL;
	if (!file)
		return 0;
	got = fread(text, 1, sizeof(text) - 1, file);
	fclose(file);
	text[got] = 0;
	/* The program's name, in parentheses, may contain anything: count fields behind the last one. */
	after = strrchr(text, ')');
	if (!after || sscanf(after + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu", &user, &system) != 2)
		return 0;
	return (user + system) * (1000000000ull / (uint64_t)sysconf(_SC_CLK_TCK));
}

void measurement_begin(struct measurement *measurement, int server_pid)
{
	measurement->server_pid = server_pid;
	measurement->own_ns = own_cpu_ns();
	measurement->server_ns = server_cpu_ns(server_pid);
	measurement->wall_ns = now_ns();
}

void measurement_end(struct measurement *measurement)
{
	measurement->wall_ns = now_ns() - measurement->wall_ns;
	measurement->own_ns = own_cpu_ns() - measurement->own_ns;
	measurement->server_ns = server_cpu_ns(measurement->server_pid) - measurement->server_ns;
}

void measurement_print(const struct measurement *measurement, const struct histogram *latencies)
{
	double wall_ns = (double)measurement->wall_ns;

	printf("\"seconds\":%.4f,\"p50Ns\":%" PRIu64 ",\"p99Ns\":%" PRIu64 ",\"p999Ns\":%" PRIu64 ",\"maxNs\":%" PRIu64 ","
	       "\"loadCpuPercent\":%.1f,\"serverCpuPercent\":%.1f}\n",
	       wall_ns / 1e9, histogram_percentile(latencies, 0.5), histogram_percentile(latencies, 0.99),
	       histogram_percentile(latencies, 0.999), latencies->max_ns, (double)measurement->own_ns * 100 / wall_ns,
	       (double)measurement->server_ns * 100 / wall_ns);
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
