/*
 * Whom a context trusts: authorities, the verification of a chain and its pins, and the name that a server must have.
 */
#include "tls_context.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string.h>

/* SHA-256 of the SubjectPublicKeyInfo (RFC 7469 section 2.4). */
static bool is_pinned(const struct tls_configuration *configuration, X509 *certificate)
{
	uint8_t digest[TLS_PIN_BYTES], *key = NULL;
	int bytes = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &key);
	bool is_found = false;

	if (bytes > 0 && EVP_Digest(key, (size_t)bytes, digest, NULL, EVP_sha256(), NULL) == 1)
		for (uint32_t i = 0; i < configuration->pin_count && !is_found; i++)
			is_found = memcmp(configuration->pins + (size_t)i * TLS_PIN_BYTES, digest, TLS_PIN_BYTES) == 0;
	OPENSSL_free(key);
	return is_found;
}

static bool has_pin(const struct tls_configuration *configuration, X509_STORE_CTX *verification)
{
	STACK_OF(X509) *chain = X509_STORE_CTX_get0_chain(verification);

	/* An unverified chain proves nothing: anybody may append a certificate that is pinned. */
	if (!(configuration->flags & RW_TLS_VERIFY))
		return is_pinned(configuration, X509_STORE_CTX_get0_cert(verification));
	for (int i = 0; i < sk_X509_num(chain); i++)
		if (is_pinned(configuration, sk_X509_value(chain, i)))
			return true;
	return false;
}

/* In the middle of the handshake, so that a peer without a pinned key is given no ticket. */
static int verify(X509_STORE_CTX *verification, void *unused)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(verification, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct tls_note *note = tls_note_of(ssl);

	(void)unused;
	if (note->configuration->flags & RW_TLS_VERIFY) {
		int result = X509_verify_cert(verification);

		if (result <= 0)
			return result;
	} else {
		X509_STORE_CTX_set_error(verification, X509_V_OK);
	}
	if (note->configuration->pin_count == 0 || has_pin(note->configuration, verification))
		return 1;
	note->is_pin_missing = true;
	X509_STORE_CTX_set_error(verification, X509_V_ERR_APPLICATION_VERIFICATION);
	return 0;
}

/* Adds one authority's certificates, and their names to what clients are asked for. */
static int32_t add_authority(X509_STORE *store, STACK_OF(X509_NAME) *names, const struct tls_bytes *authority,
			     const struct tls_reason *reason)
{
	BIO *bio = BIO_new_mem_buf(authority->at, (int)authority->bytes);
	uint32_t count = 0;
	X509 *certificate;
	bool is_added = bio != NULL;

	ERR_clear_error();
	while (is_added && (certificate = PEM_read_bio_X509_AUX(bio, NULL, NULL, (void *)"")) != NULL) {
		X509_NAME *name = names ? X509_NAME_dup(X509_get_subject_name(certificate)) : NULL;

		is_added = X509_STORE_add_cert(store, certificate) == 1 && (!names || (name && sk_X509_NAME_push(names, name)));
		if (!is_added)
			X509_NAME_free(name);
		X509_free(certificate);
		count++;
	}
	BIO_free(bio);
	if (is_added && (count == 0 || ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)) {
		ERR_clear_error();
		return tls_refuse(reason, -EINVAL, count == 0 ? "authority: this is no PEM certificate"
							      : "authority: one of its certificates is malformed");
	}
	ERR_clear_error();
	return is_added ? 0 : tls_refuse(reason, -ENOMEM, "out of memory");
}

