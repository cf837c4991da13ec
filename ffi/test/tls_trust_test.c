/*
 * Whom TLS contexts trust: every fault of a certificate has its own error, names, pins, client certificates, the system's roots.
 */
#include "test.h"
#include "tls_pair.h"

#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct identity authority, stranger;

static void make_authorities(void)
{
	if (authority.certificate)
		return;
	identity_make(&authority, &(struct wanted){ .common_name = "Test authority", .is_authority = true });
	identity_make(&stranger, &(struct wanted){ .common_name = "Unknown authority", .is_authority = true });
}

static uint32_t open_server(const struct identity *identity, const char *chain)
{
	struct configuration configuration = { .used = 0 };
	char pem[16384];

	snprintf(pem, sizeof pem, "%s%s", identity->certificate_pem, chain);
	configuration_text(&configuration, RW_TLS_CERTIFICATE, pem);
	configuration_text(&configuration, RW_TLS_KEY, identity->key_pem);
	return configuration_open(&configuration, RW_TLS_SERVER);
}

static uint32_t open_client(uint32_t flags, const struct identity *pinned)
{
	struct configuration configuration = { .used = 0 };
	uint8_t pin[32] = { 1 };

	make_authorities();
	configuration_flags(&configuration, flags);
	configuration_text(&configuration, RW_TLS_AUTHORITY, authority.certificate_pem);
	if (pinned) {
		/* One that nobody has, and this. */
		configuration_add(&configuration, RW_TLS_PIN, pin, sizeof pin);
		identity_pin(pinned, pin);
		configuration_add(&configuration, RW_TLS_PIN, pin, sizeof pin);
	}
	return configuration_open(&configuration, RW_TLS_CLIENT);
}

/* A server with what is wanted, met by a client that trusts the authority. */
static void check_verdict(const struct wanted *wanted, const char *chain, const char *name, uint32_t error, uint32_t detail)
{
	struct identity identity;
	uint32_t client = open_client(RW_TLS_VERIFY, NULL), server;
	struct pair pair;

	identity_make(&identity, wanted);
	server = open_server(&identity, chain);
	pair_make(&pair, client, server, name, 443);
	pair_shake(&pair);
	CHECK_EQUAL(pair.client.error, error);
	CHECK_EQUAL(pair.client.detail, detail);
	CHECK_EQUAL(pair.server.error, error == 0 ? 0 : RW_TLS_ERROR_ALERT);
	pair_free(&pair);
	rw_tls_close(client);
	/* Whoever verifies nothing takes it. */
	client = open_client(0, NULL);
	pair_expect(client, server, name, 0, 0);
	rw_tls_close(client);
	rw_tls_close(server);
	identity_free(&identity);
}

TEST(each_fault_of_a_servers_certificate_has_its_own_error)
{
	make_authorities();
	check_verdict(&(struct wanted){ .common_name = "x", .names = "DNS:a.example", .issuer = &authority }, "", "a.example", 0, 0);
	check_verdict(&(struct wanted){ .common_name = "x", .names = "DNS:a.example", .issuer = &authority, .not_before_days = -9,
					.not_after_days = -1 },
		      "", "a.example", RW_TLS_ERROR_EXPIRED, X509_V_ERR_CERT_HAS_EXPIRED);
	check_verdict(&(struct wanted){ .common_name = "x", .names = "DNS:a.example", .issuer = &authority, .not_before_days = 1,
					.not_after_days = 9 },
		      "", "a.example", RW_TLS_ERROR_NOT_YET_VALID, X509_V_ERR_CERT_NOT_YET_VALID);
	check_verdict(&(struct wanted){ .common_name = "x", .names = "DNS:a.example" }, "", "a.example", RW_TLS_ERROR_SELF_SIGNED,
		      X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT);
	check_verdict(&(struct wanted){ .common_name = "x", .names = "DNS:a.example", .issuer = &stranger }, stranger.certificate_pem,
		      "a.example", RW_TLS_ERROR_SELF_SIGNED, X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN);
	check_verdict(&(struct wanted){ .common_name = "x", .names = "DNS:a.example", .issuer = &stranger }, "", "a.example",
		      RW_TLS_ERROR_UNKNOWN_ISSUER, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY);
	check_verdict(&(struct wanted){ .common_name = "x", .names = "DNS:a.example", .issuer = &authority, .is_authority = true }, "",
		      "a.example", RW_TLS_ERROR_CERTIFICATE, X509_V_ERR_INVALID_PURPOSE);
	check_verdict(&(struct wanted){ .common_name = "x", .names = "DNS:b.example", .issuer = &authority }, "", "a.example",
		      RW_TLS_ERROR_HOST_MISMATCH, X509_V_ERR_HOSTNAME_MISMATCH);
	check_verdict(&(struct wanted){ .common_name = "x", .names = "IP:127.0.0.2", .issuer = &authority }, "", "127.0.0.1",
		      RW_TLS_ERROR_HOST_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH);
}

