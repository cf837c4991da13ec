/*
 * The private shape of TLS contexts: what a configuration says, what is made of it, and what the files call in each other.
 *
 *   handle → context (role, kept sessions, ticket keys) → configuration (an SSL_CTX for each server name, pins …; replaced by an update)
 *
 * Sessions hold both, so that an update or a close disturbs no connection.
 */
#ifndef RINGWIRE_TLS_CONTEXT_H
#define RINGWIRE_TLS_CONTEXT_H

#include "tls.h"

#include <openssl/x509.h>

#define TLS_PIN_BYTES 32u
#define TLS_DIGEST_BYTES 32u
#define TLS_NAME_MAX 255u

/* ── tls_settings.c: the records of a configuration; everything points into the caller's bytes ── */
struct tls_bytes {
	const uint8_t *at;
	uint32_t bytes;
	bool is_given;
};
struct tls_identity {
	struct tls_bytes name; /* not of the first one, which is for all other names */
	struct tls_bytes certificate, key, passphrase;
};
struct tls_settings {
	uint32_t role, flags, lowest, highest;
	struct tls_identity *identities;
	struct tls_bytes *authorities, *pins;
	uint32_t identity_count, authority_count, pin_count;
	struct tls_bytes alpn, ciphers, cipher_suites, key_log;
};
/* Why a configuration is refused, for people. */
struct tls_reason {
	char *text;
	size_t bytes;
};
int32_t tls_settings_read(struct tls_settings *settings, uint32_t role, const uint8_t *config, uint32_t config_bytes,
			  const struct tls_reason *reason);
void tls_settings_free(struct tls_settings *settings);
/* Writes the reason and returns the error. */
__attribute__((format(printf, 3, 4))) int32_t tls_refuse(const struct tls_reason *reason, int32_t error, const char *format, ...);

/* ── tls_identity.c ── */
int32_t tls_identity_use(SSL_CTX *ssl, const struct tls_identity *identity, const struct tls_reason *reason);

/* ── tls_roots.c: what the system trusts ── */
/* A reference to a store shared by all. NULL with *error -ENOENT or -ENOMEM. */
X509_STORE *tls_roots_share(int32_t *error, const struct tls_reason *reason);
/* Adds the system's roots to a store. */
int32_t tls_roots_add(X509_STORE *store, const struct tls_reason *reason);

/* ── tls_trust.c ── */
struct tls_configuration;
/* Authorities, roots, verification and the names asked of clients. */
int32_t tls_trust_use(SSL_CTX *ssl, const struct tls_settings *settings, const struct tls_reason *reason);
/* Length of the name without a root dot, or 0 when nobody can have it. */
uint32_t tls_name_bytes(const char *name, uint32_t name_bytes);
bool tls_trust_expect(SSL *ssl, const char *name);
/* RW_TLS_ERROR_* of X509_V_ERR_*. */
uint32_t tls_trust_error(long verify_error);

/* ── tls_ticket.c: keys of the tickets that a server gives out ── */
#define TLS_TICKET_KEYS 3u
struct tls_ticket_key {
	uint8_t name[16], cipher[32], mac[32];
	int64_t made_at; /* seconds, monotonic; 0: none */
};
struct tls_tickets {
	struct tls_ticket_key keys[TLS_TICKET_KEYS]; /* the newest first */
};
void tls_ticket_use(SSL_CTX *ssl);
void tls_ticket_forget(struct tls_tickets *tickets);

/* ── tls_cache.c: sessions that a client has kept ── */
struct tls_cached;
struct tls_cache {
	struct tls_cached *first; /* the latest used */
	uint32_t count;
};
/* Keeps the caller's reference; drops it when there is no memory. */
void tls_cache_put(struct tls_cache *cache, const char *name, uint32_t port, SSL_SESSION *session);
/* A session to offer, with a reference, or NULL. */
SSL_SESSION *tls_cache_take(struct tls_cache *cache, const char *name, uint32_t port);
void tls_cache_clear(struct tls_cache *cache);

/* ── tls_configuration.c ── */
struct tls_named {
	char *name; /* lower case; "*.example.org" */
	SSL_CTX *ssl;
};
struct tls_configuration {
	uint32_t references, role, flags;
	SSL_CTX *ssl;
	struct tls_named *named;
	uint32_t named_count;
	uint8_t *pins;
	uint32_t pin_count;
	uint8_t *alpn;
	uint32_t alpn_bytes;
	int key_log; /* descriptor, -1: none */
	/* Of all that a resumed session has not to prove again: whom it trusts, and as whom it speaks. */
	uint8_t trust_digest[TLS_DIGEST_BYTES];
};
struct tls_configuration *tls_configuration_new(const struct tls_settings *settings, int32_t *error, const struct tls_reason *reason);
struct tls_configuration *tls_configuration_share(struct tls_configuration *configuration);
void tls_configuration_drop(struct tls_configuration *configuration);

/* ── tls_context.c ── */
struct tls_context {
	uint32_t references, role;
	struct tls_configuration *configuration;
	struct tls_cache cache;
	struct tls_tickets tickets;
};

/* ── tls_session.c ── */
/* What stands beside an SSL object. */
struct tls_note {
	struct tls_context *context;
	struct tls_configuration *configuration;
	bool is_pin_missing;
	uint32_t port;
	char name[TLS_NAME_MAX + 1]; /* that the client has asked for (SNI), or that this client looks for */
};
struct tls_note *tls_note_of(const SSL *ssl);
/* Once per process, before anything else of OpenSSL. */
bool tls_start(void);
/* ── tls_cipher.c ── */
void tls_cipher_start(void);

#endif
