/*
 * Sessions that are resumed: when they are, and when they must not be.
 */
#include "test.h"
#include "tls_context.h"
#include "tls_pair.h"

#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

static struct identity authority, stranger, leaf, visitor;

static void make_identities(void)
{
	if (authority.certificate)
		return;
	identity_make(&authority, &(struct wanted){ .common_name = "Test authority", .is_authority = true });
	identity_make(&stranger, &(struct wanted){ .common_name = "Unknown authority", .is_authority = true });
	identity_make(&leaf, &(struct wanted){ .common_name = "leaf", .names = "DNS:a.example,DNS:b.example,DNS:*.many.example",
					       .issuer = &authority });
	identity_make(&visitor, &(struct wanted){ .common_name = "visitor", .issuer = &authority });
}

struct plan {
	uint32_t flags, lowest, highest;
	const struct identity *authority, *identity, *pinned;
};

static void write_plan(struct configuration *configuration, const struct plan *plan)
{
	uint8_t pin[32];

	configuration->used = 0;
	configuration_flags(configuration, plan->flags);
	configuration_versions(configuration, plan->lowest, plan->highest);
	if (plan->authority)
		configuration_text(configuration, RW_TLS_AUTHORITY, plan->authority->certificate_pem);
	if (plan->identity)
		configuration_identity(configuration, plan->identity);
	if (plan->pinned) {
		identity_pin(plan->pinned, pin);
		configuration_add(configuration, RW_TLS_PIN, pin, sizeof pin);
	}
}

static uint32_t open_plan(uint32_t role, const struct plan *plan)
{
	struct configuration configuration;

	write_plan(&configuration, plan);
	return configuration_open(&configuration, role);
}

static void update(uint32_t context, const struct plan *plan)
{
	struct configuration configuration;

	write_plan(&configuration, plan);
	CHECK_EQUAL(rw_tls_update(context, configuration.bytes, configuration.used, NULL, 0), 0);
}

/* A connection that must succeed; returns whether it was a resumption, which both ends must agree on. */
static bool is_resumed(uint32_t client, uint32_t server, const char *name, uint32_t port)
{
	struct pair pair;
	bool result;

	pair_make(&pair, client, server, name, port);
	pair_shake(&pair);
	CHECK_EQUAL(pair.client.error, 0);
	CHECK_EQUAL(pair.server.error, 0);
	pair_exchange(&pair);
	result = strcmp(end_line(&pair.client, "resumed"), "1") == 0;
	CHECK(result == (strcmp(end_line(&pair.server, "resumed"), "1") == 0));
	pair_free(&pair);
	return result;
}

static struct plan client_plan(uint32_t version)
{
	make_identities();
	return (struct plan){ .flags = RW_TLS_VERIFY | RW_TLS_RESUME, .lowest = version, .highest = version, .authority = &authority };
}

static struct plan server_plan(void)
{
	make_identities();
	return (struct plan){ .flags = RW_TLS_RESUME, .lowest = 0x0303, .highest = 0x0304, .identity = &leaf };
}

TEST(a_client_resumes_its_session_of_the_same_name_and_port)
{
	for (uint32_t version = 0x0303; version <= 0x0304; version++) {
		struct plan plan = client_plan(version), of_server = server_plan();
		uint32_t client = open_plan(RW_TLS_CLIENT, &plan), server = open_plan(RW_TLS_SERVER, &of_server);

		CHECK(!is_resumed(client, server, "a.example", 443));
		for (int i = 0; i < 5; i++)
			CHECK(is_resumed(client, server, "a.example", 443));
		CHECK(!is_resumed(client, server, "b.example", 443));
		CHECK(!is_resumed(client, server, "a.example", 444));
		CHECK(is_resumed(client, server, "a.example", 443));
		rw_tls_close(client);
		rw_tls_close(server);
	}
}