static int32_t add_authorities(SSL_CTX *ssl, const struct tls_settings *settings, const struct tls_reason *reason)
{
	X509_STORE *store = X509_STORE_new();
	STACK_OF(X509_NAME) *names = settings->role == RW_TLS_SERVER ? sk_X509_NAME_new_null() : NULL;
	int32_t error = 0;

	if (!store || (!names && settings->role == RW_TLS_SERVER))
		error = tls_refuse(reason, -ENOMEM, "out of memory");
	if (error == 0 && settings->flags & RW_TLS_VERIFY && settings->flags & RW_TLS_SYSTEM_ROOTS)
		error = tls_roots_add(store, reason);
	for (uint32_t i = 0; i < settings->authority_count && error == 0; i++)
		error = add_authority(store, names, &settings->authorities[i], reason);
	if (error != 0) {
		X509_STORE_free(store);
		sk_X509_NAME_pop_free(names, X509_NAME_free);
		return error;
	}
	SSL_CTX_set_cert_store(ssl, store);
	if (names)
		SSL_CTX_set_client_CA_list(ssl, names);
	return 0;
}

int32_t tls_trust_use(SSL_CTX *ssl, const struct tls_settings *settings, const struct tls_reason *reason)
{
	bool is_verifying = settings->flags & RW_TLS_VERIFY;
	int mode = SSL_VERIFY_NONE;
	int32_t error = 0;

	if (is_verifying || settings->pin_count > 0)
		mode = SSL_VERIFY_PEER;
	if (settings->flags & RW_TLS_REQUIRE)
		mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
	SSL_CTX_set_verify(ssl, mode, NULL);
	SSL_CTX_set_cert_verify_callback(ssl, verify, NULL);
	/* Authorities are read even when nothing is verified: what is wrong with them should be said. */
	if (settings->authority_count > 0)
		return add_authorities(ssl, settings, reason);
	if (is_verifying && settings->flags & RW_TLS_SYSTEM_ROOTS) {
		X509_STORE *store = tls_roots_share(&error, reason);

		if (store)
			SSL_CTX_set_cert_store(ssl, store);
	}
	return error;
}

uint32_t tls_name_bytes(const char *name, uint32_t name_bytes)
{
	if (name_bytes > 0 && name[name_bytes - 1] == '.')
		name_bytes--;
	/* OpenSSL takes a leading dot for "any name below". */
	if (name_bytes == 0 || name_bytes > TLS_NAME_MAX || name[0] == '.')
		return 0;
	for (uint32_t i = 0; i < name_bytes; i++)
		if (name[i] <= ' ' || name[i] > '~')
			return 0;
	return name_bytes;
}

static bool is_address(const char *name)
{
	uint8_t address[16];

	return inet_pton(AF_INET, name, address) == 1 || inet_pton(AF_INET6, name, address) == 1;
}

bool tls_trust_expect(SSL *ssl, const char *name)
{
	X509_VERIFY_PARAM *parameters = SSL_get0_param(ssl);

	if (is_address(name))
		return X509_VERIFY_PARAM_set1_ip_asc(parameters, name) == 1;
	/* Names stand in subjectAltName only (RFC 9525 section 2), and a wildcard is a whole label (section 6.3). */
	X509_VERIFY_PARAM_set_hostflags(parameters, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
	return X509_VERIFY_PARAM_set1_host(parameters, name, 0) == 1 && SSL_set_tlsext_host_name(ssl, name) == 1;
}

uint32_t tls_trust_error(long verify_error)
{
	switch (verify_error) {
	case X509_V_ERR_CERT_HAS_EXPIRED:
		return RW_TLS_ERROR_EXPIRED;
	case X509_V_ERR_CERT_NOT_YET_VALID:
		return RW_TLS_ERROR_NOT_YET_VALID;
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
		return RW_TLS_ERROR_SELF_SIGNED;
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
		return RW_TLS_ERROR_UNKNOWN_ISSUER;
	case X509_V_ERR_HOSTNAME_MISMATCH:
	case X509_V_ERR_IP_ADDRESS_MISMATCH:
		return RW_TLS_ERROR_HOST_MISMATCH;
	default:
		return RW_TLS_ERROR_CERTIFICATE;
	}
}
