/*
 * The parties of tests in memory: an authority, two servers that it vouches for, and configurations that name them.
 */
#ifndef RINGWIRE_TEST_TLS_PARTIES_H
#define RINGWIRE_TEST_TLS_PARTIES_H

#include "tls_pair.h"

/* `server` is a.example, *.wild.example and the loopback, `other` is b.example. Made once, never freed. */
struct parties {
	struct identity authority, server, other;
};
extern struct parties parties;
void parties_make(void);

/* Begins a configuration: with the server's identity, or one that verifies by the authority. */
void server_configuration(struct configuration *configuration, uint32_t flags);
void client_configuration(struct configuration *configuration, uint32_t flags);
/* A context of one with nothing else in it. */
uint32_t open_server(uint32_t flags);
uint32_t open_client(uint32_t flags);

#endif