TEST(nothing_is_resumed_where_one_end_does_not_want_it)
{
	for (uint32_t version = 0x0303; version <= 0x0304; version++)
		for (int i = 0; i < 2; i++) {
			struct plan plan = client_plan(version), of_server = server_plan();
			uint32_t client, server;

			if (i)
				plan.flags &= ~(uint32_t)RW_TLS_RESUME;
			else
				of_server.flags &= ~(uint32_t)RW_TLS_RESUME;
			client = open_plan(RW_TLS_CLIENT, &plan);
			server = open_plan(RW_TLS_SERVER, &of_server);
			CHECK(!is_resumed(client, server, "a.example", 443));
			CHECK(!is_resumed(client, server, "a.example", 443));
			rw_tls_close(client);
			rw_tls_close(server);
		}
}

TEST(a_ticket_of_tls_13_is_offered_once_and_two_are_kept)
{
	struct plan plan = client_plan(0x0304), of_server = server_plan();
	uint32_t client = open_plan(RW_TLS_CLIENT, &plan), server = open_plan(RW_TLS_SERVER, &of_server);
	struct pair pairs[3];

	CHECK(!is_resumed(client, server, "a.example", 443));
	/* Three at once: there are two tickets. */
	for (int i = 0; i < 3; i++)
		pair_make(&pairs[i], client, server, "a.example", 443);
	for (int i = 0; i < 3; i++) {
		pair_shake(&pairs[i]);
		pair_exchange(&pairs[i]);
		CHECK_EQUAL(SSL_session_reused(pairs[i].client.ssl), i < 2);
		pair_free(&pairs[i]);
	}
	rw_tls_close(client);
	rw_tls_close(server);
}

TEST(the_number_of_kept_sessions_is_bounded)
{
	struct plan plan = client_plan(0x0303), of_server = server_plan();
	uint32_t client = open_plan(RW_TLS_CLIENT, &plan), server = open_plan(RW_TLS_SERVER, &of_server);
	struct tls_context *context;
	int32_t error;
	char name[32];

	if (test_is_valgrind())
		test_skip("hundreds of handshakes take minutes under valgrind");
	for (int i = 0; i < 257; i++) {
		snprintf(name, sizeof name, "n%d.many.example", i);
		CHECK(!is_resumed(client, server, name, 443));
	}
	context = tls_context_take(client, RW_TLS_CLIENT, &error);
	CHECK_EQUAL(context->cache.count, 256);
	tls_context_drop(context);
	CHECK(is_resumed(client, server, "n1.many.example", 443));
	CHECK(is_resumed(client, server, "n256.many.example", 443));
	CHECK(!is_resumed(client, server, "n0.many.example", 443));
	/* The least used went to make room. */
	CHECK(is_resumed(client, server, "n1.many.example", 443));
	CHECK(!is_resumed(client, server, "n2.many.example", 443));
	rw_tls_close(client);
	rw_tls_close(server);
}

TEST(a_session_that_is_too_old_is_forgotten)
{
	struct plan plan = client_plan(0x0303), of_server = server_plan();
	uint32_t client = open_plan(RW_TLS_CLIENT, &plan), server = open_plan(RW_TLS_SERVER, &of_server);
	struct tls_context *context;
	SSL_SESSION *session;
	int32_t error;

	CHECK(!is_resumed(client, server, "a.example", 443));
	context = tls_context_take(client, RW_TLS_CLIENT, &error);
	session = tls_cache_take(&context->cache, "a.example", 443);
	CHECK(session);
	CHECK_EQUAL(SSL_SESSION_get_timeout(session), 7200);
	SSL_SESSION_set_time(session, SSL_SESSION_get_time(session) - 7201);
	CHECK(!tls_cache_take(&context->cache, "a.example", 443));
	CHECK_EQUAL(context->cache.count, 0);
	SSL_SESSION_free(session);
	tls_context_drop(context);
	CHECK(!is_resumed(client, server, "a.example", 443));
	rw_tls_close(client);
	rw_tls_close(server);
}

