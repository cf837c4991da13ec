/*
 * load.c: a WebSocket load generator. --mode says who sends what, and when:
 *
 * echo:      every connection keeps --in-flight messages under way; what comes back is sent again, all of one connection's answers of one
 *            turn in one send. A closed loop measures capacity: its latencies are those of a full pipeline, and a server that
 *            stalls is offered less (coordinated omission). The thread sleeps when there is nothing to do, so that its
 *            share of a core shows whether the generator or the server was the bottleneck.
 * pingpong:  the same, but polling, so that the time of its own wake-up is not measured as the server's.
 * rate:      --rate messages a second, whatever the server does, one connection after the other. A latency counts from when the message was due.
 *            Polls, because a timer would be late.
 * broadcast: one connection sends, and the server sends that to all. The next message leaves when the last connection has it; a latency is the time until
 *            then.
 *
 * Prints one JSON object for each slice on stdout; errors go to stderr, with exit code 1 (2: bad arguments).
 */
#include "exchange.h"
#include "measurement.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STALL_NS 5000000000ull /* no answer for this long: the server has lost something */
/* At a fixed rate: how far a connection may fall behind before we give up. */
#define RATE_WINDOW 1024u

static const char *const MODES[] = { "echo", "pingpong", "rate", "broadcast" };
enum mode { ECHO, PINGPONG, RATE, BROADCAST, MODE_COUNT };

static enum mode mode;
static uint32_t in_flight = 16, pause_us, connection_count;
static double rate;
static struct slice slice = { .warmup_seconds = 0.5 };

static struct histogram latencies;
static uint64_t messages;
static uint64_t resume_ns; /* --pause-us: the next message leaves no earlier */
static uint64_t published_ns;
static uint32_t delivered;
static uint64_t under_way; /* at a fixed rate */

static void publish(void)
{
	delivered = 0;
	published_ns = now_ns();
	exchange_send(0, 1, 0);
}

static void received(uint32_t connection, uint32_t count, uint64_t arrived_ns)
{
	messages += count;
	switch (mode) {
	case RATE:
		under_way -= count;
		break;
	case BROADCAST:
		delivered += count;
		if (delivered == connection_count) {
			histogram_add(&latencies, arrived_ns - published_ns);
			publish();
		}
		break;
	default:
		if (pause_us > 0)
			resume_ns = arrived_ns + pause_us * 1000ull;
		exchange_send(connection, count, 0);
	}
}

/* Sends what has become due since the schedule began. */
static void send_due(uint64_t begin_ns, uint64_t *sent)
{
	uint64_t time_ns = now_ns();

	for (;;) {
		uint64_t due_ns = begin_ns + (uint64_t)((double)*sent * 1e9 / rate);

		if (due_ns > time_ns)
			return;
		exchange_send((uint32_t)((*sent)++ % connection_count), 1, due_ns);
		under_way++;
	}
}

static void run_for(double seconds)
{
	uint64_t begin_ns = now_ns(), end_ns = begin_ns + (uint64_t)(seconds * 1e9);
	uint64_t moved_ns = begin_ns, seen = messages, sent = 0, time_ns = begin_ns;

	do {
		if (mode == RATE)
			send_due(begin_ns, &sent);
		if (resume_ns <= time_ns)
			exchange_turn();
		time_ns = now_ns();
		if (messages != seen) {
			seen = messages;
			moved_ns = time_ns;
		} else if (time_ns - moved_ns > STALL_NS) {
			fprintf(stderr, "load: no answer for 5 s\n");
			exit(1);
		}
		/* However short it is to be: a slice has one whole round at least. */
	} while (time_ns < end_ns || latencies.total == 0);
}

/* At a fixed rate what is late counts, too: the slowest answers are those that come after the end. */
static void await_late(void)
{
	uint64_t limit_ns = now_ns() + STALL_NS;

	while (under_way > 0 && now_ns() < limit_ns)
		exchange_turn();
	if (under_way > 0) {
		fprintf(stderr, "load: %" PRIu64 " messages had no answer within 5 s\n", under_way);
		exit(1);
	}
}

