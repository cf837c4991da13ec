/*
 * A certificate, its chain and its key, from PEM into an SSL_CTX. No reason given here quotes what it was given.
 */
#include "tls_context.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/sslerr.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

struct reading {
	const struct tls_identity *identity;
	const struct tls_reason *reason;
	char whose[TLS_NAME_MAX + 3]; /* "example.org: ", or "" */
};

/* These empty the error queue. */
static int32_t refuse(const struct reading *reading, const char *what)
{
	ERR_clear_error();
	return tls_refuse(reading->reason, -EINVAL, "%s%s", reading->whose, what);
}

static int32_t refuse_as_told(const struct reading *reading, const char *what)
{
	unsigned long code = ERR_peek_last_error();
	const char *why = ERR_reason_error_string(code);

	switch (ERR_GET_REASON(code)) {
	case SSL_R_EE_KEY_TOO_SMALL:
	case SSL_R_CA_KEY_TOO_SMALL:
		why = "its key is too short (RSA from 2048 bits, curves from 224)";
		break;
	case SSL_R_CA_MD_TOO_WEAK:
		why = "it is signed with a digest that is broken (SHA-1, MD5)";
		break;
	}
	ERR_clear_error();
	return tls_refuse(reading->reason, -EINVAL, "%s%s: %s", reading->whose, what, why ? why : "no reason given");
}

struct asking {
	const struct tls_bytes *passphrase;
	bool was_asked;
};

static int give_passphrase(char *into, int room, int is_writing, void *pointer)
{
	struct asking *asking = pointer;

	(void)is_writing;
	asking->was_asked = true;
	if (!asking->passphrase->is_given || asking->passphrase->bytes > (uint32_t)room)
		return -1;
	memcpy(into, asking->passphrase->at, asking->passphrase->bytes);
	return (int)asking->passphrase->bytes;
}

static EVP_PKEY *read_key(const struct reading *reading, int32_t *error)
{
	struct asking asking = { &reading->identity->passphrase, false };
	BIO *bio = BIO_new_mem_buf(reading->identity->key.at, (int)reading->identity->key.bytes);
	EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, give_passphrase, &asking) : NULL;

	BIO_free(bio);
	if (key)
		return key;
	if (!asking.was_asked)
		*error = refuse(reading, "this is no PEM private key");
	else if (!asking.passphrase->is_given)
		*error = refuse(reading, "the key needs a passphrase");
	else
		*error = refuse(reading, "the passphrase does not open the key");
	return NULL;
}

/* All certificates of the PEM text, in its order. */
static STACK_OF(X509) *read_certificates(const struct reading *reading, int32_t *error)
{
	struct tls_bytes no_passphrase = { 0 };
	struct asking asking = { &no_passphrase, false };
	BIO *bio = BIO_new_mem_buf(reading->identity->certificate.at, (int)reading->identity->certificate.bytes);
	STACK_OF(X509) *all = sk_X509_new_null();
	X509 *certificate = NULL;

	while (bio && all && (certificate = PEM_read_bio_X509_AUX(bio, NULL, give_passphrase, &asking)) != NULL)
		if (!sk_X509_push(all, certificate)) {
			X509_free(certificate);
			break;
		}
	BIO_free(bio);
	if (all && sk_X509_num(all) > 0 && ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE) {
		ERR_clear_error();
		return all;
	}
	*error = refuse(reading, all && sk_X509_num(all) > 0 ? "a certificate of the chain is malformed"
							       : "this is no PEM certificate");
	sk_X509_pop_free(all, X509_free);
	return NULL;
}

/* Puts the issuer of each behind it, as TLS 1.2 wants it (RFC 5246 section 7.4.2); what belongs to nothing stays at the end. */
static void put_in_order(STACK_OF(X509) *all)
{
	for (int i = 0; i + 1 < sk_X509_num(all); i++)
		for (int j = i + 1; j < sk_X509_num(all); j++) {
			X509 *issuer = sk_X509_value(all, j);

			if (X509_check_issued(issuer, sk_X509_value(all, i)) != X509_V_OK)
				continue;
			sk_X509_set(all, j, sk_X509_value(all, i + 1));
			sk_X509_set(all, i + 1, issuer);
			break;
		}
}

static int32_t check_match(const struct reading *reading, STACK_OF(X509) *all, EVP_PKEY *key)
{
	for (int i = 0; i < sk_X509_num(all); i++)
		if (EVP_PKEY_eq(X509_get0_pubkey(sk_X509_value(all, i)), key) == 1) {
			ERR_clear_error();
			return i == 0 ? 0 : refuse(reading, "the certificate that the key belongs to must come first, before its chain");
		}
	return refuse(reading, "the key does not belong to the certificate");
}

static int32_t use_both(SSL_CTX *ssl, const struct reading *reading, STACK_OF(X509) *all, EVP_PKEY *key)
{
	int32_t error = check_match(reading, all, key);

	if (error != 0)
		return error;
	put_in_order(all);
	if (SSL_CTX_use_certificate(ssl, sk_X509_value(all, 0)) != 1)
		return refuse_as_told(reading, "the certificate is refused");
	if (SSL_CTX_use_PrivateKey(ssl, key) != 1)
		return refuse_as_told(reading, "the key is refused");
	for (int i = 1; i < sk_X509_num(all); i++)
		if (SSL_CTX_add1_chain_cert(ssl, sk_X509_value(all, i)) != 1)
			return refuse_as_told(reading, "a certificate of the chain is refused");
	return 0;
}

int32_t tls_identity_use(SSL_CTX *ssl, const struct tls_identity *identity, const struct tls_reason *reason)
{
	struct reading reading = { .identity = identity, .reason = reason };
	STACK_OF(X509) *all;
	EVP_PKEY *key;
	int32_t error = 0;

	if (!identity->certificate.is_given)
		return 0;
	if (identity->name.is_given)
		snprintf(reading.whose, sizeof reading.whose, "%.*s: ", (int)identity->name.bytes, (const char *)identity->name.at);
	ERR_clear_error();
	all = read_certificates(&reading, &error);
	if (!all)
		return error;
	key = read_key(&reading, &error);
	if (key)
		error = use_both(ssl, &reading, all, key);
	EVP_PKEY_free(key);
	sk_X509_pop_free(all, X509_free);
	return error;
}