TEST(an_issuer_that_is_no_authority_is_refused)
{
	struct identity leaf;

	make_authorities();
	identity_make(&leaf, &(struct wanted){ .common_name = "leaf", .issuer = &authority });
	check_verdict(&(struct wanted){ .common_name = "x", .names = "DNS:a.example", .issuer = &leaf }, leaf.certificate_pem, "a.example",
		      RW_TLS_ERROR_CERTIFICATE, X509_V_ERR_INVALID_CA);
	identity_free(&leaf);
}

TEST(a_server_key_under_2048_bits_is_refused_by_the_client)
{
	struct identity small;
	struct configuration configuration = { .used = 0 };
	uint32_t client = open_client(RW_TLS_VERIFY, NULL), server;

	identity_make(&small, &(struct wanted){ .common_name = "x", .names = "DNS:a.example", .issuer = &authority, .rsa_bits = 1024 });
	/* OpenSSL's own way to lower the level, so that this server starts at all: the order of records does not matter. */
	configuration_text(&configuration, RW_TLS_CIPHERS, "DEFAULT@SECLEVEL=0");
	configuration_identity(&configuration, &small);
	server = configuration_open(&configuration, RW_TLS_SERVER);
	pair_expect(client, server, "a.example", RW_TLS_ERROR_CERTIFICATE, RW_TLS_ERROR_ALERT);
	rw_tls_close(client);
	rw_tls_close(server);
	identity_free(&small);
}

TEST(names_match_by_whole_labels_and_addresses_as_addresses)
{
	static const struct {
		const char *names, *name;
		bool is_match;
	} cases[] = {
		{ "DNS:a.example", "A.Example", true },
		{ "DNS:a.example", "a.example.", true },
		{ "DNS:*.example.org", "a.example.org", true },
		{ "DNS:*.example.org", "b.a.example.org", false },
		{ "DNS:*.example.org", "example.org", false },
		{ "DNS:a*.example.org", "ab.example.org", false },
		{ "DNS:a.example.org", "example.org", false },
		{ "IP:127.0.0.1", "127.0.0.1", true },
		{ "IP:::1", "::1", true },
		{ "DNS:127.0.0.1", "127.0.0.1", false },
		{ "DNS:b.example", "x.example", false }, /* the common name is x.example */
	};
	uint32_t client = open_client(RW_TLS_VERIFY, NULL);

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct identity identity;
		uint32_t server;

		identity_make(&identity, &(struct wanted){ .common_name = "x.example", .names = cases[i].names, .issuer = &authority });
		server = open_server(&identity, "");
		pair_expect(client, server, cases[i].name, cases[i].is_match ? 0 : RW_TLS_ERROR_HOST_MISMATCH,
			    cases[i].is_match ? 0 : RW_TLS_ERROR_ALERT);
		rw_tls_close(server);
		identity_free(&identity);
	}
	rw_tls_close(client);
}