TEST(a_servers_tickets_outlive_an_update_of_its_certificate)
{
	struct plan plan = client_plan(0x0304), of_server = server_plan();
	uint32_t client = open_plan(RW_TLS_CLIENT, &plan), server = open_plan(RW_TLS_SERVER, &of_server);
	struct identity renewed;

	CHECK(!is_resumed(client, server, "a.example", 443));
	identity_make(&renewed, &(struct wanted){ .common_name = "renewed", .names = "DNS:a.example", .issuer = &authority });
	of_server.identity = &renewed;
	update(server, &of_server);
	CHECK(is_resumed(client, server, "a.example", 443));
	rw_tls_close(client);
	rw_tls_close(server);
	identity_free(&renewed);
}

/* Lets the ticket keys grow older. */
static void age(uint32_t server, int64_t seconds)
{
	int32_t error;
	struct tls_context *context = tls_context_take(server, RW_TLS_SERVER, &error);

	for (uint32_t i = 0; i < TLS_TICKET_KEYS; i++)
		if (context->tickets.keys[i].made_at != 0)
			context->tickets.keys[i].made_at -= seconds;
	tls_context_drop(context);
}

TEST(ticket_keys_are_renewed_and_old_ones_known_for_a_while)
{
	for (uint32_t version = 0x0303; version <= 0x0304; version++) {
		struct plan plan = client_plan(version), of_server = server_plan();
		uint32_t client = open_plan(RW_TLS_CLIENT, &plan), server = open_plan(RW_TLS_SERVER, &of_server);
		struct tls_context *context;
		uint8_t name[16];
		int32_t error;

		context = tls_context_take(server, RW_TLS_SERVER, &error);
		CHECK(!is_resumed(client, server, "a.example", 443));
		memcpy(name, context->tickets.keys[0].name, sizeof name);
		age(server, 3600);
		CHECK(is_resumed(client, server, "a.example", 443));
		CHECK(memcmp(name, context->tickets.keys[0].name, sizeof name) != 0);
		CHECK(memcmp(name, context->tickets.keys[1].name, sizeof name) == 0);
		/* Nobody has come for longer than a key is known. */
		age(server, 4 * 3600);
		CHECK(!is_resumed(client, server, "a.example", 443));
		CHECK(is_resumed(client, server, "a.example", 443));
		tls_context_drop(context);
		rw_tls_close(client);
		rw_tls_close(server);
	}
}

TEST(a_resumed_session_satisfies_the_pins_it_was_made_with_and_no_others)
{
	for (uint32_t version = 0x0303; version <= 0x0304; version++) {
		struct plan plan = client_plan(version), of_server = server_plan();
		uint32_t client, server = open_plan(RW_TLS_SERVER, &of_server);
		const struct identity *const pins[] = { &leaf, &authority };

		for (int i = 0; i < 2; i++) {
			struct pair pair;

			plan.pinned = pins[i];
			client = open_plan(RW_TLS_CLIENT, &plan);
			CHECK(!is_resumed(client, server, "a.example", 443));
			pair_make(&pair, client, server, "a.example", 443);
			pair_shake(&pair);
			CHECK_EQUAL(pair.client.error, 0);
			CHECK(SSL_session_reused(pair.client.ssl));
			/* The session has brought the certificate along. */
			CHECK(tls_session_certificate(pair.client.ssl, NULL, 0) > 0);
			pair_free(&pair);
			plan.pinned = &stranger;
			update(client, &plan);
			pair_expect(client, server, "a.example", RW_TLS_ERROR_PIN_MISMATCH, RW_TLS_ERROR_ALERT);
			/* A refused server has left nothing to be resumed. */
			pair_expect(client, server, "a.example", RW_TLS_ERROR_PIN_MISMATCH, RW_TLS_ERROR_ALERT);
			rw_tls_close(client);
		}
		rw_tls_close(server);
	}
}

