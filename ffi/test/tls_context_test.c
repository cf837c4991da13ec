/*
 * TLS contexts: what a configuration may say, handles, server names, protocols, updates, key log.
 */
#include "test.h"
#include "tls_pair.h"

#include <fcntl.h>
#include <openssl/sslerr.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct identity authority, server, other;

static void make_identities(void)
{
	if (authority.certificate)
		return;
	identity_make(&authority, &(struct wanted){ .common_name = "Test authority", .is_authority = true });
	identity_make(&server, &(struct wanted){ .common_name = "server", .names = "DNS:a.example,DNS:*.wild.example,IP:127.0.0.1,IP:::1",
						 .issuer = &authority });
	identity_make(&other, &(struct wanted){ .common_name = "other", .names = "DNS:b.example", .issuer = &authority });
}

static void server_configuration(struct configuration *configuration, uint32_t flags)
{
	make_identities();
	configuration->used = 0;
	configuration_flags(configuration, flags);
	configuration_identity(configuration, &server);
}

static void client_configuration(struct configuration *configuration, uint32_t flags)
{
	make_identities();
	configuration->used = 0;
	configuration_flags(configuration, flags | RW_TLS_VERIFY);
	configuration_text(configuration, RW_TLS_AUTHORITY, authority.certificate_pem);
}

static uint32_t open_server(uint32_t flags)
{
	struct configuration configuration;

	server_configuration(&configuration, flags);
	return configuration_open(&configuration, RW_TLS_SERVER);
}

static uint32_t open_client(uint32_t flags)
{
	struct configuration configuration;

	client_configuration(&configuration, flags);
	return configuration_open(&configuration, RW_TLS_CLIENT);
}

static void check_refused(const struct configuration *configuration, uint32_t role, int32_t error, const char *reason)
{
	char text[256] = "";
	int32_t result = rw_tls_open(role, configuration->bytes, configuration->used, text, sizeof text);

	if (result != error || !strstr(text, reason))
		printf("  %d: \"%s\" (expected \"%s\")\n", result, text, reason);
	CHECK_EQUAL(result, error);
	CHECK(strstr(text, reason));
	/* No room, or little of it, for the reason. */
	CHECK_EQUAL(rw_tls_open(role, configuration->bytes, configuration->used, NULL, 0), error);
	memset(text, 'x', sizeof text);
	CHECK_EQUAL(rw_tls_open(role, configuration->bytes, configuration->used, text, 5), error);
	CHECK(text[4] == 0 && text[5] == 'x');
}

static void expect_refusal(uint32_t role, uint32_t kind, const void *data, uint32_t bytes, const char *reason)
{
	struct configuration configuration;

	if (role == RW_TLS_SERVER)
		server_configuration(&configuration, 0);
	else
		client_configuration(&configuration, 0);
	configuration_add(&configuration, kind, data, bytes);
	check_refused(&configuration, role, -EINVAL, reason);
}