TEST(a_client_that_verifies_needs_a_name_that_somebody_can_have)
{
	static const char *const bad[] = { "", ".", ".example", "a b", "a\nb", "\x80" };
	uint32_t handle = open_client(RW_TLS_VERIFY, NULL), careless = open_client(0, NULL);
	int32_t error;
	struct tls_context *context = tls_context_take(handle, RW_TLS_CLIENT, &error);
	char long_name[300];
	SSL *ssl;

	memset(long_name, 'a', sizeof long_name);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		CHECK(!tls_context_takes_name(context, bad[i], (uint32_t)strlen(bad[i])));
		CHECK(!tls_session_new(context, bad[i], (uint32_t)strlen(bad[i]), 1));
	}
	CHECK(!tls_context_takes_name(context, long_name, 256));
	CHECK(!tls_context_takes_name(context, "a\0b", 3));
	CHECK(tls_context_takes_name(context, "a.example", 9));
	tls_context_drop(context);
	context = tls_context_take(careless, RW_TLS_CLIENT, &error);
	CHECK(tls_context_takes_name(context, "", 0));
	CHECK(!tls_context_takes_name(context, "a b", 3));
	ssl = tls_session_new(context, "", 0, 1);
	CHECK(ssl);
	tls_session_free(ssl);
	tls_context_drop(context);
	rw_tls_close(handle);
	rw_tls_close(careless);
}

TEST(an_address_is_looked_for_but_not_asked_for)
{
	struct identity identity;
	uint32_t client = open_client(RW_TLS_VERIFY, NULL), server;
	struct pair pair;

	identity_make(&identity, &(struct wanted){ .common_name = "x", .names = "IP:127.0.0.1", .issuer = &authority });
	server = open_server(&identity, "");
	pair_make(&pair, client, server, "127.0.0.1", 443);
	pair_shake(&pair);
	pair_exchange(&pair);
	CHECK(strcmp(end_line(&pair.server, "name"), "") == 0);
	CHECK(strcmp(end_line(&pair.client, "name"), "") == 0);
	pair_free(&pair);
	rw_tls_close(client);
	rw_tls_close(server);
	identity_free(&identity);
}

TEST(a_chain_is_sent_in_order_whatever_order_it_was_given_in)
{
	struct identity upper, lower, leaf;
	uint32_t client = open_client(RW_TLS_VERIFY, NULL), server;
	char chain[8192];
	struct pair pair;
	STACK_OF(X509) *sent;

	identity_make(&upper, &(struct wanted){ .common_name = "upper", .issuer = &authority, .is_authority = true });
	identity_make(&lower, &(struct wanted){ .common_name = "lower", .issuer = &upper, .is_authority = true });
	identity_make(&leaf, &(struct wanted){ .common_name = "leaf", .names = "DNS:a.example", .issuer = &lower });
	snprintf(chain, sizeof chain, "%s%s%s", stranger.certificate_pem, upper.certificate_pem, lower.certificate_pem);
	server = open_server(&leaf, chain);
	pair_make(&pair, client, server, "a.example", 443);
	pair_shake(&pair);
	pair_exchange(&pair);
	sent = SSL_get_peer_cert_chain(pair.client.ssl);
	CHECK_EQUAL(sk_X509_num(sent), 4);
	CHECK(X509_cmp(sk_X509_value(sent, 1), lower.certificate) == 0);
	CHECK(X509_cmp(sk_X509_value(sent, 2), upper.certificate) == 0);
	pair_free(&pair);
	rw_tls_close(server);
	/* Without what leads to the root there is no way. */
	server = open_server(&leaf, "");
	pair_expect(client, server, "a.example", RW_TLS_ERROR_UNKNOWN_ISSUER, RW_TLS_ERROR_ALERT);
	rw_tls_close(server);
	rw_tls_close(client);
	identity_free(&upper);
	identity_free(&lower);
	identity_free(&leaf);
}

static void check_pin(uint32_t flags, const struct identity *pinned, uint32_t server, uint32_t error)
{
	uint32_t client = open_client(flags, pinned);

	pair_expect(client, server, "a.example", error, error == 0 ? 0 : RW_TLS_ERROR_ALERT);
	rw_tls_close(client);
}

