/*
 * What two ends agree on, or not: protocols, versions, ciphers; and peers that speak something else.
 */
#include "test.h"
#include "tls_parties.h"

#include <openssl/sslerr.h>
#include <string.h>

static void check_protocols(const char *of_client, const char *of_server, const char *chosen, uint32_t client_error, uint32_t server_error)
{
	struct configuration configuration;
	uint32_t client, context;
	struct pair pair;

	client_configuration(&configuration, 0);
	if (*of_client)
		configuration_text(&configuration, RW_TLS_ALPN, of_client);
	client = configuration_open(&configuration, RW_TLS_CLIENT);
	server_configuration(&configuration, 0);
	if (*of_server)
		configuration_text(&configuration, RW_TLS_ALPN, of_server);
	context = configuration_open(&configuration, RW_TLS_SERVER);
	pair_make(&pair, client, context, "a.example", 443);
	pair_shake(&pair);
	CHECK_EQUAL(pair.client.error, client_error);
	CHECK_EQUAL(pair.server.error, server_error);
	if (client_error == 0) {
		CHECK(strcmp(end_line(&pair.client, "alpn"), chosen) == 0);
		CHECK(strcmp(end_line(&pair.server, "alpn"), chosen) == 0);
	} else {
		CHECK_EQUAL(pair.client.detail, 120);
	}
	pair_free(&pair);
	rw_tls_close(client);
	rw_tls_close(context);
}

TEST(a_server_chooses_the_first_of_its_protocols_that_the_client_offers)
{
	check_protocols("\2h2\10http/1.1", "\10http/1.1\2h2", "http/1.1", 0, 0);
	check_protocols("\10http/1.1", "\2h2\10http/1.1", "http/1.1", 0, 0);
	check_protocols("\2h2", "", "", 0, 0);
	check_protocols("", "\2h2", "", 0, 0);
	check_protocols("\2h3", "\2h2\10http/1.1", "", RW_TLS_ERROR_ALERT, RW_TLS_ERROR_ALPN);
}

static int choose_foreign(SSL *ssl, const unsigned char **out, unsigned char *bytes, const unsigned char *in, unsigned in_bytes, void *unused)
{
	(void)ssl, (void)in, (void)in_bytes, (void)unused;
	*out = (const unsigned char *)"spdy";
	*bytes = 4;
	return SSL_TLSEXT_ERR_OK;
}

TEST(a_client_refuses_a_protocol_that_it_has_not_offered)
{
	struct configuration configuration;
	uint32_t client, context = open_server(0);
	struct pair pair;

	client_configuration(&configuration, 0);
	configuration_text(&configuration, RW_TLS_ALPN, "\2h2");
	client = configuration_open(&configuration, RW_TLS_CLIENT);
	pair_make(&pair, client, context, "a.example", 443);
	SSL_CTX_set_alpn_select_cb(SSL_get_SSL_CTX(pair.server.ssl), choose_foreign, NULL);
	pair_shake(&pair);
	CHECK_EQUAL(pair.client.error, RW_TLS_ERROR_PROTOCOL);
	CHECK_EQUAL(pair.client.detail, SSL_R_BAD_EXTENSION);
	pair_free(&pair);
	rw_tls_close(client);
	rw_tls_close(context);
}

static uint32_t open_versions(uint32_t role, uint32_t lowest, uint32_t highest, const char *ciphers, const char *suites)
{
	struct configuration configuration;

	if (role == RW_TLS_SERVER)
		server_configuration(&configuration, 0);
	else
		client_configuration(&configuration, 0);
	configuration_versions(&configuration, lowest, highest);
	if (ciphers)
		configuration_text(&configuration, RW_TLS_CIPHERS, ciphers);
	if (suites)
		configuration_text(&configuration, RW_TLS_CIPHER_SUITES, suites);
	return configuration_open(&configuration, role);
}

static void check_agreement(uint32_t client, uint32_t context, const char *version, const char *cipher)
{
	struct pair pair;

	pair_make(&pair, client, context, "a.example", 443);
	pair_shake(&pair);
	CHECK_EQUAL(pair.client.error, 0);
	CHECK_EQUAL(pair.server.error, 0);
	CHECK(strcmp(end_line(&pair.client, "version"), version) == 0);
	CHECK(strcmp(end_line(&pair.server, "cipher"), cipher) == 0);
	CHECK(strcmp(end_line(&pair.client, "resumed"), "0") == 0);
	pair_free(&pair);
	rw_tls_close(client);
	rw_tls_close(context);
}

static void check_disagreement(uint32_t client, uint32_t context, uint32_t server_error, uint32_t alert)
{
	struct pair pair;

	pair_make(&pair, client, context, "a.example", 443);
	pair_shake(&pair);
	CHECK_EQUAL(pair.server.error, server_error);
	CHECK_EQUAL(pair.client.error, RW_TLS_ERROR_ALERT);
	CHECK_EQUAL(pair.client.detail, alert);
	pair_free(&pair);
	rw_tls_close(client);
	rw_tls_close(context);
}