TEST(tls_records_that_are_malformed_are_refused)
{
	static const uint32_t versions[][2] = { { 0x0302, 0x0303 }, { 0x0304, 0x0303 }, { 0x0303, 0x0305 } };
	static const uint32_t flags = 1u << 6;
	struct configuration configuration;

	expect_refusal(RW_TLS_CLIENT, 13, "x", 1, "kind 13: unknown");
	expect_refusal(RW_TLS_CLIENT, 0, "x", 1, "kind 0: unknown");
	expect_refusal(RW_TLS_CLIENT, RW_TLS_FLAGS, "\0\0\0\0", 4, "flags: given twice");
	expect_refusal(RW_TLS_CLIENT, RW_TLS_VERSIONS, versions, 4, "versions: malformed");
	for (size_t i = 0; i < sizeof versions / sizeof *versions; i++)
		expect_refusal(RW_TLS_CLIENT, RW_TLS_VERSIONS, versions[i], 8, "versions: not TLS 1.2 to 1.3");
	expect_refusal(RW_TLS_CLIENT, RW_TLS_PIN, "thirty-one bytes, and one is lost", 31, "pin: malformed");
	expect_refusal(RW_TLS_CLIENT, RW_TLS_ALPN, "\2h2\0", 4, "ALPN: malformed");
	expect_refusal(RW_TLS_CLIENT, RW_TLS_ALPN, "\3h2", 3, "ALPN: malformed");
	expect_refusal(RW_TLS_CLIENT, RW_TLS_ALPN, "", 0, "ALPN: malformed");
	expect_refusal(RW_TLS_CLIENT, RW_TLS_CIPHERS, "", 0, "ciphers: malformed");
	expect_refusal(RW_TLS_CLIENT, RW_TLS_CIPHERS, "AES\0", 4, "ciphers: malformed");
	expect_refusal(RW_TLS_CLIENT, RW_TLS_KEY_LOG, "a\0b", 3, "key log: malformed");
	expect_refusal(RW_TLS_SERVER, RW_TLS_CERTIFICATE, "x", 1, "certificate: given twice");
	expect_refusal(RW_TLS_SERVER, RW_TLS_NAME, "*", 1, "server name: malformed");
	expect_refusal(RW_TLS_SERVER, RW_TLS_NAME, "*.*.example", 11, "server name: malformed");
	expect_refusal(RW_TLS_SERVER, RW_TLS_NAME, ".example", 8, "server name: malformed");
	expect_refusal(RW_TLS_SERVER, RW_TLS_NAME, "a example", 9, "server name: malformed");

	configuration.used = 0;
	configuration_add(&configuration, RW_TLS_FLAGS, &flags, 4);
	check_refused(&configuration, RW_TLS_CLIENT, -EINVAL, "flags: unknown");
	/* Lengths that reach beyond the end. */
	client_configuration(&configuration, 0);
	configuration.used -= 4;
	check_refused(&configuration, RW_TLS_CLIENT, -EINVAL, "does not fit");
	memset(configuration.bytes + 4, 0xff, 4);
	check_refused(&configuration, RW_TLS_CLIENT, -EINVAL, "does not fit");
	configuration.used = 7;
	check_refused(&configuration, RW_TLS_CLIENT, -EINVAL, "does not fit");
	CHECK_EQUAL(rw_tls_open(2, NULL, 0, NULL, 0), -EINVAL);
	CHECK_EQUAL(rw_tls_open(RW_TLS_CLIENT, NULL, 8, NULL, 0), -EINVAL);
}

TEST(tls_records_that_contradict_each_other_are_refused)
{
	struct configuration configuration;
	uint8_t pin[32] = { 0 };

	make_identities();
	configuration.used = 0;
	check_refused(&configuration, RW_TLS_SERVER, -EINVAL, "a server needs a certificate and its key");
	configuration_text(&configuration, RW_TLS_CERTIFICATE, server.certificate_pem);
	check_refused(&configuration, RW_TLS_SERVER, -EINVAL, "a certificate, but no key");
	check_refused(&configuration, RW_TLS_CLIENT, -EINVAL, "a certificate, but no key");
	configuration.used = 0;
	configuration_text(&configuration, RW_TLS_KEY, server.key_pem);
	check_refused(&configuration, RW_TLS_CLIENT, -EINVAL, "a key, but no certificate");
	server_configuration(&configuration, RW_TLS_REQUIRE);
	check_refused(&configuration, RW_TLS_SERVER, -EINVAL, "only when it is verified");
	client_configuration(&configuration, RW_TLS_REQUIRE);
	check_refused(&configuration, RW_TLS_CLIENT, -EINVAL, "required only of clients");
	client_configuration(&configuration, 0);
	configuration_text(&configuration, RW_TLS_NAME, "a.example");
	configuration_identity(&configuration, &server);
	check_refused(&configuration, RW_TLS_CLIENT, -EINVAL, "for servers");
	server_configuration(&configuration, 0);
	configuration_add(&configuration, RW_TLS_PIN, pin, sizeof pin);
	check_refused(&configuration, RW_TLS_SERVER, -EINVAL, "pins for clients");
	server_configuration(&configuration, 0);
	for (int i = 0; i < 2; i++) {
		configuration_text(&configuration, RW_TLS_NAME, i ? "A.example" : "a.example");
		configuration_identity(&configuration, &server);
	}
	check_refused(&configuration, RW_TLS_SERVER, -EINVAL, "a.example given twice");
}