TEST(a_pin_must_match_a_key_of_the_verified_chain)
{
	struct identity leaf, other;
	uint32_t server, with_other;
	char chain[8192];

	make_authorities();
	identity_make(&leaf, &(struct wanted){ .common_name = "leaf", .names = "DNS:a.example", .issuer = &authority });
	identity_make(&other, &(struct wanted){ .common_name = "other", .names = "DNS:a.example", .issuer = &authority });
	server = open_server(&leaf, "");
	check_pin(RW_TLS_VERIFY, &leaf, server, 0);
	/* The root stands in the verified chain though nobody has sent it. */
	check_pin(RW_TLS_VERIFY, &authority, server, 0);
	check_pin(RW_TLS_VERIFY, &other, server, RW_TLS_ERROR_PIN_MISMATCH);
	check_pin(0, &leaf, server, 0);
	check_pin(0, &other, server, RW_TLS_ERROR_PIN_MISMATCH);
	check_pin(0, &authority, server, RW_TLS_ERROR_PIN_MISMATCH);
	/* A certificate that is only sent along proves nothing. */
	snprintf(chain, sizeof chain, "%s", other.certificate_pem);
	with_other = open_server(&leaf, chain);
	check_pin(RW_TLS_VERIFY, &other, with_other, RW_TLS_ERROR_PIN_MISMATCH);
	check_pin(0, &other, with_other, RW_TLS_ERROR_PIN_MISMATCH);
	rw_tls_close(server);
	rw_tls_close(with_other);
	identity_free(&leaf);
	identity_free(&other);
}

/* What a client with this identity, and one without, meet at a server with these flags. */
static void check_client(uint32_t version, uint32_t flags, const struct identity *shown, const struct identity *pinned,
			 uint32_t server_error, uint32_t alert)
{
	struct configuration configuration = { .used = 0 };
	struct identity identity;
	uint32_t client, server;
	struct pair pair;
	uint8_t pin[32];

	identity_make(&identity, &(struct wanted){ .common_name = "x", .names = "DNS:a.example", .issuer = &authority });
	configuration_flags(&configuration, flags);
	configuration_text(&configuration, RW_TLS_AUTHORITY, authority.certificate_pem);
	configuration_identity(&configuration, &identity);
	if (pinned) {
		identity_pin(pinned, pin);
		configuration_add(&configuration, RW_TLS_PIN, pin, sizeof pin);
	}
	server = configuration_open(&configuration, RW_TLS_SERVER);
	configuration.used = 0;
	configuration_flags(&configuration, RW_TLS_VERIFY);
	configuration_versions(&configuration, 0x0303, version);
	configuration_text(&configuration, RW_TLS_AUTHORITY, authority.certificate_pem);
	if (shown)
		configuration_identity(&configuration, shown);
	client = configuration_open(&configuration, RW_TLS_CLIENT);
	pair_make(&pair, client, server, "a.example", 443);
	pair_shake(&pair);
	CHECK_EQUAL(pair.server.error, server_error);
	CHECK_EQUAL(pair.client.error, alert ? RW_TLS_ERROR_ALERT : 0);
	CHECK_EQUAL(pair.client.detail, alert);
	if (server_error == 0) {
		uint8_t der[4096];

		CHECK_EQUAL(tls_session_certificate(pair.server.ssl, der, sizeof der),
			    shown && flags & RW_TLS_VERIFY ? i2d_X509(shown->certificate, NULL) : 0);
		/* The names of the authorities are told, so that a client can choose. */
		CHECK_EQUAL(sk_X509_NAME_num(SSL_get0_peer_CA_list(pair.client.ssl)), flags & RW_TLS_VERIFY ? 1 : -1);
	}
	pair_free(&pair);
	rw_tls_close(client);
	rw_tls_close(server);
	identity_free(&identity);
}