TEST(a_session_of_before_an_update_is_not_kept_when_others_are_trusted_now)
{
	struct plan plan = client_plan(0x0304), of_server = server_plan();
	uint32_t client = open_plan(RW_TLS_CLIENT, &plan), server = open_plan(RW_TLS_SERVER, &of_server);
	struct pair pair;

	pair_make(&pair, client, server, "a.example", 443);
	plan.authority = &stranger;
	update(client, &plan);
	/* Verified by the old rules, and its tickets come only now. */
	pair_shake(&pair);
	pair_exchange(&pair);
	pair_free(&pair);
	pair_expect(client, server, "a.example", RW_TLS_ERROR_UNKNOWN_ISSUER, RW_TLS_ERROR_ALERT);
	plan.authority = &authority;
	update(client, &plan);
	CHECK(!is_resumed(client, server, "a.example", 443));
	CHECK(is_resumed(client, server, "a.example", 443));
	rw_tls_close(client);
	rw_tls_close(server);
}

TEST(a_client_does_not_resume_what_it_had_not_verified)
{
	struct plan plan = client_plan(0x0304), of_server = server_plan();
	uint32_t client, server = open_plan(RW_TLS_SERVER, &of_server);

	plan.flags = RW_TLS_RESUME;
	plan.authority = &stranger;
	client = open_plan(RW_TLS_CLIENT, &plan);
	CHECK(!is_resumed(client, server, "a.example", 443));
	CHECK(is_resumed(client, server, "a.example", 443));
	plan.flags |= RW_TLS_VERIFY;
	update(client, &plan);
	pair_expect(client, server, "a.example", RW_TLS_ERROR_UNKNOWN_ISSUER, RW_TLS_ERROR_ALERT);
	rw_tls_close(client);
	rw_tls_close(server);
}

TEST(a_clients_certificate_is_resumed_with_its_session_until_the_server_trusts_others)
{
	for (uint32_t version = 0x0303; version <= 0x0304; version++) {
		struct plan plan = client_plan(version), of_server = server_plan();
		uint32_t client, server;
		struct pair pair;

		plan.identity = &visitor;
		of_server.flags |= RW_TLS_VERIFY | RW_TLS_REQUIRE;
		of_server.authority = &authority;
		client = open_plan(RW_TLS_CLIENT, &plan);
		server = open_plan(RW_TLS_SERVER, &of_server);
		CHECK(!is_resumed(client, server, "a.example", 443));
		pair_make(&pair, client, server, "a.example", 443);
		pair_shake(&pair);
		CHECK(SSL_session_reused(pair.server.ssl));
		CHECK_EQUAL(tls_session_certificate(pair.server.ssl, NULL, 0), i2d_X509(visitor.certificate, NULL));
		pair_free(&pair);
		of_server.authority = &stranger;
		update(server, &of_server);
		pair_make(&pair, client, server, "a.example", 443);
		pair_shake(&pair);
		CHECK_EQUAL(pair.server.error, RW_TLS_ERROR_UNKNOWN_ISSUER);
		pair_free(&pair);
		rw_tls_close(client);
		rw_tls_close(server);
	}
}

TEST(a_client_whose_pin_is_missing_gets_no_ticket)
{
	struct plan plan = client_plan(0x0304), of_server = server_plan();
	uint32_t client, server;

	plan.identity = &visitor;
	of_server.flags |= RW_TLS_VERIFY | RW_TLS_REQUIRE;
	of_server.authority = &authority;
	of_server.pinned = &stranger;
	client = open_plan(RW_TLS_CLIENT, &plan);
	server = open_plan(RW_TLS_SERVER, &of_server);
	for (int i = 0; i < 2; i++)
		pair_expect(client, server, "a.example", RW_TLS_ERROR_ALERT, RW_TLS_ERROR_PIN_MISMATCH);
	rw_tls_close(client);
	rw_tls_close(server);
}