TEST(certificates_and_keys_that_will_not_do_are_refused_with_the_reason)
{
	struct identity locked, small, sha1;
	struct configuration configuration;
	char chain[8192];

	make_identities();
	identity_make(&locked, &(struct wanted){ .common_name = "locked", .passphrase = "open sesame" });
	identity_make(&small, &(struct wanted){ .common_name = "small", .rsa_bits = 1024 });
	identity_make(&sha1, &(struct wanted){ .common_name = "sha1", .issuer = &authority, .is_sha1 = true });

	configuration.used = 0;
	configuration_text(&configuration, RW_TLS_CERTIFICATE, server.certificate_pem);
	configuration_text(&configuration, RW_TLS_KEY, other.key_pem);
	check_refused(&configuration, RW_TLS_SERVER, -EINVAL, "the key does not belong to the certificate");

	configuration.used = 0;
	configuration_text(&configuration, RW_TLS_CERTIFICATE, "no certificate");
	configuration_text(&configuration, RW_TLS_KEY, server.key_pem);
	check_refused(&configuration, RW_TLS_SERVER, -EINVAL, "this is no PEM certificate");

	configuration.used = 0;
	configuration_text(&configuration, RW_TLS_CERTIFICATE, server.certificate_pem);
	configuration_text(&configuration, RW_TLS_KEY, server.certificate_pem);
	check_refused(&configuration, RW_TLS_SERVER, -EINVAL, "this is no PEM private key");

	configuration.used = 0;
	configuration_identity(&configuration, &locked);
	check_refused(&configuration, RW_TLS_SERVER, -EINVAL, "the key needs a passphrase");
	configuration_text(&configuration, RW_TLS_PASSPHRASE, "open barley");
	check_refused(&configuration, RW_TLS_SERVER, -EINVAL, "the passphrase does not open the key");

	configuration.used = 0;
	configuration_identity(&configuration, &small);
	check_refused(&configuration, RW_TLS_SERVER, -EINVAL, "the certificate is refused: its key is too short");
	configuration.used = 0;
	configuration_identity(&configuration, &sha1);
	check_refused(&configuration, RW_TLS_SERVER, -EINVAL, "the certificate is refused: it is signed with a digest");

	snprintf(chain, sizeof chain, "%s%s", authority.certificate_pem, server.certificate_pem);
	configuration.used = 0;
	configuration_text(&configuration, RW_TLS_CERTIFICATE, chain);
	configuration_text(&configuration, RW_TLS_KEY, server.key_pem);
	check_refused(&configuration, RW_TLS_SERVER, -EINVAL, "must come first");
	snprintf(chain, sizeof chain, "%s-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", server.certificate_pem);
	configuration.used = 0;
	configuration_text(&configuration, RW_TLS_CERTIFICATE, chain);
	configuration_text(&configuration, RW_TLS_KEY, server.key_pem);
	check_refused(&configuration, RW_TLS_SERVER, -EINVAL, "a certificate of the chain is malformed");

	server_configuration(&configuration, 0);
	configuration_text(&configuration, RW_TLS_NAME, "b.example");
	configuration_text(&configuration, RW_TLS_CERTIFICATE, other.certificate_pem);
	configuration_text(&configuration, RW_TLS_KEY, server.key_pem);
	check_refused(&configuration, RW_TLS_SERVER, -EINVAL, "b.example: the key does not belong");

	expect_refusal(RW_TLS_CLIENT, RW_TLS_AUTHORITY, "nothing", 7, "authority: this is no PEM certificate");
	expect_refusal(RW_TLS_CLIENT, RW_TLS_AUTHORITY, chain, (uint32_t)strlen(chain), "authority: one of its certificates is malformed");
	expect_refusal(RW_TLS_CLIENT, RW_TLS_CIPHERS, "NO-SUCH", 7, "ciphers: ");
	expect_refusal(RW_TLS_CLIENT, RW_TLS_CIPHER_SUITES, "TLS_NO_SUCH", 11, "cipher suites: ");
	expect_refusal(RW_TLS_CLIENT, RW_TLS_KEY_LOG, "/nowhere/at/all", 15, "cannot be opened: No such file");
	identity_free(&locked);
	identity_free(&small);
	identity_free(&sha1);
}

