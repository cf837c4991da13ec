/*
 * Certificates for tests, made when they are needed: an authority of one's own and what it signs.
 */
#ifndef RINGWIRE_TEST_AUTHORITY_H
#define RINGWIRE_TEST_AUTHORITY_H

#include "ringwire.h"

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdbool.h>
#include <stdint.h>

struct identity {
	X509 *certificate;
	EVP_PKEY *key;
	char *certificate_pem, *key_pem;
};

/* Zero fields: EC key, SHA-256, valid for a day around now, no names, a leaf for servers and clients. */
struct wanted {
	const char *common_name;
	const char *names;       /* subjectAltName as OpenSSL's configuration has it: "DNS:a.example,IP:127.0.0.1" */
	const struct identity *issuer; /* NULL: signs itself */
	int rsa_bits;            /* 0: EC P-256 */
	bool is_authority, is_sha1;
	long not_before_days, not_after_days; /* from now; both 0: -1 and 1 */
	const char *passphrase;  /* of key_pem */
};

void identity_make(struct identity *identity, const struct wanted *wanted);
void identity_free(struct identity *identity);
/* SHA-256 of its SubjectPublicKeyInfo. */
void identity_pin(const struct identity *identity, uint8_t pin[32]);

/* The records of a configuration, as JavaScript writes them. */
struct configuration {
	uint8_t bytes[1 << 16];
	uint32_t used;
};
void configuration_add(struct configuration *configuration, uint32_t kind, const void *data, uint32_t bytes);
void configuration_text(struct configuration *configuration, uint32_t kind, const char *text);
void configuration_flags(struct configuration *configuration, uint32_t flags);
void configuration_versions(struct configuration *configuration, uint32_t lowest, uint32_t highest);
void configuration_identity(struct configuration *configuration, const struct identity *identity);
/* Opens a context of it, and fails the test when that fails. */
uint32_t configuration_open(const struct configuration *configuration, uint32_t role);

#endif