TEST(a_client_certificate_is_asked_for_or_required_and_must_be_valid)
{
	struct identity good, foreign, expired;

	make_authorities();
	identity_make(&good, &(struct wanted){ .common_name = "good", .issuer = &authority });
	identity_make(&foreign, &(struct wanted){ .common_name = "foreign", .issuer = &stranger });
	identity_make(&expired, &(struct wanted){ .common_name = "expired", .issuer = &authority, .not_before_days = -9,
						  .not_after_days = -1 });
	for (uint32_t version = 0x0303; version <= 0x0304; version++) {
		const uint32_t request = RW_TLS_VERIFY, require = RW_TLS_VERIFY | RW_TLS_REQUIRE;

		check_client(version, 0, &good, NULL, 0, 0);
		check_client(version, request, NULL, NULL, 0, 0);
		check_client(version, request, &good, NULL, 0, 0);
		check_client(version, request, &foreign, NULL, RW_TLS_ERROR_UNKNOWN_ISSUER, 48);
		check_client(version, request, &expired, NULL, RW_TLS_ERROR_EXPIRED, 45);
		check_client(version, require, &good, NULL, 0, 0);
		check_client(version, require, &foreign, NULL, RW_TLS_ERROR_UNKNOWN_ISSUER, 48);
		check_client(version, require, NULL, NULL, RW_TLS_ERROR_NO_CERTIFICATE, version == 0x0304 ? 116 : 40);
		check_client(version, require, &good, &good, 0, 0);
		check_client(version, require, &good, &foreign, RW_TLS_ERROR_PIN_MISMATCH, 40);
	}
	check_client(0x0304, RW_TLS_VERIFY, NULL, &good, RW_TLS_ERROR_NO_CERTIFICATE, 0);
	identity_free(&good);
	identity_free(&foreign);
	identity_free(&expired);
}

static void write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	CHECK(file && fputs(text, file) >= 0);
	fclose(file);
}

static void expect_with_roots(uint32_t error)
{
	struct configuration configuration = { .used = 0 };
	struct identity identity;
	uint32_t client, server;

	configuration_flags(&configuration, RW_TLS_VERIFY | RW_TLS_SYSTEM_ROOTS);
	client = configuration_open(&configuration, RW_TLS_CLIENT);
	identity_make(&identity, &(struct wanted){ .common_name = "x", .names = "DNS:a.example", .issuer = &authority });
	server = open_server(&identity, "");
	pair_expect(client, server, "a.example", error, error == 0 ? 0 : RW_TLS_ERROR_ALERT);
	rw_tls_close(client);
	/* With an authority of its own besides. */
	configuration_text(&configuration, RW_TLS_AUTHORITY, stranger.certificate_pem);
	client = configuration_open(&configuration, RW_TLS_CLIENT);
	pair_expect(client, server, "a.example", error, error == 0 ? 0 : RW_TLS_ERROR_ALERT);
	rw_tls_close(client);
	rw_tls_close(server);
	identity_free(&identity);
}

static void expect_no_roots(void)
{
	struct configuration configuration = { .used = 0 };
	char text[100];

	configuration_flags(&configuration, RW_TLS_VERIFY | RW_TLS_SYSTEM_ROOTS);
	CHECK_EQUAL(rw_tls_open(RW_TLS_CLIENT, configuration.bytes, configuration.used, text, sizeof text), -ENOENT);
	CHECK(strstr(text, "SSL_CERT_FILE"));
}