TEST(keys_with_a_passphrase_and_rsa_keys_serve)
{
	struct identity locked, rsa;
	struct configuration configuration;
	uint32_t client = open_client(0), context;

	identity_make(&locked, &(struct wanted){ .common_name = "locked", .passphrase = "open sesame", .issuer = &authority,
						 .names = "DNS:a.example" });
	identity_make(&rsa, &(struct wanted){ .common_name = "rsa", .rsa_bits = 2048, .issuer = &authority, .names = "DNS:a.example" });
	configuration.used = 0;
	configuration_identity(&configuration, &locked);
	configuration_text(&configuration, RW_TLS_PASSPHRASE, "open sesame");
	context = configuration_open(&configuration, RW_TLS_SERVER);
	pair_expect(client, context, "a.example", 0, 0);
	rw_tls_close(context);
	configuration.used = 0;
	configuration_identity(&configuration, &rsa);
	context = configuration_open(&configuration, RW_TLS_SERVER);
	pair_expect(client, context, "a.example", 0, 0);
	rw_tls_close(context);
	rw_tls_close(client);
	identity_free(&locked);
	identity_free(&rsa);
}

static void *open_elsewhere(void *handle)
{
	int32_t error = 0, own = rw_tls_open(RW_TLS_CLIENT, NULL, 0, NULL, 0);
	struct tls_context *taken = tls_context_take(*(uint32_t *)handle, RW_TLS_CLIENT, &error);

	if (taken || error != -EXDEV || rw_tls_close(*(uint32_t *)handle) != -EXDEV ||
	    rw_tls_update(*(uint32_t *)handle, NULL, 0, NULL, 0) != -EXDEV || own <= 0)
		return NULL;
	*(uint32_t *)handle = (uint32_t)own; /* left open */
	return handle;
}

TEST(a_tls_context_has_a_role_belongs_to_its_thread_and_ends_with_it)
{
	uint32_t client = open_client(0), foreign = client;
	struct tls_context *context;
	pthread_t thread;
	void *result;
	int32_t error = 0;

	CHECK(!tls_context_take(client, RW_TLS_SERVER, &error));
	CHECK_EQUAL(error, -EINVAL);
	CHECK_EQUAL(pthread_create(&thread, NULL, open_elsewhere, &foreign), 0);
	pthread_join(thread, &result);
	CHECK(result);
	CHECK_EQUAL(rw_tls_close(foreign), -EINVAL);
	context = tls_context_take(client, RW_TLS_CLIENT, &error);
	CHECK(context);
	CHECK_EQUAL(rw_tls_close(client), 0);
	CHECK_EQUAL(rw_tls_close(client), -EINVAL);
	CHECK(!tls_context_take(client, RW_TLS_CLIENT, &error));
	CHECK_EQUAL(tls_context_flags(context), RW_TLS_VERIFY);
	tls_context_drop(context);
	CHECK_EQUAL(rw_tls_close(0), -EINVAL);
	CHECK_EQUAL(rw_tls_close(UINT32_MAX), -EINVAL);
	CHECK_EQUAL(rw_tls_update(client, NULL, 0, NULL, 0), -EINVAL);
}