TEST(versions_and_ciphers_are_those_that_both_ends_allow)
{
	const uint32_t c = RW_TLS_CLIENT, s = RW_TLS_SERVER, v2 = 0x0303, v3 = 0x0304;

	check_agreement(open_client(0), open_server(0), "TLSv1.3", "TLS_AES_128_GCM_SHA256");
	check_agreement(open_versions(c, v2, v2, NULL, NULL), open_server(0), "TLSv1.2", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256");
	check_agreement(open_client(0), open_versions(s, v2, v3, NULL, "TLS_CHACHA20_POLY1305_SHA256"), "TLSv1.3",
			"TLS_CHACHA20_POLY1305_SHA256");
	check_agreement(open_versions(c, v2, v2, NULL, NULL), open_versions(s, v2, v3, "ECDHE-ECDSA-AES256-GCM-SHA384", NULL), "TLSv1.2",
			"TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384");
	check_disagreement(open_versions(c, v2, v2, NULL, NULL), open_versions(s, v3, v3, NULL, NULL), RW_TLS_ERROR_VERSION, 70);
	check_disagreement(open_versions(c, v3, v3, NULL, NULL), open_versions(s, v2, v2, NULL, NULL), RW_TLS_ERROR_VERSION, 70);
	check_disagreement(open_versions(c, v3, v3, NULL, "TLS_AES_256_GCM_SHA384"),
			   open_versions(s, v3, v3, NULL, "TLS_AES_128_GCM_SHA256"), RW_TLS_ERROR_CIPHER, 40);
	check_disagreement(open_versions(c, v2, v2, "ECDHE-RSA-AES128-GCM-SHA256", NULL), open_server(0), RW_TLS_ERROR_CIPHER, 40);
}

static void check_garbage(SSL *ssl, const void *data, uint32_t bytes, uint32_t error)
{
	BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
	uint32_t detail;
	int result;

	BIO_write(in, data, (int)bytes);
	BIO_set_mem_eof_return(in, 0);
	SSL_set_bio(ssl, in, out);
	result = SSL_do_handshake(ssl);
	CHECK(result != 1);
	CHECK_EQUAL(tls_session_error(ssl, result, &detail), error);
	tls_session_free(ssl);
}

TEST(a_peer_that_speaks_something_else_is_told_of)
{
	static const char request[] = "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n", answer[] = "HTTP/1.1 400 Bad Request\r\n\r\n";
	struct tls_context *client_context, *context;
	uint32_t client = open_client(0), server_context = open_server(0);
	uint8_t garbage[64];
	int32_t error;

	client_context = tls_context_take(client, RW_TLS_CLIENT, &error);
	context = tls_context_take(server_context, RW_TLS_SERVER, &error);
	memset(garbage, 'g', sizeof garbage);
	check_garbage(tls_session_new(context, NULL, 0, 0), request, sizeof request - 1, RW_TLS_ERROR_NOT_TLS);
	check_garbage(tls_session_new(context, NULL, 0, 0), "CONNECT a:1 HTTP/1.1\r\n\r\n", 24, RW_TLS_ERROR_NOT_TLS);
	check_garbage(tls_session_new(context, NULL, 0, 0), "SSH-2.0-OpenSSH_9.2\r\n", 21, RW_TLS_ERROR_NOT_TLS);
	check_garbage(tls_session_new(context, NULL, 0, 0), garbage, sizeof garbage, RW_TLS_ERROR_NOT_TLS);
	memset(garbage, 0, sizeof garbage);
	check_garbage(tls_session_new(context, NULL, 0, 0), garbage, sizeof garbage, RW_TLS_ERROR_NOT_TLS);
	check_garbage(tls_session_new(client_context, "a.example", 9, 1), answer, sizeof answer - 1, RW_TLS_ERROR_NOT_TLS);
	/* Records that are well formed, and nonsense inside; an end. */
	check_garbage(tls_session_new(context, NULL, 0, 0), "\x16\x03\x01\0\5\2\0\0\1x", 10, RW_TLS_ERROR_PROTOCOL);
	check_garbage(tls_session_new(context, NULL, 0, 0), "\x15\x03\x01\0\2\2\50", 7, RW_TLS_ERROR_PROTOCOL);
	check_garbage(tls_session_new(context, NULL, 0, 0), "\x16\x03", 2, RW_TLS_ERROR_TRUNCATED);
	tls_context_drop(client_context);
	tls_context_drop(context);
	rw_tls_close(client);
	rw_tls_close(server_context);
}

TEST(renegotiation_is_refused)
{
	uint32_t client = open_versions(RW_TLS_CLIENT, 0x0303, 0x0303, NULL, NULL), context = open_server(0);
	struct pair pair;
	uint8_t byte;

	pair_make(&pair, client, context, "a.example", 443);
	pair_shake(&pair);
	pair_exchange(&pair);
	SSL_clear_options(pair.client.ssl, SSL_OP_NO_RENEGOTIATION);
	CHECK_EQUAL(SSL_renegotiate(pair.client.ssl), 1);
	CHECK(SSL_do_handshake(pair.client.ssl) != 1);
	CHECK(SSL_read(pair.server.ssl, &byte, 1) <= 0);
	/* A warning (no_renegotiation) is the whole answer; the connection lives on for what is not a handshake. */
	CHECK(SSL_read(pair.client.ssl, &byte, 1) <= 0);
	CHECK(!SSL_in_init(pair.server.ssl));
	pair_free(&pair);
	rw_tls_close(client);
	rw_tls_close(context);
}
