/*
 * See secure.h.
 */
#include "secure.h"

#include "ringwire.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

static EVP_PKEY *key;
static X509 *certificate;
static SSL_CTX *peers[2]; /* client, server */

static void make_certificate(void)
{
	X509_EXTENSION *names;

	key = EVP_EC_gen("P-256");
	certificate = X509_new();
	REQUIRE(key && certificate, "no key for the harness");
	X509_set_version(certificate, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
	X509_gmtime_adj(X509_getm_notBefore(certificate), -86400);
	X509_gmtime_adj(X509_getm_notAfter(certificate), 86400 * 30);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_ASC, (const uint8_t *)SECURE_NAME, -1, -1, 0);
	X509_set_issuer_name(certificate, X509_get_subject_name(certificate));
	X509_set_pubkey(certificate, key);
	names = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, "DNS:" SECURE_NAME);
	REQUIRE(names && X509_add_ext(certificate, names, -1) == 1, "no name in the certificate");
	X509_EXTENSION_free(names);
	REQUIRE(X509_sign(certificate, key, EVP_sha256()) > 0, "no signature");
}

void secure_prepare(void)
{
	/* As the shim starts it: whoever is first decides. */
	REQUIRE(OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ATEXIT, NULL) == 1, "no OpenSSL");
	make_certificate();
	for (int is_server = 0; is_server < 2; is_server++) {
		peers[is_server] = SSL_CTX_new(is_server ? TLS_server_method() : TLS_client_method());
		REQUIRE(peers[is_server], "no context for the harness");
		SSL_CTX_set_mode(peers[is_server], SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	}
	REQUIRE(SSL_CTX_use_certificate(peers[1], certificate) == 1 && SSL_CTX_use_PrivateKey(peers[1], key) == 1, "no identity");
	REQUIRE(secure_context(RW_TLS_SERVER, false) != 0, "no context of the shim");
}

static uint32_t put(uint8_t *config, uint32_t used, uint32_t kind, const void *data, uint32_t bytes)
{
	memcpy(config + used, &kind, 4);
	memcpy(config + used + 4, &bytes, 4);
	memcpy(config + used + 8, data, bytes);
	return used + 8 + ((bytes + 3) & ~3u);
}

static uint32_t put_pem(uint8_t *config, uint32_t used, uint32_t kind, bool is_key)
{
	BIO *memory = BIO_new(BIO_s_mem());
	char *text;
	long bytes;

	if (is_key)
		PEM_write_bio_PrivateKey(memory, key, NULL, NULL, 0, NULL, NULL);
	else
		PEM_write_bio_X509(memory, certificate);
	bytes = BIO_get_mem_data(memory, &text);
	used = put(config, used, kind, text, (uint32_t)bytes);
	BIO_free(memory);
	return used;
}

uint32_t secure_context(uint32_t role, bool is_old)
{
	uint8_t config[8192];
	uint32_t flags = RW_TLS_RESUME | (role == RW_TLS_CLIENT ? RW_TLS_VERIFY : 0), used = 0;
	uint32_t versions[] = { TLS1_2_VERSION, is_old ? TLS1_2_VERSION : TLS1_3_VERSION };
	char text[200] = "";
	int32_t handle;

	used = put(config, used, RW_TLS_FLAGS, &flags, sizeof flags);
	used = put(config, used, RW_TLS_VERSIONS, versions, sizeof versions);
	if (role == RW_TLS_CLIENT) {
		used = put_pem(config, used, RW_TLS_AUTHORITY, false);
	} else {
		used = put_pem(config, used, RW_TLS_CERTIFICATE, false);
		used = put_pem(config, used, RW_TLS_KEY, true);
	}
	handle = rw_tls_open(role, config, used, text, sizeof text);
	REQUIRE(handle > 0, "rw_tls_open: %d: %s", handle, text);
	return (uint32_t)handle;
}

SSL *secure_peer(bool is_server, int fd)
{
	SSL *ssl = SSL_new(peers[is_server]);

	REQUIRE(ssl && SSL_set_fd(ssl, fd) == 1, "no memory for the harness");
	if (is_server)
		SSL_set_accept_state(ssl);
	else
		SSL_set_connect_state(ssl);
	return ssl;
}