TEST(a_session_outlives_its_context)
{
	uint32_t client = open_client(RW_TLS_RESUME), server_context = open_server(RW_TLS_RESUME);
	struct pair pair;

	pair_make(&pair, client, server_context, "a.example", 443);
	CHECK_EQUAL(rw_tls_close(client), 0);
	CHECK_EQUAL(rw_tls_close(server_context), 0);
	pair_shake(&pair);
	pair_exchange(&pair);
	pair_free(&pair);
}

TEST(the_number_of_tls_contexts_is_limited)
{
	static uint32_t handles[RW_TLS_CONTEXT_LIMIT + 1];
	uint32_t count = 0;
	char text[100];
	int32_t result;

	if (test_is_valgrind())
		test_skip("thousands of contexts take minutes under valgrind");
	while ((result = rw_tls_open(RW_TLS_CLIENT, NULL, 0, text, sizeof text)) > 0)
		handles[count++] = (uint32_t)result;
	CHECK_EQUAL(result, -EMFILE);
	CHECK(strstr(text, "4095"));
	CHECK(count <= RW_TLS_CONTEXT_LIMIT && count > RW_TLS_CONTEXT_LIMIT - 10);
	while (count > 0)
		CHECK_EQUAL(rw_tls_close(handles[--count]), 0);
}

static const char *shown_to(uint32_t client, uint32_t server_context, const char *name)
{
	static char common_name[64];
	struct pair pair;
	X509 *shown;

	pair_make(&pair, client, server_context, name, 443);
	pair_shake(&pair);
	CHECK(pair.client.is_done && pair.server.is_done);
	CHECK(strcmp(end_line(&pair.server, "name"), name) == 0);
	CHECK(strcmp(end_line(&pair.client, "name"), name) == 0);
	shown = SSL_get0_peer_certificate(pair.client.ssl);
	X509_NAME_get_text_by_NID(X509_get_subject_name(shown), NID_commonName, common_name, sizeof common_name);
	pair_free(&pair);
	return common_name;
}

TEST(a_server_shows_the_certificate_of_the_name_that_is_asked_for)
{
	struct identity wild;
	struct configuration configuration;
	uint32_t client, context;

	server_configuration(&configuration, 0);
	identity_make(&wild, &(struct wanted){ .common_name = "wild", .issuer = &authority });
	configuration_text(&configuration, RW_TLS_NAME, "*.Example.org");
	configuration_identity(&configuration, &wild);
	configuration_text(&configuration, RW_TLS_NAME, "b.example.org");
	configuration_identity(&configuration, &other);
	context = configuration_open(&configuration, RW_TLS_SERVER);
	configuration.used = 0;
	client = configuration_open(&configuration, RW_TLS_CLIENT); /* verifies nothing */
	CHECK(strcmp(shown_to(client, context, "b.example.org"), "other") == 0);
	CHECK(strcmp(shown_to(client, context, "B.EXAMPLE.ORG"), "other") == 0);
	CHECK(strcmp(shown_to(client, context, "c.example.org"), "wild") == 0);
	CHECK(strcmp(shown_to(client, context, "d.c.example.org"), "server") == 0);
	CHECK(strcmp(shown_to(client, context, "example.org"), "server") == 0);
	CHECK(strcmp(shown_to(client, context, "elsewhere"), "server") == 0);
	rw_tls_close(client);
	rw_tls_close(context);
	identity_free(&wild);
}

