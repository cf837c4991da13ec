/*
 * Handshakes in memory.
 */
#include "tls_pair.h"

#include "test.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <stdio.h>
#include <string.h>

static SSL *make_session(uint32_t handle, uint32_t role, const char *name, uint32_t port)
{
	int32_t error = 0;
	struct tls_context *context = tls_context_take(handle, role, &error);
	SSL *ssl;

	CHECK_EQUAL(error, 0);
	ssl = tls_session_new(context, name, name ? (uint32_t)strlen(name) : 0, port);
	CHECK(ssl);
	tls_context_drop(context);
	return ssl;
}

void pair_make(struct pair *pair, uint32_t client_context, uint32_t server_context, const char *name, uint32_t port)
{
	BIO *one, *other;

	memset(pair, 0, sizeof *pair);
	pair->client.ssl = make_session(client_context, RW_TLS_CLIENT, name, port);
	pair->server.ssl = make_session(server_context, RW_TLS_SERVER, NULL, 0);
	CHECK(BIO_new_bio_pair(&one, 1 << 17, &other, 1 << 17) == 1);
	SSL_set_bio(pair->client.ssl, one, one);
	SSL_set_bio(pair->server.ssl, other, other);
}

static void step(struct end *end)
{
	int result;
	uint8_t byte;

	if (end->error != 0)
		return;
	ERR_clear_error();
	if (end->is_done) {
		result = SSL_read(end->ssl, &byte, 1);
		CHECK(result <= 0); /* nothing was sent */
		end->error = tls_session_error(end->ssl, result, &end->detail);
	} else {
		result = SSL_do_handshake(end->ssl);
		end->is_done = result == 1;
		end->error = result == 1 ? tls_session_check(end->ssl, &end->detail) : tls_session_error(end->ssl, result, &end->detail);
	}
	CHECK_EQUAL(ERR_peek_error(), 0);
}

void pair_shake(struct pair *pair)
{
	for (int i = 0; i < 8; i++) {
		step(&pair->client);
		step(&pair->server);
	}
}

void pair_expect(uint32_t client_context, uint32_t server_context, const char *name, uint32_t client_error, uint32_t server_error)
{
	struct pair pair;

	pair_make(&pair, client_context, server_context, name, 443);
	pair_shake(&pair);
	CHECK_EQUAL(pair.client.error, client_error);
	CHECK_EQUAL(pair.server.error, server_error);
	pair_free(&pair);
}

void pair_exchange(struct pair *pair)
{
	uint8_t byte = 0;

	CHECK(pair->client.is_done && pair->server.is_done);
	CHECK_EQUAL(SSL_write(pair->client.ssl, "a", 1), 1);
	CHECK_EQUAL(SSL_read(pair->server.ssl, &byte, 1), 1);
	CHECK_EQUAL(SSL_write(pair->server.ssl, "b", 1), 1);
	CHECK_EQUAL(SSL_read(pair->client.ssl, &byte, 1), 1);
	CHECK_EQUAL(byte, 'b');
}

void pair_free(struct pair *pair)
{
	tls_session_free(pair->client.ssl);
	tls_session_free(pair->server.ssl);
}

const char *end_line(const struct end *end, const char *key)
{
	static char text[1024], *line, *rest;
	int bytes = tls_session_describe(end->ssl, text, sizeof text - 1);

	CHECK(bytes > 0);
	text[bytes] = 0;
	rest = text;
	while ((line = strsep(&rest, "\n")) != NULL)
		if (strncmp(line, key, strlen(key)) == 0 && line[strlen(key)] == ' ')
			return line + strlen(key) + 1;
	CHECK(!"there is such a line");
	return NULL;
}
