/*
 * speed.c: how fast this machine is just now. For every line on standard input, each core named on the command line does the same work: arithmetic, and small
 * messages through a socket pair. Prints the nanoseconds of one step of each, as JSON: {"0":[1.6,820],"1":[1.6,830]}.
 *
 * Machines in a cloud change their speed without a word: two runs are comparable when this did not change between them. Medians of short pieces, because
 * an interruption is no change of speed.
 */
#define _GNU_SOURCE
#include "measurement.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define PIECES 9
#define STEPS 60000u
#define MESSAGES 100u

static int pair[2];

static double arithmetic(void)
{
	uint64_t begin_ns = now_ns(), state = 88172645463325252ull;

	for (uint32_t i = 0; i < STEPS; i++) {
		state ^= state << 13;
		state ^= state >> 7;
		state ^= state << 17;
	}
	__asm__ volatile("" : : "r"(state)); /* somebody wants it */
	return (double)(now_ns() - begin_ns) / STEPS;
}

static double messages(void)
{
	uint8_t message[64] = { 0 };
	uint64_t begin_ns = now_ns();

	for (uint32_t i = 0; i < MESSAGES; i++)
		if (write(pair[0], message, sizeof(message)) != sizeof(message) || read(pair[1], message, sizeof(message)) != sizeof(message))
			exit(1);
	return (double)(now_ns() - begin_ns) / MESSAGES;
}

static int ascending(const void *a, const void *b)
{
	double left = *(const double *)a, right = *(const double *)b;

	return (left > right) - (left < right);
}

static double middle(double (*piece)(void))
{
	double values[PIECES];

	for (int i = 0; i < PIECES; i++)
		values[i] = piece();
	qsort(values, PIECES, sizeof(values[0]), ascending);
	return values[PIECES / 2];
}

int main(int argc, char **argv)
{
	char line[64];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
		return 1;
	while (fgets(line, sizeof(line), stdin)) {
		for (int i = 1; i < argc; i++) {
			int core = (int)number("core", argv[i], 0, CPU_SETSIZE - 1);
			cpu_set_t set;

			CPU_ZERO(&set);
			CPU_SET(core, &set);
			if (sched_setaffinity(0, sizeof(set), &set) < 0)
				return 1;
			printf("%c\"%d\":[%.3f,%.1f]", i == 1 ? '{' : ',', core, middle(arithmetic), middle(messages));
		}
		printf("}\n");
		fflush(stdout);
	}
	return 0;
}
