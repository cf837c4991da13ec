/*
 * What a TLS configuration may say: records, certificates and keys, and the reasons for which they are refused.
 */
#include "test.h"
#include "tls_parties.h"

#include <stdio.h>
#include <string.h>

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

	parties_make();
	configuration.used = 0;
	check_refused(&configuration, RW_TLS_SERVER, -EINVAL, "a server needs a certificate and its key");
	configuration_text(&configuration, RW_TLS_CERTIFICATE, parties.server.certificate_pem);
	check_refused(&configuration, RW_TLS_SERVER, -EINVAL, "a certificate, but no key");
	check_refused(&configuration, RW_TLS_CLIENT, -EINVAL, "a certificate, but no key");
	configuration.used = 0;
	configuration_text(&configuration, RW_TLS_KEY, parties.server.key_pem);
	check_refused(&configuration, RW_TLS_CLIENT, -EINVAL, "a key, but no certificate");
	server_configuration(&configuration, RW_TLS_REQUIRE);
	check_refused(&configuration, RW_TLS_SERVER, -EINVAL, "only when it is verified");
	client_configuration(&configuration, RW_TLS_REQUIRE);
	check_refused(&configuration, RW_TLS_CLIENT, -EINVAL, "required only of clients");
	client_configuration(&configuration, 0);
	configuration_text(&configuration, RW_TLS_NAME, "a.example");
	configuration_identity(&configuration, &parties.server);
	check_refused(&configuration, RW_TLS_CLIENT, -EINVAL, "for servers");
	server_configuration(&configuration, 0);
	configuration_add(&configuration, RW_TLS_PIN, pin, sizeof pin);
	check_refused(&configuration, RW_TLS_SERVER, -EINVAL, "pins for clients");
	server_configuration(&configuration, 0);
	for (int i = 0; i < 2; i++) {
		configuration_text(&configuration, RW_TLS_NAME, i ? "A.example" : "a.example");
		configuration_identity(&configuration, &parties.server);
	}
	check_refused(&configuration, RW_TLS_SERVER, -EINVAL, "a.example given twice");
}

TEST(certificates_and_keys_that_will_not_do_are_refused_with_the_reason)
{
	struct identity locked, small, sha1;
	struct configuration configuration;
	char chain[8192];

	parties_make();
	identity_make(&locked, &(struct wanted){ .common_name = "locked", .passphrase = "open sesame" });
	identity_make(&small, &(struct wanted){ .common_name = "small", .rsa_bits = 1024 });
	identity_make(&sha1, &(struct wanted){ .common_name = "sha1", .issuer = &parties.authority, .is_sha1 = true });

	configuration.used = 0;
	configuration_text(&configuration, RW_TLS_CERTIFICATE, parties.server.certificate_pem);
	configuration_text(&configuration, RW_TLS_KEY, parties.other.key_pem);
	check_refused(&configuration, RW_TLS_SERVER, -EINVAL, "the key does not belong to the certificate");

	configuration.used = 0;
	configuration_text(&configuration, RW_TLS_CERTIFICATE, "no certificate");
	configuration_text(&configuration, RW_TLS_KEY, parties.server.key_pem);
	check_refused(&configuration, RW_TLS_SERVER, -EINVAL, "this is no PEM certificate");

	configuration.used = 0;
	configuration_text(&configuration, RW_TLS_CERTIFICATE, parties.server.certificate_pem);
	configuration_text(&configuration, RW_TLS_KEY, parties.server.certificate_pem);
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

	snprintf(chain, sizeof chain, "%s%s", parties.authority.certificate_pem, parties.server.certificate_pem);
	configuration.used = 0;
	configuration_text(&configuration, RW_TLS_CERTIFICATE, chain);
	configuration_text(&configuration, RW_TLS_KEY, parties.server.key_pem);
	check_refused(&configuration, RW_TLS_SERVER, -EINVAL, "must come first");
	snprintf(chain, sizeof chain, "%s-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", parties.server.certificate_pem);
	configuration.used = 0;
	configuration_text(&configuration, RW_TLS_CERTIFICATE, chain);
	configuration_text(&configuration, RW_TLS_KEY, parties.server.key_pem);
	check_refused(&configuration, RW_TLS_SERVER, -EINVAL, "a certificate of the chain is malformed");

	server_configuration(&configuration, 0);
	configuration_text(&configuration, RW_TLS_NAME, "b.example");
	configuration_text(&configuration, RW_TLS_CERTIFICATE, parties.other.certificate_pem);
	configuration_text(&configuration, RW_TLS_KEY, parties.server.key_pem);
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

	identity_make(&locked, &(struct wanted){ .common_name = "locked", .passphrase = "open sesame", .issuer = &parties.authority,
						 .names = "DNS:a.example" });
	identity_make(&rsa, &(struct wanted){ .common_name = "rsa", .rsa_bits = 2048, .issuer = &parties.authority, .names = "DNS:a.example" });
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
