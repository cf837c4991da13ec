/*
 * TLS in the harness: a certificate that vouches for itself, contexts of the shim that use or trust it, and OpenSSL as the peer.
 */
#ifndef RINGWIRE_FUZZ_SECURE_H
#define RINGWIRE_FUZZ_SECURE_H

#include "fuzz.h"

#include <openssl/ssl.h>

#define SECURE_NAME "localhost"

/* Once per process. */
void secure_prepare(void);
/* A context of this thread. is_old: TLS 1.2. */
uint32_t secure_context(uint32_t role, bool is_old);
/* The other end of a connected socket. */
SSL *secure_peer(bool is_server, int fd);

#endif