TEST(an_update_holds_for_handshakes_that_begin_from_then_on)
{
	struct configuration configuration;
	uint32_t client = open_client(0), context = open_server(0);
	struct pair begun;
	char text[100];

	pair_make(&begun, client, context, "a.example", 443);
	configuration.used = 0;
	configuration_identity(&configuration, &other);
	CHECK_EQUAL(rw_tls_update(context, configuration.bytes, configuration.used, text, sizeof text), 0);
	pair_shake(&begun);
	pair_exchange(&begun);
	pair_free(&begun);
	pair_expect(client, context, "b.example", 0, 0);
	/* One that is refused changes nothing. */
	CHECK_EQUAL(rw_tls_update(context, configuration.bytes, 3, text, sizeof text), -EINVAL);
	CHECK(strstr(text, "does not fit"));
	pair_expect(client, context, "b.example", 0, 0);
	rw_tls_close(client);
	rw_tls_close(context);
}

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

TEST(secrets_are_appended_to_the_key_log_file)
{
	char path[] = "/tmp/ringwire-key-log-XXXXXX", text[4096];
	struct configuration configuration;
	uint32_t client, context = open_server(0);
	struct stat status;
	FILE *file;
	size_t bytes;
	int fd = mkstemp(path);

	close(fd);
	unlink(path);
	client_configuration(&configuration, 0);
	configuration_text(&configuration, RW_TLS_KEY_LOG, path);
	client = configuration_open(&configuration, RW_TLS_CLIENT);
	for (int i = 0; i < 2; i++)
		pair_expect(client, context, "a.example", 0, 0);
	rw_tls_close(client);
	rw_tls_close(context);
	CHECK_EQUAL(stat(path, &status), 0);
	CHECK_EQUAL(status.st_mode & 0777, 0600);
	file = fopen(path, "r");
	bytes = fread(text, 1, sizeof text - 1, file);
	fclose(file);
	unlink(path);
	text[bytes] = 0;
	CHECK(strstr(text, "CLIENT_TRAFFIC_SECRET_0 "));
	CHECK(strstr(text, "SERVER_HANDSHAKE_TRAFFIC_SECRET "));
	/* Five lines a handshake, each of them whole. */
	CHECK_EQUAL(text[bytes - 1], '\n');
	bytes = 0;
	for (char *at = text; (at = strchr(at, '\n')) != NULL; at++)
		bytes++;
	CHECK_EQUAL(bytes, 10);
}

TEST(a_description_needs_room_and_keeps_its_lines_apart)
{
	uint32_t client, context = open_server(0);
	struct configuration configuration = { .used = 0 };
	struct pair pair;
	char text[256];

	client = configuration_open(&configuration, RW_TLS_CLIENT);
	pair_make(&pair, client, context, "a.example", 443);
	/* A name as no honest client sends it. */
	CHECK_EQUAL(SSL_set_tlsext_host_name(pair.client.ssl, "a\nktls_tx 1"), 1);
	pair_shake(&pair);
	CHECK(strcmp(end_line(&pair.server, "name"), "a?ktls_tx?1") == 0);
	for (size_t room = 0; room < 78; room++) {
		memset(text, 'x', sizeof text);
		CHECK_EQUAL(tls_session_describe(pair.server.ssl, text, room), 0);
		CHECK_EQUAL(text[room], 'x');
	}
	CHECK_EQUAL(tls_session_certificate(pair.server.ssl, text, sizeof text), 0);
	CHECK_EQUAL(tls_session_certificate(pair.client.ssl, text, 0), i2d_X509(server.certificate, NULL));
	pair_free(&pair);
	rw_tls_close(client);
	rw_tls_close(context);
}

TEST(a_forked_child_finds_no_tls_contexts)
{
	uint32_t client = open_client(0);
	pid_t child = fork();
	int status;

	if (child == 0)
		_exit(rw_tls_close(client) == -EXDEV && rw_tls_open(RW_TLS_CLIENT, NULL, 0, NULL, 0) > 0 ? 0 : 1);
	CHECK(child > 0);
	CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status));
	CHECK_EQUAL(WEXITSTATUS(status), 0);
	CHECK_EQUAL(rw_tls_close(client), 0);
}