_Noreturn static void refuse(const char *why)
{
	fprintf(stderr,
		"load: %s\n"
		"load: --port N [--host IP] [--path P] [--connections N] [--bytes N] [--tls] [--server-pid PID]\n"
		"      [--mode echo|pingpong|rate|broadcast] [--in-flight N] [--pause-us N] [--rate N]\n"
		"      [--warmup S] [--seconds S]  (without --seconds: lines \"WARMUP SECONDS PID\" on stdin)\n",
		why);
	exit(2);
}

static enum mode mode_named(const char *name)
{
	for (int i = 0; i < MODE_COUNT; i++)
		if (strcmp(name, MODES[i]) == 0)
			return (enum mode)i;
	refuse("no such mode");
}

static void read_options(int argc, char **argv, struct exchange_options *options)
{
	static const struct option known[] = {
		{ "host", 1, 0, 'h' }, { "port", 1, 0, 'p' }, { "path", 1, 0, 'a' },
		{ "connections", 1, 0, 'c' }, { "in-flight", 1, 0, 'i' }, { "bytes", 1, 0, 'b' },
		{ "seconds", 1, 0, 's' }, { "warmup", 1, 0, 'w' }, { "mode", 1, 0, 'm' },
		{ "server-pid", 1, 0, 'v' }, { "pause-us", 1, 0, 'u' }, { "rate", 1, 0, 'r' },
		{ "tls", 0, 0, 't' }, { 0 },
	};
	int letter;

	while ((letter = getopt_long(argc, argv, "", known, NULL)) != -1) {
		switch (letter) {
		case 'h': options->host = optarg; break;
		case 'a': options->path = optarg; break;
		case 'p': options->port = (uint32_t)number("port", optarg, 1, 65535); break;
		case 'c': options->connections = (uint32_t)number("connections", optarg, 1, 20000); break;
		case 'i': in_flight = (uint32_t)number("in-flight", optarg, 1, 1024); break;
		case 'b': options->bytes = (uint32_t)number("bytes", optarg, 1, 1 << 24); break;
		case 's': slice.seconds = number("seconds", optarg, 0.01, 3600); break;
		case 'w': slice.warmup_seconds = number("warmup", optarg, 0.01, 3600); break;
		case 'v': slice.server_pid = (int)number("server-pid", optarg, 1, 1 << 22); break;
		case 'u': pause_us = (uint32_t)number("pause-us", optarg, 0, 1000000); break;
		case 'r': rate = number("rate", optarg, 1, 1e7); break;
		case 't': options->is_tls = 1; break;
		case 'm': mode = mode_named(optarg); break;
		default: refuse("unknown option");
		}
	}
	if (options->port == 0 || optind < argc)
		refuse("--port is needed, and nothing but options");
	if ((mode == RATE) != (rate > 0))
		refuse("--rate and --mode rate go together");
	connection_count = options->connections;
	options->window = mode == RATE ? RATE_WINDOW : mode == BROADCAST ? 1 : in_flight;
	options->is_polling = mode == PINGPONG || mode == RATE;
	options->latencies = mode == BROADCAST ? NULL : &latencies;
	if ((uint64_t)options->window * (options->bytes + 14) > 1u << 30)
		refuse("messages under way times --bytes must stay below 1 GiB");
}

int main(int argc, char **argv)
{
	struct exchange_options options = {
		.host = "127.0.0.1", .path = "/", .connections = 100, .bytes = 64, .received = received,
	};
	struct measurement measurement;

	read_options(argc, argv, &options);
	raise_file_limit();
	exchange_open(&options);
	if (mode == BROADCAST)
		publish();
	else if (mode != RATE)
		for (uint32_t i = 0; i < connection_count; i++)
			exchange_send(i, in_flight, 0);

	while (slice_next(&slice)) {
		run_for(slice.warmup_seconds);
		exchange_checks = 0;
		histogram_reset(&latencies);
		messages = 0;
		measurement_begin(&measurement, slice.server_pid);
		run_for(slice.seconds);
		measurement_end(&measurement);
		await_late();
		exchange_checks = 1;
		printf("{\"messages\":%" PRIu64 ",\"messagesPerSecond\":%.0f,", messages,
		       (double)messages * 1e9 / (double)measurement.wall_ns);
		measurement_print(&measurement, &latencies);
	}
	return 0;
}
