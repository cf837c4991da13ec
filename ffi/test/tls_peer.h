/*
 * TLS in tests of rings: a peer that is OpenSSL itself, on a socket that does not block,
 * driven by turns of the ring.
 */
#ifndef RINGWIRE_TEST_TLS_PEER_H
#define RINGWIRE_TEST_TLS_PEER_H

#include "authority.h"
#include "test.h"

#include <openssl/ssl.h>

/* A context as most tests want it: the server's identity, or trust in who has issued it. Version 0: 1.2 and 1.3. */
uint32_t context_of(uint32_t role, uint32_t flags, uint32_t version);

/* One of our connections, and its peer. Zero options stand for: a server of ours, TLS 1.3, no flags but VERIFY of a client. */
struct secured_options {
	struct rig_options rig;
	bool is_client;         /* we connect, and the peer is the server */
	uint32_t version, flags;
	const char *suite;      /* the one cipher that the peer offers or takes, in OpenSSL's words */
	bool is_open;           /* leave the handshake undone */
	uint32_t timeout_ms;
	int receive_buffer;     /* of the peer */
	uint32_t send_buffer;   /* ours, of a server */
};
struct secured {
	struct rig rig;
	uint32_t context;       /* ours */
	uint32_t listener, handle;
	uint16_t port;
	SSL_CTX *peer_context;
	SSL *peer;
	int fd;
};
void secured_open(struct secured *secured, const struct secured_options *options);
/* Does the handshake of one that was left open. */
void secured_shake(struct secured *secured);
void secured_close(struct secured *secured);
/* One that sends a mebibyte to a slow reader and closes: all of it comes, then the goodbye. */
void secured_says_goodbye_last(uint32_t version, uint32_t flags);

SSL_CTX *peer_context_new(bool is_server, uint32_t version, const char *suite);
/* A peer over a connected socket, which it makes non-blocking. */
SSL *peer_new(SSL_CTX *context, int fd);
void peer_free(SSL *peer);
/* One step of the peer's handshake; true once it is done. */
bool peer_step(SSL *peer);
/* Sends all of it, taking turns with the ring. */
void peer_send(struct rig *rig, SSL *peer, const void *data, size_t bytes);
/* Receives exactly as much. */
void peer_receive(struct rig *rig, SSL *peer, void *data, size_t bytes);
/* Turns until reading gives this: SSL_ERROR_ZERO_RETURN, SSL_ERROR_SSL … Bytes that come before it are dropped. */
void peer_await(struct rig *rig, SSL *peer, int ssl_error);

/* Reads the socket itself to the end, and ends it the other way too. */
void peer_drain(struct rig *rig, int fd);

/* Sets what a TLS endpoint has besides, after rig_endpoint. */
void endpoint_tls(struct rig *rig, uint32_t context, const char *name, uint32_t timeout_ms);
uint32_t tls_listen(struct rig *rig, uint32_t context, uint32_t timeout_ms, uint32_t send_buffer, uint16_t *port);
uint32_t tls_connect(struct rig *rig, uint32_t context, const char *name, uint32_t timeout_ms, uint16_t port);
/* A line of rw_tls_describe, without its key. */
const char *described(struct rig *rig, uint32_t handle, const char *key);

#endif
