/*
 * exchange.h: many WebSocket connections to one server, on one thread and one io_uring. Frames are built once, and nothing is masked or
 * copied while measuring. Which connection sends when is up to the caller.
 */
#ifndef RINGWIRE_BENCH_EXCHANGE_H
#define RINGWIRE_BENCH_EXCHANGE_H

#include "histogram.h"

#include <stdint.h>

struct exchange_options {
	const char *host, *path;
	uint32_t port, connections, bytes;
	uint32_t window; /* messages of one connection that may be under way */
	int is_tls;
	int is_polling; /* never sleeps, so that no wake-up of its own is measured as the server's */
	/* How long after each message left, or should have, its answer came. NULL: what comes answers nothing. */
	struct histogram *latencies;
	/* So many messages have come on a connection. */
	void (*received)(uint32_t connection, uint32_t count, uint64_t arrived_ns);
};

/* Compares every byte with what was sent: while warming up, enough to catch a server that echoes garbage. */
extern int exchange_checks;

/* Connects, upgrades, registers. Ends the program with a line on stderr when that fails. */
void exchange_open(const struct exchange_options *options);

/* Sends so many messages with the next turn. `due_ns`: when they should have left; 0: when they do. */
void exchange_send(uint32_t connection, uint32_t count, uint64_t due_ns);

/* Submits, waits for something (100 ms at most) unless polling, and handles what came. */
void exchange_turn(void);

#endif
