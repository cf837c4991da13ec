/*
 * TLS contexts as connections use them: sessions (SSL objects) ready for a handshake, and what OpenSSL says, in our words.
 *
 * A context and every session of it belong to one thread. OpenSSL's error queue is one per thread: ERR_clear_error() before
 * each call that may fail, and tls_session_error() right after the one that did.
 */
#ifndef RINGWIRE_TLS_H
#define RINGWIRE_TLS_H

#include "ringwire.h"

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tls_context;

/* A reference to the context of a handle, for a listener or a connection. NULL with *error -EINVAL: no such, or of the other role
 * (RW_TLS_CLIENT, RW_TLS_SERVER); -EXDEV: another thread's. It outlives rw_tls_close. */
struct tls_context *tls_context_take(uint32_t handle, uint32_t role, int32_t *error);
/* One more reference. */
struct tls_context *tls_context_share(struct tls_context *context);
/* Takes NULL too. */
void tls_context_drop(struct tls_context *context);
/* RW_TLS_VERIFY … as they are now; sessions keep those of when they were made. */
uint32_t tls_context_flags(const struct tls_context *context);
/* Whether a connection may be begun with this name: a context that verifies needs one. For rw_connect: -EINVAL. */
bool tls_context_takes_name(const struct tls_context *context, const char *name, uint32_t name_bytes);

/* A session in connect or accept state, without BIOs. It holds the context. Clients: the name is sent (SNI, unless it is an IP
 * address) and looked for in the certificate, and a session kept of name and port is offered. Servers: name NULL, port 0. Of
 * SSL_MODE_*, RELEASE_BUFFERS and ACCEPT_MOVING_WRITE_BUFFER are on; of SSL_OP_*, ENABLE_KTLS when either KERNEL flag is. OpenSSL's
 * app data (SSL_set_app_data) is the caller's. NULL: no memory. */
SSL *tls_session_new(struct tls_context *context, const char *name, uint32_t name_bytes, uint32_t port);
/* Takes NULL too. Instead of SSL_free, which would have a session forgotten that ends without close_notify: TLS has not asked for
 * that since version 1.1 (RFC 5246 section 7.2.1). After fatal alerts it is forgotten all the same. */
void tls_session_free(SSL *ssl);
/* RW_TLS_VERIFY … of the configuration that it was made with. */
uint32_t tls_session_flags(const SSL *ssl);
/* Once the handshake is done: whether all that was agreed on will do. 0 or RW_TLS_ERROR_*. */
uint32_t tls_session_check(SSL *ssl, uint32_t *detail);
/* Why an SSL call gave this result: RW_TLS_ERROR_*, or an errno of the socket; 0 when nothing has failed (it wants to read or write, or
 * the peer has said goodbye). Of SSL_ERROR_SYSCALL without errno, and of an end in mid-stream: TRUNCATED. Empties the error queue. */
uint32_t tls_session_error(SSL *ssl, int result, uint32_t *detail);
/* The lines of rw_tls_describe, except ktls_*. Returns their length, or 0 when there is no room. */
int tls_session_describe(SSL *ssl, char *text, size_t bytes);
/* rw_tls_peer_certificate. */
int32_t tls_session_certificate(SSL *ssl, void *out, uint32_t capacity);

/* ── ktls.c ── */
bool ktls_exists(void);
/* A line of the key log (secrets in hexadecimal), while a session with RW_TLS_KERNEL_RECEIVE makes its keys. */
void tls_secret_line(const SSL *ssl, const char *line);

#endif
