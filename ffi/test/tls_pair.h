/*
 * Two sessions of contexts, joined in memory.
 */
#ifndef RINGWIRE_TEST_TLS_PAIR_H
#define RINGWIRE_TEST_TLS_PAIR_H

#include "authority.h"
#include "tls.h"

struct end {
	SSL *ssl;
	bool is_done;
	uint32_t error, detail; /* of the handshake, its check or a read; 0: none */
};
struct pair {
	struct end client, server;
};

/* Sessions of two open contexts. */
void pair_make(struct pair *pair, uint32_t client_context, uint32_t server_context, const char *name, uint32_t port);
/* Does the handshake until both ends are done or have failed, then reads what either has still to say (tickets, alerts). */
void pair_shake(struct pair *pair);
/* Both of them, then the errors are expected; frees it. */
void pair_expect(uint32_t client_context, uint32_t server_context, const char *name, uint32_t client_error, uint32_t server_error);
/* A byte each way. */
void pair_exchange(struct pair *pair);
void pair_free(struct pair *pair);
/* The value of a line of tls_session_describe. */
const char *end_line(const struct end *end, const char *key);

#endif
