/*
 * tls.h: a TLS 1.3 client that costs a load generator as little as can be. OpenSSL does the handshake; then the keys are taken from it, and
 * records are made and opened here, in the caller's memory and with the fastest cipher there is. Only TLS_AES_128_GCM_SHA256 is
 * offered, so that every server is measured with the same cipher. Nobody's certificate is verified: it is a bench on the loopback.
 */
#ifndef RINGWIRE_BENCH_TLS_H
#define RINGWIRE_BENCH_TLS_H

#include <openssl/ssl.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define TLS_RECORD_BYTES 16384u              /* of plaintext, at most */
#define TLS_OVERHEAD_BYTES 22u               /* header, content type, tag */
#define TLS_MAX_RECORD_BYTES (TLS_RECORD_BYTES + 256u + 5u)

struct tls;

/* What every connection shares. Exits with a message where OpenSSL refuses. */
SSL_CTX *tls_context(void);

/* The handshake on a connected, blocking socket. Returns NULL with a line on stderr. */
struct tls *tls_begin(SSL_CTX *context, int fd);

void tls_free(struct tls *tls);

/* Bytes that tls_seal makes of so many. */
static inline size_t tls_sealed_bytes(size_t bytes)
{
	return bytes + (bytes + TLS_RECORD_BYTES - 1) / TLS_RECORD_BYTES * TLS_OVERHEAD_BYTES;
}

/* Puts plaintext into records at `out`, which has room for tls_sealed_bytes. Returns how many bytes that are. */
size_t tls_seal(struct tls *tls, const uint8_t *data, size_t bytes, uint8_t *out);

/* Opens what a server sends: takes from *data, moving it on, up to the end of the next record with content. `out` has room for
 * TLS_MAX_RECORD_BYTES. Returns how many bytes there are at `out`; 0 when all was taken and more is needed; -1 with a line on
 * stderr for what is wrong; -2 at the server's close_notify. */
ssize_t tls_open(struct tls *tls, const uint8_t **data, size_t *bytes, uint8_t *out);

/* For the upgrade: write() and read() of a blocking socket. */
ssize_t tls_write(struct tls *tls, int fd, const void *data, size_t bytes);
ssize_t tls_read(struct tls *tls, int fd, void *out, size_t bytes);

#endif