TEST(the_systems_roots_are_those_of_the_environment_and_read_again_when_they_change)
{
	char directory[256], file[300], hashed[300], both[8192];
	char *given_file = getenv("SSL_CERT_FILE"), *given_directory = getenv("SSL_CERT_DIR");

	make_authorities();
	given_file = given_file ? strdup(given_file) : NULL;
	given_directory = given_directory ? strdup(given_directory) : NULL;
	unsetenv("SSL_CERT_DIR");
	test_path(directory, sizeof directory, "roots");
	CHECK(mkdtemp(directory));
	snprintf(file, sizeof file, "%s/bundle.pem", directory);
	snprintf(hashed, sizeof hashed, "%s/%08lx.0", directory, X509_NAME_hash_ex(X509_get_subject_name(authority.certificate), NULL, NULL, NULL));
	setenv("SSL_CERT_FILE", file, 1);
	expect_no_roots();
	write_file(file, stranger.certificate_pem);
	expect_with_roots(RW_TLS_ERROR_UNKNOWN_ISSUER);
	/* A certificate that is broken does not cost the others. */
	snprintf(both, sizeof both, "# comment\n-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n%s%s",
		 stranger.certificate_pem, authority.certificate_pem);
	write_file(file, both);
	expect_with_roots(0);
	setenv("SSL_CERT_DIR", directory, 1);
	unsetenv("SSL_CERT_FILE");
	expect_no_roots();
	write_file(hashed, authority.certificate_pem);
	expect_with_roots(0);
	unlink(hashed);
	expect_no_roots();
	unsetenv("SSL_CERT_DIR");
	unlink(file);
	rmdir(directory);
	/* This system's own, if it has any. */
	if (access("/etc/ssl/certs/ca-certificates.crt", R_OK) == 0)
		expect_with_roots(RW_TLS_ERROR_UNKNOWN_ISSUER);
	if (given_file)
		setenv("SSL_CERT_FILE", given_file, 1);
	if (given_directory)
		setenv("SSL_CERT_DIR", given_directory, 1);
	free(given_file);
	free(given_directory);
}

/* CHECK jumps out of the main thread's stack: not for use here. */
static void *shake_with_roots(void *pointer)
{
	const struct identity *identity = pointer;
	struct configuration of_client = { .used = 0 }, of_server = { .used = 0 };
	bool is_good = true;

	configuration_flags(&of_client, RW_TLS_VERIFY | RW_TLS_SYSTEM_ROOTS | RW_TLS_RESUME);
	configuration_flags(&of_server, RW_TLS_RESUME);
	configuration_identity(&of_server, identity);
	for (int i = 0; i < 5 && is_good; i++) {
		int32_t client = rw_tls_open(RW_TLS_CLIENT, of_client.bytes, of_client.used, NULL, 0);
		int32_t server = rw_tls_open(RW_TLS_SERVER, of_server.bytes, of_server.used, NULL, 0);
		struct pair pair;

		if (client <= 0 || server <= 0)
			return NULL;
		pair_make(&pair, (uint32_t)client, (uint32_t)server, "a.example", 443);
		pair_shake(&pair);
		is_good = pair.client.is_done && pair.client.error == 0;
		pair_free(&pair);
		/* The last ones are left to the end of the thread. */
		if (i < 4 && (rw_tls_close((uint32_t)client) != 0 || rw_tls_close((uint32_t)server) != 0))
			return NULL;
	}
	return is_good ? pointer : NULL;
}

TEST(threads_verify_by_the_same_roots_at_once)
{
	char path[256], *given = getenv("SSL_CERT_FILE");
	struct identity identity;
	pthread_t threads[4];
	bool are_good = true;

	make_authorities();
	given = given ? strdup(given) : NULL;
	test_path(path, sizeof path, "roots");
	close(mkstemp(path));
	write_file(path, authority.certificate_pem);
	setenv("SSL_CERT_FILE", path, 1);
	identity_make(&identity, &(struct wanted){ .common_name = "x", .names = "DNS:a.example", .issuer = &authority });
	for (int i = 0; i < 4; i++)
		CHECK_EQUAL(pthread_create(&threads[i], NULL, shake_with_roots, &identity), 0);
	for (int i = 0; i < 4; i++) {
		void *result;

		pthread_join(threads[i], &result);
		are_good = are_good && result;
	}
	unlink(path);
	if (given)
		setenv("SSL_CERT_FILE", given, 1);
	else
		unsetenv("SSL_CERT_FILE");
	free(given);
	identity_free(&identity);
	CHECK(are_good);
}
