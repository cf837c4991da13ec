/*
 * A ring that listens, a plain socket connected to it, and the connection that came of it.
 */
#ifndef RINGWIRE_PAIR_H
#define RINGWIRE_PAIR_H

#include "test.h"

struct pair {
	struct rig rig;
	uint16_t port;
	uint32_t listener, server;
	int peer;
};

void open_pair(struct pair *pair, const struct rig_options *options);
void close_pair(struct pair *pair);

#endif
