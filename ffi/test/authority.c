/*
 * Making certificates and configurations.
 */
#include "authority.h"

#include "test.h"
#include "tls_context.h"

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *text_of(BIO *bio)
{
	char *data, *text;
	long bytes = BIO_get_mem_data(bio, &data);

	text = strndup(data, (size_t)bytes);
	BIO_free(bio);
	return text;
}

static void add_extension(X509 *certificate, X509V3_CTX *context, int kind, const char *value)
{
	X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, context, kind, value);

	CHECK(extension && X509_add_ext(certificate, extension, -1) == 1);
	X509_EXTENSION_free(extension);
}

static void add_extensions(X509 *certificate, X509 *issuer, const struct wanted *wanted)
{
	X509V3_CTX context;

	X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
	add_extension(certificate, &context, NID_basic_constraints, wanted->is_authority ? "critical,CA:TRUE" : "critical,CA:FALSE");
	add_extension(certificate, &context, NID_subject_key_identifier, "hash");
	if (wanted->is_authority)
		add_extension(certificate, &context, NID_key_usage, "critical,keyCertSign,cRLSign");
	else
		add_extension(certificate, &context, NID_ext_key_usage, "serverAuth,clientAuth");
	if (wanted->names)
		add_extension(certificate, &context, NID_subject_alt_name, wanted->names);
}

void identity_make(struct identity *identity, const struct wanted *wanted)
{
	static long serial;
	bool is_usual = wanted->not_before_days == 0 && wanted->not_after_days == 0;
	X509 *certificate, *issuer;
	X509_NAME *name;
	BIO *bio;

	/* As the shim starts it, and not as OpenSSL does by itself. */
	CHECK(tls_start());
	certificate = X509_new();
	issuer = wanted->issuer ? wanted->issuer->certificate : certificate;
	name = X509_get_subject_name(certificate);
	identity->key = wanted->rsa_bits ? EVP_RSA_gen((unsigned)wanted->rsa_bits) : EVP_EC_gen("P-256");
	identity->certificate = certificate;
	X509_set_version(certificate, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1000 + ++serial);
	X509_gmtime_adj(X509_getm_notBefore(certificate), (is_usual ? -1 : wanted->not_before_days) * 86400);
	X509_gmtime_adj(X509_getm_notAfter(certificate), (is_usual ? 1 : wanted->not_after_days) * 86400);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const uint8_t *)wanted->common_name, -1, -1, 0);
	X509_set_issuer_name(certificate, X509_get_subject_name(issuer));
	X509_set_pubkey(certificate, identity->key);
	add_extensions(certificate, issuer, wanted);
	CHECK(X509_sign(certificate, wanted->issuer ? wanted->issuer->key : identity->key, wanted->is_sha1 ? EVP_sha1() : EVP_sha256()) >
	      0);
	bio = BIO_new(BIO_s_mem());
	PEM_write_bio_X509(bio, certificate);
	identity->certificate_pem = text_of(bio);
	bio = BIO_new(BIO_s_mem());
	PEM_write_bio_PrivateKey(bio, identity->key, wanted->passphrase ? EVP_aes_128_cbc() : NULL, (const uint8_t *)wanted->passphrase,
				 wanted->passphrase ? (int)strlen(wanted->passphrase) : 0, NULL, NULL);
	identity->key_pem = text_of(bio);
}

void identity_free(struct identity *identity)
{
	X509_free(identity->certificate);
	EVP_PKEY_free(identity->key);
	free(identity->certificate_pem);
	free(identity->key_pem);
}

void identity_pin(const struct identity *identity, uint8_t pin[32])
{
	uint8_t *key = NULL;
	int bytes = i2d_PUBKEY(identity->key, &key);

	CHECK(bytes > 0 && EVP_Digest(key, (size_t)bytes, pin, NULL, EVP_sha256(), NULL) == 1);
	OPENSSL_free(key);
}

void configuration_add(struct configuration *configuration, uint32_t kind, const void *data, uint32_t bytes)
{
	uint32_t head[2] = { kind, bytes };

	CHECK(configuration->used + 8 + bytes + 3 <= sizeof configuration->bytes);
	memcpy(configuration->bytes + configuration->used, head, 8);
	memcpy(configuration->bytes + configuration->used + 8, data, bytes);
	configuration->used += (8 + bytes + 3) & ~3u;
}

void configuration_text(struct configuration *configuration, uint32_t kind, const char *text)
{
	configuration_add(configuration, kind, text, (uint32_t)strlen(text));
}

void configuration_flags(struct configuration *configuration, uint32_t flags)
{
	configuration_add(configuration, RW_TLS_FLAGS, &flags, sizeof flags);
}

void configuration_versions(struct configuration *configuration, uint32_t lowest, uint32_t highest)
{
	uint32_t versions[2] = { lowest, highest };

	configuration_add(configuration, RW_TLS_VERSIONS, versions, sizeof versions);
}

void configuration_identity(struct configuration *configuration, const struct identity *identity)
{
	configuration_text(configuration, RW_TLS_CERTIFICATE, identity->certificate_pem);
	configuration_text(configuration, RW_TLS_KEY, identity->key_pem);
}

uint32_t configuration_open(const struct configuration *configuration, uint32_t role)
{
	char text[200];
	int32_t handle = rw_tls_open(role, configuration->bytes, configuration->used, text, sizeof text);

	if (handle <= 0)
		printf("  rw_tls_open: %d: %s\n", handle, text);
	CHECK(handle > 0);
	return (uint32_t)handle;
}
